"""Values and calls that are almost JSON, as public datasets write them.

`read_value` climbs down a ladder: JSON, JSON in JSON text, Python literals, Glaive's quotes.
"""

import ast
import json
import re
import warnings
from typing import Any

from tooltune.data.rows import UnreadableRowError

_MOST_WRAPPINGS = 3
_NAMES = ("name", "tool", "function", "tool_name")
_ARGUMENTS = ("arguments", "parameters", "args", "input")
# Glaive: {"name": "x", "arguments": '{"a": 1}'}
_QUOTED = re.compile(r"""("(?:arguments|parameters)"\s*:\s*)'(.*)'(\s*}\s*)$""", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None, "none": None}
_OPENING, _CLOSING = "([{", ")]}"


def read_value(text: Any) -> Any:
    """What the text stands for; what is no text stays as it is. Raises UnreadableRowError."""
    value = text
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(value, str):
            break
        value = _read_once(value)
    return value


def read_calls(text: Any) -> list[dict[str, Any]]:
    """One call or a list of calls as `{"name", "arguments"}` with arguments as an object. Raises
    UnreadableRowError."""
    value = read_value(text)
    return [_read_call(one) for one in (value if isinstance(value, list) else [value])]


def is_pythonic(text: str) -> bool:
    """Whether it may be `[tool(a=1), other(b="x")]`."""
    return text.startswith("[") and text.rstrip().endswith(")]") and text[1:2] not in "[{\"'"


def read_pythonic(text: str) -> list[dict[str, Any]]:
    """ToolACE's calls. Names may hold spaces, dots and slashes, so Python's own parser is no help;
    brackets and quotes are matched instead. Raises UnreadableRowError."""
    inside = text.strip()[1:-1]
    return [_read_pythonic_call(part) for part in split_outside(inside, ",") if part.strip()]


def split_outside(text: str, separator: str) -> list[str]:
    """Cut at a separator that stands outside of brackets and quotes. Raises UnreadableRowError."""
    parts, start, depth, quote = [], 0, 0, ""
    place = 0
    while place < len(text):
        character = text[place]
        if quote:
            place += character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'" and _opens_quote(text, place):
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    if quote or depth:
        raise UnreadableRowError(f"brackets or quotes do not close (got {_short(text)})")
    return [*parts, text[start:]]


def find_values(text: str) -> list[Any]:
    """Every JSON object or list that stands in prose, in order."""
    decoder = json.JSONDecoder()
    values, place = [], 0
    while (match := re.compile(r"[\[{]").search(text, place)) is not None:
        try:
            value, place = decoder.raw_decode(text, match.start())
            values.append(value)
        except json.JSONDecodeError:
            place = match.start() + 1
    return values


def _opens_quote(text: str, place: int) -> bool:
    """An apostrophe inside a word opens nothing."""
    before = text[:place].rstrip()
    return not before or before[-1] in "=,:([{"


def _read_once(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = error.msg
    try:
        return _read_python(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    if (quoted := _QUOTED.search(text)) is not None:
        whole = text[: quoted.start()] + quoted[1] + json.dumps(quoted[2]) + quoted[3]
        try:
            return json.loads(whole)
        except json.JSONDecodeError as error:
            reason = error.msg
    raise UnreadableRowError(f"neither JSON nor a Python literal ({reason}; got {_short(text)})")


def _read_python(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that Python does not know
        return ast.literal_eval(text)


def _read_call(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = read_value(value)
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict):
        raise UnreadableRowError(f"a call must be an object (got {_short(value)})")
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    if name is None:
        raise UnreadableRowError(f"a call has no name (got {_short(value)})")
    given: Any = next((value[key] for key in _ARGUMENTS if value.get(key) is not None), {})
    arguments = {} if given == "" else read_value(given)
    if not isinstance(arguments, dict):
        raise UnreadableRowError(
            f"the arguments of {name} must be an object (got {_short(arguments)})"
        )
    return {"name": name, "arguments": arguments}


def _read_pythonic_call(text: str) -> dict[str, Any]:
    name, bracket, rest = text.strip().partition("(")
    if not bracket or not rest.endswith(")") or not name.strip():
        raise UnreadableRowError(f"not a call in Python's form (got {_short(text)})")
    arguments = {}
    for part in split_outside(rest[:-1], ","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not equals:
            raise UnreadableRowError(f"an argument of {name.strip()} has no name (got {part!r})")
        arguments[key.strip()] = _read_literal(value.strip())
    return {"name": name.strip(), "arguments": arguments}


def _read_literal(text: str) -> Any:
    """A Python or JSON value, or else the bare words."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return _read_python(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
