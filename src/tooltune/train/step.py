"""One optimizer update, and the loss on held-out sequences."""

import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.amp import GradScaler

from tooltune.config import TrainSection
from tooltune.errors import ModelError
from tooltune.model.lora import trainable_parameters
from tooltune.packing.pack import cut_micro_batches
from tooltune.packing.tree import TokenSequence, build_tree
from tooltune.train.gradients import accumulate_gradients, summed_loss


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One row of metrics.jsonl."""

    step: int
    epoch: int
    loss: float
    """Mean over the step's supervised tokens, in nats."""
    learning_rate: float
    grad_norm: float | None
    """Before clipping; None where the update was skipped."""
    is_skipped: bool
    """float16 gradients overflowed: the adapter stayed as it was and the loss scale was halved."""
    loss_scale: float
    """What the loss was multiplied by before the backward pass; 1 but in float16."""
    tokens_per_second: float
    """Logical tokens: each sequence counted whole."""
    supervised_tokens: int
    logical_tokens: int
    distinct_tokens: int
    seconds: float
    peak_memory_gib: float


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    sequences: Sequence[TokenSequence],
    *,
    train: TrainSection,
    step: int,
    epoch: int,
    scaler: GradScaler | None = None,
) -> StepRecord:
    """Update the adapter on the mean loss over all supervised tokens of `sequences`.

    `scaler` keeps float16 gradients in range; None scales nothing. Raises ModelError before the
    update where the loss is not finite, or the gradient is not and no smaller scale can help.
    """
    start = time.perf_counter()
    model.train()
    optimizer.zero_grad(set_to_none=True)
    scaler = scaler or GradScaler(enabled=False)
    parameters = trainable_parameters(model)
    loss_scale = float(scaler.scale(torch.ones((), device=parameters[0].device)))
    loss, distinct_tokens = accumulate_gradients(
        model, sequences, micro_batch_tokens=train.micro_batch_tokens, loss_scale=loss_scale
    )
    scaler.unscale_(optimizer)
    grad_norm = float(nn.utils.clip_grad_norm_(parameters, train.max_grad_norm))
    is_overflow = loss_scale > 1 and math.isfinite(loss) and not math.isfinite(grad_norm)
    if not is_overflow:
        _require_finite(step, loss, grad_norm)
        optimizer.step()
    if scaler.is_enabled():
        scaler.update()
    seconds = time.perf_counter() - start
    logical_tokens = sum(len(sequence.tokens) for sequence in sequences)
    return StepRecord(
        step=step,
        epoch=epoch,
        loss=loss,
        learning_rate=optimizer.param_groups[0]["lr"],
        grad_norm=None if is_overflow else grad_norm,
        is_skipped=is_overflow,
        loss_scale=loss_scale,
        tokens_per_second=round(logical_tokens / seconds, 1),
        supervised_tokens=sum(sequence.supervised_tokens for sequence in sequences),
        logical_tokens=logical_tokens,
        distinct_tokens=distinct_tokens,
        seconds=round(seconds, 3),
        peak_memory_gib=round(peak_memory_gib(), 3),
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """`rate` times each group's `rate_ratio`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_ratio", 1.0)


def _require_finite(step: int, loss: float, grad_norm: float) -> None:
    if not math.isfinite(loss) or not math.isfinite(grad_norm):
        raise ModelError(
            f"step {step}: loss {loss} with gradient norm {grad_norm}; the adapter was not "
            "updated. Lower train.learning_rate, or set model.dtype to float32."
        )


@torch.no_grad()
def mean_loss(
    model: nn.Module, sequences: Sequence[TokenSequence], *, micro_batch_tokens: int
) -> float:
    """Mean loss over the supervised tokens of `sequences`, in nats, without dropout."""
    model.eval()
    batches = cut_micro_batches(sequences, micro_batch_tokens=micro_batch_tokens)
    summed = sum(float(summed_loss(model, build_tree(batch))) for batch in batches)
    return summed / sum(sequence.supervised_tokens for sequence in sequences)


def peak_memory_gib() -> float:
    """Most memory held so far: allocated on the GPU where there is one, else resident."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20
