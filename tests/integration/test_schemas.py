"""Synthesis from schemas alone, on a server that misbehaves: it costs its own rows only."""

import json
import sys
from pathlib import Path

import pytest

from tooltune.jsonl import read_jsonl
from tooltune.messages import Conversation
from tooltune.synth import schemas
from tooltune.synth.schemas import SchemaReport, from_schemas

SERVER = Path(__file__).parents[1] / "servers" / "misbehaving.py"
CANARY = "canary-7f3a91c5d2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("schemas")


@pytest.fixture(scope="module")
def config(folder: Path) -> Path:
    entry = {"command": sys.executable, "args": [str(SERVER)], "timeout_seconds": 4,
             "env": {"SERVER_API_KEY": CANARY}}  # fmt: skip
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"odd": entry}}))
    return path


@pytest.fixture(scope="module")
def report(config: Path, folder: Path) -> SchemaReport:
    counts = schemas.ROWS_PER_TOOL
    small = {"train": 4, "validation": 1, "test": 2}
    schemas.ROWS_PER_TOOL = small
    try:
        return from_schemas(config, folder / "data", seed=3)
    finally:
        schemas.ROWS_PER_TOOL = counts


@pytest.fixture(scope="module")
def rows(report: SchemaReport, folder: Path) -> list[Conversation]:
    files = [folder / "data" / f"{split}.jsonl" for split in ("train", "validation", "test")]
    return [Conversation.from_dict(row) for file in files for _, row in read_jsonl(file)]


def test_a_planted_secret_never_reaches_the_dataset(
    report: SchemaReport, rows: list[Conversation], folder: Path
) -> None:
    assert report.rejected["secret in a result"] > 0
    for file in (folder / "data").iterdir():
        assert CANARY not in file.read_text()


def test_each_misbehaviour_is_counted_and_costs_its_own_rows(
    report: SchemaReport, rows: list[Conversation]
) -> None:
    for reason in ("tool reported a failure", "server failed", "result too long", "answers differ"):
        assert report.rejected[reason] > 0, reason
    called = {call.name for row in rows for message in row.messages for call in message.tool_calls}
    assert "good" in called
    assert called <= {"good", "not_utf8"}


def test_tools_that_may_write_are_left_out_with_a_reason(report: SchemaReport) -> None:
    assert any("changes" in one for one in report.left_out)


def test_kept_rows_hold_calls_with_their_results_or_a_question(rows: list[Conversation]) -> None:
    abilities = {row.ability for row in rows}
    assert abilities == {"single", "ask"}
    for row in rows:
        if row.ability == "single":
            said = row.messages[2].tool_calls[0].arguments["text"]
            assert said in row.messages[1].content
            assert said in row.messages[3].content
        else:
            assert "text" in row.messages[-1].content
