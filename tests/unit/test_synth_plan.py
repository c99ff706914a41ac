"""Which rows a split gets."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from tooltune.synth.grammar import Family, split_families
from tooltune.synth.plan import DEFAULT_COUNTS, Counts, Job, plan_split
from tooltune.synth.programs import CORE, PROGRAMS, SINGLE_PROGRAMS
from tooltune.worlds.pools import Split

SINGLES = [program.name for program in SINGLE_PROGRAMS if program.name in CORE]


def plan(split: Split, counts: Counts) -> list[Job]:
    return plan_split(split, {name: PROGRAMS[name] for name in CORE}, counts, random.Random(7))


def single_calls(jobs: list[Job]) -> list[tuple[str, Family]]:
    """Program and wording of each single call: planned ones, and whole twins of those to ask."""
    return [
        (job.program.name, job.family)
        for job in jobs
        if job.program and (job.ability == "single" or job.has_twin)
    ]


@pytest.mark.parametrize(("split", "asked"), [("train", 500), ("train", 2_000), ("test", 30)])
def test_no_program_is_crowded_out_by_the_twins_of_asked_back_rows(
    split: Split, asked: int
) -> None:
    counts = replace(DEFAULT_COUNTS[split], ask=asked)
    rows = Counter(name for name, _ in single_calls(plan(split, counts)))
    assert rows.total() == counts.single
    assert min(rows[name] for name in SINGLES) >= 0.4 * max(rows.values())


def test_a_wording_has_one_complete_twin_and_others_come_first() -> None:
    jobs = plan("train", DEFAULT_COUNTS["train"])
    asked = {job.family for job in jobs if job.ability == "ask"}
    assert Counter(job.family for job in jobs if job.has_twin) == Counter(asked)
    for program, times in Counter(name for name, _ in single_calls(jobs)).items():
        families = split_families(program, PROGRAMS[program].families)["train"]
        used = {family for name, family in single_calls(jobs) if name == program}
        assert len(used) == min(times, len(families)), program
