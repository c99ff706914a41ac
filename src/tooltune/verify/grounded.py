"""Where does each value of a call come from? The rules, in order; a value none of them explains is
not grounded.

1. The schema states it: default, const, one of an enum, an example. A boolean is such a choice.
2. It stands in what was said before the call, as whole words, case aside: the user's words, an
   earlier result, the system text, or the tool's own description and schema.
3. A number is written there in figures or words (`three`), or it is 1 and `the last`, `a` or
   `one` is said.
4. A text put together from several: each of its words is grounded by 2 or 3, or is syntax of a
   language the parameter holds (SQL, a command, an expression, a revision).
5. A commit's hash may be cut to 7 characters or more, as git accepts it.
"""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

Leaf = tuple[str, Any]
"""(path such as `edits[].oldText`, plain value)."""

_WORDS_OF_ONE = ("one", "a", "an", "last", "latest", "newest", "first", "single", "recent")
_COUNTED = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen", "twenty"),
)
_NUMBERS = {word: number for number, word in enumerate(_COUNTED)} | {
    **{"thirty": 30, "forty": 40, "fifty": 50, "hundred": 100},
    **{"dozen": 12, "couple": 2, "both": 2},
}
_FIGURES = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_PARTS = re.compile(r"[^\s'\"`(),;:=<>*+/\\|\[\]{}!?%&^~$]+")
_PIECES = re.compile(r"[^\W_]+")
_SQL = """select from where and or order by desc asc limit offset count avg sum min max distinct
group having insert into values update set delete create table text integer real primary key
null not as join on like in between is drop alter add column pragma exists if case when then
else end union all inner left index view"""
_SHELL = """find grep wc head tail ls cat sort uniq cut du stat file echo pwd tr rev nl basename
dirname date"""
_MATH = "sqrt abs round pow min max sin cos tan log log10 exp pi e floor ceil"
_GIT = "head origin refs heads tags"
_LANGUAGES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"quer|sql|statement"), _SQL),
    (re.compile(r"command|cmd|argv|shell"), _SHELL),
    (re.compile(r"expression|formula"), _MATH),
    (re.compile(r"revision|target|commit|branch|ref"), _GIT),
)
_HASH = re.compile(r"[0-9a-f]{7,39}")
_INSTANT = re.compile(r"(?<=\d-\d\d)t(?=\d\d:\d\d)")
"""The letter between date and time of `2026-03-02T09:26`, each of which is a word."""
_OPTION = re.compile(r"--?[A-Za-z][\w-]*")


def ungrounded(
    arguments: dict[str, Any], function: dict[str, Any], known: str, parameters: dict[str, str]
) -> list[Leaf]:
    """The values nothing explains. `function` is the tool as the row shows it, `known` what was
    said before, `parameters` shown name to the server's name (which tells the language)."""
    stated = _stated(json.dumps(function, ensure_ascii=False, sort_keys=True))
    text = _plain(f"{known}\n{stated}")
    words = frozenset(_PIECES.findall(text))
    schema = function.get("parameters") or {}
    missing = []
    for path, value, part in _leaves("", arguments, schema):
        shown = re.split(r"[.\[]", path)[0]
        name = f"{shown} {parameters.get(shown, '')} {path}".lower()
        if not _is_grounded(value, part, name, text, words):
            missing.append((path, value))
    return missing


def is_said(value: Any, text: str) -> bool:
    """Rule 2 for one value."""
    return _stands_in(_plain(str(value)), _plain(text))


@lru_cache(maxsize=1024)
def _stated(function_text: str) -> str:
    """All text of a tool but the names of its parameters' types."""
    function = json.loads(function_text)
    texts = [function.get("description") or ""]

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if key in ("description", "title", "pattern") and isinstance(item, str):
                    texts.append(item)
                else:
                    collect(item)
        elif isinstance(value, list):
            for item in value:
                collect(item)

    collect(function.get("parameters") or {})
    return "\n".join(texts)


def _leaves(path: str, value: Any, schema: Any) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(path, plain value, the schema's part about it). A key that the schema does not name is a
    value too: somebody had to say it."""
    part = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        properties = part.get("properties") or {}
        for key, item in value.items():
            inner = f"{path}.{key}" if path else key
            if path and properties and key not in properties:
                yield f"{inner} (key)", key, {}
            yield from _leaves(inner, item, properties.get(key, {}))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(f"{path}[]", item, part.get("items", {}))
    else:
        yield path, value, part


def _is_grounded(
    value: Any, schema: dict[str, Any], name: str, text: str, words: frozenset[str]
) -> bool:
    if value is None or isinstance(value, bool) or _is_stated(value, schema):
        return True
    if isinstance(value, int | float):
        return _is_number_said(float(value), text, words)
    plain = _plain(value)
    if not plain or _stands_in(plain, text):
        return bool(plain)
    syntax = frozenset(
        word
        for pattern, language in _LANGUAGES
        if pattern.search(name)
        for word in language.split()
    )
    parts = _PARTS.findall(plain)
    return bool(parts) and all(_is_part_grounded(part, syntax, text, words) for part in parts)


def _is_part_grounded(part: str, syntax: frozenset[str], text: str, words: frozenset[str]) -> bool:
    if part in syntax or (syntax and _OPTION.fullmatch(part)) or _stands_in(part, text):
        return True
    if _HASH.fullmatch(part) and any(word.startswith(part) for word in words):
        return True
    if _FIGURES.fullmatch(part):
        return _is_number_said(float(part), text, words)
    pieces = _PIECES.findall(part)
    return all(piece in words or piece in syntax for piece in pieces)


def _is_stated(value: Any, schema: dict[str, Any]) -> bool:
    if any(key in schema and schema[key] == value for key in ("default", "const")):
        return True
    if value in (schema.get("enum") or ()) or value in (schema.get("examples") or ()):
        return True
    alternatives = [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]
    return any(_is_stated(value, one) for one in alternatives if isinstance(one, dict))


def _is_number_said(value: float, text: str, words: frozenset[str]) -> bool:
    if any(float(figure) == value for figure in _FIGURES.findall(text)):
        return True
    if any(number == value and word in words for word, number in _NUMBERS.items()):
        return True
    return value == 1 and any(word in words for word in _WORDS_OF_ONE)


def _stands_in(part: str, text: str) -> bool:
    """As whole words: `mai` does not stand in `mail`."""
    place = text.find(part)
    while place >= 0:
        end = place + len(part)
        before = text[place - 1] if place else " "
        after = text[end] if end < len(text) else " "
        if not (before.isalnum() and part[0].isalnum()) and not (
            after.isalnum() and part[-1].isalnum()
        ):
            return True
        place = text.find(part, place + 1)
    return False


def _plain(text: str) -> str:
    """Case and runs of space aside, typographic quotes as typed ones, an ISO instant in words."""
    for old, new in (("\u2019", "'"), ("\u2018", "'"), ("\u201c", '"'), ("\u201d", '"')):
        text = text.replace(old, new)
    return " ".join(_INSTANT.sub(" ", text.casefold()).split())
