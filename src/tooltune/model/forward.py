"""A prefix tree through the model: hidden states, and the supervised edges they predict."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tooltune.model.attention import (
    ATTENTION,
    Kernel,
    KeysValues,
    TreeLayout,
    tree_layout,
)
from tooltune.model.fastest import fastest_kernel, heads_of
from tooltune.model.layers import places_for_states
from tooltune.packing.tree import IntArray, Piece, PrefixTree


def uses_tree_attention(model: nn.Module) -> bool:
    """Else the model has its own attention, and each sequence of a tree is a row by itself."""
    return bool(model.config._attn_implementation == ATTENTION)  # type: ignore[union-attr]


def tree_hidden(
    model: nn.Module,
    tree: PrefixTree,
    *,
    piece: Piece | None = None,
    ancestors: Sequence[KeysValues] = (),
    captured: KeysValues | None = None,
    kernel: Kernel | None = None,
    wanted_Q: IntArray | None = None,
) -> Tensor:
    """Last hidden states (Q, D) of a tree's tokens, or of one piece's.

    `ancestors` are the keys and values of the pieces above, the first one's first; `captured`
    collects this pass's. `kernel` None takes the fastest here. `wanted_Q` are the tokens wanted,
    ascending, counted from the piece's start (None: all); the last layer computes no others.
    """
    if uses_tree_attention(model):
        piece = piece or Piece(0, tree.distinct_tokens)
        inputs = _inputs(model, tree, piece, kernel)
        inputs["places"] = places_for_states(model, piece.end - piece.start)
        if wanted_Q is not None:
            layout: TreeLayout = inputs["tree"]
            device = layout.rows_Q.device
            inputs["last_tree"] = tree_layout(tree, piece, device, layout.kernel, wanted_Q)
        output = model.model(**inputs, ancestors=ancestors, captured=captured)  # type: ignore[operator]
        hidden_QD: Tensor = output.last_hidden_state[0]
    else:
        hidden_QD = _hidden_by_rows(model, tree)
    # A last layer that is not ours has computed all.
    if wanted_Q is None or len(hidden_QD) == len(wanted_Q):
        return hidden_QD
    return hidden_QD[torch.from_numpy(wanted_Q).to(hidden_QD.device)]


def tree_logits(model: nn.Module, tree: PrefixTree) -> Tensor:
    """(T, V) of a single sequence, as the model itself makes them."""
    if uses_tree_attention(model):
        inputs = _inputs(model, tree, Piece(0, tree.distinct_tokens), None)
    else:
        device = next(model.parameters()).device
        inputs = {"input_ids": torch.from_numpy(tree.tokens_T).to(device)[None]}
    logits: Tensor = model(**inputs).logits[0]
    return logits


def output_matrix(model: nn.Module) -> Tensor:
    """(V, D): what turns a hidden state into logits."""
    matrix: Tensor = model.get_output_embeddings().weight  # type: ignore[operator]
    return matrix


def _inputs(
    model: nn.Module, tree: PrefixTree, piece: Piece, kernel: Kernel | None
) -> dict[str, Any]:
    weight = next(model.parameters())
    device = weight.device
    kernel = kernel or fastest_kernel(device, weight.dtype, heads_of(model.config))
    tokens = slice(piece.start, piece.end)
    return {
        "input_ids": torch.from_numpy(tree.tokens_T[tokens]).to(device)[None],
        "position_ids": torch.from_numpy(tree.positions_T[tokens]).to(device)[None],
        "use_cache": False,
        "tree": tree_layout(tree, piece, device, kernel),
    }


def _hidden_by_rows(model: nn.Module, tree: PrefixTree) -> Tensor:
    """Each path from a root to an end of the tree is a row of its own; of what several rows share,
    the first one's states are taken."""
    device = next(model.parameters()).device
    parts: list[Tensor] = []
    known = 0
    for end in np.flatnonzero(tree.subtree_end_T == np.arange(1, tree.distinct_tokens + 1)):
        tokens = torch.from_numpy(tree.tokens_T[tree.path(int(end))]).to(device)
        output = model.base_model(input_ids=tokens[None], use_cache=False)  # type: ignore[operator]
        parts.append(output.last_hidden_state[0, known - int(end) - 1 :])
        known = int(end) + 1
    return torch.cat(parts)


def supervised_children(tree: PrefixTree) -> npt.NDArray[np.bool_]:
    """Which tokens (T,) some sequence trains to predict."""
    return (tree.edge_weight_T > 0) & (tree.parent_T >= 0)


def supervised_edges(
    tree: PrefixTree, device: torch.device, piece: Piece | None = None
) -> tuple[IntArray, Tensor, Tensor, Tensor]:
    """(wanted_Q, row_E, target_E, weight_E): the tokens from which some sequence trains a
    prediction, ascending, and of each such edge its place among them, target token and weight.

    Of a piece: the edges whose parent is in it, and tokens count from its start. Where there is no
    edge, its first token is wanted all the same: attention kernels ask for a query.
    """
    piece = piece or Piece(0, tree.distinct_tokens)
    in_piece = (tree.parent_T >= piece.start) & (tree.parent_T < piece.end)
    child = supervised_children(tree) & in_piece
    wanted_Q, row = np.unique(tree.parent_T[child] - piece.start, return_inverse=True)
    arrays = (row, tree.tokens_T[child], tree.edge_weight_T[child])
    row_E, target_E, weight_E = (torch.from_numpy(array).to(device) for array in arrays)
    return wanted_Q if len(wanted_Q) else np.zeros(1, np.int64), row_E, target_E, weight_E
