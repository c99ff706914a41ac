"""Named rules that make a server's answers repeatable: what may differ is replaced, by name.

A row records the names of the rules that changed one of its results, so a replay applies the same.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

ROOT = "/home/ada/desk"
"""Where every sandbox pretends to be: the real folder has another name in every run."""

_WHEN = "Mon Mar 02 2026 09:00:00 GMT+0000 (Coordinated Universal Time)"
_ANY_JS_DATE = r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4} \([^)]*\)"


@dataclass(frozen=True, slots=True)
class Mask:
    """One rule: what matches `pattern` becomes `replacement`."""

    name: str
    pattern: re.Pattern[str]
    replacement: str


MASKS = (
    Mask("file times", re.compile(rf"(created|modified|accessed): {_ANY_JS_DATE}"),
         rf"\1: {_WHEN}"),
    Mask("git index line", re.compile(r"^index [0-9a-f]{7,40}\.\.[0-9a-f]{7,40}", re.MULTILINE),
         "index 0000000..0000000"),
    Mask("process id", re.compile(r"\bpid[ =:]+\d+"), "pid 1"),
    Mask("duration", re.compile(r"\b(?:Duration|duration|took)[: ]+[\d.]+ ?(?:ms|s|seconds)\b"),
         "took 1 s"),
)  # fmt: skip


def mask(text: str) -> tuple[str, list[str]]:
    """The text with every rule applied, and the names of those that changed it."""
    used = []
    for rule in MASKS:
        changed = rule.pattern.sub(rule.replacement, text)
        if changed != text:
            used.append(rule.name)
        text = changed
    return text, used


SEARCH_ORDER = "search order"
"""The rule of `sorted_lines`: folders are walked in the order of the file system."""


def sorted_lines(text: str) -> str:
    return "\n".join(sorted(text.splitlines()))


def same_lines(first: str, second: str) -> bool:
    """Equal but for the order of lines, which searches of a folder do not promise."""
    return sorted(first.splitlines()) == sorted(second.splitlines())


def names(used: Iterable[Iterable[str]]) -> list[str]:
    """The rules of several results, each once, sorted."""
    return sorted({name for one in used for name in one})
