"""Tree attention: what each token of a prefix tree may see, and six ways to compute it.

Registered with transformers under ATTENTION, for the mask too: transformers' own mask builder takes
every jump of positions for a new document and would silently cut branches off their prefix.

Shapes: T tokens computed now, Q of them whose outputs are wanted (all but in the last layer), P
tokens before them that all of them see (their keys and values are there already), H query heads, G
key/value heads, K head size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from tooltune.model.decode import DecodeState, decode_attention
from tooltune.model.flex import flex_mask, flex_tree_attention
from tooltune.model.fused import TileArrays, fused_attention, tile_arrays
from tooltune.model.masked import MASKED_ROWS, MaskedTile, masked_attention, masked_tiles
from tooltune.model.segments import Block, block_attention, cut_blocks
from tooltune.model.tiles import Tile, cut_tiles, tile_attention
from tooltune.packing.tree import IntArray, Piece, PrefixTree, Segment

ATTENTION = "tooltune"

Kernel = Literal["segments", "tiles", "fused", "flex", "masked", "reference"]
"""`segments`, `tiles` and `fused` are for processors, `flex` and `masked` for GPUs, `reference` for
comparing with."""

KeysValues = dict[int, tuple[Tensor, Tensor]]
"""Layer -> keys and values (1, G, T, K)."""


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """Who sees whom in one pass: all see the P tokens before; of the T, `k <= q < end_T[k]`."""

    subtree_end_T: Tensor
    rows_Q: Tensor
    """The tokens whose outputs are wanted, ascending."""
    kernel: Kernel
    blocks: tuple[Block, ...] = ()
    """Of the `segments` kernel."""
    tiles: tuple[Tile, ...] = ()
    """Of the `tiles` kernel."""
    masked_tiles: tuple[MaskedTile, ...] = ()
    """Of the `masked` kernel, on the device that computes."""
    tile_arrays: TileArrays | None = None
    """Of the `fused` kernel: the same tiles."""
    block_mask: BlockMask | None = None
    """Of the `flex` kernel, made once for all layers."""

    @property
    def wants_all(self) -> bool:
        return len(self.rows_Q) == len(self.subtree_end_T)


def tree_layout(
    tree: PrefixTree,
    piece: Piece,
    device: torch.device,
    kernel: Kernel,
    wanted_Q: IntArray | None = None,
) -> TreeLayout:
    """What attention needs of a piece, counted from its start, on the device that computes.

    `wanted_Q` (ascending) None takes all tokens.
    """
    start, end = piece.start, piece.end
    tokens, past_tokens = end - start, int(tree.positions_T[start])
    ends = np.minimum(tree.subtree_end_T[start:end], end) - start
    subtree_end_T = torch.from_numpy(ends).to(device)
    rows = np.arange(tokens) if wanted_Q is None else wanted_Q
    rows_Q = torch.from_numpy(rows).to(device)
    if kernel == "flex":
        mask = flex_mask(subtree_end_T, rows_Q, past_tokens)
        return TreeLayout(subtree_end_T, rows_Q, kernel, block_mask=mask)
    if kernel == "reference":
        return TreeLayout(subtree_end_T, rows_Q, kernel)
    segments = [
        Segment(segment.start - start, segment.end - start, min(segment.subtree_end, end) - start)
        for segment in tree.segments()
        if start <= segment.start < end
    ]
    if kernel == "masked":
        tiles = cut_tiles(ends, segments, rows, past_tokens, tile_rows=MASKED_ROWS)
        return TreeLayout(subtree_end_T, rows_Q, kernel, masked_tiles=masked_tiles(tiles, device))
    if kernel in ("tiles", "fused"):
        tiles = cut_tiles(ends, segments, rows, past_tokens)
        if kernel == "tiles":
            return TreeLayout(subtree_end_T, rows_Q, kernel, tiles=tiles)
        return TreeLayout(subtree_end_T, rows_Q, kernel, tile_arrays=tile_arrays(tiles))
    return TreeLayout(subtree_end_T, rows_Q, kernel, cut_blocks(segments, rows, past_tokens))


def tree_attention(q: Tensor, k: Tensor, v: Tensor, layout: TreeLayout, scale: float) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K)."""
    if layout.kernel == "reference":
        return _reference(q, k, v, layout, scale)
    if layout.kernel == "flex":
        assert layout.block_mask is not None, "tree_layout makes it for this kernel"
        return flex_tree_attention(q, k, v, layout.block_mask, scale)
    if layout.kernel == "fused":
        assert layout.tile_arrays is not None, "tree_layout makes them for this kernel"
        return fused_attention(q, k, v, layout.tile_arrays, scale)
    if layout.kernel == "masked":
        return masked_attention(q, k, v, layout.masked_tiles, scale)
    if layout.kernel == "tiles":
        return tile_attention(q, k, v, layout.tiles, scale)
    return block_attention(q, k, v, layout.blocks, scale)


def _reference(q: Tensor, k: Tensor, v: Tensor, layout: TreeLayout, scale: float) -> Tensor:
    """One dense mask: slow, obvious, and what the other kernels are tested against."""
    past_tokens = k.shape[2] - len(layout.subtree_end_T)
    row_Q1 = layout.rows_Q[:, None]
    own_T = torch.arange(len(layout.subtree_end_T), device=q.device)
    sees_own_QT = (own_T <= row_Q1) & (row_Q1 < layout.subtree_end_T)
    visible_QP = F.pad(sees_own_QT, (past_tokens, 0), value=True)
    return F.scaled_dot_product_attention(q, k, v, visible_QP, scale=scale, enable_gqa=True)


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    tree: TreeLayout | None = None,
    ancestors: Sequence[KeysValues] = (),
    captured: KeysValues | None = None,
    decode: DecodeState | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface. `captured` collects each layer's keys and values."""
    layer = module.layer_idx
    assert isinstance(layer, int)
    if decode is not None:
        out = decode_attention(query, key, value, layer, decode, scaling)
    else:
        assert tree is not None, "every forward pass names its tree"
        if captured is not None:
            # The first pass counts: activation checkpointing comes by again when it recomputes.
            captured.setdefault(layer, (key, value))
        if ancestors:
            key = torch.cat([*(above[layer][0] for above in ancestors), key], dim=2)
            value = torch.cat([*(above[layer][1] for above in ancestors), value], dim=2)
        out = tree_attention(query, key, value, tree, scaling)
    return out.transpose(1, 2), None


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)
