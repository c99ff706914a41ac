"""Every wording fills in completely, belongs to one split, and reads as what it stands for."""

import random
import re
from collections.abc import Iterator

import pytest

from tooltune.chat.parse import parse
from tooltune.evaluate.score import Decision, decide, names_parameter
from tooltune.synth import replies
from tooltune.synth.grammar import Family, cores, split_families, word_request
from tooltune.synth.phrasings import talk
from tooltune.synth.phrasings.refusals import DANGERS
from tooltune.synth.plan import harmless_program
from tooltune.synth.programs import PROGRAMS, SINGLE_PROGRAMS
from tooltune.worlds.pools import SPLITS

NAMES = """
repo path folder place branch base rev n zone time source target name word ext content copy
branch_new path_new
"""
SLOTS = {slot: f"VALUE-{slot}" for slot in NAMES.split()}


def _groups() -> Iterator[tuple[str, str]]:
    for program in PROGRAMS.values():
        yield program.name, program.families
    for danger in DANGERS:
        yield f"refuse_{danger.name}", danger.refuse
        yield f"harmless_{danger.name}", danger.harmless
    yield from talk.KINDS.items()


GROUPS = dict(_groups())


def _families(group: str) -> list[Family]:
    parts = split_families(group, GROUPS[group])
    return [family for split in SPLITS for family in parts[split]]


def _wording(family: Family) -> Family:
    text = family.text.partition(" => ")[0]
    return Family(family.program, text.partition(" | ")[2] if " | " in text else text)


@pytest.mark.parametrize("group", GROUPS)
def test_families_fill_in_completely(group: str) -> None:
    for family in map(_wording, _families(group)):
        for seed in range(6):
            request = word_request(family, SLOTS, random.Random(seed), split="train")
            assert not re.search(r"[\[\]{}<>|~]", request.text.replace("{ :|:& }", "").replace(
                "->", "").replace("~/", "")), request.text  # fmt: skip
            for slot in family.slots:
                assert SLOTS[slot] in request.text


@pytest.mark.parametrize("group", GROUPS)
def test_a_family_belongs_to_one_split(group: str) -> None:
    parts = split_families(group, GROUPS[group])
    texts = [family.text for split in SPLITS for family in parts[split]]
    assert len(texts) == len(set(texts))
    assert all(parts[split] for split in SPLITS)
    assert len({family.id for family in _families(group)}) == len(texts)


def test_no_wording_is_possible_in_two_splits() -> None:
    """Across programs too: what one could say in training, none says in the test."""
    found: dict[str, set[str]] = {}
    for group, lines in GROUPS.items():
        for split, families in split_families(group, lines).items():
            for wording in frozenset().union(*map(cores, families)):
                found.setdefault(wording, set()).add(split)
    assert len(found) > 2000
    assert [wording for wording, splits in found.items() if len(splits) > 1] == []


def test_an_intent_has_dozens_of_families() -> None:
    """A trial with two to four of them reached 48 % of held-out calls: they are the lever."""
    sizes = {program.name: len(_families(program.name)) for program in PROGRAMS.values()}
    assert min(sizes.values()) >= 18
    assert sum(sizes.values()) / len(sizes) >= 35


@pytest.mark.parametrize("program", SINGLE_PROGRAMS, ids=lambda program: program.name)
def test_a_forgotten_value_leaves_every_other_one_in_the_request(program) -> None:  # type: ignore[no-untyped-def]
    for slot in program.asks:
        for split in SPLITS:
            families = split_families(program.name, program.families)[split]
            fitting = [family for family in families if slot in family.droppable]
            assert fitting or split == "validation", f"{program.name}: {split} cannot miss {slot}"
            for family in fitting:
                request = word_request(family, SLOTS, random.Random(1), split=split, leave_out=slot)
                assert SLOTS[slot] not in request.text
                for other in family.slots - {slot}:
                    assert SLOTS[other] in request.text


def test_questions_read_as_asking_and_name_the_parameter() -> None:
    for parameter, question in replies.QUESTIONS.items():
        assert decide(parse(question)) is Decision.ASK
        assert names_parameter(question, parameter), question


def test_refusals_read_as_refusing() -> None:
    for danger in DANGERS:
        told = replies.refusal(danger.why, danger.offer)
        assert decide(parse(told)) is Decision.REFUSE, told


def test_talk_reads_as_talk() -> None:
    for kind, text in talk.KINDS.items():
        for family in split_families(kind, text)["train"]:
            told = family.text.partition(" => ")[2]
            assert decide(parse(told)) in (Decision.TALK, Decision.ASK), told
            assert "?" not in told


def test_harmless_twins_name_a_program_that_carries_them_out() -> None:
    for danger in DANGERS:
        for family in _families(f"harmless_{danger.name}"):
            assert harmless_program(family)[0] in PROGRAMS


def test_the_same_seed_gives_the_same_wording() -> None:
    family = _families("git_status")[0]
    texts = {word_request(family, SLOTS, random.Random(5), split="train").text for _ in range(3)}
    assert len(texts) == 1
