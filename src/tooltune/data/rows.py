"""A row with `messages` -> Conversation: ours, OpenAI's, TRL's or the recipe's.

OpenAI's may be of the legacy `functions`, TRL's may have `prompt` and `completion`, and the
recipe's assistant writes `{"tool": ..., "arguments": ...}` as its text.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError

from tooltune.data.schema import accepts
from tooltune.jsonl import dump_json
from tooltune.messages import Conversation, Message, Tool, ToolCall

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_TAGGED = re.compile(r"\s*<tool_response>\s*(.*?)\s*</tool_response>\s*", re.DOTALL)
_LITERAL_KEYS = frozenset({"default", "const", "enum", "examples"})

_Value = TypeVar("_Value")


class UnreadableRowError(ValueError):
    """Says why, in words that follow a line number."""


def read_row(row: Any, *, name: str) -> Conversation:
    """One row in any of the formats; `name` is its id where it has none of its own. Raises
    UnreadableRowError."""
    if not isinstance(row, dict):
        raise UnreadableRowError(f"a row must be an object (got {type(row).__name__})")
    messages = _messages_of(row)
    tools = _read_tools(row.get("tools") or row.get("functions"))
    if any(_recipe_call(message) for message in messages):
        messages = _from_recipe(messages)
    row_id = row.get("id")
    try:
        return Conversation(
            id=str(row_id) if isinstance(row_id, str | int) and row_id != "" else name,
            messages=_Messages(tools).read(messages),
            tools=tools,
            ability=row.get("ability"),
            meta=row.get("meta") or {},
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UnreadableRowError(f"{where}: {first['msg']} (got {first['input']!r})") from None


def _messages_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    messages = row.get("messages")
    if messages is None and isinstance(row.get("prompt"), list):
        completion = row.get("completion")
        messages = [*row["prompt"], *(completion if isinstance(completion, list) else [])]
    if not isinstance(messages, list):
        keys = ", ".join(sorted(row)) or "none"
        raise UnreadableRowError(f"no list `messages` in the row (its keys: {keys})")
    for index, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else message
        if not isinstance(message, dict) or not isinstance(role, str) or role not in ROLES:
            raise UnreadableRowError(
                f"messages[{index}]: unknown role (got {_short(role)}, expected one of "
                f"{', '.join(ROLES)})"
            )
    return messages


class _Messages:
    """Reads the turns of one row in order, pairing results with calls as it goes."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.schemas = {tool.name: tool.input_schema for tool in tools}
        self.num_calls = 0
        self.open_calls: list[ToolCall] = []

    def read(self, messages: list[dict[str, Any]]) -> tuple[Message, ...]:
        turns = []
        for index, value in enumerate(messages):
            try:
                turns.append(self.read_turn(value))
            except UnreadableRowError as error:
                raise UnreadableRowError(f"messages[{index}]: {error}") from None
        return tuple(turns)

    def read_turn(self, value: dict[str, Any]) -> Message:
        role = ROLES[value["role"]]
        content = _require_sendable(_read_content(value.get("content")), "content")
        if role == "assistant":
            self.open_calls = [self.read_call(call) for call in _calls_of(value)]
            calls = tuple(self.open_calls)
            return Message(role="assistant", content=content, tool_calls=calls)
        if role == "tool":
            return Message(role="tool", content=content, tool_call_id=self.answered(value))
        return Message(role=role, content=content)

    def read_call(self, value: Any) -> ToolCall:
        function = value.get("function", value) if isinstance(value, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise UnreadableRowError(f"a tool call has no name (got {_short(value)})")
        name = function["name"]
        self.num_calls += 1
        call_id = value.get("id") or f"call_{self.num_calls}"
        arguments = _read_arguments(function, self.schemas.get(name, {}))
        arguments = _require_sendable(arguments, f"the arguments of {name}")
        return ToolCall(id=call_id, name=name, arguments=arguments)

    def answered(self, value: dict[str, Any]) -> str | None:
        """The id of the call this result answers: as it says, else the next open one (of the
        named tool, where it names one); None where there is none."""
        call_id = value.get("tool_call_id")
        if call_id is None:
            name = value.get("name")
            named = [call for call in self.open_calls if call.name == name]
            call_id = next((call.id for call in named or self.open_calls), None)
        self.open_calls = [call for call in self.open_calls if call.id != call_id]
        return call_id


def _calls_of(message: dict[str, Any]) -> list[Any]:
    calls = message.get("tool_calls")
    if not calls:
        legacy = message.get("function_call")
        return [legacy] if legacy else []
    if not isinstance(calls, list):
        raise UnreadableRowError(f"tool_calls must be a list (got {_short(calls)})")
    return calls


def _read_content(content: Any) -> str:
    """Text, nothing, or OpenAI's list of text parts."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise UnreadableRowError(f"content must be text (got {_short(content)})")
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) else part
        if not isinstance(text, str):
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise UnreadableRowError(f"a content part is not text (got {kind!r})")
        texts.append(text)
    return "".join(texts)


def _read_arguments(function: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """JSON text (OpenAI; also empty, also encoded twice) or an object (TRL)."""
    value = function.get("arguments")
    if isinstance(value, dict):
        return _unpad(schema, value)
    for _ in range(2):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value) if value.strip() else {}
        except json.JSONDecodeError as error:
            raise UnreadableRowError(
                f"the arguments of {function['name']} are not JSON ({error.msg}; got "
                f"{_short(value)})"
            ) from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableRowError(
            f"the arguments of {function['name']} must be an object (got {_short(value)})"
        )
    return value


def _unpad(schema: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Without the nulls that Arrow writes for other tools' parameters. A null stays where the
    schema accepts one."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    known = properties if isinstance(properties, dict) else {}
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if item is None and not accepts(known.get(key), None):
            continue
        is_object = isinstance(item, dict) and key in known
        kept[key] = _unpad(known[key], item) if is_object else item
    return kept


def _read_tools(value: Any) -> tuple[Tool, ...]:
    """A list, or its JSON text, which no table could have padded."""
    if not value:
        return ()
    if isinstance(value, str):
        return _parse_tools(value, is_padded=False)
    return _parse_tools(dump_json(value), is_padded=True)


@lru_cache(maxsize=1024)
def _parse_tools(text: str, *, is_padded: bool) -> tuple[Tool, ...]:
    """Catalogs repeat from row to row, so each distinct text is read once."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableRowError(f"tools: not JSON ({error.msg})") from None
    if not isinstance(values, list):
        raise UnreadableRowError(f"tools: must be a list (got {_short(values)})")
    return tuple(_read_tool(_drop_nulls(value) if is_padded else value) for value in values)


def _read_tool(value: Any) -> Tool:
    """OpenAI's form with or without its `function` wrapper, or MCP's with `inputSchema`."""
    function = (value.get("function") or value) if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise UnreadableRowError(f"tools: a tool has no name (got {_short(value)})")
    keys = ("parameters", "inputSchema", "input_schema")
    schema = next((function[key] for key in keys if function.get(key)), None)
    schema = schema or {"type": "object", "properties": {}}
    if not isinstance(schema, dict):
        raise UnreadableRowError(f"tools: the schema of {function['name']} is not an object")
    description = function.get("description") or ""
    return Tool(name=function["name"], description=str(description), input_schema=schema)


def _drop_nulls(schema: Any) -> Any:
    """Without Arrow's padding; `default: null` stays where the schema speaks of null."""
    if isinstance(schema, list):
        return [_drop_nulls(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_nullable = '"null"' in dump_json([schema.get("type"), schema.get("anyOf")])
    return {
        key: item if key in _LITERAL_KEYS else _drop_nulls(item)
        for key, item in schema.items()
        if item is not None or (key == "default" and is_nullable)
    }


def _recipe_call(message: dict[str, Any]) -> dict[str, Any] | None:
    """`{"tool": ..., "arguments": {...}}` where an assistant's text is nothing else."""
    content = message.get("content")
    if message["role"] != "assistant" or not isinstance(content, str):
        return None
    if not content.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(content)
    except json.JSONDecodeError:
        return None
    is_call = isinstance(value, dict) and set(value) == {"tool", "arguments"}
    return {"name": value["tool"], "arguments": value["arguments"]} if is_call else None


def _from_recipe(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The recipe's text calls as tool calls, and tagged user turns behind them as results."""
    values: list[dict[str, Any]] = []
    for message in messages:
        call = _recipe_call(message)
        content = message.get("content")
        if call is not None:
            values.append({"role": "assistant", "content": "", "tool_calls": [call]})
        elif message["role"] == "user" and (tagged := _TAGGED.fullmatch(str(content))):
            values.append({"role": "tool", "content": tagged[1]})
        else:
            values.append(message)
    return values


def _require_sendable(value: _Value, what: str) -> _Value:
    """Python reads what JSON and UTF-8 cannot hold, and then no server could be sent it."""
    try:
        # Text cannot hold a NaN, and is most of what is read.
        text = (
            value
            if isinstance(value, str)
            else json.dumps(value, ensure_ascii=False, allow_nan=False)
        )
        text.encode()
    except UnicodeEncodeError:
        raise UnreadableRowError(f"{what}: half of a surrogate pair (cut text?)") from None
    except ValueError:
        raise UnreadableRowError(f"{what}: NaN or Infinity is not JSON") from None
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
