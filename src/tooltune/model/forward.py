"""A prefix tree through the model: hidden states, and the loss on its supervised edges."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from tooltune.model.attention import Kernel, tree_layout
from tooltune.packing.tree import PrefixTree


def tree_hidden(
    model: nn.Module,
    tree: PrefixTree,
    *,
    kernel: Kernel = "segments",
    captured: list[tuple[Tensor, Tensor]] | None = None,
) -> Tensor:
    """Last hidden states (T, D) of the tree's tokens. `captured` collects keys and values."""
    device = next(model.parameters()).device
    output = model.model(  # type: ignore[operator]
        input_ids=torch.from_numpy(tree.tokens_T).to(device)[None],
        position_ids=torch.from_numpy(tree.positions_T).to(device)[None],
        use_cache=False,
        tree=tree_layout(tree, device, kernel),
        captured=captured,
    )
    hidden: Tensor = output.last_hidden_state[0]
    return hidden


def supervised_children(tree: PrefixTree) -> npt.NDArray[np.bool_]:
    """Which tokens (T,) some sequence trains to predict."""
    return (tree.edge_weight_T > 0) & (tree.parent_T >= 0)


def supervised_edges(tree: PrefixTree, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """(parent, target token, weight) of each edge that some sequence trains, each (E,)."""
    child = supervised_children(tree)
    arrays = (tree.parent_T[child], tree.tokens_T[child], tree.edge_weight_T[child])
    parent_E, target_E, weight_E = (torch.from_numpy(array).to(device) for array in arrays)
    return parent_E, target_E, weight_E
