"""The learning rate as a pure function of the step."""

import math

from tooltune.config import TrainSection


def warmup_steps(train: TrainSection, total_steps: int) -> int:
    """Rounded up, as transformers does."""
    return math.ceil(train.warmup_fraction * total_steps)


def learning_rate(train: TrainSection, step: int, total_steps: int) -> float:
    """Used by step 1..total_steps: a linear climb to the peak, then half a cosine or a line.

    Either reaches zero one step after the last, so that every step learns.
    """
    warmup = warmup_steps(train, total_steps)
    if step <= warmup:
        return train.learning_rate * step / warmup
    left = 1 - (step - warmup) / (total_steps + 1 - warmup)
    share = left if train.decay == "linear" else (1 - math.cos(math.pi * left)) / 2
    return train.learning_rate * share
