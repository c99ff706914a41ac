"""Peak memory of an update does not grow with its examples: bytes of all tensors alive, counted.

Counted, not read from the system, so the figures are the same on every machine. Resident memory of
SmolLM2-135M's shape: `python -m tests.data.peak_memory`, figures in docs/decisions.md.
"""

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tooltune.config import LoraSection, ModelSection
from tooltune.model import products
from tooltune.model.layers import recompute_activations
from tooltune.model.load import load_base
from tooltune.model.lora import attach_lora
from tooltune.packing.tree import TokenSequence
from tooltune.plan.dry_run import AllocationTracker
from tooltune.train.gradients import accumulate_gradients

SHARED_TOKENS, OWN_TOKENS = 60, 12
BUDGET = SHARED_TOKENS + 16 * OWN_TOKENS


@pytest.fixture(autouse=True)
def compiled_for_few_rows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of PyTorch's products are counted, of compiled ones they are not."""
    monkeypatch.setattr(products, "FEWEST_ROWS", 1)


def examples(count: int) -> list[TokenSequence]:
    random = np.random.default_rng(7)
    shared = random.integers(3, 500, SHARED_TOKENS)
    mask = np.zeros(SHARED_TOKENS + OWN_TOKENS, np.uint8)
    mask[-6:] = 1
    return [
        TokenSequence(np.r_[shared, random.integers(3, 500, OWN_TOKENS)].astype(np.int32), mask)
        for _ in range(count)
    ]


@pytest.fixture
def model(tiny_llama_folder: Path) -> nn.Module:
    section = ModelSection(name=str(tiny_llama_folder), dtype="float32", device="cpu")
    found = load_base(section).model
    attach_lora(found, LoraSection(rank=4, alpha=8, dropout=0))
    return found.train()


def peak_bytes(model: nn.Module, count: int, *, micro_batch_tokens: int) -> int:
    with AllocationTracker() as tracker:
        model.zero_grad(set_to_none=True)
        accumulate_gradients(model, examples(count), micro_batch_tokens=micro_batch_tokens)
    peak: int = tracker.peak
    return peak


@pytest.mark.parametrize("is_recomputed", [False, True])
def test_64_examples_peak_within_a_tenth_of_16(model: nn.Module, is_recomputed: bool) -> None:
    if is_recomputed:
        recompute_activations(model)
    small = peak_bytes(model, 16, micro_batch_tokens=BUDGET)
    large = peak_bytes(model, 64, micro_batch_tokens=BUDGET)
    assert large < 1.10 * small
    at_once = peak_bytes(model, 64, micro_batch_tokens=10_000)
    assert at_once > 1.8 * small, "control: all at once"


@pytest.mark.parametrize("micro_batch_tokens", [BUDGET, 10_000])
@pytest.mark.parametrize("is_recomputed", [False, True])
def test_an_update_leaves_nothing_for_the_garbage_collector(
    model: nn.Module, is_recomputed: bool, micro_batch_tokens: int
) -> None:
    """A reference cycle through a tensor would keep it for many updates."""
    if is_recomputed:
        recompute_activations(model)
    gc.collect()
    gc.disable()
    try:
        with AllocationTracker() as tracker:
            left = []
            for _ in range(2):
                accumulate_gradients(model, examples(40), micro_batch_tokens=micro_batch_tokens)
                model.zero_grad(set_to_none=True)
                left.append(tracker.current)
        weights = sum(p.nbytes for p in model.parameters())
        assert left[0] == left[1] <= weights
    finally:
        gc.enable()


def test_the_tracker_sees_the_backward_pass() -> None:
    x = torch.ones(64, 64, requires_grad=True)
    with AllocationTracker() as tracker:
        (x * x).sum().backward()
    assert tracker.peak >= 2 * 64 * 64 * 4
