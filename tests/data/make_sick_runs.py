"""Real short runs of the demo's model, healthy and made sick on purpose; keeps their logs.

One command: `python -m tests.data.make_sick_runs DATA` where DATA is a folder that `tooltune synth`
wrote. About 20 runs of 60 updates of 4 conversations; on two idle cores a run takes minutes, so
`--only NAME` makes one, and a run whose log is there already is not made again. Writes
tests/data/sick_runs/NAME.jsonl and labels.json beside them.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tooltune.config import Recipe, parse_recipe
from tooltune.data.examples import Examples, read_examples
from tooltune.rundir import create_run
from tooltune.train import loop

OUT = Path(__file__).parent / "sick_runs"
LABELS = OUT / "labels.json"
UPDATES = 60
EXAMPLES_PER_STEP = 4
VALIDATION_ROWS = 24

Row = dict[str, Any]
Spoil = Callable[[list[Row]], list[Row]]


@dataclass(frozen=True)
class SickRun:
    """`expected`: one of these findings has to be reported; empty for a healthy run."""

    expected: tuple[str, ...] = ()
    learning_rate: float = 1e-3
    updates: int = UPDATES
    conversations: int | None = None
    """None: as many as the updates need once."""
    spoil: Spoil | None = None
    inverted: bool = False
    seed: int = 7


def shuffle_answers(rows: list[Row]) -> list[Row]:
    """Every conversation gets the last answer of another one."""
    answers = [row["messages"][-1] for row in rows]
    random.Random(3).shuffle(answers)
    return [
        {**row, "messages": [*row["messages"][:-1], answer]}
        for row, answer in zip(rows, answers, strict=True)
    ]


TINY = {"conversations": 8, "updates": 120}
RUNS: dict[str, SickRun] = {
    **{f"healthy-{seed}": SickRun(seed=seed) for seed in (1, 2, 3)},
    "healthy-short": SickRun(updates=45, seed=4),
    "healthy-long": SickRun(updates=150, seed=5),
    "healthy-low-rate": SickRun(learning_rate=3e-4, seed=6),
    **{
        f"rate-x50-{seed}": SickRun(("lr-too-high", "divergence", "nan"), 5e-2, seed=seed)
        for seed in (1, 2, 3)
    },
    **{
        f"shuffled-{seed}": SickRun(
            ("not-learning", "overfitting"), spoil=shuffle_answers, seed=seed
        )
        for seed in (1, 2, 3)
    },
    **{
        f"inverted-{seed}": SickRun(
            ("initial-loss-high", "initial-loss-low", "not-learning"), inverted=True, seed=seed
        )
        for seed in (1, 2)
    },
    **{
        f"tiny-data-{seed}": SickRun(("overfitting", "generalization-gap"), seed=seed, **TINY)
        for seed in (1, 2, 3)
    },
    **{
        f"frozen-{seed}": SickRun(("not-learning", "grad-vanishing"), 1e-12, seed=seed)
        for seed in (1, 2, 3)
    },
}


def make(name: str, sick: SickRun, data: Path) -> None:
    rows = [json.loads(line) for line in (data / "train.jsonl").read_text().splitlines()]
    random.Random(sick.seed).shuffle(rows)
    count = sick.conversations or sick.updates * EXAMPLES_PER_STEP
    rows = rows[:count]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        spoiled = sick.spoil(rows) if sick.spoil else rows
        (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in spoiled))
        held_out = (data / "validation.jsonl").read_text().splitlines(keepends=True)
        (folder / "validation.jsonl").write_text("".join(held_out[:VALIDATION_ROWS]))
        recipe = make_recipe(sick, folder, len(rows))
        run = create_run(folder / "run")
        if sick.inverted:
            loop.read_examples = read_inverted
        try:
            loop.train(recipe, run, resume=False, console=Console(stderr=True))
        finally:
            loop.read_examples = read_examples
        base = run.read_run()["base_validation_loss"]
        log = [
            {"base_loss": base, "total_steps": sick.updates, **row} for row in run.read_metrics()
        ]
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    labels = {
        other: list(RUNS[other].expected) for other in RUNS if (OUT / f"{other}.jsonl").exists()
    }
    LABELS.write_text(json.dumps(labels, indent=2) + "\n")


def make_recipe(sick: SickRun, folder: Path, count: int) -> Recipe:
    values = {
        "model": {"name": "smollm2-135m"},
        "data": {
            "train": str(folder / "train.jsonl"),
            "validation": str(folder / "validation.jsonl"),
        },
        "lora": {"dropout": 0.0},
        "train": {
            "learning_rate": sick.learning_rate,
            "examples_per_step": EXAMPLES_PER_STEP,
            "epochs": max(1, sick.updates * EXAMPLES_PER_STEP // count),
            "validate_every_steps": max(5, sick.updates // 10),
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
