"""Real short runs of the demo's model, healthy and made sick on purpose; keeps their logs.

`python -m tests.data.make_sick_runs DATA`, where DATA is a folder that `tooltune synth` wrote: 20
runs of 41 to 80 updates of four short conversations (without system text and tools, so that an
update is about 80 tokens). A run whose log is there already is not made again; `--only NAME` makes
one. Writes tests/data/sick_runs/NAME.jsonl and labels.json beside them.

Two lessons, both made from the data's own requests:

- repeat: say the request back. The base model nearly can, so a run that breaks it shows.
- answer: the data's own short reply (a question back, small talk), which few examples only let a
  model memorise.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from tooltune.config import Recipe, parse_recipe
from tooltune.data.examples import Examples, read_examples
from tooltune.rundir import create_run
from tooltune.train import loop

OUT = Path(__file__).parent / "sick_runs"
LABELS = OUT / "labels.json"
EXAMPLES_PER_STEP = 4
VALIDATION_ROWS = 16
VALIDATIONS = 8
LONGEST_TEXT = 42
"""Characters of a request, and of a reply."""

Row = dict[str, Any]
Lesson = Literal["repeat", "answer"]
Spoil = Callable[[list[Row]], list[Row]]


@dataclass(frozen=True)
class SickRun:
    """`expected`: one of these findings has to be reported; empty for a healthy run."""

    expected: tuple[str, ...] = ()
    seed: int = 1
    lesson: Lesson = "repeat"
    updates: int = 45
    learning_rate: float = 3e-4
    conversations: int | None = None
    """None: as many as the updates need once."""
    spoil: Spoil | None = None
    inverted: bool = False


def shuffle_answers(rows: list[Row]) -> list[Row]:
    """Every conversation gets the answer of another one."""
    answers = [row["messages"][-1] for row in rows]
    moved = answers[1:] + answers[:1]
    return [
        {**row, "messages": [*row["messages"][:-1], answer]}
        for row, answer in zip(rows, moved, strict=True)
    ]


TOO_HIGH = ("lr-too-high", "divergence", "nan")
WRONG_LABELS = ("not-learning", "overfitting", "initial-loss-high")
WRONG_MASK = ("initial-loss-high", "initial-loss-low", "not-learning")
MEMORISED = ("overfitting", "generalization-gap")
FROZEN = ("not-learning", "grad-vanishing")


def make_runs(seed: int) -> dict[str, SickRun]:
    """One of each kind."""
    return {
        f"healthy-repeat-{seed}": SickRun(seed=seed, updates=(41, 60, 80)[seed - 1]),
        f"rate-x50-{seed}": SickRun(TOO_HIGH, seed, learning_rate=1.5e-2),
        f"tiny-data-{seed}": SickRun(
            MEMORISED, seed, lesson="answer", updates=60, learning_rate=1e-3, conversations=8
        ),
        f"healthy-answer-{seed}": SickRun(seed=seed, lesson="answer"),
        f"shuffled-{seed}": SickRun(WRONG_LABELS, seed, spoil=shuffle_answers),
        f"frozen-{seed}": SickRun(FROZEN, seed, learning_rate=1e-12, updates=41),
        f"inverted-{seed}": SickRun(WRONG_MASK, seed, inverted=True, updates=41),
    }


RUNS: dict[str, SickRun] = {
    name: run for seed in (1, 2, 3) for name, run in make_runs(seed).items() if name != "inverted-3"
}


def to_lesson(row: Row, lesson: Lesson) -> Row | None:
    """The row's request and a short reply; None where it is long or has no reply in words."""
    request, answer = (
        next((m.get("content") or "" for m in row["messages"] if m["role"] == role), "")
        for role in ("user", "assistant")
    )
    reply = request if lesson == "repeat" else answer
    if not reply or max(len(request), len(reply)) > LONGEST_TEXT:
        return None
    messages = [{"role": "user", "content": request}, {"role": "assistant", "content": reply}]
    return {"id": row["id"], "messages": messages, "tools": "[]"}


def choose_rows(sick: SickRun, data: Path) -> tuple[list[Row], list[Row]]:
    """(to train on, held out), of one distribution and without a common request."""
    rows = [json.loads(line) for line in (data / "train.jsonl").read_text().splitlines()]
    lessons = [lesson for row in rows if (lesson := to_lesson(row, sick.lesson))]
    distinct = {lesson["messages"][0]["content"]: lesson for lesson in lessons}
    chosen = list(distinct.values())
    random.Random(sick.seed).shuffle(chosen)
    held_out, rest = chosen[:VALIDATION_ROWS], chosen[VALIDATION_ROWS:]
    return rest[: sick.conversations or sick.updates * EXAMPLES_PER_STEP], held_out


def make(name: str, sick: SickRun, data: Path) -> None:
    rows, held_out = choose_rows(sick, data)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        spoiled = sick.spoil(rows) if sick.spoil else rows
        for split, part in (("train", spoiled), ("validation", held_out)):
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
        run = create_run(folder / "run")
        if sick.inverted:
            loop.read_examples = read_inverted
        try:
            loop.train(
                make_recipe(sick, folder, len(rows)),
                run,
                resume=False,
                console=Console(stderr=True),
            )
        finally:
            loop.read_examples = read_examples
        log = run.read_metrics()
        facts = {
            "base_loss": run.read_run()["base_validation_loss"],
            "total_steps": len(log),
        }
    kept = [{**(facts if row is log[0] else {}), **shorten(row)} for row in log]
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kept))
    labels = {
        other: list(RUNS[other].expected) for other in RUNS if (OUT / f"{other}.jsonl").exists()
    }
    LABELS.write_text(json.dumps(labels, indent=2) + "\n")


def shorten(row: Row) -> Row:
    """What the rules read, without the machine's speed and memory."""
    left_out = {"tokens_per_second", "seconds", "peak_memory_gib"}
    return {
        key: float(f"{value:.6g}") if isinstance(value, float) else value
        for key, value in row.items()
        if key not in left_out and value is not None
    }


def make_recipe(sick: SickRun, folder: Path, count: int) -> Recipe:
    values = {
        "model": {"name": "smollm2-135m", "dtype": "float32"},
        "data": {
            "train": str(folder / "train.jsonl"),
            "validation": str(folder / "validation.jsonl"),
        },
        "lora": {"dropout": 0.0},
        "train": {
            "learning_rate": sick.learning_rate,
            "examples_per_step": EXAMPLES_PER_STEP,
            "epochs": max(1, sick.updates * EXAMPLES_PER_STEP // count),
            "validate_every_steps": max(5, sick.updates // VALIDATIONS),
            "checkpoint_every_steps": sick.updates,
            "activation_checkpointing": False,
            "seed": sick.seed,
        },
    }
    return parse_recipe(values, where="sick run")


def read_inverted(path: Path, renderer: Any, **options: Any) -> Examples:
    """Supervises the prompt instead of the answer, in the training file only."""
    examples = read_examples(path, renderer, **options)
    if path.name != "train.jsonl":
        return examples
    inverted = [
        [replace(sequence, loss_mask=1 - sequence.loss_mask) for sequence in sequences]
        for sequences in examples.sequences
    ]
    return replace(examples, sequences=inverted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=list(RUNS))
    options = parser.parse_args()
    for name, sick in RUNS.items():
        wanted = options.only in (None, name)
        if wanted and not (OUT / f"{name}.jsonl").exists():
            print(name, flush=True)
            make(name, sick, options.data)


if __name__ == "__main__":
    main()
