"""Tree attention by PyTorch's flash kernel for processors: blocks without holes, merged.

Shapes: T tokens computed now, P tokens before them, Q queries, H query heads, G key/value heads, K
head size.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tooltune.model.widen import wide_dtype
from tooltune.packing.tree import IntArray, Segment

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Block(NamedTuple):
    """A part of the mask without holes: a rectangle, or a causal triangle."""

    queries: slice
    keys: slice
    is_causal: bool


def cut_blocks(segments: list[Segment], rows_Q: IntArray, past_tokens: int) -> tuple[Block, ...]:
    """Every block of the mask, the causal ones first."""
    triangles, rectangles = [], []
    if past_tokens:
        rectangles.append(Block(slice(None), slice(0, past_tokens), False))
    for segment in segments:
        first, end, below = np.searchsorted(
            rows_Q, (segment.start, segment.end, segment.subtree_end)
        ).tolist()
        breaks = np.flatnonzero(np.diff(rows_Q[first:end]) > 1) + 1 + first
        edges = [first, *breaks.tolist(), end] if end > first else []
        keys_start = past_tokens + segment.start
        for start, stop in pairwise(edges):
            queries = slice(start, stop)
            run_start = past_tokens + int(rows_Q[start])
            triangles.append(Block(queries, slice(run_start, run_start + stop - start), True))
            if run_start > keys_start:
                rectangles.append(Block(queries, slice(keys_start, run_start), False))
        if below > end:
            keys = slice(keys_start, past_tokens + segment.end)
            rectangles.append(Block(slice(end, below), keys, False))
    return (*triangles, *rectangles)


def block_attention(
    q: Tensor, k: Tensor, v: Tensor, blocks: tuple[Block, ...], scale: float
) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K)."""
    out: Tensor = _BlockAttention.apply(q, k, v, blocks, scale)  # type: ignore[no-untyped-call]
    return out


class _BlockAttention(torch.autograd.Function):
    """Unmasked rectangles and causal triangles, merged by log-sum-exp.

    Depth-first order makes everything below a segment one contiguous range of queries, so the tree
    mask is exactly: a causal triangle for each segment, and for each segment with branches one
    unmasked rectangle (queries below it x its own keys), as for the tokens before. Where only some
    outputs are wanted, each run of them in a segment has a triangle, and a rectangle of the
    segment's keys before it. The triangles meet every query once, so they start the sums and only
    rectangles are merged in. A block's backward needs only the output and log-sum-exp of the whole
    row, as in ring attention (arXiv 2310.01889).
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, blocks: tuple[Block, ...], scale: float
    ) -> Tensor:
        out = torch.empty_like(q)
        lse = torch.empty(q.shape[:-1], dtype=wide_dtype(q.dtype), device=q.device)
        for queries, keys, is_causal in blocks:
            block_out, block_lse = _flash(
                q[:, :, queries], k[:, :, keys], v[:, :, keys], 0.0, is_causal, scale=scale
            )
            if is_causal:
                out[:, :, queries], lse[:, :, queries] = block_out, block_lse
            else:
                _merge(out[:, :, queries], lse[:, :, queries], block_out, block_lse)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.blocks, ctx.scale = blocks, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        group = q.shape[1] // k.shape[1]
        k, v = _one_per_query_head(k, group), _one_per_query_head(v, group)
        # Every query is in a triangle; keys are only where all outputs are wanted.
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for queries, keys, is_causal in ctx.blocks:
            block_q, block_k, block_v = _flash_backward(
                grad_out[:, :, queries],
                q[:, :, queries],
                k[:, :, keys],
                v[:, :, keys],
                out[:, :, queries],
                lse[:, :, queries],
                0.0,
                is_causal,
                scale=ctx.scale,
            )
            if is_causal:
                grad_q[:, :, queries] = block_q
                grad_k[:, :, keys], grad_v[:, :, keys] = block_k, block_v
            else:
                grad_q[:, :, queries] += block_q
                grad_k[:, :, keys] += block_k
                grad_v[:, :, keys] += block_v
        if group > 1:
            heads = (1, -1, group, *grad_k.shape[2:])
            grad_k, grad_v = (grad.reshape(heads).sum(2) for grad in (grad_k, grad_v))
        return grad_q, grad_k, grad_v, None, None


def _one_per_query_head(keys: Tensor, group: int) -> Tensor:
    """(1, G, T, K) -> (1, G * group, T, K), the heads of a token side by side in memory."""
    return keys.transpose(1, 2).repeat_interleave(group, 2).transpose(1, 2)


def _merge(out: Tensor, lse: Tensor, block_out: Tensor, block_lse: Tensor) -> None:
    """Fold one block's softmax average into the running one, in place."""
    share = torch.sigmoid(block_lse - lse).unsqueeze(-1)
    wide = out.to(lse.dtype).lerp_(block_out.to(lse.dtype), share)
    if wide.data_ptr() != out.data_ptr():
        out.copy_(wide)
    lse.copy_(torch.logaddexp(lse, block_lse))
