"""Tree attention by PyTorch's own kernel for masked attention, for GPUs without FlexAttention.

Each tile is one call of `scaled_dot_product_attention` with the keys that its queries see. On GPUs
before compute capability 8.0 this is the kernel that has matrix units: what Triton compiles for
them has none (github.com/triton-lang/triton/pull/5066).

Shapes: P + T keys, Q queries, R queries and N keys of one tile, H query heads, G key/value heads, K
head size.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from tooltune.model.tiles import Tile, add_to_seen, seen_keys
from tooltune.model.widen import wide_dtype

MASKED_ROWS = 512
"""Queries of a tile: on a GPU few large calls are faster than many small ones."""


class MaskedTile(NamedTuple):
    """A tile on the device that computes it."""

    rows: slice
    keys: tuple[slice, ...]
    visible_RN: Tensor | None
    """None where all rows see all keys."""


def masked_tiles(tiles: tuple[Tile, ...], device: torch.device) -> tuple[MaskedTile, ...]:
    return tuple(MaskedTile(tile.rows, tile.keys, _visible(tile, device)) for tile in tiles)


def _visible(tile: Tile, device: torch.device) -> Tensor | None:
    if tile.hidden_RM is None:
        return None
    keys = sum(run.stop - run.start for run in tile.keys)
    seen_by_all = keys - tile.hidden_RM.shape[1]
    return F.pad(tile.hidden_RM == 0, (seen_by_all, 0), value=True).to(device)


def masked_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: tuple[MaskedTile, ...], scale: float
) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K)."""
    out: Tensor = _MaskedAttention.apply(q, k, v, tiles, scale)  # type: ignore[no-untyped-call]
    return out


class _MaskedAttention(torch.autograd.Function):
    """Keeps queries, keys and values; the backward pass computes each tile again. Tiles overlap in
    the keys they see, so what they keep would be several times all keys."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, tiles: tuple[MaskedTile, ...], scale: float
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
        grad_k, grad_v = (
            torch.zeros(x.shape[1:], dtype=wide_dtype(x.dtype), device=x.device) for x in (k, v)
        )
        for tile in ctx.tiles:
            inputs = [x.detach().requires_grad_() for x in _inputs(tile, q, k, v)]
            with torch.enable_grad():
                out = _tile_output(tile, ctx.scale, *inputs)
            tile_q, tile_k, tile_v = torch.autograd.grad(out, inputs, grad_out[:, :, tile.rows])
            grad_q[:, :, tile.rows] = tile_q
            add_to_seen(grad_k, tile.keys, tile_k[0])
            add_to_seen(grad_v, tile.keys, tile_v[0])
        return grad_q, grad_k.to(k.dtype)[None], grad_v.to(v.dtype)[None], None, None


def _inputs(tile: MaskedTile, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A tile's (1, H, R, K) and twice (1, G, N, K)."""
    return q[:, :, tile.rows], seen_keys(k[0], tile.keys)[None], seen_keys(v[0], tile.keys)[None]


def _tile_output(tile: MaskedTile, scale: float, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One key/value head for each query head: the kernel takes no groups."""
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    return F.scaled_dot_product_attention(q, k, v, tile.visible_RN, scale=scale)
