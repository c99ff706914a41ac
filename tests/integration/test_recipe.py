"""The recipe's dataset at a small scale, on the worlds that need no installation."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tooltune.data.card import write_card
from tooltune.data.schema import check_arguments
from tooltune.jsonl import read_jsonl
from tooltune.messages import ABILITIES, Conversation
from tooltune.synth.recipe import make_recipe, wanted
from tooltune.synth.summary import RecipeReport
from tooltune.worlds.bench import Bench
from tooltune.worlds.desk import World

KINDS = ("registers",)
SMALL = 0.001
CALLING = ("single", "chain", "harmless")
Splits = dict[str, list[Conversation]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipe")


@pytest.fixture(scope="module")
def report(folder: Path) -> RecipeReport:
    return make_recipe(folder, seed=7, scale=SMALL, kinds=KINDS)


@pytest.fixture(scope="module")
def splits(report: RecipeReport, folder: Path) -> Splits:
    return {
        split: [Conversation.from_dict(row) for _, row in read_jsonl(folder / f"{split}.jsonl")]
        for split in report.rows
    }


def test_every_split_has_exactly_the_rows_of_each_ability(
    report: RecipeReport, splits: Splits
) -> None:
    assert report.short == {}
    for rows in splits.values():
        counts = Counter(row.ability for row in rows)
        assert {name: counts[name] for name in ABILITIES} == wanted(len(rows))


def test_the_recipe_itself_has_the_rows_it_is_known_for() -> None:
    assert sum(wanted(15_694).values()) == 15_694
    assert sum(wanted(826).values()) == 826


def test_same_seed_same_bytes_also_after_an_interruption(
    splits: Splits, folder: Path, tmp_path: Path
) -> None:
    """A run that stopped after one part goes on from it, and ends with the same files."""

    class StoppedError(Exception):
        pass

    def stop_late(done: int, total: int) -> None:
        if done == total - 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        make_recipe(tmp_path, seed=7, scale=SMALL, kinds=KINDS, progress=stop_late)
    assert (tmp_path / ".parts" / "train-registers.jsonl").exists()
    make_recipe(tmp_path, seed=7, scale=SMALL, kinds=KINDS)
    assert not (tmp_path / ".parts").exists()
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl", "card.md", "summary.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_calls_fit_the_shown_schemas_and_values_are_told_before(splits: Splits) -> None:
    for row in (row for rows in splits.values() for row in rows):
        tools = {tool.name: tool for tool in row.tools}
        for message in row.messages:
            for call in message.tool_calls:
                assert check_arguments(tools[call.name], call.arguments) == []


def test_rows_replay_on_a_bench_of_their_own(splits: Splits) -> None:
    with Bench("registers") as bench:
        for row in splits["test"]:
            world = row.meta["world"]
            bench.reset(World(world["split"], world["number"]))
            renamed = row.meta["catalog"].get("renamed", {})
            results = [message.content for message in row.messages if message.role == "tool"]
            calls = [call for message in row.messages for call in message.tool_calls]
            for call, result in zip(calls, results, strict=True):
                back = renamed.get(call.name, {"tool": call.name, "parameters": {}})
                names = back["parameters"]
                arguments = {names.get(key, key): value for key, value in call.arguments.items()}
                assert bench.call(back["tool"], arguments).content == result


def test_asked_back_rows_name_what_is_missing_and_their_twin_has_it(splits: Splits) -> None:
    for rows in splits.values():
        by_id = {row.id: row for row in rows}
        asked = [row for row in rows if row.ability == "ask"]
        assert asked
        for row in asked:
            twin = by_id[row.meta["twin"]]
            (call,) = twin.messages[2].tool_calls
            assert row.meta["missing"] in call.arguments
            assert str(call.arguments[row.meta["missing"]]) not in row.messages[1].content


def test_domains_of_the_test_are_strangers(splits: Splits) -> None:
    names = {
        split: {tool.name for row in rows for tool in row.tools} for split, rows in splits.items()
    }
    assert not names["train"] & names["test"]


def test_no_request_comes_twice_and_no_phrasing_is_in_two_splits(splits: Splits) -> None:
    requests = [row.messages[1].content for rows in splits.values() for row in rows]
    assert len(set(requests)) >= 0.99 * len(requests)
    phrasings = {
        split: {row.meta["phrasing"] for row in rows if row.ability != "talk"}
        for split, rows in splits.items()
    }
    assert not phrasings["train"] & phrasings["test"]


def test_the_card_counts_what_the_files_hold(report: RecipeReport, folder: Path) -> None:
    card = (folder / "card.md").read_text()
    total = "| all | " + " | ".join(str(sum(one.values())) for one in report.rows.values())
    assert total in card
    tools = len(report.servers["registers"]["tools"])
    assert tools > 60
    calling = sum(report.rows[split][name] for split in report.rows for name in CALLING)
    assert f"| registers | tooltune | of this checkout | Apache-2.0 | {tools} | {calling} |" in card
    assert "| distinct requests | 100.00 % | at least 99.00 % | kept |" in card
    assert "| real servers whose tools are called | 0 | at least 8 | not kept |" in card
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["rows"] == report.rows
    assert summary["forms"] == report.forms
    assert summary["checks"].keys() == {
        "schema", "grounded", "replay", "minimal", "twins", "split"
    }  # fmt: skip


def test_the_card_of_the_same_files_has_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "card.md").unlink()
    assert write_card(tmp_path / "copy").read_bytes() == (folder / "card.md").read_bytes()


def test_a_bench_goes_back_to_its_world_whatever_was_done() -> None:
    with Bench("registers") as bench:
        world = World("train", 1)
        scene = bench.reset(world)
        before = bench.snapshot()
        domain = scene.domains[0]
        number = next(iter(scene.records[domain.name]))
        result = bench.call(domain.tool("cancel"), {domain.id_name: number})
        assert not result.is_error
        assert bench.snapshot() != before
        bench.reset(world)
        assert bench.snapshot() == before
