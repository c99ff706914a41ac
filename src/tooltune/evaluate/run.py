"""Base and tuned model on the same held-out cases: RUN/evaluate/cases-*.jsonl and summary.json.

Also the measure that chooses a checkpoint while training.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from tooltune.chat.complete import Complete
from tooltune.chat.render import Renderer
from tooltune.errors import DataError
from tooltune.evaluate.play import Meter, Replays, play
from tooltune.evaluate.score import judge_reply, opening, reference_turns
from tooltune.evaluate.summary import CaseRecord, summarise
from tooltune.jsonl import read_json, write_json, write_jsonl
from tooltune.messages import ABILITIES, Conversation, Message
from tooltune.rundir import RunDir
from tooltune.worlds.sandbox import Sandbox

SPARE_TOKENS = 16
"""How much longer than the longest reference a reply may be; then it is cut and judged as is."""

Progress = Callable[[str, int, int], None]
"""Called with (model, cases finished, cases in all)."""


def evaluate(
    run: RunDir,
    *,
    conversations: Iterable[Conversation],
    renderer: Renderer,
    decoders: Mapping[str, Complete],
    sandbox: Sandbox,
    progress: Progress = lambda which, done, total: None,
) -> dict[str, Any]:
    """Play every case with every decoder ("base", "tuned"), greedy and with the same prompts.

    Writes RUN/evaluate/cases-*.jsonl and summary.json and returns the summary (`summarise` says
    what is in it; `seconds` and `decoding` are added). Raises DataError if there are no cases.
    """
    started = time.perf_counter()
    cases = list(conversations)
    _require_playable(cases)
    replays = Replays(sandbox)
    max_new_tokens = longest_turn_tokens(cases, renderer) + SPARE_TOKENS
    records: dict[str, list[CaseRecord]] = {}
    decoding: dict[str, dict[str, float]] = {}
    for which, complete in decoders.items():
        meter = Meter(complete)
        records[which] = play(
            cases,
            renderer=renderer,
            complete=meter,
            replays=replays,
            max_new_tokens=max_new_tokens,
            progress=partial(progress, which),
        )
        decoding[which] = meter.to_dict()
        write_jsonl(run.cases(which), records[which])
    summary = summarise(records) | {
        "seconds": round(time.perf_counter() - started, 1),
        "max_new_tokens": max_new_tokens,
        "decoding": decoding,
    }
    write_json(run.summary, summary)
    return summary


def _require_playable(cases: list[Conversation]) -> None:
    if not cases:
        raise DataError(
            "evaluate: no conversations to play (got 0, expected at least 1). "
            "Name the test.jsonl that `tooltune synth` wrote."
        )
    for case in cases:
        if case.ability not in ABILITIES or "world" not in case.meta:
            raise DataError(
                f"evaluate: conversation {case.id} cannot be played (got ability {case.ability!r} "
                f"and meta {sorted(case.meta)}, expected one of {', '.join(ABILITIES)} and a "
                "world). Take conversations that `tooltune synth` wrote."
            )


def read_summary(run: RunDir) -> dict[str, Any] | None:
    """The saved result, or None where the run was not evaluated yet."""
    if not run.summary.is_file():
        return None
    value = read_json(run.summary)
    if not isinstance(value, dict) or "abilities" not in value:
        raise DataError(
            f"{run.summary}: not a summary (no key abilities). "
            "Delete the file and run `tooltune evaluate` again."
        )
    return value


@dataclass(frozen=True, slots=True)
class TurnAccuracy:
    """Deciding turns, and how many of them were right: those that call, those that must not."""

    calls: int
    calls_right: int
    abstentions: int
    """Turns whose reference answers in words: questions back, refusals, plain talk."""
    abstentions_right: int

    @property
    def overall(self) -> float | None:
        """Share of all turns; None without any."""
        return _share(self.calls_right + self.abstentions_right, self.calls + self.abstentions)

    def to_row(self) -> dict[str, float | int | None]:
        """Columns of a validation row in metrics.jsonl."""
        return {
            "validation_accuracy": self.overall,
            "validation_call_accuracy": _share(self.calls_right, self.calls),
            "validation_calls": self.calls,
            "validation_abstention_accuracy": _share(self.abstentions_right, self.abstentions),
            "validation_abstentions": self.abstentions,
        }


def turn_accuracy(
    conversations: Iterable[Conversation],
    *,
    renderer: Renderer,
    complete: Complete,
    max_new_tokens: int | None = None,
) -> TurnAccuracy:
    """How many turns a model gets right, given the reference's history.

    A turn decides if it calls a tool or opens the reply; the closing answer after the last result
    is left out, for it costs the most tokens and settles nothing. No sandbox: calls must equal
    the reference's.
    """
    turns = [turn for case in conversations for turn in _deciding_turns(case)]
    if not turns:
        return TurnAccuracy(0, 0, 0, 0)
    if max_new_tokens is None:
        cases = list({id(case): case for case, _, _ in turns}.values())
        max_new_tokens = longest_turn_tokens(cases, renderer) + SPARE_TOKENS
    completions = complete(
        [renderer.prompt(history, case.tools) for case, history, _ in turns],
        max_new_tokens=max_new_tokens,
        stop_token_ids=renderer.stop_token_ids,
    )
    right: dict[bool, list[bool]] = {True: [], False: []}
    for (case, history, turn), completion in zip(turns, completions, strict=True):
        reply = renderer.parse(completion.tokens)
        before = sum(len(message.tool_calls) for message in history)
        failure = judge_reply(reply, case, calls_before=before)
        right[bool(turn.tool_calls)].append(
            failure is None and len(reply.calls) == len(turn.tool_calls)
        )
    calls, words = right[True], right[False]
    return TurnAccuracy(len(calls), sum(calls), len(words), sum(words))


def _share(count: int, total: int) -> float | None:
    return count / total if total else None


def longest_turn_tokens(cases: Iterable[Conversation], renderer: Renderer) -> int:
    """Tokens of the longest assistant turn among the references, from their loss masks."""
    longest = 0
    for case in cases:
        for sequence in renderer.sequences(case):
            run = 0
            for trained in sequence.loss_mask:
                run = run + 1 if trained else 0
                longest = max(longest, run)
    return longest


def _deciding_turns(
    case: Conversation,
) -> list[tuple[Conversation, tuple[Message, ...], Message]]:
    start = len(opening(case))
    references = reference_turns(case)
    return [
        (case, case.messages[:index], message)
        for index, message in enumerate(case.messages)
        if any(message is turn for turn in references) and (message.tool_calls or index == start)
    ]
