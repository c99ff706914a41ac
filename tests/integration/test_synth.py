"""Synthesis on real servers: rows are valid, repeatable, and held out where they must be."""

import json
from pathlib import Path

import pytest

from tooltune.data.schema import check_arguments
from tooltune.errors import ConfigError
from tooltune.jsonl import read_jsonl
from tooltune.messages import ABILITIES, Conversation
from tooltune.synth.generate import synthesise
from tooltune.synth.plan import Counts
from tooltune.worlds.sandbox import Sandbox

CONFIG = Path(__file__).parents[2] / "examples" / "mcp.json"
SMALL = {
    "train": Counts(single=80, chain=28, ask=17, refuse=12, harmless=12, talk=12),
    "validation": Counts(single=18, chain=14, ask=8, refuse=6, harmless=6, talk=6),
    "test": Counts(single=40, chain=28, ask=17, refuse=12, harmless=12, talk=12),
}
Splits = dict[str, list[Conversation]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data")
    synthesise(CONFIG, out, counts=SMALL)
    return out


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return {
        split: [Conversation.from_dict(row) for _, row in read_jsonl(folder / f"{split}.jsonl")]
        for split in SMALL
    }


def test_every_ability_has_the_rows_asked_for(splits: Splits) -> None:
    for split, counts in SMALL.items():
        for ability in ABILITIES:
            rows = [row for row in splits[split] if row.ability == ability]
            assert len(rows) == getattr(counts, ability), (split, ability)


def test_same_seed_same_bytes_and_another_seed_others(folder: Path, tmp_path: Path) -> None:
    synthesise(CONFIG, tmp_path, counts={"train": SMALL["train"]})
    assert (tmp_path / "train.jsonl").read_bytes() == (folder / "train.jsonl").read_bytes()
    few = Counts(single=4, chain=2, ask=1, refuse=1, harmless=1, talk=1)
    synthesise(CONFIG, tmp_path, seed=8, counts={"train": few})
    other = [row for _, row in read_jsonl(tmp_path / "train.jsonl")]
    requests = {row["messages"][1]["content"] for row in other}
    seen = {row["messages"][1]["content"] for _, row in read_jsonl(folder / "train.jsonl")}
    # Plain talk has no values to vary, so a few requests may come again.
    assert len(requests - seen) > len(requests) / 2


def test_no_phrasing_value_or_repository_of_the_test_is_trained_on(splits: Splits) -> None:
    for held_out in ("test", "validation"):
        assert not _phrasings(splits["train"]) & _phrasings(splits[held_out])
        assert not _wordings(splits["train"]) & _wordings(splits[held_out])
        assert not _values(splits["train"]) & _values(splits[held_out])
        assert not _repositories(splits["train"]) & _repositories(splits[held_out])
    assert len(_values(splits["test"])) > 50
    assert len(_repositories(splits["test"])) > 8


def test_calls_fit_their_schemas_and_results_answer_them(splits: Splits) -> None:
    for row in (row for rows in splits.values() for row in rows):
        tools = {tool.name: tool for tool in row.tools}
        open_calls: list[str] = []
        for message in row.messages:
            for call in message.tool_calls:
                assert check_arguments(tools[call.name], call.arguments) == []
                open_calls.append(call.id)
            if message.role == "tool":
                assert open_calls.pop() == message.tool_call_id
        assert not open_calls
        assert row.messages[-1].role == "assistant"
        assert row.messages[-1].content


def test_chains_use_what_an_earlier_call_returned(splits: Splits) -> None:
    for row in splits["test"]:
        if row.ability == "chain":
            request = row.messages[1].content
            calls = [call for message in row.messages for call in message.tool_calls]
            assert len(calls) in (2, 3)
            later = [part for call in calls[1:] for part in map(str, call.arguments.values())]
            assert any(part not in request for part in later)


def test_replayed_calls_give_the_recorded_results(splits: Splits) -> None:
    rows = sorted(splits["test"], key=lambda row: row.meta["world"]["number"])[::3]
    with Sandbox(CONFIG) as sandbox:
        for row in rows:
            sandbox.reset(row.meta["world"])
            recorded = [message.content for message in row.messages if message.role == "tool"]
            calls = [call for message in row.messages for call in message.tool_calls]
            replayed = [sandbox.call(call.name, call.arguments).content for call in calls]
            assert replayed == recorded, row.id


def test_twins_exist_and_differ_where_they_should(splits: Splits) -> None:
    for rows in splits.values():
        by_id = {row.id: row for row in rows}
        assert len(by_id) == len(rows)
        wordings, twinned = set(), set()
        for row in rows:
            if row.ability == "ask":
                wordings.add(row.meta["phrasing"])
            if row.ability == "ask" and "twin" in row.meta:
                twinned.add(row.meta["phrasing"])
                twin = by_id[row.meta["twin"]]
                call = next(call for message in twin.messages for call in message.tool_calls)
                assert twin.ability == "single"
                assert twin.meta["twin"] == row.id
                assert str(call.arguments[row.meta["missing"]]) not in row.messages[1].content
            if row.ability == "refuse":
                assert by_id[row.meta["twin"]].ability == "harmless"
                assert by_id[row.meta["twin"]].messages[2].tool_calls
        assert twinned == wordings


def test_nothing_names_the_machine_it_was_made_on(folder: Path) -> None:
    for file in folder.iterdir():
        text = file.read_text(encoding="utf-8")
        for trace in ("/tmp", "tooltune-", str(Path.home()), str(folder)):
            assert trace not in text


def test_a_server_without_programs_is_named(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    server = {
        "command": "python",
        "args": [str(Path(__file__).parents[1] / "servers" / "flaky.py")],
    }
    config.write_text(json.dumps({"mcpServers": {"strange": server}}))
    with pytest.raises(ConfigError, match=r"server strange: no programs for its tools"):
        synthesise(config, tmp_path / "out", counts=SMALL)
    assert not (tmp_path / "out").exists()


def test_one_server_alone_gets_the_programs_it_can_serve(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    time = {"command": "python", "args": ["-m", "mcp_server_time", "--local-timezone", "UTC"]}
    config.write_text(json.dumps({"mcpServers": {"time": time}}))
    few = {"train": Counts(single=10, chain=5, ask=2, refuse=3, harmless=3, talk=3)}
    report = synthesise(config, tmp_path / "out", counts=few)
    assert report.rows["train"]["single"] == 10
    assert report.rows["train"]["chain"] == 0
    assert "git_status" in report.left_out


def _phrasings(rows: list[Conversation]) -> set[str]:
    return {row.meta["phrasing"] for row in rows}


def _wordings(rows: list[Conversation]) -> set[str]:
    """Requests with their values blanked and letters only: `wording` without its slots."""
    found = set()
    for row in rows:
        text = row.messages[1].content
        for value in sorted(row.meta["values"].values(), key=len, reverse=True):
            text = text.replace(value, " _ ")
        found.add(
            " ".join("".join(c if c.isalnum() or c == "_" else " " for c in text).lower().split())
        )
    return found


def _values(rows: list[Conversation]) -> set[str]:
    return {value for row in rows for value in row.meta["values"].values()}


def _repositories(rows: list[Conversation]) -> set[str]:
    return {row.meta["values"]["repo"] for row in rows if "repo" in row.meta["values"]}
