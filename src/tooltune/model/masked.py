"""Tree attention by PyTorch's own kernel for masked attention, for GPUs without FlexAttention.

Each tile is one call of `scaled_dot_product_attention` with the keys that its queries see. On GPUs
before compute capability 8.0 this is the kernel that has matrix units: what Triton compiles for
them has none (github.com/triton-lang/triton/pull/5066).

Shapes: P + T keys, Q queries, R queries and N keys of one tile, H query heads, G key/value heads, K
head size.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tooltune.model.tiles import Tile, add_to_seen, seen_keys
from tooltune.model.widen import widen

MASKED_ROWS = 512
"""Queries of a tile: on a GPU few large calls are faster than many small ones."""


def masked_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: tuple[Tile, ...], scale: float
) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K)."""
    out: Tensor = _MaskedAttention.apply(q, k, v, tiles, scale)  # type: ignore[no-untyped-call]
    return out


class _MaskedAttention(torch.autograd.Function):
    """Keeps queries, keys and values; the backward pass computes each tile again. Tiles overlap in
    the keys they see, so what they keep would be several times all keys."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, tiles: tuple[Tile, ...], scale: float
    ) -> Tensor:
        ctx.tiles, ctx.scale = tiles, scale
        ctx.save_for_backward(q, k, v)
        out = torch.empty_like(q)
        for tile in tiles:
            out[:, :, tile.rows] = _tile_output(tile, scale, *_inputs(tile, q, k, v))
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v = ctx.saved_tensors
        grad_q = torch.empty_like(q)
        grad_k, grad_v = (torch.zeros_like(widen(x[0])) for x in (k, v))
        for tile in ctx.tiles:
            inputs = [x.detach().requires_grad_() for x in _inputs(tile, q, k, v)]
            with torch.enable_grad():
                out = _tile_output(tile, ctx.scale, *inputs)
            tile_q, tile_k, tile_v = torch.autograd.grad(out, inputs, grad_out[:, :, tile.rows])
            grad_q[:, :, tile.rows] = tile_q
            add_to_seen(grad_k, tile, tile_k[0])
            add_to_seen(grad_v, tile, tile_v[0])
        return grad_q, grad_k.to(k.dtype)[None], grad_v.to(v.dtype)[None], None, None


def _inputs(tile: Tile, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A tile's (1, H, R, K) and twice (1, G, N, K)."""
    return q[:, :, tile.rows], seen_keys(k[0], tile)[None], seen_keys(v[0], tile)[None]


def _tile_output(tile: Tile, scale: float, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One key/value head for each query head: the kernel takes no groups."""
    group, visible_RN = q.shape[1] // k.shape[1], None
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    if tile.hidden_RM is not None:
        seen_by_all = k.shape[2] - tile.hidden_RM.shape[1]
        visible_RN = F.pad(tile.hidden_RM == 0, (seen_by_all, 0), value=True)
    return F.scaled_dot_product_attention(q, k, v, visible_RN, scale=scale)
