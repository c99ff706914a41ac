"""Dataset files -> Conversations, whatever format they are in.

The format is found out once a file, from its first rows, or named. A row that cannot be read in it
is counted with its line and reason, never dropped in silence.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooltune.data.foreign import FROM_ROWS
from tooltune.data.mcp_log import is_mcp_log, read_mcp_log
from tooltune.data.rows import UnreadableRowError, read_row
from tooltune.data.sharegpt import FROM_CONVERSATIONS
from tooltune.errors import ConfigError
from tooltune.jsonl import collection_paused, parse_array, parse_jsonl, read_text
from tooltune.messages import Conversation

_CONVERTERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    **FROM_ROWS,
    **FROM_CONVERSATIONS,
}
MESSAGES = ("tooltune", "openai", "trl", "recipe")
"""Formats with `messages` that one reader reads."""
FORMATS = (*MESSAGES, *_CONVERTERS, "mcp-log")

_ROWS_LOOKED_AT = 200
_PYTHONIC_TURN = re.compile(r"""'value': ['"]\[[^\[\]{}"']+\(""")
_GENERAL = (*MESSAGES, "llama-factory")
"""Said of a row that shows nothing of its own: any row that shows more decides for the file."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`lines[i]` is the line `conversations[i]` stands in; `skipped` holds (line, reason)."""

    conversations: list[Conversation]
    lines: list[int]
    skipped: list[tuple[int, str]]
    format: str = "openai"


def read_conversations(path: Path, *, format: str | None = None) -> Reading:
    """Read a file of JSON lines, one JSON list, or an MCP log; `format` is one of FORMATS, found
    out where it is None. Raises DataError where the file cannot be read or a line is not JSON,
    ConfigError for an unknown format."""
    if format is not None and format not in FORMATS:
        raise ConfigError(
            f"--format: unknown (got {format!r}, expected one of {', '.join(FORMATS)}). "
            "Correct it, or leave it out."
        )
    text = read_text(path)
    if format == "mcp-log" or (format is None and is_mcp_log(text)):
        found, skipped = read_mcp_log(text)
        return Reading([one for _, one in found], [line for line, _ in found], skipped, "mcp-log")
    with collection_paused():
        rows = iter(_parse(text, path))
        first = list(itertools.islice(rows, _ROWS_LOOKED_AT))
        chosen = format or detect_format(row for _, row in first)
        return _read_rows(itertools.chain(first, rows), chosen)


def _read_rows(rows: Iterable[tuple[int, Any]], chosen: str) -> Reading:
    reading = Reading([], [], [], chosen)
    convert = _CONVERTERS.get(chosen)
    for line, row in rows:
        try:
            if convert is not None:
                row = _convert(convert, row)
            reading.conversations.append(read_row(row, name=f"row-{line}"))
            reading.lines.append(line)
        except UnreadableRowError as error:
            reading.skipped.append((line, str(error)))
    return reading


def _convert(convert: Callable[[dict[str, Any]], dict[str, Any]], row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise UnreadableRowError(f"a row must be an object (got {type(row).__name__})")
    try:
        return convert(row)
    except KeyError as error:
        keys = ", ".join(sorted(row)) or "none"
        raise UnreadableRowError(f"no {error} in the row (its keys: {keys})") from None
    except (TypeError, AttributeError) as error:
        raise UnreadableRowError(f"a value is not of the kind this format has ({error})") from None


def _parse(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """Rows of a JSON list, which may stretch over lines, or of JSON lines."""
    first, _, rest = text.lstrip().partition("\n")
    is_list = first.startswith("[") and not (rest.strip() and _is_json(first))
    return parse_array(text, path) if is_list else parse_jsonl(text, path)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def detect_format(rows: Iterable[Any]) -> str:
    """What most rows are that show something of their own."""
    counts = Counter(_format_of(row) for row in rows if isinstance(row, dict))
    telling = [name for name, _ in counts.most_common() if name not in _GENERAL]
    return (telling or [name for name, _ in counts.most_common()] or ["openai"])[0]


def _format_of(row: dict[str, Any]) -> str:
    if "chat" in row:
        return "glaive"
    if "query" in row and "answers" in row:
        return "xlam"
    if "correct_answer" in row or "chosen_response" in row:
        return "when2call"
    if isinstance(row.get("question"), list) and "messages" not in row:
        return "bfcl"
    if "conversations" in row:
        return _conversations_format(row)
    return _messages_format(row)


def _conversations_format(row: dict[str, Any]) -> str:
    text = str(row["conversations"]) + str(row.get("system") or "")
    if "function_call" in text or "'observation'" in text or isinstance(row.get("tools"), str):
        is_tagged = "<tool_call>" in text
        return "hermes" if is_tagged and "function_call'" not in text else "llama-factory"
    if "<tool_call>" in text or "<tools>" in text:
        return "hermes"
    if "in the format of [func" in text or _PYTHONIC_TURN.search(text):
        return "toolace"
    return "llama-factory"


def _messages_format(row: dict[str, Any]) -> str:
    messages = row.get("messages")
    if isinstance(messages, str) or "target_tools" in row or "available_tools" in row:
        return "toucan"
    turns = messages if isinstance(messages, list) else []
    roles = [one.get("role") for one in turns if isinstance(one, dict)]
    if "tool_call" in roles or "tool_response" in roles:
        return "ms-swift"
    if "<TOOLCALL>" in str(messages) or _has_stray_required(row.get("tools")):
        return "when2call"
    if "prompt" in row:
        return "trl"
    return "tooltune" if "id" in row and isinstance(row.get("tools"), str) else "openai"


def _has_stray_required(tools: Any) -> bool:
    first = tools[0] if isinstance(tools, list) and tools else None
    return isinstance(first, dict) and "required" in first and "parameters" in first
