"""The re-check of a recipe's rows: it executes each on the servers of its own kind of world."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tooltune.jsonl import read_jsonl, write_jsonl
from tooltune.servers.install import is_installed
from tooltune.servers.known import KNOWN
from tooltune.synth.catalogs import make_catalogs
from tooltune.synth.follow_ups import FOLLOW_UPS
from tooltune.synth.generate import synthesise
from tooltune.synth.jobs import Job
from tooltune.synth.plan import Counts
from tooltune.synth.recipe import make_recipe
from tooltune.synth.scripted import ScriptMaker
from tooltune.synth.scripts.every import BY_NAME
from tooltune.verify.recheck import verify
from tooltune.worlds.bench import Bench
from tooltune.worlds.kinds import KINDS

Row = dict[str, Any]
CONFIG = Path(__file__).parents[2] / "examples" / "mcp.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recipe")
    make_recipe(out, seed=7, scale=0.001, kinds=("registers",))
    return out


def first_call(row: Row) -> Row:
    return next(m for m in row["messages"] if m.get("tool_calls"))["tool_calls"][0]["function"]


def change_result(row: Row) -> None:
    next(m for m in row["messages"] if m["role"] == "tool")["content"] += "!"


def change_argument(row: Row) -> None:
    """The record's number, which the request names; another one is nowhere."""
    function = first_call(row)
    arguments = json.loads(function["arguments"])
    key = next(key for key, value in arguments.items() if str(value)[1:2] == "-")
    arguments[key] += "9"
    function["arguments"] = json.dumps(arguments)


def change_state(row: Row) -> None:
    row["meta"]["state"] = "0" * len(row["meta"]["state"])


def has_number(row: Row) -> bool:
    values = json.loads(first_call(row)["arguments"]).values()
    return any(str(value)[1:2] == "-" for value in values)


FAULTS: tuple[tuple[Callable[[Row], None], Callable[[Row], bool], str], ...] = (
    (change_result, lambda row: True, "recorded is"),
    (change_argument, has_number, "comes from nowhere"),
    (change_state, lambda row: "state" in row["meta"], "the state differs from the recorded one"),
)


def test_every_row_of_a_sound_file_is_executed_or_has_nothing_to_execute(folder: Path) -> None:
    rows = [row for _, row in read_jsonl(folder / "train.jsonl")]
    calling = [row for row in rows if any(m.get("tool_calls") for m in row["messages"])]
    found = verify(folder / "train.jsonl")
    assert found.failures == ()
    assert found.executed == {"registers": len(calling)}
    assert found.nothing_to_execute == len(rows) - len(calling) > 0
    writing = [row for row in calling if "state" in row["meta"]]
    assert 0 < len(writing) < len(calling)


def test_exactly_the_lines_that_were_changed_are_reported(folder: Path, tmp_path: Path) -> None:
    rows = [row for _, row in read_jsonl(folder / "train.jsonl")]
    free = [n for n, row in enumerate(rows) if any(m.get("tool_calls") for m in row["messages"])]
    expected = {}
    for change, fits, reason in FAULTS:
        number = next(n for n in free if fits(rows[n]) and "twin" not in rows[n]["meta"])
        free.remove(number)
        change(rows[number])
        expected[number + 1] = reason
    write_jsonl(tmp_path / "train.jsonl", rows)
    found = verify(tmp_path / "train.jsonl")
    assert {failure.line for failure in found.failures} == expected.keys()
    for line, reason in expected.items():
        assert any(reason in one.reason for one in found.failures if one.line == line)
    assert found.to_dict()["failed"] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_kind_come_out_again(kind: str, tmp_path: Path) -> None:
    missing = [name for name in KINDS[kind].servers if not is_installed(KNOWN[name])]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    all_scripts = [script for script in BY_NAME.values() if script.kind == kind]
    scripts = random.Random(kind).sample(all_scripts, min(6, len(all_scripts)))
    with Bench(kind) as first, Bench(kind) as second:
        maker = ScriptMaker(
            kind, "train", [first, second], make_catalogs({kind: first.tools}, seed=1), seed=1
        )
        for number, script in enumerate(scripts):
            maker.make(Job(script.ability, number // 3, script))
        for one in (one for one in FOLLOW_UPS if one.kind == kind):
            assert maker.make(Job("chain", 0, BY_NAME[one.first], follow_up=one)), one.name
    rows = [row.to_dict() for (row,) in maker.output.rows]
    assert len(rows) > len(scripts) / 2
    leaning = [row for row in rows if row["meta"].get("form") == "follow-up"]
    assert len(leaning) == sum(one.kind == kind for one in FOLLOW_UPS)
    for row in leaning:
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["system", *("user", "assistant", "tool", "assistant") * 2]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    found = verify(tmp_path / "rows.jsonl")
    assert found.failures == ()
    assert found.executed == {kind: len(rows)}


def test_the_state_that_a_row_of_the_demo_reached_is_compared(tmp_path: Path) -> None:
    counts = Counts(single=6, chain=0, ask=0, refuse=0, harmless=0, talk=0)
    programs = ("write_file", "read_file")
    synthesise(CONFIG, tmp_path, counts={"train": counts}, programs=programs)
    rows = [row for _, row in read_jsonl(tmp_path / "train.jsonl")]
    writing = [number for number, row in enumerate(rows) if "state" in row["meta"]]
    assert 1 < len(writing) < len(rows)
    change_state(rows[writing[0]])
    write_jsonl(tmp_path / "train.jsonl", rows)
    (failure,) = verify(tmp_path / "train.jsonl", config=CONFIG).failures
    assert (failure.line, failure.check) == (writing[0] + 1, "replay")
