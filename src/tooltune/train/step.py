"""One optimizer update, and the loss on held-out sequences."""

import math
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tooltune.config import TrainSection
from tooltune.errors import ModelError
from tooltune.model.attention import Kernel
from tooltune.model.forward import supervised_edges, tree_hidden
from tooltune.model.lora import trainable_parameters
from tooltune.packing.pack import cut_micro_batches
from tooltune.packing.tree import PrefixTree, TokenSequence, build_tree
from tooltune.train.distributed import (
    all_reduce_gradients,
    own_share,
    seed_step,
    sum_over_processes,
    with_idle_trees,
)
from tooltune.train.loss import edge_loss


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One row of metrics.jsonl."""

    step: int
    epoch: int
    loss: float
    """Mean over the step's supervised tokens, in nats."""
    learning_rate: float
    grad_norm: float
    """Before clipping."""
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
    rate: float,
) -> StepRecord:
    """Update the adapter on the mean loss over all supervised tokens of `sequences`.

    Of several processes each computes a share; gradients and counts are summed before the update.
    Dropout is a pure function of (seed, step, process), so a resumed run draws it again.
    Raises ModelError before the update where loss or gradient is not finite.
    """
    start = time.perf_counter()
    model.train()
    optimizer.zero_grad(set_to_none=True)
    supervised_tokens = sum(sequence.supervised_tokens for sequence in sequences)
    seed_step(train.seed, step)
    trees = _own_trees(sequences, train.micro_batch_tokens)
    loss = 0.0
    for tree in with_idle_trees(trees):
        mean_loss = summed_loss(model, tree) / supervised_tokens
        mean_loss.backward()  # type: ignore[no-untyped-call]
        loss += float(mean_loss.detach())
    parameters = trainable_parameters(model)
    all_reduce_gradients(parameters)
    logical: float = sum(tree.logical_tokens for tree in trees)
    distinct: float = sum(tree.distinct_tokens for tree in trees)
    loss, logical, distinct = sum_over_processes([loss, logical, distinct])
    grad_norm = float(nn.utils.clip_grad_norm_(parameters, train.max_grad_norm))
    if not math.isfinite(loss) or not math.isfinite(grad_norm):
        raise ModelError(
            f"step {step}: loss {loss} with gradient norm {grad_norm}; the adapter was not "
            "updated. Lower train.learning_rate, or set model.dtype to float32."
        )
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_ratio", 1.0)
    optimizer.step()
    seconds = time.perf_counter() - start
    return StepRecord(
        step=step,
        epoch=epoch,
        loss=loss,
        learning_rate=rate,
        grad_norm=grad_norm,
        tokens_per_second=round(logical / seconds, 1),
        supervised_tokens=supervised_tokens,
        logical_tokens=int(logical),
        distinct_tokens=int(distinct),
        seconds=round(seconds, 3),
        peak_memory_gib=round(peak_memory_gib(), 3),
    )


def summed_loss(model: nn.Module, tree: PrefixTree, *, kernel: Kernel = "segments") -> Tensor:
    """Cross-entropy summed over a tree's supervised edges, weighted by the sequences on each."""
    hidden_TD = tree_hidden(model, tree, kernel=kernel)
    parent_E, target_E, weight_E = supervised_edges(tree, hidden_TD.device)
    head_VD = model.lm_head.weight  # type: ignore[union-attr]
    return edge_loss(hidden_TD[parent_E], head_VD, target_E, weight_E)  # type: ignore[arg-type]


@torch.no_grad()
def mean_loss(
    model: nn.Module, sequences: Sequence[TokenSequence], *, micro_batch_tokens: int
) -> float:
    """Mean loss over the supervised tokens of `sequences`, in nats, without dropout."""
    model.eval()
    trees = with_idle_trees(_own_trees(sequences, micro_batch_tokens))
    summed = sum(float(summed_loss(model, tree)) for tree in trees)
    (summed,) = sum_over_processes([summed])
    return summed / sum(sequence.supervised_tokens for sequence in sequences)


def _own_trees(sequences: Sequence[TokenSequence], micro_batch_tokens: int) -> list[PrefixTree]:
    """This process's share of the sequences, cut by memory."""
    batches = cut_micro_batches(own_share(sequences), micro_batch_tokens=micro_batch_tokens)
    return [build_tree(batch) for batch in batches]


def peak_memory_gib() -> float:
    """Most memory held so far: allocated on the GPU where there is one, else resident."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20
