"""Turns a phrasing family, one line of a small grammar, into requests.

    [a|b|]          one of the alternatives (they nest; an empty one leaves the words out)
    {repo}          a slot: filled with a value of the program
    < in {repo}>    words that go when the value is left out, for the twin that must be asked about
    <{path}~it>     ... and the words that stand in their place then

A family that starts with a lower-case verb is an instruction and takes polite beginnings; one that
ends with a question mark is a question; any other stands as written.
"""

import random
import re
import zlib
from dataclasses import dataclass
from functools import cache

from tooltune.synth.phrasings import manners
from tooltune.worlds.pools import SPLITS, Split

_SLOT = re.compile(r"\{(\w+)\}")
_DROPPABLE = re.compile(r"<([^<>~]*)(?:~([^<>]*))?>")
_INNERMOST = re.compile(r"\[([^\[\]]*)\]")
_TEST_SHARE, _VALIDATION_SHARE = 0.16, 0.06
_QUOTED_SLOTS = frozenset({"repo", "path", "word", "branch", "base", "folder", "name", "target"})


@dataclass(frozen=True, slots=True)
class Family:
    """One way to word a program's request."""

    program: str
    text: str

    @property
    def id(self) -> str:
        """Stable name: it depends on the family's own words only."""
        return f"{self.program}:{zlib.crc32(self.text.encode()):08x}"

    @property
    def slots(self) -> frozenset[str]:
        return frozenset(_SLOT.findall(self.text))

    @property
    def droppable(self) -> tuple[str, ...]:
        """Slots whose value can be left out to make a request that has to be asked about."""
        return tuple(
            slot for part, _ in _DROPPABLE.findall(self.text) for slot in _SLOT.findall(part)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """A worded request, and the same with slots for values (what must not repeat across splits)."""

    text: str
    blanked: str


@cache
def split_families(program: str, lines: str) -> dict[Split, tuple[Family, ...]]:
    """Share out whole families. The order is a hash of each family's words, so that adding a
    family moves few others, and nobody picks the easy ones for the test."""
    families = [Family(program, line.strip()) for line in lines.splitlines() if line.strip()]
    families.sort(key=lambda family: zlib.crc32(f"split {family.id}".encode()))
    test = max(2, round(len(families) * _TEST_SHARE))
    validation = test + max(1, round(len(families) * _VALIDATION_SHARE))
    parts = (families[validation:], families[test:validation], families[:test])
    return {split: tuple(part) for split, part in zip(SPLITS, parts, strict=True)}


def word_request(
    family: Family,
    values: dict[str, str],
    rng: random.Random,
    *,
    split: Split,
    leave_out: str | None = None,
    is_chat: bool = False,
) -> Request:
    """One surface of the family: alternatives chosen, manners added, values filled in.

    `leave_out` is the slot whose value the user forgets to name; `is_chat` keeps the wording free
    of openings and closings that only fit a task.
    """
    text = choose_alternatives(_settle_droppable(family.text, leave_out), rng)
    text = _add_manners(" ".join(text.split()), rng, split, is_chat=is_chat)
    quote = _draw_quotes(rng)
    return Request(text=_fill(text, values, quote), blanked=_normalise(text))


def choose_alternatives(text: str, rng: random.Random) -> str:
    """Resolve every bracket, innermost first."""
    while match := _INNERMOST.search(text):
        text = text[: match.start()] + rng.choice(match[1].split("|")) + text[match.end() :]
    return text


def _settle_droppable(text: str, leave_out: str | None) -> str:
    def settle(match: re.Match[str]) -> str:
        return (match[2] or "") if leave_out in _SLOT.findall(match[1]) else match[1]

    return _DROPPABLE.sub(settle, text)


def _add_manners(text: str, rng: random.Random, split: Split, *, is_chat: bool) -> str:
    """Openings, closings, capitals, full stops and slips of the finger, as people vary them."""
    is_question = text.endswith("?")
    first_word = text.split()[0].strip(",;:")
    is_instruction = text[0].islower() and not is_question and first_word not in manners.NOT_VERBS
    if is_instruction and not is_chat and rng.random() < 0.45:
        text = rng.choice(manners.POLITE[split]).format(text)
        is_question = text.endswith("?")
    if not is_chat and rng.random() < 0.22:
        text = rng.choice(manners.GREETINGS[split]) + text
    text = _slip(text, rng)
    if is_question:
        text = text if rng.random() < 0.8 else text[:-1]
    elif not text.endswith((".", "!", "'", '"')) and rng.random() < 0.4:
        text += "."
    if not is_chat and rng.random() < 0.2:
        text += rng.choice(manners.CLOSINGS[split])
    return _recase(text, rng)


def _recase(text: str, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.6 and not text.startswith("{"):
        return text[0].upper() + text[1:]
    if draw < 0.8:
        return "".join(
            part if index % 2 else part.lower()
            for index, part in enumerate(re.split(r"(\{\w+\})", text))
        )
    return text


def _slip(text: str, rng: random.Random) -> str:
    """Now and then two letters swapped, or one lost, in a longer word that is not a value."""
    words = text.split(" ")
    places = [index for index, word in enumerate(words) if word.isalpha() and len(word) > 4]
    if not places or rng.random() > 0.1:
        return text
    index = rng.choice(places)
    word = words[index]
    at = rng.randrange(1, len(word) - 2)
    if rng.random() < 0.5:
        words[index] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    else:
        words[index] = word[:at] + word[at + 1 :]
    return " ".join(words)


def _draw_quotes(rng: random.Random) -> str:
    return rng.choices(["", "'", '"', "`"], weights=[72, 10, 9, 9])[0]


def _fill(text: str, values: dict[str, str], quote: str) -> str:
    def value(match: re.Match[str]) -> str:
        at, end = match.span()
        already = text[at - 1 : at] in ("'", '"', "`") and text[end : end + 1] in ("'", '"', "`")
        mark = quote if match[1] in _QUOTED_SLOTS and not already else ""
        return f"{mark}{values[match[1]]}{mark}"

    return _SLOT.sub(value, text)


def _normalise(text: str) -> str:
    """Wording without case, marks and slot names: how two phrasings are compared."""
    return " ".join(re.findall(r"\{\}|\w+", _SLOT.sub("{}", text).lower()))
