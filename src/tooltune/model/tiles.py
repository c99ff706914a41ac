"""Tree attention in tiles, for processors that multiply bfloat16 faster than float32.

A tile is a run of queries with every key that one of them may see and no other, so its softmax is
whole: no block is merged with another, and no log-sum-exp is kept. Scores are float32 and held for
one tile at a time; the factors of every product were rounded to bfloat16. PyTorch's own kernel
for processors stays below the float32 rate in bfloat16, and is no nearer to float64
(docs/decisions.md).

Shapes: T tokens computed now, P tokens before them, Q queries, R queries and N keys of one tile, H
query heads, G key/value heads, K head size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tooltune.model.widen import widen
from tooltune.packing.tree import IntArray, Segment

TILE_ROWS = 128
"""Where products and softmax of SmolLM2's shape are fastest; 64 and 256 take a tenth more."""
TILE_KEYS = 2048
"""With more keys a tile has fewer queries, to bound its memory."""


class Tile(NamedTuple):
    """Queries, and the runs of keys (of P + T) that they see."""

    rows: slice
    keys: tuple[slice, ...]
    """Those that all rows see come first."""
    hidden_RM: Tensor | None
    """Of the last M keys, -inf where a row does not see one; None where all see all."""


def cut_tiles(
    subtree_end_T: IntArray,
    segments: list[Segment],
    rows_Q: IntArray,
    past_tokens: int,
    *,
    tile_rows: int | None = None,
) -> tuple[Tile, ...]:
    """All queries `rows_Q` (ascending) in tiles of at most `tile_rows` (None: TILE_ROWS), cut where
    a segment ends if one does in the second half of a tile: tokens of one branch see the same keys.
    """
    tile_rows = tile_rows or TILE_ROWS
    breaks = np.searchsorted(rows_Q, [segment.end for segment in segments])
    tiles: list[Tile] = []
    start = 0
    while start < len(rows_Q):
        first = rows_Q[start]
        ancestors = np.flatnonzero(subtree_end_T[:first] > first)
        most = tile_rows * TILE_KEYS // (past_tokens + len(ancestors) + tile_rows)
        stop = min(start + min(max(most, 1), tile_rows), len(rows_Q))
        fitting = breaks[(breaks > (start + stop) // 2) & (breaks < stop)]
        if len(fitting) and stop < len(rows_Q):
            stop = int(fitting[-1])
        keys = np.append(ancestors, np.arange(first, rows_Q[stop - 1] + 1))
        tiles.append(_tile(slice(start, stop), rows_Q, keys, subtree_end_T, past_tokens))
        start = stop
    return tuple(tiles)


def _tile(
    rows: slice, rows_Q: IntArray, keys: IntArray, subtree_end_T: IntArray, past_tokens: int
) -> Tile:
    row_R1 = rows_Q[rows, None]
    sees_RN = (keys <= row_R1) & (row_R1 < subtree_end_T[keys])
    seen = sees_RN.any(axis=0)
    keys, sees_RN = keys[seen], sees_RN[:, seen]
    seen_by_all = sees_RN.all(axis=0)
    order = np.argsort(~seen_by_all, kind="stable")
    partly = order[np.count_nonzero(seen_by_all) :]
    hidden_RM = None
    if len(partly):
        hidden_RM = torch.zeros(len(sees_RN), len(partly))
        hidden_RM[torch.from_numpy(~sees_RN[:, partly])] = -torch.inf
    return Tile(
        rows, _runs(np.append(np.arange(past_tokens), keys[order] + past_tokens)), hidden_RM
    )


def _runs(places: IntArray) -> tuple[slice, ...]:
    edges = [0, *(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
    return tuple(slice(int(places[a]), int(places[b - 1]) + 1) for a, b in pairwise(edges))


def tile_attention(
    q: Tensor, k: Tensor, v: Tensor, tiles: tuple[Tile, ...], scale: float
) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K)."""
    out: Tensor = _TileAttention.apply(q, k, v, tiles, scale)  # type: ignore[no-untyped-call]
    return out


class _TileAttention(torch.autograd.Function):
    """Keeps queries, keys and values; the backward pass makes each tile's softmax again.

    The query heads of one key/value head stand below one another, so that a product over them sums
    the gradients of its keys and values as well.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, tiles: tuple[Tile, ...], scale: float
    ) -> Tensor:
        ctx.tiles, ctx.scale = tiles, scale
        out = torch.empty_like(q)
        wide_k, values = widen(k[0]).contiguous(), v[0].contiguous()
        with float32_products_by_onednn(q.dtype):
            for tile in tiles:
                q_rows = _below_one_another(q, tile, len(values))
                keys = seen_keys(wide_k, tile.keys)
                weights = _softmax(widen(q_rows), keys, tile, scale).to(q.dtype)
                _put(out, tile, weights @ seen_keys(values, tile.keys))
        ctx.save_for_backward(q, k, v)
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v = ctx.saved_tensors
        grad_q = torch.empty_like(q)
        k, v = k[0].contiguous(), v[0].contiguous()
        wide_k = widen(k)
        grad_k, grad_v = torch.zeros_like(wide_k), torch.zeros_like(wide_k)
        with float32_products_by_onednn(q.dtype):
            for tile in ctx.tiles:
                q_rows, grad_rows = (_below_one_another(x, tile, len(k)) for x in (q, grad_out))
                weights = _softmax(widen(q_rows), seen_keys(wide_k, tile.keys), tile, ctx.scale).to(
                    q.dtype
                )
                grad_weights = grad_rows @ seen_keys(v, tile.keys).mT
                grad_scores = torch.ops.aten._softmax_backward_data(
                    grad_weights, weights, -1, q.dtype
                )
                _put(grad_q, tile, grad_scores @ seen_keys(k, tile.keys))
                add_to_seen(grad_k, tile.keys, grad_scores.mT @ q_rows)
                add_to_seen(grad_v, tile.keys, weights.mT @ grad_rows)
        grad_q, grad_k = grad_q.mul_(ctx.scale), grad_k.mul_(ctx.scale).to(q.dtype)[None]
        return grad_q, grad_k, grad_v.to(q.dtype)[None], None, None


@contextmanager
def float32_products_by_onednn(dtype: torch.dtype) -> Iterator[None]:
    """Inside, where `dtype` is bfloat16, float32 products are oneDNN's instead of MKL's: as fast on
    AMD's Zen 4, twice as fast on Zen 5. With matrix units (AMX) their factors are taken as
    bfloat16, which is exact here, for they were; without, oneDNN multiplies float32 all the same.
    """
    products: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = products.fp32_precision
    if dtype == torch.bfloat16:
        products.fp32_precision = "bf16"
    try:
        yield
    finally:
        products.fp32_precision = before


def _softmax(q_rows: Tensor, keys: Tensor, tile: Tile, scale: float) -> Tensor:
    """(G, H / G * R, N) in the dtype of its factors."""
    scores = q_rows.new_empty(len(q_rows), q_rows.shape[1], keys.shape[1])
    torch.baddbmm(scores, q_rows, keys.mT, beta=0, alpha=scale, out=scores)
    if tile.hidden_RM is not None:
        rows, partly_seen = tile.hidden_RM.shape
        scores.view(len(q_rows), -1, rows, keys.shape[1])[..., -partly_seen:] += tile.hidden_RM
    return torch.softmax(scores, -1, out=scores)


def _below_one_another(x: Tensor, tile: Tile, groups: int) -> Tensor:
    """A tile's rows of (1, H, Q, K) as (G, H / G * R, K)."""
    return x[0, :, tile.rows].reshape(groups, -1, x.shape[-1])


def _put(x: Tensor, tile: Tile, rows: Tensor) -> None:
    x[0, :, tile.rows] = rows.view(x.shape[1], -1, x.shape[-1])


def seen_keys(x: Tensor, keys: tuple[slice, ...]) -> Tensor:
    """A tile's `keys` of (G, P + T, K) as (G, N, K)."""
    first, *others = keys
    return torch.cat([x[:, run] for run in keys], 1) if others else x[:, first]


def add_to_seen(x: Tensor, keys: tuple[slice, ...], seen: Tensor) -> None:
    """Add (G, N, K) to a tile's `keys` of (G, P + T, K)."""
    start = 0
    for run in keys:
        stop = start + run.stop - run.start
        x[:, run] += seen[:, start:stop]
        start = stop
