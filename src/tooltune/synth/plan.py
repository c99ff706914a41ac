"""Decides which rows a split gets: abilities by count, programs by weight, families round robin."""

import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass

from tooltune.synth.grammar import Family, split_families
from tooltune.synth.phrasings import talk
from tooltune.synth.phrasings.refusals import DANGERS, Danger
from tooltune.synth.programs import CHAIN_PROGRAMS, SINGLE_PROGRAMS, Program
from tooltune.worlds.pools import Split


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per ability. The first `ask` row of each wording is the twin of a `single` row, each
    `refuse` row that of a `harmless` one while there are as many. What `single` has beyond those
    twins goes to the programs and wordings that have none."""

    single: int
    chain: int
    ask: int
    refuse: int
    harmless: int
    talk: int

    @property
    def total(self) -> int:
        return sum(asdict(self).values())


DEFAULT_COUNTS: dict[Split, Counts] = {
    "train": Counts(single=800, chain=335, ask=480, refuse=320, harmless=280, talk=165),
    "validation": Counts(single=16, chain=8, ask=6, refuse=6, harmless=6, talk=6),
    "test": Counts(single=80, chain=40, ask=30, refuse=30, harmless=30, talk=30),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One row to make, or a pair of twins."""

    ability: str
    number: int
    family: Family
    program: Program | None = None
    missing_slot: str | None = None
    """Of an `ask` row: the value the user forgets."""
    has_twin: bool = False
    """Of an `ask` row: whether the complete request is made, too."""
    danger: Danger | None = None
    harmless_family: Family | None = None
    """Of a `refuse` row: the wording of its harmless twin. A job of ability `harmless` has only
    this half of the pair."""


def plan_split(
    split: Split, programs: dict[str, Program], counts: Counts, rng: random.Random
) -> list[Job]:
    """Jobs whose rows add up to `counts`, as far as the offered `programs` allow."""
    singles = [one for one in SINGLE_PROGRAMS if one.name in programs]
    chains = [one for one in CHAIN_PROGRAMS if one.name in programs]
    asks = list(_plan_asks(split, singles, counts.ask, rng))
    twins = [job for job in asks if job.has_twin]
    return [
        *asks,
        *_plan_programs("single", split, singles, counts.single, rng, already=twins),
        *_plan_programs("chain", split, chains, counts.chain, rng),
        *_plan_dangers(split, set(programs), counts, rng),
        *_plan_talk(split, counts.talk, rng),
    ]


def harmless_program(family: Family) -> tuple[str, str]:
    """(program, wording) of a harmless line."""
    name, _, text = family.text.partition(" | ")
    return name, text


def _plan_asks(
    split: Split, programs: list[Program], count: int, rng: random.Random
) -> Iterator[Job]:
    """Round robin over every value that can be missing, then over the families that can miss it.

    A family's complete request is made once: more of them would take the place of wordings that
    nothing can be left out of.
    """
    cycles = []
    twinned: set[Family] = set()
    for program in programs:
        for slot in program.asks:
            families = split_families(program.name, program.families)[split]
            fitting = [one for one in families if slot in one.droppable]
            if fitting:
                cycles.append((program, slot, _cycle(fitting, rng)))
    for number in range(count if cycles else 0):
        program, slot, cycle = cycles[number % len(cycles)]
        family = next(cycle)
        has_twin = family not in twinned
        twinned.add(family)
        yield Job("ask", number, family, program, missing_slot=slot, has_twin=has_twin)


def _plan_programs(
    ability: str,
    split: Split,
    programs: list[Program],
    count: int,
    rng: random.Random,
    *,
    already: Sequence[Job] = (),
) -> Iterator[Job]:
    """Share `count` by weight, less what exists `already`; those families come last."""
    seen = {job.family for job in already}
    cycles = {
        program.name: _cycle(split_families(program.name, program.families)[split], rng, seen)
        for program in programs
    }
    made = Counter(job.program.name for job in already if job.program)
    for number in range(count - len(already) if programs else 0):
        program = min(programs, key=lambda one: made[one.name] / one.weight)
        made[program.name] += 1
        yield Job(ability, number, next(cycles[program.name]), program=program)


def _plan_dangers(
    split: Split, programs: set[str], counts: Counts, rng: random.Random
) -> Iterator[Job]:
    """Dangers round robin; a refusal and its harmless twin while both are wanted."""
    refuse, harmless = {}, {}
    for danger in DANGERS:
        refuse[danger] = _cycle(split_families(f"refuse_{danger.name}", danger.refuse)[split], rng)
        fitting = [
            family
            for family in split_families(f"harmless_{danger.name}", danger.harmless)[split]
            if harmless_program(family)[0] in programs
        ]
        if fitting:
            harmless[danger] = _cycle(fitting, rng)
    dangers = [danger for danger in DANGERS if danger in harmless] or list(DANGERS)
    for number in range(max(counts.refuse, counts.harmless)):
        danger = dangers[number % len(dangers)]
        has_twin = number < counts.harmless and danger in harmless
        ability = "refuse" if number < counts.refuse else "harmless"
        if ability == "refuse" or has_twin:
            yield Job(
                ability,
                number,
                next(refuse[danger]),
                danger=danger,
                harmless_family=next(harmless[danger]) if has_twin else None,
            )


def _plan_talk(split: Split, count: int, rng: random.Random) -> Iterator[Job]:
    families = [
        one for kind, text in talk.KINDS.items() for one in split_families(kind, text)[split]
    ]
    cycle = _cycle(families, rng)
    for number in range(count):
        yield Job("talk", number, next(cycle))


def _cycle(
    families: Sequence[Family], rng: random.Random, seen: Collection[Family] = ()
) -> Iterator[Family]:
    """All of them in a random order, those `seen` last, then again and again in new orders."""
    yield from sorted(rng.sample(families, len(families)), key=lambda one: one in seen)
    while True:
        yield from rng.sample(families, len(families))
