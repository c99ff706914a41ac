"""The learning rate step by step."""

import itertools
from typing import Literal

import pytest

from tooltune.config import TrainSection
from tooltune.train.schedule import learning_rate, warmup_steps

RECIPE = TrainSection()


@pytest.mark.parametrize(
    ("warmup_fraction", "total_steps", "expected"),
    [(0.1, 245, 25), (0.1, 10, 1), (0.1, 1, 1), (0.0, 50, 0), (0.5, 3, 2)],
)
def test_warmup_is_rounded_up(warmup_fraction: float, total_steps: int, expected: int) -> None:
    assert warmup_steps(TrainSection(warmup_fraction=warmup_fraction), total_steps) == expected


def test_the_climb_is_linear_up_to_the_peak() -> None:
    """245 steps of the recipe: 25 of warmup, and step 10 as its log prints it."""
    rates = [learning_rate(RECIPE, step, 245) for step in range(1, 26)]
    assert rates == pytest.approx([2e-4 * step / 25 for step in range(1, 26)])


def test_then_half_a_cosine_falls_to_zero_one_step_after_the_last() -> None:
    rates = [learning_rate(RECIPE, step, 245) for step in range(25, 247)]
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))
    assert rates[0] == 2e-4
    assert learning_rate(RECIPE, 25 + 221 // 2, 245) == pytest.approx(1e-4, rel=0.01)
    assert 0 < rates[-2] < 1e-7
    assert rates[-1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_it_is_transformers_schedule_counted_from_one(decay: Literal["cosine", "linear"]) -> None:
    import torch
    from transformers import get_scheduler

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2e-4)
    theirs = get_scheduler(decay, optimizer, num_warmup_steps=4, num_training_steps=41)
    for step in range(1, 41):
        optimizer.step()
        theirs.step()
        ours = learning_rate(TrainSection(decay=decay), step, 40)
        assert ours == pytest.approx(theirs.get_last_lr()[0])


def test_without_warmup_the_first_step_already_learns() -> None:
    train = TrainSection(warmup_fraction=0.0)
    assert learning_rate(train, 1, 1) == pytest.approx(1e-4)
    assert learning_rate(train, 1, 100) == pytest.approx(2e-4, rel=1e-3)
