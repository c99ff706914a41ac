"""Which rows a split gets."""

import random
from collections import Counter

import pytest

from tooltune.synth.plan import DEFAULT_COUNTS, Counts, plan_split
from tooltune.synth.programs import CORE, PROGRAMS, SINGLE_PROGRAMS
from tooltune.worlds.pools import Split

SINGLES = [program.name for program in SINGLE_PROGRAMS if program.name in CORE]


def single_calls(split: Split, counts: Counts) -> Counter[str]:
    """Rows of single calls by program: planned ones, and the whole twins of those to ask about."""
    programs = {name: PROGRAMS[name] for name in CORE}
    jobs = plan_split(split, programs, counts, random.Random(7))
    return Counter(
        job.program.name for job in jobs if job.program and job.ability in ("single", "ask")
    )


@pytest.mark.parametrize("split", ["train", "test"])
def test_no_program_is_crowded_out_by_the_twins_of_asked_back_rows(split: Split) -> None:
    rows = single_calls(split, DEFAULT_COUNTS[split])
    assert rows.total() == DEFAULT_COUNTS[split].single
    assert min(rows[name] for name in SINGLES) >= 0.4 * max(rows.values())


def test_as_many_asked_back_rows_as_single_calls_leave_nothing_to_the_others() -> None:
    crowded = Counts(single=480, chain=270, ask=480, refuse=280, harmless=220, talk=120)
    assert not single_calls("train", crowded)["grep"]
