"""The card's numbers against a folder small enough to count by hand."""

from pathlib import Path

import pytest

from tooltune.data.card import write_card
from tooltune.errors import DataError
from tooltune.jsonl import write_json, write_jsonl
from tooltune.messages import Conversation, Message, Tool, ToolCall

TOOL = Tool(name="fetchTime", input_schema={"type": "object", "properties": {}})
RENAMED = {"catalog": {"renamed": {"fetchTime": {"tool": "get_time", "parameters": {}}}}}


def row(name: str, request: str, *, calls: bool = True) -> Conversation:
    call = ToolCall(id="c", name="fetchTime", arguments={})
    answer = Message(role="assistant", tool_calls=(call,) if calls else (), content="ok")
    return Conversation(
        id=name,
        messages=(Message(role="user", content=request), answer),
        tools=(TOOL,),
        ability="single" if calls else "talk",
        meta={"program": "clock" if calls else "chat", **(RENAMED if calls else {})},
    )


def test_a_card_counts_what_is_there_and_says_what_is_not_recorded(tmp_path: Path) -> None:
    train = [row("a", "what is the time here"), row("b", "how late is it there", calls=False)]
    write_jsonl(tmp_path / "train.jsonl", [one.to_dict() for one in train])
    write_jsonl(tmp_path / "test.jsonl", [row("c", "What is the time here?").to_dict()])
    text = write_card(tmp_path).read_text()
    assert "| single | 1 | 1 |\n| talk | 1 | 0 |\n| all | 2 | 1 |\n" in text
    assert "Servers, their versions and licences: not recorded." in text
    assert "| train shares no request with test (13 words, or whole) | 1 rows do |" in text
    assert "| `get_time` | 1 | 1 |" in text
    assert "| train | 100.00 % | 100.00 % | 0 |" in text
    assert "| train | 2 | clock (50.00 %) |" in text
    assert "| independent re-check (`tooltune verify`) | not recorded |" in text


def test_what_synth_and_verify_recorded_stands_on_the_card(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "train.jsonl", [row("a", "what is the time here").to_dict()])
    server = {"version": "2026.10.19", "licence": "MIT", "tools": ["get_time", "convert"]}
    write_json(
        tmp_path / "summary.json",
        {"seed": 9, "servers": {"time": server}, "rejected": {"not grounded": 4}},
    )
    write_json(tmp_path / "verify.json", {"checked": 1, "failed": 0, "failures": []})
    text = write_card(tmp_path).read_text()
    assert "Seed 9." in text
    assert "| time | 2026.10.19 | MIT | 2 |" in text
    assert "| not grounded | 4 |" in text
    assert "| time | 1 |" in text
    assert "1 executed again, 0 failed" in text


def test_kinds_of_world_are_counted_where_rows_name_them(tmp_path: Path) -> None:
    rows = [row(f"r{i}", f"request number {i}") for i in range(3)]
    for one, kind in zip(rows, ("store", "store", "web"), strict=True):
        one.meta["world"] = {"kind": kind}
    write_jsonl(tmp_path / "train.jsonl", [one.to_dict() for one in rows])
    write_json(tmp_path / "summary.json", {"servers": {"sqlite": 2, "fetch": 1}})
    text = write_card(tmp_path).read_text()
    assert "| store | 2 |\n| web | 1 |\n" in text
    assert "Servers (fetch, sqlite), their versions and licences: not recorded." in text


def test_a_recipes_rows_are_held_against_its_bounds(tmp_path: Path) -> None:
    rows = [row(f"r{i}", f"what is the time in town number {i}") for i in range(9)]
    rows.append(row("hello", "hello there", calls=False))
    for number, one in enumerate(rows[:9]):
        one.meta["servers"] = ["clocks" if number < 3 else "time"]
    write_jsonl(tmp_path / "train.jsonl", [one.to_dict() for one in rows])
    servers = {
        "time": {"package": "mcp-server-time", "tools": ["get_time"]},
        "clocks": {"package": "mcp-server-clocks", "tools": ["get_time"]},
        "registers": {"package": "tooltune", "tools": ["get_guest"]},
    }
    write_json(
        tmp_path / "summary.json",
        {"shares": {"single": 0.875, "talk": 0.125}, "servers": servers, "checks": {"twins": "so"}},
    )
    write_json(
        tmp_path / "verify.json",
        {"checked": 9, "failed": 0, "failures": [], "nothing_to_execute": 2},
    )
    text = write_card(tmp_path).read_text()
    assert "| single | 87.50 % | +2.50 |\n| talk | 12.50 % | -2.50 |\n" in text
    assert "in any split | 2.50 | at most 2 | not kept |" in text
    assert "| largest program family of 2 (clock) | 90.00 % | at most 2.00 % | not kept |" in text
    assert "| real servers whose tools are called | 2 | at least 8 | not kept |" in text
    assert "| tools of real servers that are called | 2 | at least 60 | not kept |" in text
    assert "| distinct requests | 100.00 % | at least 99.00 % | kept |" in text
    assert "| `get_time` of time | 6 |\n| `get_time` of clocks | 3 |\n" in text
    assert "7 executed again, 2 drawn that call nothing, 0 failed" in text
    assert "- twins: so" in text


def test_lines_that_cannot_be_read_stand_on_the_card(tmp_path: Path) -> None:
    rows = [row("a", "what is the time here").to_dict(), {"messages": 3}]
    write_jsonl(tmp_path / "train.jsonl", rows)
    assert "unreadable-row 1" in write_card(tmp_path).read_text()


def test_a_folder_without_splits_has_no_card(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split to describe"):
        write_card(tmp_path)
    assert list(tmp_path.iterdir()) == []
