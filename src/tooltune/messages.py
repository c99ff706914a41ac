"""The one vocabulary of every stage: Tool, ToolCall, ToolResult, Message, Conversation.

Inside the program `arguments` is always a dict and schemas are dicts; JSON text for either exists
only in files. On disk a conversation is one JSON object that OpenAI's and TRL's readers accept:
`messages` in OpenAI's roles with `function.arguments` as JSON text, `tools` as the JSON text of the
OpenAI list (text, because Arrow would merge the keys of different schemas and pad them with nulls).
"""

import json
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tooltune.jsonl import dump_json

Role = Literal["system", "user", "assistant", "tool"]

ABILITIES = ("single", "chain", "ask", "refuse", "harmless", "talk")
"""What a conversation teaches, in the order every table shows them. `harmless` is the twin of a
`refuse` request: it sounds alike and must be carried out."""


class _Word(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tool(_Word):
    """What a server offers. `input_schema` is a JSON Schema of type object."""

    name: str
    description: str = ""
    input_schema: dict[str, Any]
    read_only: bool | None = None
    """The server's `readOnlyHint`; None where the server says nothing. Never shown to the model."""

    def to_openai(self) -> dict[str, Any]:
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.input_schema,
            },
        }

    @classmethod
    def from_openai(cls, value: dict[str, Any]) -> "Tool":
        function = value.get("function", value)
        return cls(
            name=function["name"],
            description=function.get("description") or "",
            input_schema=function.get("parameters") or {"type": "object", "properties": {}},
        )


class ToolCall(_Word):
    """A request by the model. `id` pairs it with its result and is never shown to the model."""

    id: str
    name: str
    arguments: dict[str, Any]


class ToolResult(_Word):
    """What a server answered: its text parts joined, and whether the tool reported failure."""

    content: str
    is_error: bool = False


class Message(_Word):
    """One turn. `tool_calls` only on assistant messages, `tool_call_id` only on tool messages."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Conversation(_Word):
    """A training row or a test case."""

    id: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    ability: str | None = None
    """One of ABILITIES for synthesised rows; None for imported ones."""
    meta: dict[str, Any] = Field(default_factory=dict)
    """Where the row comes from and how to run it again: `split`, `program`, `phrasing`, `values`,
    `world` and `seed` of its sandbox, `missing` (the parameter an `ask` row must name),
    `tool` (whose parameter that is), `twin` (id of the row it is paired with)."""

    def to_dict(self) -> dict[str, Any]:
        """The on-disk form (see the module docstring)."""
        row: dict[str, Any] = {"id": self.id}
        if self.ability is not None:
            row["ability"] = self.ability
        row["messages"] = [_message_to_openai(message) for message in self.messages]
        row["tools"] = _tools_to_text(self.tools)
        if self.meta:
            row["meta"] = self.meta
        return row

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> "Conversation":
        """Read the on-disk form; other formats are read by `data.readers`."""
        return cls(
            id=row["id"],
            messages=tuple(_message_from_openai(message) for message in row["messages"]),
            tools=_tools_from_text(row["tools"]),
            ability=row.get("ability"),
            meta=row.get("meta", {}),
        )


def _message_to_openai(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        value["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": dump_json(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        value["tool_call_id"] = message.tool_call_id
    return value


def _message_from_openai(value: dict[str, Any]) -> Message:
    return Message(
        role=value["role"],
        content=value.get("content") or "",
        tool_calls=tuple(
            ToolCall(
                id=call["id"],
                name=call["function"]["name"],
                arguments=json.loads(call["function"]["arguments"]),
            )
            for call in value.get("tool_calls") or ()
        ),
        tool_call_id=value.get("tool_call_id"),
    )


def _tools_to_text(tools: tuple[Tool, ...]) -> str:
    return dump_json([tool.to_openai() for tool in tools])


@lru_cache(maxsize=256)
def _tools_from_text(text: str) -> tuple[Tool, ...]:
    """Catalogs repeat from row to row, so each distinct text is parsed once."""
    return tuple(Tool.from_openai(value) for value in json.loads(text))
