"""Rows of xLAM, Glaive, Toucan, When2Call, ms-swift and BFCL -> rows with `messages`."""

import re
from collections.abc import Callable
from typing import Any

from tooltune.data.lenient import find_values, read_calls, read_value
from tooltune.data.loose_tools import read_loose_tools
from tooltune.data.rows import UnreadableRowError
from tooltune.data.sharegpt import Messages, call_turn
from tooltune.jsonl import dump_json

_GLAIVE_TURN = re.compile(r"(?:^|\n\s*)(USER|ASSISTANT|FUNCTION RESPONSE):[ \t]*")
_GLAIVE_ROLES = {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"}
_GLAIVE_CALL = "<functioncall>"
_INLINE_CALL = re.compile(r"<TOOLCALL>\s*(.*?)\s*(?:</TOOLCALL>|$)", re.DOTALL)


def from_xlam(row: dict[str, Any]) -> dict[str, Any]:
    """`query`, `tools` and `answers`, the last two as JSON text. An empty list of answers has no
    words to train on and is unreadable."""
    calls = read_calls(row["answers"])
    if not calls:
        raise UnreadableRowError("answers: no call, and no words in place of one")
    messages = [{"role": "user", "content": row["query"]}, call_turn(calls)]
    return {"id": row.get("id"), "messages": messages, "tools": read_loose_tools(row["tools"])}


def from_glaive(row: dict[str, Any]) -> dict[str, Any]:
    """One text `chat`, arguments as single-quoted JSON inside JSON. Tools stand one behind the
    other in the system text, which is kept only where it names none."""
    system = str(row.get("system") or "").removeprefix("SYSTEM:").strip()
    tools = find_values(system)
    messages: Messages = [{"role": "system", "content": system}] if system and not tools else []
    pieces = _GLAIVE_TURN.split(row["chat"])
    if pieces[0].strip():
        raise UnreadableRowError(f"chat: does not begin with USER: (got {pieces[0][:40]!r})")
    for speaker, words in zip(pieces[1::2], pieces[2::2], strict=True):
        text = words.replace("<|endoftext|>", "").strip()
        before, call, after = text.partition(_GLAIVE_CALL)
        if speaker == "ASSISTANT" and call:
            messages.append(call_turn(read_calls(after.strip()), before.strip()))
        else:
            messages.append({"role": _GLAIVE_ROLES[speaker], "content": text})
    return {"id": row.get("id"), "messages": messages, "tools": read_loose_tools(tools)}


def from_toucan(row: dict[str, Any]) -> dict[str, Any]:
    """Every column is text, some of it Python's. The system turn that declares tools in Kimi's
    control tokens is left out; its tools are read where no column has them."""
    tools = row.get("tools") or row.get("available_tools")
    messages: Messages = []
    for message in _list_of(row, "messages"):
        text = message.get("content") or ""
        if message["role"] == "system" and "tool_declare" in str(text):
            tools = tools or next(iter(find_values(text)), None)
            continue
        if message["role"] == "assistant" and (call := message.get("function_call")):
            messages.append(call_turn(read_calls(call), text))
        elif message["role"] == "function":
            messages.append({"role": "tool", "content": text, "name": message.get("name")})
        else:
            messages.append(message)
    made = {"id": row.get("uuid"), "messages": messages, "tools": tools or "[]"}
    return from_ms_swift(made) | {"tools": read_loose_tools(made["tools"])}


def from_when2call(row: dict[str, Any]) -> dict[str, Any]:
    """Calls stand as `<TOOLCALL>[...]` in the text. Of a preference pair the chosen response is
    taken; a multiple-choice row is none to train on."""
    if "correct_answer" in row:
        raise UnreadableRowError("a multiple-choice test row, no conversation to train on")
    values = [*_list_of(row, "messages")]
    if isinstance(chosen := row.get("chosen_response"), dict):
        values.append(chosen)
    messages: Messages = []
    for message in values:
        text = str(message.get("content") or "")
        if message["role"] == "assistant" and (found := _INLINE_CALL.search(text)):
            before = _INLINE_CALL.sub("", text).strip()
            messages.append(call_turn(read_calls(found[1]), before))
        else:
            messages.append(message)
    row_id = row.get("uuid") or row.get("id")
    return {"id": row_id, "messages": messages, "tools": read_loose_tools(row.get("tools") or [])}


def from_ms_swift(row: dict[str, Any]) -> dict[str, Any]:
    """Calls in the role `tool_call`; neighbouring ones are parallel, and join an assistant's text
    right before them. Results are `tool_response` or `tool`."""
    messages: Messages = []
    is_open = False
    for message in _list_of(row, "messages"):
        role, text = message["role"], message.get("content")
        if role == "tool_call":
            turn = call_turn(read_calls(text))
            if is_open:
                messages[-1].setdefault("tool_calls", []).extend(turn["tool_calls"])
            else:
                messages.append(turn)
        elif role == "tool_response":
            messages.append({"role": "tool", "content": _to_text(text)})
        else:
            messages.append(dict(message))
        is_open = messages[-1]["role"] == "assistant"
    return {"id": row.get("id"), "messages": messages, "tools": row.get("tools") or "[]"}


def from_bfcl(row: dict[str, Any]) -> dict[str, Any]:
    """The questions and tools of the Berkeley leaderboard: nothing to train on, but what training
    data is held against. `question` holds a list of messages a turn."""
    turns = [turn if isinstance(turn, list) else [turn] for turn in row["question"]]
    messages = [message for turn in turns for message in turn]
    tools = read_loose_tools(row.get("function") or [])
    return {"id": row.get("id"), "messages": messages, "tools": tools}


FROM_ROWS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "xlam": from_xlam,
    "glaive": from_glaive,
    "toucan": from_toucan,
    "when2call": from_when2call,
    "ms-swift": from_ms_swift,
    "bfcl": from_bfcl,
}


def _list_of(row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    values = read_value(row.get(key))
    if not isinstance(values, list):
        raise UnreadableRowError(f"no list `{key}` in the row (its keys: {', '.join(sorted(row))})")
    for index, value in enumerate(values):
        if not isinstance(value, dict) or not isinstance(value.get("role"), str):
            raise UnreadableRowError(f"{key}[{index}]: a message must be an object with a role")
    return values


def _to_text(content: Any) -> str:
    return content if isinstance(content, str) else dump_json(content)
