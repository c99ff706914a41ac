"""Logs of MCP sessions -> what was called and answered, one conversation a call.

Lines are JSON-RPC, bare or behind what Claude Desktop writes before them (`... Message from
client: {...}`). No log holds what the person said: such conversations begin with the call, which
`validate` reports until a request is put before it. They serve as seeds of arguments and results.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tooltune.data.loose_tools import read_loose_tools
from tooltune.data.rows import UnreadableRowError, read_row
from tooltune.data.sharegpt import call_turn
from tooltune.jsonl import dump_json
from tooltune.messages import Conversation

_MESSAGE = re.compile(r"Message from (?:client|server):\s*(\{.*)")
_LOGGED = re.compile(r"\S+ .{0,60}\[(?:info|error|warn|debug)\]")
_SERVER = re.compile(r"\[([^\]]+)\]")
_LEVELS = ("info", "error", "warn", "debug")
_CUT = re.compile(r"\[\d+ chars truncated\]")

Numbered = tuple[int, Conversation]
Skipped = tuple[int, str]


@dataclass(slots=True)
class _Session:
    """What one server said and was asked; request ids count anew in each session."""

    tools: str = "[]"
    asked: dict[Any, tuple[str, Any, int]] = field(default_factory=dict)
    """Request id to (method, params, line)."""


def is_mcp_log(text: str) -> bool:
    """Judged by the first line that says something."""
    first = next((line for line in text.split("\n", 50) if line.strip()), "")
    if not first.lstrip().startswith("{"):
        return _LOGGED.match(first) is not None
    try:
        return '"jsonrpc"' in first and "jsonrpc" in json.loads(first)
    except json.JSONDecodeError:
        return False


def read_mcp_log(text: str) -> tuple[list[Numbered], list[Skipped]]:
    """(line of the call, conversation) and (line, reason) of what could not be read."""
    sessions: dict[str, _Session] = {}
    found: list[Numbered] = []
    skipped: list[Skipped] = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            server, message = _read_line(line)
            if message is not None:
                found += _take(sessions.setdefault(server, _Session()), server, message, number)
        except UnreadableRowError as error:
            skipped.append((number, str(error)))
    for session in sessions.values():
        skipped += [
            (line, f"the call of {params.get('name')!r} was never answered")
            for method, params, line in session.asked.values()
            if method == "tools/call"
        ]
    return found, sorted(skipped)


def _read_line(line: str) -> tuple[str, dict[str, Any] | None]:
    """(server, message); no message where the line holds none. Raises UnreadableRowError."""
    marked = _MESSAGE.search(line)
    text = line.strip() if marked is None else marked[1]
    if not text.startswith("{"):
        return "", None
    if _CUT.search(text):
        raise UnreadableRowError("the message was cut when it was logged")
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        raise UnreadableRowError(f"not JSON ({error.msg}, column {error.colno})") from None
    names = [name for name in _SERVER.findall(line[: -len(text)]) if name not in _LEVELS]
    return (names[0] if names else ""), value if isinstance(value, dict) else None


def _take(session: _Session, server: str, message: dict[str, Any], line: int) -> list[Numbered]:
    """The conversation of a call that this message answers. Raises UnreadableRowError."""
    if isinstance(method := message.get("method"), str):
        if method == "initialize":
            session.asked.clear()
        if "id" in message:
            params = message.get("params")
            asked = (method, params if isinstance(params, dict) else {}, line)
            session.asked[message["id"]] = asked
        return []
    method, params, asked_line = session.asked.pop(message.get("id"), ("", {}, line))
    result = message.get("result")
    if method == "tools/list" and isinstance(result, dict):
        session.tools = read_loose_tools(result.get("tools") or [])
    if method != "tools/call":
        return []
    call = {"name": str(params.get("name")), "arguments": params.get("arguments") or {}}
    error = message.get("error")
    is_error = error is not None or (isinstance(result, dict) and bool(result.get("isError")))
    row = {
        "messages": [call_turn([call]), {"role": "tool", "content": _text_of(result, error)}],
        "tools": session.tools,
        "meta": {"server": server, "is_error": is_error, "source": "mcp-log"},
    }
    return [(asked_line, read_row(row, name=f"call-{asked_line}"))]


def _text_of(result: Any, error: Any) -> str:
    if error is not None:
        return str(error.get("message")) if isinstance(error, dict) else dump_json(error)
    parts = result.get("content") if isinstance(result, dict) else None
    if not isinstance(parts, list):
        return dump_json(result)
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    if any(text is None for text in texts):
        raise UnreadableRowError("the answer holds parts that are no text")
    return "\n".join(map(str, texts))
