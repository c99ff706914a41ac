"""Generated text -> text, tool calls, and how the turn ended.

The contract is `parse(render(x)) == x` up to call ids, which no model ever sees. Only text that
the model generated is parsed; a tool's result never is.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from tooltune.messages import ToolCall

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_NAME = re.compile(r"([^\n<{]+?)\s*(?={)")


class ParseEnd(Enum):
    """STOP: the model ended its turn and everything was readable. LENGTH: it ran out of tokens.
    MALFORMED: a call is neither one well-formed JSON object with a name and arguments nor a name
    and such an object of arguments."""

    STOP = "stop"
    LENGTH = "length"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Parsed:
    """`calls` holds those read before the first malformed or cut one; their ids count from
    `call_0` in this turn, so a caller that keeps several turns has to renumber them."""

    text: str
    calls: tuple[ToolCall, ...]
    end: ParseEnd


class _MalformedCallError(ValueError):
    pass


def parse(text: str, *, is_stopped: bool = True) -> Parsed:
    """Read one assistant turn, its stop token already removed.

    `is_stopped` says whether the model ended the turn itself. A call whose closing tag is missing
    at the very end counts if the model stopped there, and is dropped as cut if it did not.
    """
    spoken: list[str] = []
    calls: list[ToolCall] = []
    end = ParseEnd.STOP if is_stopped else ParseEnd.LENGTH
    position = 0
    while (start := text.find(OPEN, position)) >= 0:
        spoken.append(text[position:start])
        try:
            values, position = _read_block(text, start + len(OPEN), is_stopped)
        except _MalformedCallError:
            is_cut = not is_stopped and CLOSE not in text[start:]
            return _parsed(spoken, calls, end if is_cut else ParseEnd.MALFORMED)
        calls += [_to_call(value, len(calls) + index) for index, value in enumerate(values)]
    spoken.append(text[position:])
    if CLOSE in spoken[-1]:
        end = ParseEnd.MALFORMED
    return _parsed(spoken, calls, end)


def _parsed(spoken: list[str], calls: list[ToolCall], end: ParseEnd) -> Parsed:
    text = "\n".join(part.strip() for part in spoken if part.strip())
    return Parsed(text, tuple(calls), end)


def _read_block(text: str, start: int, is_stopped: bool) -> tuple[list[dict[str, Any]], int]:
    """The calls of one block, and where the text goes on. The block is a JSON object, or the JSON
    list of objects that SmolLM2's authors published as its tool format, or our template's line: a
    name and the JSON object of the arguments, which needs no closing tag."""
    start = _skip_space(text, start)
    if not text.startswith(("{", "["), start):
        name = _NAME.match(text, start)
        if name is None:
            raise _MalformedCallError
        arguments, position = _read_json(text, name.end())
        after = _skip_space(text, position)
        position = after + len(CLOSE) if text.startswith(CLOSE, after) else position
        return [{"name": name[1], "arguments": arguments}], position
    value, position = _read_json(text, start)
    values = value if isinstance(value, list) else [value]
    if not all(_is_call(value) for value in values):
        raise _MalformedCallError
    position = _skip_space(text, position)
    if text.startswith(CLOSE, position):
        return values, position + len(CLOSE)
    if position == len(text) and is_stopped:
        return values, position
    raise _MalformedCallError


def _read_json(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate could not be sent on
    except (ValueError, RecursionError):
        raise _MalformedCallError from None
    return value, end


def _is_call(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return False
    return bool(value["name"]) and isinstance(value.get("arguments", {}), dict)


def _to_call(value: dict[str, Any], index: int) -> ToolCall:
    return ToolCall(id=f"call_{index}", name=value["name"], arguments=value.get("arguments", {}))


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
