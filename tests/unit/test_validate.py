"""For each rule a conversation that breaks only this rule, beside one that breaks none.

Does not test the schemas' own rules (test_schema.py) nor how rows are read (test_readers.py).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tooltune.chat.render import Renderer
from tooltune.data.validate import RULES, validate, validate_file
from tooltune.errors import DataError
from tooltune.jsonl import write_jsonl
from tooltune.messages import Conversation, Message, Tool, ToolCall

TOOL = Tool(
    name="read_file",
    input_schema={
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
    },
)
SYSTEM = Message(role="system", content="Help.")
USER = Message(role="user", content="read a.txt")
ANSWER = Message(role="assistant", content="It says hello.")


def call(call_id: str = "c1", name: str = "read_file", **arguments: Any) -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments or {"path": "a.txt"})


def calling(*calls: ToolCall) -> Message:
    return Message(role="assistant", tool_calls=calls or (call(),))


def result(call_id: str | None = "c1") -> Message:
    return Message(role="tool", content="hello", tool_call_id=call_id)


def conversation(*messages: Message, tools: Sequence[Tool] = (TOOL,), **more: Any) -> Conversation:
    return Conversation(id=more.pop("id", "x"), messages=messages, tools=tuple(tools), **more)


GOOD = (
    conversation(SYSTEM, USER, calling(), result(), ANSWER),
    conversation(USER, calling()),
    conversation(
        USER, ANSWER, USER, calling(), result(), calling(call("c2")), result("c2"), ANSWER
    ),
    conversation(USER, calling(call("a"), call("b")), result("b"), result("a"), ANSWER),
    conversation(USER, ANSWER, tools=()),
)


@pytest.mark.parametrize("good", GOOD)
def test_a_good_conversation_breaks_no_rule(good: Conversation) -> None:
    assert validate([good]).issues == ()


@pytest.mark.parametrize(
    ("code", "bad", "message"),
    [
        (
            "role-order",
            conversation(USER, USER, ANSWER),
            "messages[1]: user after user (expected assistant)",
        ),
        (
            "role-order",
            conversation(USER, ANSWER, SYSTEM, USER, ANSWER),
            "messages[2]: system after assistant (expected user)",
        ),
        (
            "role-order",
            conversation(USER, ANSWER, ANSWER),
            "messages[2]: assistant after assistant (expected user)",
        ),
        (
            "role-order",
            conversation(ANSWER),
            "messages[0]: assistant after start (expected system or user)",
        ),
        (
            "role-order",
            conversation(USER, ANSWER, USER),
            "ends with a user turn, behind which nothing is trained",
        ),
        (
            "orphan-result",
            conversation(USER, calling(), result(), result(), ANSWER),
            "messages[3]: result answers call 'c1', but no such call is open (open: none)",
        ),
        (
            "orphan-result",
            conversation(
                USER, calling(call("a"), call("b")), result("a"), result(None), result("b"), ANSWER
            ),
            "messages[3]: result answers call None, but no such call is open (open: b)",
        ),
        (
            "unanswered-call",
            conversation(USER, calling(call("a"), call("b")), result("a"), ANSWER, USER, ANSWER),
            "messages[3]: no result for call 'b' of read_file came before",
        ),
        (
            "duplicate-call-id",
            conversation(USER, calling(call("a"), call("a"))),
            "messages[1]: several calls share an id (got a, a)",
        ),
        (
            "no-tools",
            conversation(USER, calling(), result(), ANSWER, tools=()),
            "messages[1]: read_file: the row names no tools, so no call is checked",
        ),
        (
            "unknown-tool",
            conversation(USER, calling(call(name="rm"))),
            "messages[1]: rm: not among the row's tools (read_file)",
        ),
        (
            "call-schema",
            conversation(USER, calling(call(path=7))),
            "messages[1]: read_file: path: 7 is not of type 'string'",
        ),
        (
            "unknown-argument",
            conversation(USER, calling(call(path="a", mode="r"))),
            "messages[1]: read_file: the schema knows no argument 'mode'",
        ),
        (
            "tool-schema",
            conversation(USER, ANSWER, tools=[Tool(name="x", input_schema={"required": 1})]),
            "x: not a JSON Schema (1 is not of type 'array')",
        ),
        (
            "duplicate-tool",
            conversation(USER, ANSWER, tools=[TOOL, TOOL]),
            "2 tools are named read_file",
        ),
        (
            "empty-supervision",
            conversation(USER, Message(role="assistant", content=" ")),
            "an assistant turn without text and calls teaches only to stop",
        ),
    ],
)
def test_a_fault_breaks_exactly_its_rule(code: str, bad: Conversation, message: str) -> None:
    (issue,) = validate([bad]).issues
    assert (issue.code, issue.where, issue.message) == (code, "conversation x", message)
    assert issue.fix.endswith(".")


def test_an_argument_an_open_schema_allows_is_no_issue() -> None:
    schema = TOOL.input_schema | {"additionalProperties": {"type": "string"}}
    tool = TOOL.model_copy(update={"input_schema": schema})
    assert validate([conversation(USER, calling(call(path="a", x="b")), tools=[tool])]).issues == ()


def test_no_assistant_turn_is_no_supervision() -> None:
    codes = {issue.code for issue in validate([conversation(SYSTEM, USER)]).issues}
    assert codes == {"role-order", "empty-supervision"}


def test_a_conversation_without_messages_is_found() -> None:
    codes = {issue.code for issue in validate([conversation()]).issues}
    assert codes == {"role-order", "empty-supervision"}


def test_a_duplicate_is_one_whatever_its_ids_and_number_types() -> None:
    def ask(call_id: str, path: Any, conversation_id: str) -> Conversation:
        turns = (USER, calling(call(call_id, path=path)), result(call_id), ANSWER)
        schema = {"type": "object", "properties": {"path": {}}}
        tool = Tool(name="read_file", input_schema=schema)
        return conversation(*turns, tools=[tool], id=conversation_id)

    rows = [ask("a", 1, "first"), ask("b", 1.0, "second"), ask("c", 2, "third")]
    (issue,) = validate(rows).issues
    assert (issue.code, issue.where) == ("duplicate", "conversation second")
    assert issue.message == "the same conversation stands at conversation first"


def test_the_same_row_twice_is_a_duplicate() -> None:
    assert [issue.code for issue in validate([GOOD[0], GOOD[0]]).issues] == ["duplicate"]


@pytest.fixture(scope="module")
def renderer(tiny_tokenizer_folder: Path) -> Renderer:
    return Renderer.from_folder(tiny_tokenizer_folder)


def test_a_too_long_conversation_is_reported_and_still_counted(renderer: Renderer) -> None:
    long = conversation(USER, Message(role="assistant", content="word " * 200))
    found = validate([GOOD[0], long], renderer=renderer, max_sequence_tokens=400)
    (issue,) = found.issues
    (sequence,) = renderer.sequences(long)
    assert issue.code == "too-long"
    assert issue.message.startswith(f"{len(sequence.tokens)} tokens (expected at most 400)")
    assert found.counts["conversations"] == 2
    assert found.counts["tokens"]["max"] == len(sequence.tokens)


def test_a_conversation_exactly_at_the_limit_fits(renderer: Renderer) -> None:
    (sequence,) = renderer.sequences(GOOD[0])
    limit = len(sequence.tokens)
    assert validate(GOOD[:1], renderer=renderer, max_sequence_tokens=limit).issues == ()
    found = validate(GOOD[:1], renderer=renderer, max_sequence_tokens=limit - 1)
    assert [issue.code for issue in found.issues] == ["too-long"]


def test_tokens_are_counted_with_a_renderer_only(renderer: Renderer) -> None:
    sequences = [sequence for good in GOOD for sequence in renderer.sequences(good)]
    lengths = sorted(len(sequence.tokens) for sequence in sequences)
    tokens = validate(GOOD, renderer=renderer).counts["tokens"]
    assert tokens["sequences"] == len(GOOD)
    assert tokens["total"] == sum(lengths)
    assert tokens["supervised"] == sum(int(sequence.loss_mask.sum()) for sequence in sequences)
    assert (tokens["median"], tokens["max"]) == (lengths[len(GOOD) // 2], lengths[-1])
    assert sum(tokens["histogram"].values()) == len(GOOD)
    assert all(low <= lengths[-1] for low in tokens["histogram"])
    assert "tokens" not in validate(GOOD).counts


def test_a_conversation_the_template_refuses_is_an_issue(tiny_tokenizer_folder: Path) -> None:
    tiny = Renderer.from_folder(tiny_tokenizer_folder)
    strict = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    renderer = Renderer(tiny.tokenizer, strict + tiny.template)
    found = validate(GOOD[:2], renderer=renderer)
    (issue,) = found.issues
    assert issue.code == "not-renderable"
    assert "no system" in issue.message
    assert found.counts["tokens"]["sequences"] == 1


def test_what_is_there_is_counted() -> None:
    rows = [
        conversation(USER, calling(), result(), ANSWER, ability="single"),
        conversation(USER, calling(call(path="b")), ability="single"),
        conversation(USER, ANSWER, ability="talk"),
        conversation(USER, Message(role="assistant", content="hm"), ability="own"),
        conversation(USER, USER, ANSWER),
    ]
    assert validate(rows).counts == {
        "conversations": 5,
        "skipped": 0,
        "abilities": {"single": 2, "talk": 1, "own": 1, "unnamed": 1},
        "calls": 2,
        "calls_by_tool": {"read_file": 2},
        "issues": {"role-order": 1},
    }


def test_a_file_names_its_lines_and_counts_what_it_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    bad = conversation(USER, calling(call(path=7)))
    write_jsonl(path, [GOOD[0].to_dict(), {"text": "?"}, bad.to_dict()])
    found = validate_file(path)
    assert [(issue.code, issue.where) for issue in found.issues] == [
        ("unreadable-row", f"{path}:2"),
        ("call-schema", f"{path}:3"),
    ]
    assert found.counts["conversations"] == 2
    assert found.counts["skipped"] == 1
    assert found.counts["issues"] == {"unreadable-row": 1, "call-schema": 1}


def test_a_validation_can_be_written_as_json(renderer: Renderer) -> None:
    found = validate([*GOOD, conversation(USER)], renderer=renderer)
    value = json.loads(json.dumps(found.to_dict()))
    assert value["issues"][0].keys() == {"code", "where", "message", "fix"}
    assert value["counts"]["conversations"] == len(GOOD) + 1


@pytest.mark.parametrize("rows", [[], [{"text": "?"}]])
def test_a_file_without_conversations_is_an_error(tmp_path: Path, rows: list[Any]) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, rows)
    with pytest.raises(DataError, match=r"rows\.jsonl: no conversation to train on"):
        validate_file(path)


def test_no_conversations_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="dataset: empty"):
        validate([])


def test_every_rule_says_its_codes() -> None:
    assert all(rule.__doc__ and rule.__doc__.startswith("`") for rule in RULES)
