"""Tree attention in tiles, as one compiled function for processors.

kernels/attention.cpp computes what tiles.py computes, in bfloat16 twice as fast: no score, softmax
or gradient of one is written to memory.

Shapes: P + T keys, Q queries, R queries of one tile, H query heads, G key/value heads, K head size.
"""

import ctypes
from ctypes import c_float, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tooltune.model.compiled import call, kernels_for, kernels_obstacle
from tooltune.model.tiles import Tile

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TileArrays:
    """Tiles as the compiled function reads them."""

    rows: Int64Array
    """(tiles, 2): first query and end."""
    run_ends: Int64Array
    """(tiles): of each tile's runs of keys."""
    runs: Int64Array
    """(runs, 2): first key and end."""
    hidden: npt.NDArray[np.float32]
    """Each tile's `hidden_RM`, one after another."""
    hidden_starts: Int64Array
    """(tiles)."""
    hidden_keys: Int64Array
    """(tiles): M, 0 where every query sees every key."""


def tile_arrays(tiles: tuple[Tile, ...]) -> TileArrays:
    masks = [tile.hidden_RM for tile in tiles]
    sizes = [0 if mask is None else mask.numel() for mask in masks]
    empty = np.zeros(0, np.float32)
    return TileArrays(
        rows=np.asarray([(tile.rows.start, tile.rows.stop) for tile in tiles], np.int64),
        run_ends=np.cumsum([len(tile.keys) for tile in tiles], dtype=np.int64),
        runs=np.asarray([(run.start, run.stop) for tile in tiles for run in tile.keys], np.int64),
        hidden=np.concatenate(
            [empty, *(mask.numpy().ravel() for mask in masks if mask is not None)]
        ),
        hidden_starts=np.cumsum([0, *sizes[:-1]], dtype=np.int64),
        hidden_keys=np.asarray([0 if mask is None else mask.shape[1] for mask in masks], np.int64),
    )


def fused_attention(q: Tensor, k: Tensor, v: Tensor, tiles: TileArrays, scale: float) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K), all float32 or
    all bfloat16, with an even K. Raises ValueError for other tensors, for tiles of other ones,
    which would read beyond them, and where there are no compiled kernels."""
    if kernels_for(q, k, v) is None or q.shape[-1] % 2:
        found = kernels_obstacle(q.dtype) or f"got {q.dtype}, {k.dtype}, {v.dtype}, {q.shape[-1]}"
        raise ValueError(f"numbers of one kind and an even head size only ({found})")
    queries, keys = tiles.rows.max(initial=0), tiles.runs.max(initial=0)
    if queries != q.shape[2] or keys > k.shape[2]:
        raise ValueError(
            f"tiles of {queries} queries and {keys} keys for {q.shape[2]} and {k.shape[2]}"
        )
    out: Tensor = _FusedAttention.apply(q, k, v, tiles, scale)  # type: ignore[no-untyped-call]
    return out


class _FusedAttention(torch.autograd.Function):
    """Keeps queries, keys, values and the logarithm of each softmax's sum."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, tiles: TileArrays, scale: float
    ) -> Tensor:
        q, k, v = (_with_contiguous_heads(x) for x in (q, k, v))
        out = torch.empty_like(q)
        log_sums_HQ = torch.empty(q.shape[1:3], dtype=torch.float32)
        shape = ctypes.byref(_tiles(tiles, q, k, scale))
        call(_kernels(q).attention, shape, *map(_heads, (q, k, v, out)), log_sums_HQ)
        ctx.save_for_backward(q, k, v, log_sums_HQ)
        ctx.tiles, ctx.scale = tiles, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, log_sums_HQ = ctx.saved_tensors
        grad_out = _with_contiguous_heads(grad_out)
        grad_q, grad_k, grad_v = (torch.empty_like(x) for x in (q, k, v))
        shape = ctypes.byref(_tiles(ctx.tiles, q, k, ctx.scale))
        inputs, outputs = (q, k, v, grad_out), (grad_q, grad_k, grad_v)
        call(
            _kernels(q).attention_backward,
            shape,
            *map(_heads, inputs),
            log_sums_HQ,
            *map(_heads, outputs),
        )
        return grad_q, grad_k, grad_v, None, None


def _kernels(x: Tensor) -> Any:
    return kernels_for(x)


def _with_contiguous_heads(x: Tensor) -> Tensor:
    """The layers' own heads are; what is expanded, as a gradient can be, is copied."""
    is_apart = x.stride(-1) == 1 and all(stride % 2 == 0 and stride for stride in x.stride()[1:3])
    return x if is_apart else x.contiguous()


class _Heads(ctypes.Structure):
    _fields_ = (("data", c_void_p), ("head_stride", c_size_t), ("token_stride", c_size_t))


class _Tiles(ctypes.Structure):
    _fields_ = (
        *(
            (name, c_size_t)
            for name in ("count", "queries", "keys", "heads", "groups", "head_size")
        ),
        ("scale", c_float),
        *((name, c_void_p) for name in TileArrays.__slots__),
    )


def _heads(x: Tensor) -> _Heads:
    return _Heads(x.data_ptr(), x.stride(1), x.stride(2))


def _tiles(tiles: TileArrays, q: Tensor, k: Tensor, scale: float) -> _Tiles:
    arrays = (getattr(tiles, name).ctypes.data for name in TileArrays.__slots__)
    counts = (len(tiles.rows), q.shape[2], k.shape[2], q.shape[1], k.shape[1], q.shape[3])
    return _Tiles(*counts, scale, *arrays)
