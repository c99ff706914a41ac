"""Loss and gradients of one update, in as many passes as memory asks for.

An update that does not fit one micro-batch is one tree cut into pieces. A piece with others below
it runs once: its keys and values, cut off the graph, are what the pieces below attend to; these go
forward and backward one after another and add up the gradients of the keys and values, with which
the piece itself goes backward, once. That is the gradient of the whole tree, with the memory of a
micro-batch.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from tooltune.model.attention import Kernel, KeysValues
from tooltune.model.forward import (
    output_matrix,
    supervised_edges,
    tree_hidden,
    uses_tree_attention,
)
from tooltune.packing.pack import cut_micro_batches, cut_tree
from tooltune.packing.tree import Piece, PrefixTree, TokenSequence, build_tree
from tooltune.train.distributed import filled_up
from tooltune.train.loss import edge_loss

Sharing = Literal["update", "micro_batch", "none"]
"""Each distinct token is computed once an update, once a micro-batch, or once a sequence: the same
gradient, and the last two are what the first is tested against. A base sharded over processes
needs the second: a layer goes backward right after its forward, equally often in each."""

IDLE = TokenSequence(np.zeros(1, np.int32), np.zeros(1, np.uint8))
"""One untrained token, for a process that waits while others compute."""


def accumulate_gradients(
    model: nn.Module,
    sequences: Sequence[TokenSequence],
    *,
    micro_batch_tokens: int,
    loss_scale: float = 1.0,
    sharing: Sharing | None = None,
    supervised_tokens: int | None = None,
) -> tuple[float, int]:
    """Add `loss_scale` times the gradient of the mean loss to every parameter's `.grad`.

    `sharing` None is "update" where the model has tree attention, "none" where it has its own.
    `supervised_tokens` are those of the whole update where `sequences` are one process's share of
    it (None: all of it). Returns the share's part of the mean loss, in nats and not scaled, and the
    tokens computed. Raises DataError for a sequence longer than `micro_batch_tokens`.
    """
    sharing = sharing or ("update" if uses_tree_attention(model) else "none")
    if supervised_tokens is None:
        supervised_tokens = sum(sequence.supervised_tokens for sequence in sequences)
    factor = loss_scale / supervised_tokens
    cut = _cut(sequences, micro_batch_tokens, sharing)
    loss = 0.0
    for tree, pieces in filled_up(cut, (build_tree([IDLE]), (Piece(0, 1),))):
        for piece in pieces:
            loss += _backward(model, tree, piece, factor)
    return loss / loss_scale, sum(tree.distinct_tokens for tree, _ in cut)


def summed_loss(
    model: nn.Module,
    tree: PrefixTree,
    *,
    factor: float = 1.0,
    piece: Piece | None = None,
    ancestors: Sequence[KeysValues] = (),
    captured: KeysValues | None = None,
    kernel: Kernel | None = None,
) -> Tensor:
    """`factor` times the cross-entropy summed over a tree's supervised edges, each weighted by its
    sequences. Of a piece: the edges that leave its tokens, also those into the pieces below."""
    head_VD = output_matrix(model)
    wanted_Q, row_E, target_E, weight_E = supervised_edges(tree, head_VD.device, piece)
    hidden_QD = tree_hidden(
        model,
        tree,
        piece=piece,
        ancestors=ancestors,
        captured=captured,
        kernel=kernel,
        wanted_Q=wanted_Q,
    )
    # Weights carry the factor, so that float16 gradients are scaled where they begin.
    return edge_loss(hidden_QD[row_E], head_VD, target_E, weight_E.double() * factor)


def _cut(
    sequences: Sequence[TokenSequence], micro_batch_tokens: int, sharing: Sharing
) -> list[tuple[PrefixTree, tuple[Piece, ...]]]:
    if not sequences:
        return []
    if sharing == "update":
        tree = build_tree(sequences)
        return [(tree, cut_tree(tree, micro_batch_tokens=micro_batch_tokens))]
    batches = (
        [[sequence] for sequence in sequences]
        if sharing == "none"
        else cut_micro_batches(sequences, micro_batch_tokens=micro_batch_tokens)
    )
    trees = [build_tree(batch) for batch in batches]
    return [(tree, (Piece(0, tree.distinct_tokens),)) for tree in trees]


def _backward(
    model: nn.Module,
    tree: PrefixTree,
    piece: Piece,
    factor: float,
    ancestors: tuple[KeysValues, ...] = (),
) -> float:
    """Forward and backward of a piece and all below it; returns their summed loss."""
    captured: KeysValues | None = {} if piece.below else None
    loss = summed_loss(
        model, tree, factor=factor, piece=piece, ancestors=ancestors, captured=captured
    )
    total = float(loss.detach())
    if captured is None:
        loss.backward()  # type: ignore[no-untyped-call]
        return total
    leaves = {layer: (_leaf(keys), _leaf(values)) for layer, (keys, values) in captured.items()}
    for below in piece.below:
        total += _backward(model, tree, below, factor, (*ancestors, leaves))
    outputs, gradients = [loss], [torch.ones_like(loss)]
    for tensor, leaf in zip(_flat(captured), _flat(leaves), strict=True):
        if leaf.grad is not None:
            outputs.append(tensor)
            gradients.append(leaf.grad)
    torch.autograd.backward(outputs, gradients)
    return total


def _leaf(tensor: Tensor) -> Tensor:
    """Off the graph; without gradient where no adapter comes before it."""
    return tensor.detach().requires_grad_(tensor.requires_grad)


def _flat(keys_values: KeysValues) -> list[Tensor]:
    return [tensor for pair in keys_values.values() for tensor in pair]
