"""Fifty updates with shared prefixes walk the loss curve of fifty without, step by step.

On a tiny random Llama in float32. With SmolLM2's weights on real conversations:
`python -m tests.data.same_learning`. One step's gradients: gradient/test_tree_training.py.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tooltune.config import LoraSection, ModelSection
from tooltune.model.load import load_base
from tooltune.model.lora import attach_lora, trainable_parameters
from tooltune.packing.pack import plan_epoch
from tooltune.packing.tree import TokenSequence
from tooltune.train.gradients import Sharing, accumulate_gradients

STEPS = 50
BUDGET = 130
"""Less than an update of a long catalog: prefixes are a pass of their own."""


def examples_of_two_catalogs() -> tuple[list[TokenSequence], list[int]]:
    """A catalog of 90 or 40 tokens, then a request of 6 and an answer of 6, the catalog's first."""
    random = np.random.default_rng(11)
    catalogs = [random.integers(3, 500, length) for length in (90, 40)]
    sequences, groups = [], []
    for index in range(100):
        request = random.integers(3, 60, 6)
        catalog = catalogs[index % 2]
        tokens = np.r_[catalog, 1, request, 2, catalog[:6]]
        mask = np.zeros(len(tokens), np.uint8)
        mask[-7:] = 1
        sequences.append(TokenSequence(tokens.astype(np.int32), mask))
        groups.append(index % 2)
    return sequences, groups


def loss_curve(folder: Path, sharing: Sharing) -> tuple[list[float], int]:
    """Losses of the steps, and the tokens computed for them."""
    sequences, groups = examples_of_two_catalogs()
    model = load_base(ModelSection(name=str(folder), dtype="float32", device="cpu")).model
    with torch.random.fork_rng():
        torch.manual_seed(5)
        attach_lora(model, LoraSection(rank=8, alpha=16, dropout=0))
    parameters = trainable_parameters(model)
    optimizer = torch.optim.AdamW(parameters, lr=5e-3, weight_decay=0.0)
    steps = [
        step
        for epoch in range(1, 5)
        for step in plan_epoch(groups, examples_per_step=8, seed=7, epoch=epoch)
    ][:STEPS]
    losses, computed = [], 0
    for step in steps:
        optimizer.zero_grad(set_to_none=True)
        loss, tokens = accumulate_gradients(
            model.train(),
            [sequences[index] for index in step],
            micro_batch_tokens=BUDGET,
            sharing=sharing,
        )
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss)
        computed += tokens
    return losses, computed


def test_fifty_updates_with_sharing_have_the_losses_of_fifty_without(
    tiny_llama_folder: Path,
) -> None:
    shared, shared_tokens = loss_curve(tiny_llama_folder, "update")
    separate, separate_tokens = loss_curve(tiny_llama_folder, "none")
    assert len(shared) == STEPS
    assert shared == pytest.approx(separate, rel=1e-5)
    assert np.mean(shared[-10:]) < np.mean(shared[:10]) - 0.3, "something was learned"
    assert separate_tokens > 3 * shared_tokens
