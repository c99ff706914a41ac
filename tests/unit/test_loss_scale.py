"""Loss scaling of float16 gradients: what it changes, what it skips, and when it gives up.

On a processor, whose float16 rounds and overflows as a GPU's does. Whole runs in float16 and their
checkpoints: integration/test_train.py.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from tooltune.config import LoraSection, ModelSection, TrainSection
from tooltune.errors import ModelError
from tooltune.model.load import load_base
from tooltune.model.lora import attach_lora, trainable_parameters
from tooltune.packing.tree import TokenSequence
from tooltune.train.gradients import accumulate_gradients
from tooltune.train.step import StepRecord, train_step

SEQUENCES = [
    TokenSequence(np.asarray([9, 8, 7, 6, *own], np.int32), np.ones(4 + len(own), np.uint8))
    for own in ([5, 4, 3], [5, 2], [1, 1, 1])
]
TRAIN = TrainSection(max_grad_norm=1e9)


def adapted(folder: Path, dtype: str) -> nn.Module:
    """A and B random, the same in every dtype."""
    model = load_base(ModelSection(name=str(folder), dtype=dtype, device="cpu")).model
    with torch.random.fork_rng():
        torch.manual_seed(3)
        attach_lora(model, LoraSection(rank=3, alpha=6, dropout=0))
        for parameter in trainable_parameters(model):
            nn.init.normal_(parameter, std=0.2)
    return model


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, scaler: GradScaler | None
) -> StepRecord:
    return train_step(model, optimizer, SEQUENCES, train=TRAIN, step=7, epoch=1, scaler=scaler)


def copies(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in trainable_parameters(model)]


def test_a_power_of_two_changes_no_bit_in_float32(tiny_llama_folder: Path) -> None:
    found = []
    for scaler in (None, GradScaler("cpu", init_scale=2.0**12)):
        model = adapted(tiny_llama_folder, "float32")
        optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-2)
        records = [step(model, optimizer, scaler) for _ in range(3)]
        found.append(([(r.loss, r.grad_norm, r.is_skipped) for r in records], copies(model)))
    (plain, plain_weights), (scaled, scaled_weights) = found
    assert scaled == plain
    torch.testing.assert_close(scaled_weights, plain_weights, rtol=0, atol=0)


def gradient(model: nn.Module, loss_scale: float) -> Tensor:
    model.zero_grad(set_to_none=True)
    accumulate_gradients(model, SEQUENCES, micro_batch_tokens=9, loss_scale=loss_scale)
    parts = [parameter.grad.flatten() for parameter in trainable_parameters(model)]
    return torch.cat(parts) / loss_scale


def test_scaled_float16_gradients_are_nearer_the_truth(tiny_llama_folder: Path) -> None:
    """The base's weights are rounded to float16 in both. A small loss, as late in training, has
    gradients that float16 rounds to nothing; `fade` makes one."""
    half, wide = (adapted(tiny_llama_folder, dtype) for dtype in ("float16", "float32"))
    fade = 2.0**-14
    for theirs, ours in zip(wide.parameters(), half.parameters(), strict=True):
        theirs.data.copy_(ours.data)
    truth = gradient(wide, 1.0)
    errors = {
        scale: float((gradient(half, scale) - truth).norm() / truth.norm())
        for scale in (fade, 1024.0)
    }
    assert errors[1024.0] < 0.01
    assert errors[fade] > 5 * errors[1024.0], "without scaling it must be worse"


def test_an_overflow_skips_the_update_and_halves_the_scale(tiny_llama_folder: Path) -> None:
    model = adapted(tiny_llama_folder, "float16")
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-3)
    scaler = GradScaler("cpu", init_scale=2.0**30)
    before = copies(model)
    record = step(model, optimizer, scaler)
    assert (record.is_skipped, record.grad_norm, record.loss_scale) == (True, None, 2.0**30)
    assert record.loss == pytest.approx(np.log(512), rel=0.2), "the loss itself is not scaled"
    torch.testing.assert_close(copies(model), before, rtol=0, atol=0)
    assert not optimizer.state
    records = [step(model, optimizer, scaler) for _ in range(30)]
    scales = [record.loss_scale for record in records]
    skipped = [record.is_skipped for record in records]
    assert scales[0] == 2.0**29
    assert skipped == sorted(skipped, reverse=True), "skips first, updates then"
    assert not skipped[-1]
    assert records[-1].loss < record.loss


def test_a_gradient_that_no_scale_mends_stops_the_run(tiny_llama_folder: Path) -> None:
    model = adapted(tiny_llama_folder, "float32")
    parameters = trainable_parameters(model)
    parameters[0].register_hook(lambda grad: torch.full_like(grad, torch.inf))
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    scaler = GradScaler("cpu", init_scale=4.0)
    before = copies(model)
    assert [step(model, optimizer, scaler).loss_scale for _ in range(2)] == [4.0, 2.0]
    with pytest.raises(ModelError, match=r"step 7: loss .* with gradient norm (inf|nan)"):
        step(model, optimizer, scaler)
    torch.testing.assert_close(copies(model), before, rtol=0, atol=0)


def test_a_loss_that_is_not_finite_stops_at_once(tiny_llama_folder: Path) -> None:
    model = adapted(tiny_llama_folder, "float16")
    norm: Any = model.model.norm
    norm.weight.data[3] = torch.nan
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-3)
    with pytest.raises(ModelError, match="step 7: loss nan"):
        step(model, optimizer, GradScaler("cpu"))
