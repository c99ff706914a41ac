"""Conversation -> text, by a chat template compiled as transformers compiles it.

Templates come with model folders and are untrusted: they run in Jinja's immutable sandbox and see
strings, numbers, lists and dicts only.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tooltune.chat.defuse import Defuser, replace_unencodable
from tooltune.errors import ModelError
from tooltune.messages import Message, Tool, ToolCall

PROBE_TEXT, PROBE_RESULT = "Xyzzy", "Plugh"
QUESTION = Message(role="user", content="?")
PROBE_TOOLS = (Tool(name=PROBE_TEXT, input_schema={"type": "object", "properties": {}}),)
PROBE_TURNS = (
    QUESTION,
    Message(
        role="assistant", tool_calls=(ToolCall(id="call00000", name=PROBE_TEXT, arguments={}),)
    ),
    Message(role="tool", content=PROBE_RESULT, tool_call_id="call00000"),
    Message(role="assistant", content=PROBE_TEXT),
    QUESTION,
    Message(role="assistant", content=PROBE_TEXT),
)
"""What a template does is measured on these."""

_MOST_CATALOGS = 256
"""Remembered at once."""


class ChatTemplate:
    """One template with the tokenizer's control strings.

    Most of a prompt is its catalog, the same for many conversations. Where that stands apart from
    the turns, it is rendered once.
    """

    def __init__(
        self, source: str, *, special_tokens: Mapping[str, str], defuser: Defuser, where: str
    ) -> None:
        """Raises ModelError naming `where` and the line of a template that does not compile."""
        self._compiled = _compile(source, where=where)
        self._special_tokens, self._defuser, self._where = special_tokens, defuser, where
        self._tools_cache: dict[Any, tuple[Sequence[Tool], list[Any]]] = {}
        self._heads_cache: dict[Any, tuple[Sequence[Tool], str]] = {}
        self.has_heads = self._measure_heads()

    def text(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        *,
        is_prompt: bool,
        schemas_of: Sequence[Tool] = (),
    ) -> str:
        """A prompt ends where the assistant speaks next. Arguments are in the order of the schemas
        of `tools`, or of `schemas_of`, which are not shown. Raises ModelError where the template
        refuses the messages."""
        schemas = {tool.name: tool.input_schema for tool in tools or schemas_of}
        is_system = bool(messages) and messages[0].role == "system"
        turns = messages[is_system:]
        if not self.has_heads or not turns or turns[0].role == "system":
            return self._render(messages, tools, schemas, is_prompt=is_prompt)
        return self._head(messages[:is_system], tools) + self._render(
            turns, (), schemas, is_prompt=is_prompt
        )

    def _head(self, system: Sequence[Message], tools: Sequence[Tool]) -> str:
        """What stands in front of the first turn; `system` holds one message or none."""
        key = (tuple(message.content for message in system), *map(id, tools))
        if key not in self._heads_cache:
            text = self._render([*system, QUESTION], tools, {}, is_prompt=False)
            head = text.removesuffix(self._render([QUESTION], (), {}, is_prompt=False))
            _remember(self._heads_cache, key, (tuple(tools), head))
        return self._heads_cache[key][1]

    def _measure_heads(self) -> bool:
        """Whether system text and catalog make one text in front of any turns. Not where they
        are part of a user's message, or where the template adds a system text of its own."""
        lengths = range(1, len(PROBE_TURNS) + 1)
        systems = ((), (Message(role="system", content=PROBE_TEXT),))
        probes = itertools.product(systems, ((), PROBE_TOOLS), lengths, (True, False))
        try:
            return all(
                self._head(system, tools) + self._render(turns, (), {}, is_prompt=is_prompt)
                == self._render([*system, *turns], tools, {}, is_prompt=is_prompt)
                for system, tools, length, is_prompt in probes
                for turns in (PROBE_TURNS[:length],)
            )
        except ModelError:
            return False

    def _render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        schemas: Mapping[str, Any],
        *,
        is_prompt: bool,
    ) -> str:
        """`schemas`, by tool, order the arguments of calls; `tools` are shown."""
        try:
            text = self._compiled.render(
                messages=messages_to_template(messages, schemas, self._defuser),
                tools=self._tools_to_template(tools) or None,
                documents=None,
                add_generation_prompt=is_prompt,
                enable_thinking=False,
                **self._special_tokens,
            )
        except TemplateError as error:
            raise ModelError(
                f"{self._where}: the chat template refuses the messages ({error}). "
                "Change the conversation or the template."
            ) from None
        return replace_unencodable(text)

    def _tools_to_template(self, tools: Sequence[Tool]) -> list[Any]:
        """Conversations with the same catalog hold the same Tool objects: work is done once."""
        key = tuple(map(id, tools))
        if key not in self._tools_cache:
            values = [self._defuser.defuse_json(tool.to_openai()) for tool in tools]
            _remember(self._tools_cache, key, (tuple(tools), values))
        return self._tools_cache[key][1]


def _remember(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Values hold the tools that their key names by id, so that no other object gets that id."""
    if len(cache) >= _MOST_CATALOGS:
        cache.clear()
    cache[key] = value


def _compile(source: str, *, where: str) -> Template:
    try:
        return _ENVIRONMENT.from_string(source)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ModelError(
            f"{where}: the chat template does not compile (line {line}: {error}). "
            "Repair chat_template.jinja."
        ) from None


def messages_to_template(
    messages: Sequence[Message], schemas: Mapping[str, Any], defuser: Defuser
) -> list[dict[str, Any]]:
    """Messages in OpenAI's form, arguments as objects in the order of `schemas[tool name]`."""
    values: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role == "system":
            values.append({"role": "system", "content": message.content})
            continue
        content = defuser.defuse(message.content)
        value: dict[str, Any] = {"role": message.role, "content": content}
        if message.role == "assistant":
            # Generation starts behind the turn's head; space there could merge with it.
            value["content"] = content.strip()
        if message.tool_calls:
            calls = [_call_to_template(call, schemas) for call in message.tool_calls]
            value["tool_calls"] = defuser.defuse_json(calls)
            names |= {call.id: call.name for call in message.tool_calls}
        if message.tool_call_id is not None:
            value["tool_call_id"] = defuser.defuse(message.tool_call_id)
            value["name"] = defuser.defuse(names.get(message.tool_call_id, ""))
        values.append(value)
    return values


def order_like(schema: Any, value: Any) -> Any:
    """`value` with object keys in the order of the schema's properties, others behind them."""
    known = schema if isinstance(schema, dict) else {}
    if isinstance(value, list):
        return [order_like(known.get("items"), item) for item in value]
    properties = known.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    keys = [key for key in properties if key in value]
    keys += [key for key in value if key not in properties]
    return {key: order_like(properties.get(key), value[key]) for key in keys}


def _call_to_template(call: ToolCall, schemas: Mapping[str, Any]) -> dict[str, Any]:
    arguments = order_like(schemas.get(call.name), call.arguments)
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


class _GenerationTag(Extension):
    """`{% generation %}` marks the assistant's text for trainers; here it only prints its body."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own way to name them

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes <, > and & for HTML, which no model was trained on.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_GenerationTag, "jinja2.ext.loopcontrols"],
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


_ENVIRONMENT = _environment()
