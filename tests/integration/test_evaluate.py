"""Cases played on real servers by scripted decoders: what gets executed, fed back and written.

Decoding by a real model is tested with the decoder; wordings of replies in unit/test_score.py.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tooltune.chat.render import Renderer
from tooltune.errors import DataError, ServerError
from tooltune.evaluate.play import Replays, play
from tooltune.evaluate.run import (
    TurnAccuracy,
    evaluate,
    longest_turn_tokens,
    read_summary,
    turn_accuracy,
)
from tooltune.messages import Conversation, Message, ToolCall, ToolResult
from tooltune.rundir import RunDir, create_run
from tooltune.worlds.sandbox import Sandbox

WORLD = {"split": "test", "number": 0}
SERVERS = {
    "git": {"command": "python", "args": ["-m", "mcp_server_git"]},
    "workspace": {"command": "python", "args": ["-m", "tooltune.servers.workspace"]},
}
REFUSAL = "I won't do that."


@dataclass(frozen=True)
class Completion:
    tokens: Sequence[int]


@dataclass
class Script:
    """A decoder that looks its replies up by prompt, and says `otherwise` to all other prompts."""

    renderer: Renderer
    replies: dict[tuple[int, ...], list[int]]
    otherwise: str = "Hm."
    batches: list[int] = field(default_factory=list)

    def __call__(
        self, prompts: list[list[int]], *, max_new_tokens: int, stop_token_ids: tuple[int, ...]
    ) -> list[Completion]:
        self.batches.append(len(prompts))
        said = self.renderer.tokenizer.encode(self.otherwise, add_special_tokens=False).ids
        default = [*said, stop_token_ids[0]]
        tokens = [self.replies.get(tuple(prompt), default) for prompt in prompts]
        return [Completion(reply[:max_new_tokens]) for reply in tokens]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    config = tmp_path_factory.mktemp("config") / "mcp.json"
    config.write_text(json.dumps({"mcpServers": SERVERS}))
    with Sandbox(config) as running:
        yield running


@pytest.fixture(scope="module")
def renderer(tiny_tokenizer_folder: Path) -> Renderer:
    return Renderer.from_folder(tiny_tokenizer_folder)


Write = Callable[..., Conversation]


@pytest.fixture(scope="module")
def write_case(sandbox: Sandbox) -> Write:
    """A conversation whose calls were executed on the desk, as synthesis writes them."""

    def write(
        ability: str, *calls: tuple[str, dict[str, Any]], text: str = "Done."
    ) -> Conversation:
        sandbox.reset(WORLD)
        messages = [
            Message(role="system", content="You use tools."),
            Message(role="user", content=f"{ability} {calls} {text}"),
        ]
        for index, (name, arguments) in enumerate(calls):
            call = ToolCall(id=f"c{index}", name=name, arguments=arguments)
            result = sandbox.call(name, arguments)
            messages.append(Message(role="assistant", tool_calls=(call,)))
            messages.append(Message(role="tool", content=result.content, tool_call_id=call.id))
        messages.append(Message(role="assistant", content=text))
        return Conversation(
            id=f"test-{ability}",
            messages=tuple(messages),
            tools=sandbox.tools,
            ability=ability,
            meta={"world": WORLD, **({"missing": "repo_path"} if ability == "ask" else {})},
        )

    return write


@pytest.fixture(scope="module")
def cases(write_case: Write, sandbox: Sandbox) -> list[Conversation]:
    """One case of each ability."""
    project = sandbox.reset(WORLD).projects[0]
    branch = {"repo_path": project.name, "branch_name": "wish"}
    return [
        write_case("single", ("write_file", {"path": "note.txt", "content": "tea"})),
        write_case(
            "chain",
            ("git_create_branch", branch),
            ("git_checkout", branch),
            text="You are on wish now.",
        ),
        write_case("ask", text="Which repository?"),
        write_case("refuse", text=REFUSAL),
        write_case("harmless", ("read_file", {"path": next(iter(project.files))})),
        write_case("talk", text="Hello!"),
    ]


def reference_script(renderer: Renderer, cases: Sequence[Conversation]) -> Script:
    """Replies with each reference turn to the prompt before it."""
    replies = {}
    for case in cases:
        for sequence in renderer.sequences(case):
            mask = [0, *sequence.loss_mask, 0]
            starts = [i for i in range(len(mask) - 1) if mask[i : i + 2] == [0, 1]]
            ends = [i for i in range(len(mask) - 1) if mask[i : i + 2] == [1, 0]]
            for start, end in zip(starts, ends, strict=True):
                replies[tuple(sequence.tokens[:start])] = sequence.tokens[start:end].tolist()
    return Script(renderer, replies)


def saying(renderer: Renderer, text: str) -> Script:
    return Script(renderer, {}, otherwise=text)


def calling(renderer: Renderer, name: str, **arguments: Any) -> Script:
    body = json.dumps({"name": name, "arguments": arguments})
    return saying(renderer, f"<tool_call>\n{body}\n</tool_call>")


def play_one(
    case: Conversation, script: Script, renderer: Renderer, sandbox: Any
) -> dict[str, Any]:
    (record,) = play(
        [case],
        renderer=renderer,
        complete=script,
        replays=Replays(sandbox),
        max_new_tokens=200,
    )
    return record


def test_the_reference_itself_is_right_everywhere_and_always_refusing_only_where_it_should(
    cases: list[Conversation], renderer: Renderer, sandbox: Sandbox, tmp_path: Path
) -> None:
    run = create_run(tmp_path)
    script = reference_script(renderer, cases)
    told: list[tuple[str, int, int]] = []
    summary = evaluate(
        run,
        conversations=cases,
        renderer=renderer,
        decoders={"base": saying(renderer, REFUSAL), "tuned": script},
        sandbox=sandbox,
        progress=lambda *news: told.append(news),
    )
    rates = {
        ability: (value["n"], value["base"]["rate"], value["tuned"]["rate"])
        for ability, value in summary["abilities"].items()
    }
    assert rates == {
        "single": (1, 0.0, 1.0),
        "chain": (1, 0.0, 1.0),
        "ask": (1, 0.0, 1.0),
        "refuse": (1, 1.0, 1.0),
        "harmless": (1, 0.0, 1.0),
        "talk": (1, 0.0, 1.0),
    }
    assert set(summary["abilities"]["single"]["base"]) == {"rate", "low", "high"}
    assert summary["wrongly_refused"]["base"]["rate"] == 1.0
    assert summary["failures"]["single"]["base"] == {"refused the harmless": 1}
    assert summary["mcnemar"]["overall"]["tuned_only"] == 5
    assert summary["decoding"]["tuned"]["tokens"] > 0
    assert script.batches == [6, 3, 1], "each round decodes all unfinished cases at once"
    assert told == [("base", 6, 6), ("tuned", 3, 6), ("tuned", 5, 6), ("tuned", 6, 6)]
    assert read_summary(run) == summary


def test_the_cases_on_disk_hold_prompt_replies_results_and_reference(
    cases: list[Conversation], renderer: Renderer, sandbox: Sandbox, tmp_path: Path
) -> None:
    run = create_run(tmp_path)
    evaluate(
        run,
        conversations=cases,
        renderer=renderer,
        decoders={"tuned": reference_script(renderer, cases)},
        sandbox=sandbox,
    )
    records = [json.loads(line) for line in run.cases("tuned").read_text().splitlines()]
    assert [record["id"] for record in records] == [case.id for case in cases]
    chain = records[1]
    assert (chain["right"], chain["failure"], chain["decision"]) == (True, None, "call")
    assert chain["prompt"].startswith("<|im_start|>system\nYou use tools.")
    assert [turn["calls"] for turn in chain["turns"]] == [
        *([call] for call in chain["reference"]["calls"]),
        [],
    ]
    assert [turn["end"] for turn in chain["turns"]] == ["stop"] * 3
    assert records[2]["reference"]["missing"] == "repo_path"
    assert chain["turns"][1]["results"][0]["is_error"] is False
    assert chain["turns"][2]["text"] == chain["reference"]["text"] == "You are on wish now."


def test_a_wrong_argument_is_executed_and_leaves_another_state(
    cases: list[Conversation], renderer: Renderer, sandbox: Sandbox
) -> None:
    script = calling(renderer, "write_file", path="note.txt", content="coffee")
    record = play_one(cases[0], script, renderer, sandbox)
    assert (record["failure"], record["state_same"]) == ("wrong argument", False)
    assert "note.txt" in record["turns"][0]["results"][0]["content"]
    assert len(script.batches) == 1, "a decided case is not decoded further"


def test_a_call_that_breaks_its_schema_is_not_executed(
    cases: list[Conversation], renderer: Renderer, sandbox: Sandbox
) -> None:
    script = calling(renderer, "write_file", path="note.txt")
    record = play_one(cases[0], script, renderer, sandbox)
    assert (record["failure"], record["state_same"]) == ("invalid argument", None)
    assert "content" in record["turns"][0]["schema_problems"][0]
    assert record["turns"][0]["results"] == []


def test_harm_done_instead_of_a_refusal_is_seen_in_the_state(
    cases: list[Conversation], renderer: Renderer, sandbox: Sandbox, tmp_path: Path
) -> None:
    summary = evaluate(
        create_run(tmp_path),
        conversations=[case for case in cases if case.ability in ("refuse", "chain")],
        renderer=renderer,
        decoders={
            "base": calling(renderer, "read_file", path="nowhere.txt"),
            "tuned": calling(renderer, "write_file", path="junk.txt", content="x"),
        },
        sandbox=sandbox,
    )
    assert summary["harm_done"]["base"]["rate"] == 0.0
    assert summary["harm_done"]["tuned"]["rate"] == 1.0
    assert summary["failures"]["refuse"]["tuned"] == {"should have refused": 1}
    assert summary["abilities"]["single"]["tuned"]["rate"] is None


class DriftingSandbox:
    """Answers the first execution of each call well and fails every later one."""

    def __init__(self, *, state_drifts: bool = False) -> None:
        self.state_drifts = state_drifts
        self.executed = 0

    def reset(self, world: dict[str, Any]) -> None:
        pass

    def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        self.executed += 1
        if self.executed == 1 and not self.state_drifts:
            raise ServerError("server died")
        return ToolResult(content="fine")

    def snapshot(self) -> dict[str, str]:
        return {"count": str(self.executed if self.state_drifts else 0)}


@pytest.mark.parametrize(
    ("sandbox_", "failure"),
    [
        (DriftingSandbox(), "execution failed"),
        (DriftingSandbox(state_drifts=True), "state differs"),
    ],
)
def test_a_right_call_still_has_to_run_and_to_leave_the_reference_state(
    cases: list[Conversation], renderer: Renderer, sandbox_: DriftingSandbox, failure: str
) -> None:
    record = play_one(cases[0], reference_script(renderer, cases), renderer, sandbox_)
    assert (record["right"], record["failure"]) == (False, failure)


def test_an_evaluation_without_playable_cases_says_so_and_writes_nothing(
    cases: list[Conversation], renderer: Renderer, sandbox: Sandbox, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "run")
    script = saying(renderer, "Hm.")
    imported = cases[0].model_copy(update={"meta": {}})
    for conversations, message in (([], "no conversations"), ([imported], "cannot be played")):
        with pytest.raises(DataError, match=message):
            evaluate(
                run,
                conversations=conversations,
                renderer=renderer,
                decoders={"base": script},
                sandbox=sandbox,
            )
    assert script.batches == []
    assert not run.path.exists()
    assert read_summary(run) is None


def test_a_broken_summary_is_named(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.evaluate.mkdir()
    run.summary.write_text("[]")
    with pytest.raises(DataError, match=r"summary\.json: not a summary"):
        read_summary(run)


def test_turn_accuracy_counts_the_turns_that_decide(
    cases: list[Conversation], renderer: Renderer
) -> None:
    def accuracy(script: Script) -> TurnAccuracy:
        return turn_accuracy(cases, renderer=renderer, complete=script)

    script = reference_script(renderer, cases)
    assert accuracy(script) == TurnAccuracy(4, 4, 3, 3)
    assert script.batches == [7], "six first turns and the chain's second call, no closing answer"
    refusing = accuracy(saying(renderer, REFUSAL))
    assert refusing == TurnAccuracy(calls=4, calls_right=0, abstentions=3, abstentions_right=1)
    assert refusing.overall == 1 / 7
    nothing = turn_accuracy([], renderer=renderer, complete=script).to_row()
    assert nothing["validation_accuracy"] is None
    assert nothing["validation_abstention_accuracy"] is None


def test_the_longest_reference_turn_is_measured_in_its_trained_tokens(
    cases: list[Conversation], renderer: Renderer
) -> None:
    script = reference_script(renderer, cases)
    longest = max(len(reply) for reply in script.replies.values())
    assert longest_turn_tokens(cases, renderer) == longest
