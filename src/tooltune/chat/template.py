"""Chat templates compiled as transformers compiles them, and the plain values they are given.

Templates come with model folders and are untrusted: they run in Jinja's immutable sandbox and see
strings, numbers, lists and dicts only.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tooltune.chat.defuse import Defuser
from tooltune.errors import ModelError
from tooltune.messages import Message, ToolCall


def compile_template(source: str, *, where: str) -> Template:
    """Raises ModelError naming `where` and the line of a template that does not compile."""
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
