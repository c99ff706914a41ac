"""The file contract of a run folder: no other file spells these names.

RUN/recipe.toml            every knob of the run, resolved
RUN/run.json               what was found at the start: versions, dtype and why, data counts
RUN/plan.json              what was planned: steps, memory by term, time, cost
RUN/metrics.jsonl          one row a step
RUN/checkpoints/step-*/    adapter in PEFT's format, optimizer, data position
RUN/adapter/               the chosen adapter with tokenizer and chat template
RUN/evaluate/              cases-base.jsonl, cases-tuned.jsonl, summary.json
RUN/report.html
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooltune.errors import DataError
from tooltune.jsonl import dump_json, read_json, read_jsonl, unwritable


@dataclass(frozen=True, slots=True)
class RunDir:
    """One run's folder."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.toml"

    @property
    def run(self) -> Path:
        return self.path / "run.json"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def evaluate(self) -> Path:
        return self.path / "evaluate"

    @property
    def summary(self) -> Path:
        return self.evaluate / "summary.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def cases(self, which: str) -> Path:
        """`which` is "base" or "tuned"."""
        return self.evaluate / f"cases-{which}.jsonl"

    def checkpoint(self, step: int) -> Path:
        return self.checkpoints / f"step-{step:06d}"

    def list_checkpoints(self) -> list[tuple[int, Path]]:
        """(step, folder) of the finished checkpoints, oldest first."""
        return sorted(
            (int(folder.name.removeprefix("step-")), folder)
            for folder in self.checkpoints.glob("step-*")
            if folder.name.removeprefix("step-").isdigit()
        )

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add one row and flush it, so that a killed run keeps its log."""
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(dump_json(row) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(self.metrics, error) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        return [row for _, row in read_jsonl(self.metrics)]

    def read_run(self) -> dict[str, Any]:
        value = read_json(self.run)
        assert isinstance(value, dict)
        return value


def create_run(path: Path) -> RunDir:
    """Make the folder. Raises DataError where it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.write_text(json.dumps("tooltune"))
        probe.unlink()
    except OSError as error:
        raise unwritable(path, error) from error
    return _repaired(RunDir(path))


def moved_aside(folder: Path) -> Path:
    """Where a folder waits while its successor takes its place."""
    return folder.with_name(f".{folder.name}.old")


def open_run(path: Path) -> RunDir:
    """An existing run folder. Raises DataError naming what is missing."""
    run = RunDir(path)
    if not run.recipe.is_file():
        raise DataError(
            f"{path}: not a run folder (no recipe.toml). "
            "Name the folder that `tooltune train RECIPE --out RUN` wrote."
        )
    return _repaired(run)


def _repaired(run: RunDir) -> RunDir:
    """Put back the adapter of a run that was killed between moving it aside and replacing it."""
    waiting = moved_aside(run.adapter)
    if waiting.is_dir() and not run.adapter.exists():
        with suppress(FileNotFoundError):  # another process of the run was faster
            waiting.replace(run.adapter)
    return run
