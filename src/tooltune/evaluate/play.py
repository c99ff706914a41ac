"""Plays one test case with one model: decode, parse, judge, execute in a world made anew.

Decoding goes in rounds over all unfinished cases, so that it is batched. A case ends with its
first failure or with a reply without calls: at most one reply more than the reference has calls.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tooltune.chat.complete import Complete, Completion
from tooltune.chat.render import Renderer
from tooltune.errors import ServerError
from tooltune.evaluate.score import (
    Decision,
    Failure,
    decide,
    expected_calls,
    judge_reply,
    opening,
    reference_turns,
    schema_problems,
)
from tooltune.evaluate.summary import CaseRecord
from tooltune.messages import Conversation, Message, ToolCall, ToolResult
from tooltune.worlds.desk import World
from tooltune.worlds.sandbox import Sandbox

CASES_AT_ONCE = 240
"""Handed to the decoder together; `progress` hears of each such batch."""


@dataclass(slots=True)
class Meter:
    """A decoder with its tokens and seconds counted."""

    complete: Complete
    tokens: int = 0
    seconds: float = 0.0

    def __call__(
        self, prompts: list[list[int]], *, max_new_tokens: int, stop_token_ids: tuple[int, ...]
    ) -> Sequence[Completion]:
        started = time.perf_counter()
        completions = self.complete(
            prompts, max_new_tokens=max_new_tokens, stop_token_ids=stop_token_ids
        )
        self.seconds += time.perf_counter() - started
        self.tokens += sum(len(completion.tokens) for completion in completions)
        return completions

    def to_dict(self) -> dict[str, float]:
        return {
            "tokens": self.tokens,
            "seconds": round(self.seconds, 1),
            "tokens_per_second": round(self.tokens / max(self.seconds, 1e-9), 1),
        }


@dataclass(slots=True)
class Replays:
    """Runs calls in a world made anew; reference outcomes are computed once per case."""

    sandbox: Sandbox
    references: dict[str, tuple[list[ToolResult], dict[str, str]]] = field(default_factory=dict)

    def execute(
        self, case: Conversation, calls: Iterable[ToolCall]
    ) -> tuple[list[ToolResult], dict[str, str]]:
        """Results of all calls and the state they leave. A server's failure is a failed call."""
        self.sandbox.reset(case.meta["world"])
        results = []
        for call in calls:
            try:
                results.append(self.sandbox.call(call.name, call.arguments))
            except ServerError as error:
                results.append(ToolResult(content=str(error), is_error=True))
        return results, self.sandbox.snapshot()

    def reference(self, case: Conversation) -> tuple[list[ToolResult], dict[str, str]]:
        if case.id not in self.references:
            self.references[case.id] = self.execute(case, expected_calls(case))
        return self.references[case.id]


def play(
    cases: Sequence[Conversation],
    *,
    renderer: Renderer,
    complete: Complete,
    replays: Replays,
    max_new_tokens: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[CaseRecord]:
    """One record per case, in the order of `cases`."""
    episodes = [_Episode(case, list(opening(case))) for case in cases]
    # The sandbox restarts its servers where the clock changes, so worlds go clock by clock.
    by_clock = sorted(episodes, key=lambda episode: _clock(episode.case))
    while unfinished := [episode for episode in by_clock if not episode.is_done]:
        for start in range(0, len(unfinished), CASES_AT_ONCE):
            batch = unfinished[start : start + CASES_AT_ONCE]
            prompts = [renderer.prompt(episode.messages, episode.case.tools) for episode in batch]
            completions = complete(
                prompts, max_new_tokens=max_new_tokens, stop_token_ids=renderer.stop_token_ids
            )
            for episode, prompt, completion in zip(batch, prompts, completions, strict=True):
                episode.prompt = episode.prompt or renderer.decode(prompt)
                _take_turn(episode, completion.tokens, renderer, replays)
            progress(sum(episode.is_done for episode in episodes), len(episodes))
    return [_record(episode) for episode in episodes]


@dataclass(slots=True)
class _Episode:
    """One case while it is played."""

    case: Conversation
    messages: list[Message]
    prompt: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    decision: Decision | None = None
    failure: Failure | None = None
    state: dict[str, str] | None = None
    state_same: bool | None = None
    is_done: bool = False


def _take_turn(
    episode: _Episode, tokens: Sequence[int], renderer: Renderer, replays: Replays
) -> None:
    """Judge a reply, execute its calls (wrong ones too), and end the case or feed results back."""
    reply = renderer.parse(tokens)
    decision = decide(reply)
    episode.decision = episode.decision or decision
    episode.failure = judge_reply(reply, episode.case, calls_before=len(episode.calls))
    calls = [_with_id(call, f"call-{len(episode.calls) + i}") for i, call in enumerate(reply.calls)]
    problems = [problem for call in calls for problem in schema_problems(call, episode.case.tools)]
    results = [] if problems else _execute(episode, calls, replays)
    episode.turns.append(
        {
            "text": renderer.decode([t for t in tokens if t not in renderer.stop_token_ids]),
            "end": reply.end.value,
            "decision": decision,
            "calls": [{"name": call.name, "arguments": call.arguments} for call in calls],
            "schema_problems": problems,
            "results": [result.model_dump() for result in results],
        }
    )
    episode.is_done = episode.failure is not None or not calls
    if episode.is_done:
        _compare_state(episode, replays)
        return
    episode.messages.append(Message(role="assistant", content=reply.text, tool_calls=tuple(calls)))
    for call, result in zip(calls, results, strict=True):
        episode.messages.append(Message(role="tool", content=result.content, tool_call_id=call.id))


def _execute(episode: _Episode, calls: Sequence[ToolCall], replays: Replays) -> list[ToolResult]:
    """Results of `calls` after the case's earlier ones; a new failure ends the case."""
    if not calls:
        return []
    before = len(episode.calls)
    episode.calls.extend(calls)
    results, episode.state = replays.execute(episode.case, episode.calls)
    expected = replays.reference(episode.case)[0]
    if episode.failure is None and any(
        mine.is_error and not theirs.is_error
        for mine, theirs in zip(results[before:], expected[before:], strict=False)
    ):
        episode.failure = Failure.EXECUTION_FAILED
    return results[before:]


def _compare_state(episode: _Episode, replays: Replays) -> None:
    if episode.state is None:
        return
    episode.state_same = episode.state == replays.reference(episode.case)[1]
    if episode.failure is None and not episode.state_same:
        episode.failure = Failure.STATE_DIFFERS


def _clock(case: Conversation) -> tuple[str, int]:
    world = World.from_dict(case.meta["world"])
    return world.clock, world.number


def _with_id(call: ToolCall, call_id: str) -> ToolCall:
    return call.model_copy(update={"id": call_id})


def _record(episode: _Episode) -> CaseRecord:
    case = episode.case
    turns = reference_turns(case)
    request = next((m.content for m in reversed(opening(case)) if m.role == "user"), "")
    return {
        "id": case.id,
        "ability": case.ability,
        "request": request,
        "right": episode.failure is None,
        "failure": episode.failure,
        "decision": episode.decision,
        "state_same": episode.state_same,
        "turns": episode.turns,
        "reference": {
            "calls": [
                {"name": call.name, "arguments": call.arguments} for call in expected_calls(case)
            ],
            "text": turns[-1].content if turns else "",
            "missing": case.meta.get("missing"),
        },
        "prompt": episode.prompt,
    }
