"""A training log as columns: what every rule reads, whichever trainer wrote it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Series:
    """Values at steps, in rising order of steps."""

    steps: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.steps)

    def finite(self) -> "Series":
        kept = np.isfinite(self.values)
        return self if kept.all() else Series(self.steps[kept], self.values[kept])

    def positive(self) -> "Series":
        kept = np.isfinite(self.values) & (self.values > 0)
        return self if kept.all() else Series(self.steps[kept], self.values[kept])


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """Columns of one run. A column the trainer did not write is an empty series.

    A value that was logged as NaN or infinity is in its series; one that was not logged is not.
    """

    where: str
    loss: Series
    grad_norm: Series
    learning_rate: Series
    throughput: Series
    """Tokens, examples or steps a second: only its changes matter."""
    validation: Series
    """Validation loss, in step order; a measurement at step 0 is the base model's."""
    skill: Series
    """A task metric of a small live evaluation, higher is better."""
    calls_right: Series
    """Share of validation turns with calls that were done right."""
    abstentions_right: Series
    """Share of validation turns rightly answered in words: refusals, questions back, plain talk."""
    validation_examples: dict[int, FloatArray] = field(default_factory=dict)
    """Step -> loss of each validation example, always in the same order."""
    base_loss: float | None = None
    """The untrained base model's loss on the masked validation set."""
    num_calls: int | None = None
    num_abstentions: int | None = None
    vocab: int | None = None
    total_steps: int | None = None
    """Planned steps; None where the log does not say."""
    max_grad_norm: float | None = None
    checkpoints: tuple[int, ...] = ()
    disorder: "Disorder" = field(default_factory=lambda: Disorder())
    unreadable: int = 0
    """Rows that could not be read or placed: the holes they leave are not the run's."""
    notes: tuple[str, ...] = ()
    """What could not be read, with line numbers."""

    @property
    def last_step(self) -> int:
        return int(self.loss.steps[-1])


@dataclass(frozen=True, slots=True)
class Disorder:
    """How the step numbers were found in the file, before sorting."""

    repeated: Sequence[int] = ()
    """Steps logged twice with different losses: the last one was kept."""
    repeated_equal: int = 0
    """Steps logged twice with the same loss, as an exact resume does."""


EMPTY = Series(np.empty(0, dtype=np.int64), np.empty(0))
