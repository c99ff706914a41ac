"""One optimizer update, and the loss on held-out sequences."""

import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.amp import GradScaler

from tooltune.config import TrainSection
from tooltune.errors import ModelError
from tooltune.model.forward import (
    output_matrix,
    supervised_children,
    supervised_edges,
    tree_hidden,
)
from tooltune.model.lora import trainable_parameters
from tooltune.packing.pack import cut_micro_batches
from tooltune.packing.tree import TokenSequence, build_tree, sorted_order
from tooltune.train.distributed import (
    all_reduce_gradients,
    filled_up,
    joined_values,
    own_share,
    seed_step,
    sum_over_processes,
)
from tooltune.train.gradients import IDLE, accumulate_gradients
from tooltune.train.loss import edge_losses

FloatArray = npt.NDArray[np.float64]


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
    """Of this process."""


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

    Of several processes each computes a share; gradients and counts are summed before the update,
    so all decide alike. Dropout is a function of (seed, step, process): a resumed run draws it
    again. `scaler` keeps float16 gradients in range; None scales nothing. Raises ModelError before
    the update where the loss is not finite, or the gradient is not and no smaller scale can help.
    """
    start = time.perf_counter()
    model.train()
    optimizer.zero_grad(set_to_none=True)
    scaler = scaler or GradScaler(enabled=False)
    parameters = trainable_parameters(model)
    loss_scale = float(scaler.scale(torch.ones((), device=parameters[0].device)))
    seed_step(train.seed, step)
    loss, distinct_tokens = _update_gradients(model, parameters, sequences, train, loss_scale)
    grad_norm = _apply(
        optimizer, scaler, parameters, step=step, loss=loss, max_grad_norm=train.max_grad_norm
    )
    seconds = time.perf_counter() - start
    logical_tokens = sum(len(sequence.tokens) for sequence in sequences)
    return StepRecord(
        step=step,
        epoch=epoch,
        loss=loss,
        learning_rate=optimizer.param_groups[0]["lr"],
        grad_norm=grad_norm,
        is_skipped=grad_norm is None,
        loss_scale=loss_scale,
        tokens_per_second=round(logical_tokens / seconds, 1),
        supervised_tokens=sum(sequence.supervised_tokens for sequence in sequences),
        logical_tokens=logical_tokens,
        distinct_tokens=distinct_tokens,
        seconds=round(seconds, 3),
        peak_memory_gib=round(peak_memory_gib(), 3),
    )


def _update_gradients(
    model: nn.Module,
    parameters: list[nn.Parameter],
    sequences: Sequence[TokenSequence],
    train: TrainSection,
    loss_scale: float,
) -> tuple[float, int]:
    """Gradients, mean loss and computed tokens of the whole update, the same in every process."""
    part, tokens = accumulate_gradients(
        model,
        own_share(sequences),
        micro_batch_tokens=train.micro_batch_tokens,
        loss_scale=loss_scale,
        sharing="micro_batch" if train.shard_base else None,
        supervised_tokens=sum(sequence.supervised_tokens for sequence in sequences),
    )
    all_reduce_gradients(parameters)
    loss, computed_tokens = sum_over_processes([part, tokens])
    return loss, int(computed_tokens)


def _apply(
    optimizer: torch.optim.Optimizer,
    scaler: GradScaler,
    parameters: list[nn.Parameter],
    *,
    step: int,
    loss: float,
    max_grad_norm: float,
) -> float | None:
    """Clip and update; the norm before clipping, or None where gradients overflowed: then the
    adapter stays and the scale is lowered."""
    loss_scale = scaler.get_scale()
    scaler.unscale_(optimizer)
    grad_norm = float(nn.utils.clip_grad_norm_(parameters, max_grad_norm))
    is_overflow = loss_scale > 1 and math.isfinite(loss) and not math.isfinite(grad_norm)
    if not is_overflow:
        _require_finite(step, loss, grad_norm)
        optimizer.step()
    if scaler.is_enabled():
        scaler.update()
    return None if is_overflow else grad_norm


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
def held_out_losses(
    model: nn.Module, examples: Sequence[Sequence[TokenSequence]], *, micro_batch_tokens: int
) -> tuple[float, list[float]]:
    """Mean loss over all supervised tokens, and over those of each example; nats, no dropout.

    Divided among processes as an update is; all of them get all of it.
    """
    model.eval()
    sequences = [sequence for example in examples for sequence in example]
    batches = cut_micro_batches(own_share(sequences), micro_batch_tokens=micro_batch_tokens)
    computed = [_sequence_losses(model, batch) for batch in filled_up(batches, [IDLE])]
    own = [loss for losses in computed[: len(batches)] for loss in losses.tolist()]
    summed_S = np.empty(len(sequences))
    summed_S[sorted_order(sequences)] = joined_values(own)
    counts_S = np.array([sequence.supervised_tokens for sequence in sequences])
    owner_S = np.repeat(np.arange(len(examples)), [len(example) for example in examples])
    means = np.bincount(owner_S, summed_S) / np.maximum(np.bincount(owner_S, counts_S), 1)
    return float(summed_S.sum() / counts_S.sum()), means.tolist()


def require_untouched_base(
    model: nn.Module, example: Sequence[TokenSequence], *, base_loss: float
) -> None:
    """Self-test before the first step: with B = 0 the adapter changes no loss.

    `base_loss` is the example's mean loss with the adapter disabled. Raises ModelError.
    """
    tokens = sum(len(sequence.tokens) for sequence in example)
    loss, _ = held_out_losses(model, [example], micro_batch_tokens=tokens)
    dtype = next(model.parameters()).dtype
    # Computed alone and among others, a row of a 16-bit product is rounded differently.
    tolerance = 1e-4 if dtype == torch.float32 else 2e-2
    if not abs(loss - base_loss) <= tolerance * max(base_loss, 1e-3):
        raise ModelError(
            f"self-test: a fresh adapter changes the model (loss of the first validation example "
            f"got {loss:.6f}, expected the base model's {base_loss:.6f}). The weights or the "
            "engine are damaged: load the model again, and report it if that does not help."
        )


def _sequence_losses(model: nn.Module, sequences: Sequence[TokenSequence]) -> FloatArray:
    """Loss of each sequence of one micro-batch, summed over its supervised tokens."""
    tree = build_tree(sequences)
    head_VD = output_matrix(model)
    wanted_Q, row_E, target_E, _ = supervised_edges(tree, head_VD.device)
    hidden_QD = tree_hidden(model, tree, wanted_Q=wanted_Q)
    loss_T = np.zeros(tree.distinct_tokens)
    loss_T[supervised_children(tree)] = (
        edge_losses(hidden_QD[row_E], head_VD, target_E).cpu().numpy()
    )
    return np.array(
        [
            (loss_T[tree.path(int(leaf))][1:] * sequence.loss_mask[1:]).sum()
            for leaf, sequence in zip(tree.leaf_S, sequences, strict=True)
        ]
    )


def peak_memory_gib() -> float:
    """Most memory held so far: allocated on the GPU where there is one, else resident."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20
