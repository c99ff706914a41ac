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
from torch import Tensor, nn

from tooltune.config import TrainSection
from tooltune.errors import ModelError
from tooltune.model.attention import Kernel
from tooltune.model.forward import supervised_children, supervised_edges, tree_hidden
from tooltune.model.lora import trainable_parameters
from tooltune.packing.pack import cut_micro_batches
from tooltune.packing.tree import PrefixTree, TokenSequence, build_tree, sorted_order
from tooltune.train.loss import edge_loss, edge_losses

FloatArray = npt.NDArray[np.float64]


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

    Raises ModelError before the update where loss or gradient is not finite.
    """
    start = time.perf_counter()
    model.train()
    optimizer.zero_grad(set_to_none=True)
    supervised_tokens = sum(sequence.supervised_tokens for sequence in sequences)
    batches = cut_micro_batches(sequences, micro_batch_tokens=train.micro_batch_tokens)
    trees = [build_tree(batch) for batch in batches]
    loss = 0.0
    for tree in trees:
        mean_loss = summed_loss(model, tree) / supervised_tokens
        mean_loss.backward()  # type: ignore[no-untyped-call]
        loss += float(mean_loss.detach())
    parameters = trainable_parameters(model)
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
    logical_tokens = sum(tree.logical_tokens for tree in trees)
    return StepRecord(
        step=step,
        epoch=epoch,
        loss=loss,
        learning_rate=rate,
        grad_norm=grad_norm,
        tokens_per_second=round(logical_tokens / seconds, 1),
        supervised_tokens=supervised_tokens,
        logical_tokens=logical_tokens,
        distinct_tokens=sum(tree.distinct_tokens for tree in trees),
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
def held_out_losses(
    model: nn.Module, examples: Sequence[Sequence[TokenSequence]], *, micro_batch_tokens: int
) -> tuple[float, list[float]]:
    """Mean loss over all supervised tokens, and over those of each example; nats, no dropout."""
    model.eval()
    sequences = [sequence for example in examples for sequence in example]
    batches = cut_micro_batches(sequences, micro_batch_tokens=micro_batch_tokens)
    summed_S = np.empty(len(sequences))
    summed_S[sorted_order(sequences)] = np.concatenate(
        [_sequence_losses(model, batch) for batch in batches]
    )
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
    hidden_TD = tree_hidden(model, tree)
    parent_E, target_E, _ = supervised_edges(tree, hidden_TD.device)
    head_VD = model.lm_head.weight  # type: ignore[union-attr]
    loss_T = np.zeros(tree.distinct_tokens)
    loss_T[supervised_children(tree)] = (
        edge_losses(hidden_TD[parent_E], head_VD, target_E).cpu().numpy()  # type: ignore[arg-type]
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
