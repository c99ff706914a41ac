"""The scripts as data: enough families, each in every split, none worded alike in two splits."""

import re
import string

import pytest

from tooltune.synth.follow_ups import FOLLOW_UPS
from tooltune.synth.grammar import normalise
from tooltune.synth.programs import PROGRAMS
from tooltune.synth.scripts.dangers import RISKS
from tooltune.synth.scripts.every import BY_NAME
from tooltune.synth.scripts.frames import families_of
from tooltune.worlds import pools, values
from tooltune.worlds.kinds import KINDS
from tooltune.worlds.pools import SPLITS, Pool


def test_there_are_at_least_a_hundred_and_fifty_program_families() -> None:
    assert len(BY_NAME) + len(PROGRAMS) >= 150
    assert {script.kind for script in BY_NAME.values()} == set(KINDS)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_script_has_wordings_in_every_split(name: str) -> None:
    families = families_of(name, BY_NAME[name].families)
    assert all(families[split] for split in SPLITS)
    for slot in BY_NAME[name].asks:
        for split in SPLITS:
            assert any(slot in family.droppable for family in families[split]), split


def test_no_wording_is_in_two_splits_of_a_program() -> None:
    for name, script in BY_NAME.items():
        by_split = {
            split: {normalise(family.text) for family in families}
            for split, families in families_of(name, script.families).items()
        }
        assert not by_split["train"] & by_split["test"], name
        assert not by_split["train"] & by_split["validation"], name


def test_no_wording_of_a_follow_up_is_in_two_splits_of_any() -> None:
    """Many say no value at all, so that the same words would stand in train and test."""
    by_split = {
        split: {
            normalise(family.text)
            for one in FOLLOW_UPS
            for family in families_of(one.name, one.families)[split]
        }
        for split in SPLITS
    }
    for one in FOLLOW_UPS:
        assert all(families_of(one.name, one.families).values()), one.name
    assert not by_split["train"] & by_split["test"]
    assert not by_split["train"] & by_split["validation"]


@pytest.mark.parametrize("one", FOLLOW_UPS, ids=lambda one: one.name)
def test_what_a_follow_up_leaves_unsaid_its_first_request_says(one) -> None:
    first = BY_NAME[one.first]
    assert first.kind == one.kind
    said = set().union(*({slot for _, slot, _, _ in string.Formatter().parse(line) if slot}
                         for line in one.families.splitlines()))  # fmt: skip
    assert not said & set(one.needed)
    for line in first.families.splitlines():
        told = re.sub(r"<([^<>~]*)(?:~[^<>]*)?>", r"\1", line)
        assert all(f"{{{slot}}}" in told for slot in one.needed), line


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: risk.name)
def test_harmless_twins_name_scripts_of_the_same_kind(risk) -> None:
    slots = set()
    for name, _ in risk.harmless_families:
        assert BY_NAME[name].kind == risk.kind
        slots |= _slots(BY_NAME[name].families)
    assert families_of(f"refuse_{risk.name}", risk.refuse_families)["test"]


def _slots(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_pools_of_the_splits_share_no_value() -> None:
    found = [pool for pool in vars(values).values() if isinstance(pool, Pool)]
    assert len(found) >= 10
    for pool in found:
        assert not set(pool.train) & set(pool.test)
        assert not set(pool.train) & set(pool.validation)
        assert not set(pool.validation) & set(pool.test)
        assert pool.test
        assert len(pool.train) > len(pool.test)
    assert pools.SPLITS == ("train", "validation", "test")
