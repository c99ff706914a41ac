"""The re-check finds what is planted, each kind of fault under its own name, and nothing in sound
rows. Executed here on a folder of files in memory; with real servers in tests/integration."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tooltune.errors import ConfigError, DataError
from tooltune.jsonl import write_jsonl
from tooltune.messages import Conversation, Message, Tool, ToolCall, ToolResult
from tooltune.verify.grounded import ungrounded
from tooltune.verify.recheck import Verification, verify
from tooltune.verify.replay import digest, normalise

COPY = Tool(
    name="copy",
    description="Copies a file.",
    input_schema={
        "type": "object",
        "properties": {
            "source": {"type": "string"},
            "target": {"type": "string"},
            "mode": {"enum": ["fast", "safe"]},
            "times": {"type": "integer", "default": 2},
        },
        "required": ["source", "target"],
    },
)


class Files:
    """A sandbox: one file, and calls that copy."""

    def __init__(self, noise: str = "") -> None:
        self.noise = noise
        self.files: dict[str, str] = {}

    def reset(self, world: dict[str, Any]) -> None:
        self.files = {"a.txt": f"world {world['number']}{self.noise}"}

    def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        self.files[arguments["target"]] = self.files[arguments["source"]]
        return ToolResult(content=f"copied to /tmp/tooltune-x1/desk/{arguments['target']}")

    def snapshot(self) -> dict[str, str]:
        return dict(self.files)


@contextmanager
def open_files(kind: str | None) -> Iterator[Files]:
    yield Files()


def row(
    request: str = "copy a.txt to b.txt",
    name: str = "copy",
    result: str = "copied to /tmp/tooltune-other/desk/b.txt",
    meta: dict[str, Any] | None = None,
    **changes: Any,
) -> Conversation:
    arguments = {"source": "a.txt", "target": "b.txt"} | changes
    call = ToolCall(id="c1", name=name, arguments=arguments)
    return Conversation(
        id="r1",
        messages=(
            Message(role="user", content=request),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content=result, tool_call_id="c1"),
            Message(role="assistant", content="Done."),
        ),
        tools=(COPY,),
        ability="single",
        meta={"world": {"split": "train", "number": 1}} | (meta or {}),
    )


def check(tmp_path: Path, *rows: Conversation, **options: Any) -> Verification:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [one.to_dict() for one in rows])
    return verify(path, **{"open_box": open_files, **options})


def test_sound_rows_pass(tmp_path: Path) -> None:
    found = check(tmp_path, row(), row(mode="safe", times=2))
    assert found.to_dict() == {
        "checked": 2,
        "failed": 0,
        "failures": [],
        "rows": 2,
        "calls": 2,
        "executed": {"mcp.json": 2},
        "nothing_to_execute": 0,
        "by_check": {},
    }


@pytest.mark.parametrize(
    ("broken", "check_name", "reason"),
    [
        (row(mode="slow"), "schema", "copy: 'slow' is not one of ['fast', 'safe']"),
        (row(extra="a.txt"), "schema", "copy: the schema knows no 'extra'"),
        (row(name="move"), "schema", "move: not among the row's tools"),
        (row(target="c.txt"), "grounded", "copy: target = 'c.txt' comes from nowhere"),
        (row(times=3), "grounded", "copy: times = 3 comes from nowhere"),
        (row(result="copied to c.txt"), "replay", "call 1 (copy) gave"),
        (row(meta={"state": "0123"}), "replay", "the state differs from the recorded one"),
    ],
)
def test_a_planted_fault_is_found_under_its_name(
    tmp_path: Path, broken: Conversation, check_name: str, reason: str
) -> None:
    found = check(tmp_path, row(), broken).failures
    assert {failure.line for failure in found} == {2}
    assert any(one.check == check_name and one.reason.startswith(reason) for one in found)


def test_a_recorded_state_is_compared(tmp_path: Path) -> None:
    state = digest({"a.txt": "world 1", "b.txt": "world 1"})
    assert check(tmp_path, row(meta={"state": state})).failures == ()


def test_rows_without_calls_are_counted_as_such(tmp_path: Path) -> None:
    hello = Conversation(
        id="t1",
        messages=(Message(role="user", content="Hi"), Message(role="assistant", content="Hello.")),
        tools=(COPY,),
        ability="talk",
    )
    found = check(tmp_path, row(), hello)
    assert (found.checked, found.executed, found.nothing_to_execute) == (2, {"mcp.json": 1}, 1)


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ({"split": "train"}, "meta names no world"),
        ({"split": "other", "number": 1}, "meta names no world"),
        ("train", "meta names no world"),
        ({"kind": "moon", "split": "train", "number": 1}, "there is no sandbox for it: moon is no"),
    ],
)
def test_a_row_whose_world_cannot_be_made_fails_and_the_others_are_executed(
    tmp_path: Path, world: Any, reason: str
) -> None:
    @contextmanager
    def open_some(kind: str | None) -> Iterator[Files]:
        if kind is not None:
            raise DataError(f"{kind} is no kind of world")
        yield Files()

    (failure,) = check(
        tmp_path, row(), row(meta={"world": world}), row(result="no"), open_box=open_some, sample=3
    ).failures[:1]
    assert (failure.line, failure.check) == (2, "replay")
    assert failure.reason.startswith(reason)


def test_two_executions_that_leave_different_states_are_a_failure(tmp_path: Path) -> None:
    noise = iter("01")

    @contextmanager
    def open_noisy(kind: str | None) -> Iterator[Files]:
        yield Files(next(noise))

    (failure,) = check(tmp_path, row(), open_box=open_noisy).failures
    assert failure.reason == "two executions left different states (a.txt, b.txt)"


def test_renamed_tools_run_under_their_servers_names(tmp_path: Path) -> None:
    shown = COPY.model_copy(
        update={
            "name": "duplicate",
            "input_schema": {
                "type": "object",
                "properties": {"origin": {"type": "string"}, "goal": {"type": "string"}},
                "required": ["origin", "goal"],
            },
        }
    )
    parameters = {"origin": "source", "goal": "target"}
    renamed = {"duplicate": {"tool": "copy", "parameters": parameters}}
    plain = row(meta={"catalog": {"renamed": renamed}})
    call = ToolCall(id="c1", name="duplicate", arguments={"origin": "a.txt", "goal": "b.txt"})
    turn = Message(role="assistant", tool_calls=(call,))
    messages = (plain.messages[0], turn, *plain.messages[2:])
    dressed = plain.model_copy(update={"tools": (shown,), "messages": messages})
    assert check(tmp_path, dressed).failures == ()


def test_a_question_back_must_lack_what_it_asks_for(tmp_path: Path) -> None:
    whole = row()

    def ask(request: str) -> Conversation:
        turns = (
            Message(role="user", content=request),
            Message(role="assistant", content="To which file?"),
        )
        meta = {"missing": "target", "twin": "r1"}
        return Conversation(id="a1", messages=turns, tools=(COPY,), ability="ask", meta=meta)

    assert check(tmp_path, whole, ask("copy a.txt")).failures == ()
    (failure,) = check(tmp_path, whole, ask("copy a.txt, to B.TXT")).failures
    assert failure.check == "twin"
    assert failure.reason == "asks for target, but 'b.txt' stands in the request"


def test_only_the_sample_is_executed_and_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    rows = [row(meta={"state": "0123"}).model_copy(update={"id": f"r{i}"}) for i in range(30)]
    first = check(tmp_path, *rows, sample=5)
    assert (first.checked, first.rows, len(first.failures)) == (5, 30, 5)
    assert check(tmp_path, *rows, sample=5) == first
    assert check(tmp_path, *rows, sample=5, seed=8) != first
    assert check(tmp_path, *rows, sample=0).failures == ()


def test_a_row_of_another_form_is_a_failure_and_not_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [row().to_dict(), {"messages": []}])
    found = verify(path, open_box=open_files)
    assert [(failure.line, failure.check) for failure in found.failures] == [(2, "row")]
    assert found.rows == 2


def test_an_empty_file_and_missing_servers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("")
    with pytest.raises(DataError, match="no row to check"):
        verify(path)
    write_jsonl(path, [row().to_dict()])
    with pytest.raises(ConfigError, match="no servers to execute calls on"):
        verify(path)


def function(name: str, schema: dict[str, Any], description: str = "") -> dict[str, Any]:
    parameters = {"type": "object", "properties": {name: schema}}
    return {"name": "f", "description": description, "parameters": parameters}


@pytest.mark.parametrize(
    ("name", "schema", "value", "known"),
    [
        ("path", {}, "Notes/To Do.md", "read notes/to do.md, please"),
        ("path", {}, "kiln/a_b.txt", "file a_b.txt of kiln"),
        ("branch", {}, "fix/login-page", "a branch fix for the login page"),
        ("count", {"type": "integer"}, 3, "the last three"),
        ("count", {"type": "integer"}, 1, "the last commit"),
        ("count", {"type": "number"}, 2.5, "about 2.50 euros"),
        ("deep", {"type": "boolean"}, True, ""),
        ("mode", {"anyOf": [{"enum": ["r"]}, {"type": "null"}]}, "r", ""),
        ("zone", {"description": "Use 'UTC' by default."}, "UTC", "what time is it"),
        ("query", {}, "SELECT name FROM guests WHERE age > 30", "guests over 30: name and age"),
        ("command", {}, "find kiln -name '*.py'", "py files in kiln"),
        ("revision", {}, "1a2b3c4", "commit 1a2b3c4d5e6f7a8b"),
        ("time", {}, "09:26", "2026-03-02T09:26:00+01:00"),
        ("names", {"type": "array", "items": {}}, ["a1", "b2"], "a1 and b2"),
        ("edit", {"properties": {"old": {}}}, {"old": "x"}, "replace x"),
    ],
)
def test_values_that_come_from_somewhere(
    name: str, schema: dict[str, Any], value: Any, known: str
) -> None:
    assert ungrounded({name: value}, function(name, schema), known, {}) == []


@pytest.mark.parametrize(
    ("name", "schema", "value", "known"),
    [
        ("path", {}, "mai", "send the mail"),
        ("path", {}, "kiln/b.txt", "file a.txt of kiln"),
        ("count", {"type": "integer"}, 3, "the last 13"),
        ("count", {"type": "integer"}, 1, "commits"),
        ("text", {}, "", "something"),
        ("query", {}, "SELECT name FROM users", "names of guests"),
        ("path", {}, "find", "list files"),
        ("revision", {}, "1a2b3c5", "commit 1a2b3c4d5e6f7a8b"),
        ("names", {"type": "array", "items": {}}, ["a1", "c3"], "a1 and b2"),
        ("edit", {"properties": {"old": {}}}, {"new": "x"}, "replace x"),
        ("mode", {"enum": ["r"]}, "w", ""),
    ],
)
def test_values_that_come_from_nowhere(
    name: str, schema: dict[str, Any], value: Any, known: str
) -> None:
    assert len(ungrounded({name: value}, function(name, schema), known, {})) == 1


def test_results_count_as_equal_up_to_the_folders_name_and_the_order_of_lines() -> None:
    assert normalise("b \n/tmp/tooltune-ab_1/desk/a") == normalise("/x/tooltune-c/desk/a\nb")
    assert normalise("b\nc") != normalise("b\nd")
