"""Next-token loss on the supervised edges of a tree; full logits never exist.

Shapes: E supervised edges, D model width, V vocabulary, C edges of one chunk, R of its rows.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tooltune.model.products import frozen_product, frozen_product_into
from tooltune.model.widen import wide_dtype

CHUNK_EDGES = 256
SOFTMAX_ROWS = 16
"""Edges whose float32 logits are alive at once: those of a chunk are in the head's dtype, and a
processor's cache holds 16 rows of a small vocabulary (3 MiB of SmolLM2's)."""


def edge_loss(hidden_ED: Tensor, head_VD: Tensor, target_E: Tensor, weight_E: Tensor) -> Tensor:
    """Summed weighted cross-entropy, in nats. Memory is CHUNK_EDGES x V, whatever E is.

    `hidden_ED` is the hidden state of each edge's parent; the head is frozen.
    """
    loss: Tensor = _EdgeLoss.apply(hidden_ED, head_VD, target_E, weight_E)  # type: ignore[no-untyped-call]
    return loss


def edge_losses(hidden_ED: Tensor, head_VD: Tensor, target_E: Tensor) -> Tensor:
    """Cross-entropy of each edge (E,), in nats; for use without gradients."""
    wide = wide_dtype(hidden_ED.dtype)
    chunks = [hidden_ED.new_zeros(0, dtype=wide)]
    for start in range(0, len(hidden_ED), CHUNK_EDGES):
        chunk = slice(start, start + CHUNK_EDGES)
        logits_CV = frozen_product(hidden_ED[chunk], head_VD).to(wide)
        chunks.append(F.cross_entropy(logits_CV, target_E[chunk], reduction="none"))
    return torch.cat(chunks)


def edge_loss_reference(
    hidden_ED: Tensor, head_VD: Tensor, target_E: Tensor, weight_E: Tensor
) -> Tensor:
    """The same with all logits at once."""
    logits_EV = F.linear(hidden_ED, head_VD).float()
    return (F.cross_entropy(logits_EV, target_E, reduction="none") * weight_E).sum()


class _EdgeLoss(torch.autograd.Function):
    """Softmax and its gradient in one visit of each chunk: the logits are used and forgotten."""

    @staticmethod
    def forward(
        ctx: Any, hidden_ED: Tensor, head_VD: Tensor, target_E: Tensor, weight_E: Tensor
    ) -> Tensor:
        wide = wide_dtype(hidden_ED.dtype)
        loss = torch.zeros((), dtype=wide, device=hidden_ED.device)
        grad_ED = torch.empty_like(hidden_ED) if ctx.needs_input_grad[0] else None
        # One for all chunks: so large a block is the system's, which clears it each time.
        logits_CV = hidden_ED.new_empty(min(CHUNK_EDGES, len(hidden_ED)), len(head_VD))
        for start in range(0, len(hidden_ED), CHUNK_EDGES):
            chunk = slice(start, start + CHUNK_EDGES)
            loss += _chunk_loss(
                hidden_ED[chunk],
                head_VD,
                target_E[chunk, None],
                weight_E[chunk, None].to(wide),
                logits_CV[: len(hidden_ED[chunk])],
                None if grad_ED is None else grad_ED[chunk],
            )
        if grad_ED is not None:
            ctx.save_for_backward(grad_ED)
        return loss

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        (grad_ED,) = ctx.saved_tensors
        return grad_ED * grad_loss.to(grad_ED.dtype), None, None, None


def _chunk_loss(
    hidden_CD: Tensor,
    head_VD: Tensor,
    target_C1: Tensor,
    weight_C1: Tensor,
    logits_CV: Tensor,
    grad_CD: Tensor | None,
) -> Tensor:
    """Summed loss of a chunk, its gradient written to `grad_CD`. `logits_CV` is the one buffer of
    this size: logits become their own gradient in place, some rows at a time."""
    frozen_product_into(logits_CV, hidden_CD, head_VD)
    loss = weight_C1.new_zeros(())
    rows = (torch.split(each, SOFTMAX_ROWS) for each in (logits_CV, target_C1, weight_C1))
    for logits_RV, target_R1, weight_R1 in zip(*rows, strict=True):
        wide_RV = logits_RV.to(weight_C1.dtype)
        own_R1 = wide_RV.gather(1, target_R1)
        top_R1 = wide_RV.amax(1, keepdim=True)
        powers_RV = wide_RV.sub_(top_R1).exp_()
        sum_R1 = powers_RV.sum(1, keepdim=True)
        loss += ((sum_R1.log() + top_R1 - own_R1) * weight_R1).sum()
        if grad_CD is not None:
            powers_RV.mul_(weight_R1 / sum_R1).scatter_add_(1, target_R1, -weight_R1)
            logits_RV.copy_(powers_RV)
    if grad_CD is not None:
        torch.mm(logits_CV, head_VD, out=grad_CD)
    return loss
