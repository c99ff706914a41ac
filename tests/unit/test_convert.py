"""Converting, mixing and thinning out files: what is written, what is counted, what is refused."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tooltune.data.convert import convert, dedupe, mix, parse_weight
from tooltune.data.readers import read_conversations
from tooltune.data.writers import WRITERS, UnwritableRowError
from tooltune.errors import ConfigError, DataError
from tooltune.jsonl import write_jsonl
from tooltune.messages import Conversation, Message, Tool, ToolCall

TOOL = Tool(name="now", input_schema={"type": "object", "properties": {}})
CALLS = tuple(ToolCall(id=f"c{i}", name="now", arguments={}) for i in range(2))
USER = Message(role="user", content="What time is it?")
RESULTS = [Message(role="tool", content=f"{i}:00", tool_call_id=f"c{i}") for i in range(2)]
ANSWER = Message(role="assistant", content="Noon.")


def conversation(*messages: Message) -> Conversation:
    return Conversation(id="x", messages=messages, tools=(TOOL,))


PARALLEL = conversation(USER, Message(role="assistant", tool_calls=CALLS), *RESULTS[::-1], ANSWER)


def numbered(path: Path, count: int, prefix: str) -> Path:
    rows = [conversation(USER.model_copy(update={"content": f"{prefix} {i}"}), ANSWER)
            .model_copy(update={"id": f"{prefix}{i}"}) for i in range(count)]  # fmt: skip
    write_jsonl(path, [row.to_dict() for row in rows])
    return path


def test_parallel_calls_as_each_trainer_wants_them() -> None:
    call = {"name": "now", "arguments": {}}
    openai = WRITERS["openai"](PARALLEL)
    assert openai["messages"][1]["content"] is None
    assert openai["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert openai["tools"] == [TOOL.to_openai()]
    trl = WRITERS["trl"](PARALLEL)
    assert trl["messages"][1]["tool_calls"][0]["function"] == call
    assert trl["messages"][2] == {
        "role": "tool", "content": "1:00", "name": "now", "tool_call_id": "c1"
    }  # fmt: skip
    assert json.loads(trl["tools"]) == [TOOL.to_openai()]
    factory = WRITERS["llama-factory"](PARALLEL)
    assert factory["conversations"] == [
        {"from": "human", "value": "What time is it?"},
        {"from": "function_call", "value": json.dumps([call, call])},
        {"from": "observation", "value": "0:00\n</tool_response>\n<tool_response>\n1:00"},
        {"from": "gpt", "value": "Noon."},
    ]
    swift = WRITERS["ms-swift"](PARALLEL)
    assert [(one["role"], one["content"]) for one in swift["messages"]] == [
        ("user", "What time is it?"),
        ("tool_call", json.dumps(call)),
        ("tool_call", json.dumps(call)),
        ("tool_response", "0:00"),
        ("tool_response", "1:00"),
        ("assistant", "Noon."),
    ]


SEPARATOR = "\n</tool_response>\n<tool_response>\n"


@pytest.mark.parametrize(
    ("to", "messages", "reason"),
    [
        ("llama-factory", (USER, USER, ANSWER), "do not take turns"),
        ("llama-factory", (USER,), "do not take turns"),
        (
            "llama-factory",
            (USER, Message(role="assistant", content="Hm.", tool_calls=CALLS[:1])),
            "words and calls in one turn",
        ),
        (
            "llama-factory",
            (
                USER,
                Message(role="assistant", tool_calls=CALLS),
                RESULTS[0].model_copy(update={"content": SEPARATOR}),
                RESULTS[1],
            ),
            "separates results",
        ),
        ("ms-swift", (USER, Message(role="assistant", tool_calls=CALLS), RESULTS[0]), "pair"),
        ("ms-swift", (USER, RESULTS[0]), "answers no call"),
        ("ms-swift", (USER, ANSWER, ANSWER), "two turns of the assistant"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    to: str, messages: tuple[Message, ...], reason: str
) -> None:
    with pytest.raises(UnwritableRowError, match=reason):
        WRITERS[to](conversation(*messages))


def test_a_name_that_openai_refuses_is_refused_here() -> None:
    named = PARALLEL.model_copy(update={"tools": (TOOL.model_copy(update={"name": "a.b"}),)})
    with pytest.raises(UnwritableRowError, match=r"tool name 'a\.b'"):
        WRITERS["openai"](named)


def test_a_file_is_converted_and_rows_left_out_are_counted_with_their_lines(tmp_path: Path) -> None:
    rows: list[Any] = [PARALLEL.to_dict(), {"a": 1}, conversation(USER).to_dict()]
    source, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_jsonl(source, rows)
    made = convert(source, out, to="llama-factory")
    assert made.written == 1
    assert [line for line, _ in made.left_out] == [2, 3]
    assert made.to_dict()["left_out"] == 2
    read = read_conversations(out)
    assert read.format == "llama-factory"
    assert [m.content for m in read.conversations[0].messages][2:4] == ["0:00", "1:00"]


def test_nothing_to_convert_and_an_unknown_format_are_refused(tmp_path: Path) -> None:
    source, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write_jsonl(source, [{"a": 1}])
    with pytest.raises(DataError, match=r"nothing to write \(got 1 rows"):
        convert(source, out, to="trl")
    with pytest.raises(ConfigError, match=r"--to: unknown \(got 'parquet'"):
        convert(source, out, to="parquet")
    assert not out.exists()


def test_mixing_takes_shares_by_weight_without_repeating_a_row(tmp_path: Path) -> None:
    a, b = numbered(tmp_path / "a.jsonl", 30, "a"), numbered(tmp_path / "b.jsonl", 100, "b")
    out = tmp_path / "mixed.jsonl"
    mixture = mix([(a, 3), (b, 1)], out)
    assert mixture.rows == {str(a): 30, str(b): 10}
    ids = [one.id for one in read_conversations(out).conversations]
    assert len(set(ids)) == 40
    assert Counter(name.partition("/")[0] for name in ids) == {"a": 30, "b": 10}
    assert ids != sorted(ids)
    first = out.read_bytes()
    mix([(a, 3), (b, 1)], out)
    assert out.read_bytes() == first
    mix([(a, 3), (b, 1)], out, seed=8)
    assert out.read_bytes() != first


def test_with_a_number_of_rows_a_small_file_is_gone_through_again(tmp_path: Path) -> None:
    a, b = numbered(tmp_path / "a.jsonl", 3, "a"), numbered(tmp_path / "b.jsonl", 100, "b")
    out = tmp_path / "mixed.jsonl"
    mixture = mix([(a, 1), (b, 1)], out, rows=15)
    assert sum(mixture.rows.values()) == mixture.written == 15
    assert mixture.repeats[str(a)] == 3
    ids = Counter(one.id for one in read_conversations(out).conversations)
    assert max(ids.values()) == 1
    from_a = Counter(name.partition("#")[0] for name in ids if name.startswith("a/"))
    assert max(from_a.values()) - min(from_a.values()) <= 1


def test_weights_are_written_behind_the_file() -> None:
    assert parse_weight("data/a.jsonl=2.5") == (Path("data/a.jsonl"), 2.5)
    assert parse_weight("a.jsonl") == (Path("a.jsonl"), 1.0)
    with pytest.raises(ConfigError, match="not a weight"):
        parse_weight("a.jsonl=much")


def test_mixing_refuses_weights_and_files_that_make_no_sense(tmp_path: Path) -> None:
    a = numbered(tmp_path / "a.jsonl", 3, "a")
    with pytest.raises(ConfigError, match="weight 0"):
        mix([(a, 0)], tmp_path / "out.jsonl")
    with pytest.raises(ConfigError, match="named twice"):
        mix([(a, 1), (a, 2)], tmp_path / "out.jsonl")


def test_thinning_out_keeps_the_first_and_drops_what_the_evaluation_set_holds(
    tmp_path: Path,
) -> None:
    source, out, held_out = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "test.jsonl"))
    requests = ["list the branches of kiln", "List the branches of kiln!", "read the file", "other"]
    write_jsonl(
        source,
        [conversation(Message(role="user", content=one), ANSWER).to_dict() for one in requests],
    )
    write_jsonl(held_out, [conversation(Message(role="user", content="Read the file.")).to_dict()])
    made = dedupe(source, out, against=held_out)
    assert made.written == 2
    assert made.left_out == [
        (2, "nearly line 1 (similarity 1.00)"),
        (3, f"shares words with {held_out}: read the file"),
    ]
