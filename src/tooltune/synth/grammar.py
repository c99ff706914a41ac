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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tooltune.synth.phrasings import manners
from tooltune.worlds.pools import SPLITS, Split

_SLOT = re.compile(r"\{(\w+)\}")
_DROPPABLE = re.compile(r"<([^<>~]*)(?:~([^<>]*))?>")
_INNERMOST = re.compile(r"\[([^\[\]]*)\]")
_TEST_SHARE, _VALIDATION_SHARE = 0.16, 0.06
_QUOTED_SLOTS = frozenset(
    {"repo", "path", "word", "branch", "base", "folder", "name", "rev", "copy"}
)


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
    """A worded request."""

    text: str
    core: str
    """Its wording without manners and values: what must not repeat across splits."""


@cache
def split_families(program: str, lines: str) -> dict[Split, tuple[Family, ...]]:
    """Share out whole families; families that can come out in the same words stay together.

    The order is a hash of the words, so that adding a family moves few others, and nobody picks
    the easy ones for the test. Each kind of value that can be left out is shared out by itself.
    """
    families = [Family(program, line.strip()) for line in lines.splitlines() if line.strip()]
    strata: dict[tuple[str, ...], list[list[Family]]] = {}
    for group in _group(families):
        droppable = {slot for family in group for slot in family.droppable}
        strata.setdefault(tuple(sorted(droppable)), []).append(group)
    parts: dict[Split, list[Family]] = {split: [] for split in SPLITS}
    for groups in strata.values():
        groups.sort(key=lambda group: zlib.crc32(f"share {group[0].id}".encode()))
        size = sum(map(len, groups))
        test, validation = round(size * _TEST_SHARE), round(size * _VALIDATION_SHARE)
        shared_out = {"test": 0, "validation": 0}
        for group in groups:
            split: Split = "train"
            if shared_out["test"] < test:
                split = "test"
            elif shared_out["validation"] < validation:
                split = "validation"
            parts[split] += group
            shared_out[split] = shared_out.get(split, 0) + len(group)
    return {split: tuple(part) for split, part in parts.items()}


def cores(family: Family) -> frozenset[str]:
    """Every wording the family can have, manners and values aside."""
    text = family.text.partition(" => ")[0].rpartition(" | ")[2]
    versions = [text, *(_settle_droppable(text, slot) for slot in family.droppable)]
    return frozenset(
        normalise(surface)
        for version in versions
        for surface in _every_alternative(_settle_droppable(version, None))
    )


def _group(families: list[Family]) -> list[list[Family]]:
    """Families that share a wording, together."""
    groups: list[tuple[set[str], list[Family]]] = []
    for family in families:
        wordings = set(cores(family))
        members = [family]
        for group in [group for group in groups if group[0] & wordings]:
            groups.remove(group)
            wordings |= group[0]
            members = group[1] + members
        groups.append((wordings, members))
    return [members for _, members in groups]


def _every_alternative(text: str) -> Iterator[str]:
    match = _INNERMOST.search(text)
    if match is None:
        yield text
        return
    for choice in match[1].split("|"):
        yield from _every_alternative(text[: match.start()] + choice + text[match.end() :])


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
    core = normalise(text)
    text = _add_manners(" ".join(text.split()), rng, split, is_chat=is_chat)
    return Request(text=_fill(text, values, _draw_quotes(rng)), core=core)


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
    if is_instruction and not is_chat and rng.random() < 0.35:
        text = rng.choice(manners.POLITE[split]).format(text)
        is_question = text.endswith("?")
    if not is_chat and rng.random() < 0.1:
        text = rng.choice(manners.GREETINGS[split]) + text
    text = _slip(text, rng)
    if is_question:
        text = text if rng.random() < 0.8 else text[:-1]
    elif not text.endswith((".", "!", "'", '"')) and rng.random() < 0.4:
        text += "."
    if not is_chat and rng.random() < 0.07:
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
    if not places or rng.random() > 0.04:
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
    return rng.choices(["", "'", '"', "`"], weights=[64, 4, 16, 16])[0]


def _fill(text: str, values: dict[str, str], quote: str) -> str:
    def value(match: re.Match[str]) -> str:
        at, end = match.span()
        already = text[at - 1 : at] in ("'", '"', "`") and text[end : end + 1] in ("'", '"', "`")
        mark = quote if match[1] in _QUOTED_SLOTS and not already else ""
        return f"{mark}{values[match[1]]}{mark}"

    return _SLOT.sub(value, text)


def normalise(text: str) -> str:
    """Wording without case, marks and slot names: how two phrasings are compared."""
    return " ".join(re.findall(r"(?:\*?\.)?\{\}|\w+", _SLOT.sub("{}", text).lower()))
