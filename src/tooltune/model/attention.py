"""Tree attention: what each token of a prefix tree may see, and three ways to compute it.

Registered with transformers under ATTENTION, for the mask too: transformers' own mask builder takes
every jump of positions for a new document and would silently cut branches off their prefix.

Shapes: T tokens computed now, Q of them whose outputs are wanted (all but in the last layer), P
tokens before them that all of them see (their keys and values are there already), H query heads, G
key/value heads, K head size.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from tooltune.model.decode import DecodeState, decode_attention
from tooltune.packing.tree import IntArray, Piece, PrefixTree, Segment

ATTENTION = "tooltune"

Kernel = Literal["segments", "flex", "reference"]
"""`segments` is for processors, `flex` for GPUs, `reference` for comparing with."""

KeysValues = dict[int, tuple[Tensor, Tensor]]
"""Layer -> keys and values (1, G, T, K)."""

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Block(NamedTuple):
    """A part of the mask without holes: a rectangle, or a causal triangle."""

    queries: slice
    keys: slice
    is_causal: bool


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """Who sees whom in one pass: all see the P tokens before; of the T, `k <= q < end_T[k]`."""

    subtree_end_T: Tensor
    rows_Q: Tensor
    """The tokens whose outputs are wanted, ascending."""
    kernel: Kernel
    blocks: tuple[Block, ...] = ()
    """Of the `segments` kernel."""
    block_mask: BlockMask | None = None
    """Of the `flex` kernel, made once for all layers."""

    @property
    def wants_all(self) -> bool:
        return len(self.rows_Q) == len(self.subtree_end_T)


def tree_layout(
    tree: PrefixTree,
    piece: Piece,
    device: torch.device,
    kernel: Kernel | None = None,
    wanted_Q: IntArray | None = None,
) -> TreeLayout:
    """What attention needs of a piece, counted from its start, on the device that computes.

    `kernel` None takes the device's own, `wanted_Q` (ascending) None all tokens.
    """
    kernel = kernel or ("flex" if device.type == "cuda" else "segments")
    start, end = piece.start, piece.end
    tokens, past_tokens = end - start, int(tree.positions_T[start])
    subtree_end_T = torch.from_numpy(np.minimum(tree.subtree_end_T[start:end], end) - start)
    subtree_end_T = subtree_end_T.to(device)
    rows = np.arange(tokens) if wanted_Q is None else wanted_Q
    rows_Q = torch.from_numpy(rows).to(device)
    if kernel == "flex":
        sees = _sees(subtree_end_T, rows_Q, past_tokens)
        mask = create_block_mask(sees, None, None, len(rows), past_tokens + tokens, device=device)
        return TreeLayout(subtree_end_T, rows_Q, kernel, block_mask=mask)
    if kernel == "reference":
        return TreeLayout(subtree_end_T, rows_Q, kernel)
    segments = [
        Segment(segment.start - start, segment.end - start, min(segment.subtree_end, end) - start)
        for segment in tree.segments()
        if start <= segment.start < end
    ]
    return TreeLayout(subtree_end_T, rows_Q, kernel, _blocks(segments, rows, past_tokens))


def tree_attention(q: Tensor, k: Tensor, v: Tensor, layout: TreeLayout, scale: float) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K)."""
    if layout.kernel == "reference":
        return _reference(q, k, v, layout, scale)
    if layout.kernel == "flex":
        flex: Any = _compiled_flex() if q.is_cuda else flex_attention
        mixed: Tensor = flex(q, k, v, block_mask=layout.block_mask, scale=scale, enable_gqa=True)
        return mixed
    out: Tensor = _BlockAttention.apply(q, k, v, layout, scale)  # type: ignore[no-untyped-call]
    return out


def _reference(q: Tensor, k: Tensor, v: Tensor, layout: TreeLayout, scale: float) -> Tensor:
    """One dense mask: slow, obvious, and what the other kernels are tested against."""
    past_tokens = k.shape[2] - len(layout.subtree_end_T)
    query_Q1 = torch.arange(q.shape[2], device=q.device)[:, None]
    key_P = torch.arange(k.shape[2], device=q.device)
    sees = _sees(layout.subtree_end_T, layout.rows_Q, past_tokens)
    visible_QP = sees(None, None, query_Q1, key_P)
    return F.scaled_dot_product_attention(q, k, v, visible_QP, scale=scale, enable_gqa=True)


def _sees(subtree_end_T: Tensor, rows_Q: Tensor, past_tokens: int) -> Callable[..., Tensor]:
    """The mask as FlexAttention wants it: a function of batch, head, query and key index."""

    def sees(_batch: Any, _head: Any, query: Tensor, key: Tensor) -> Tensor:
        own, row = key - past_tokens, rows_Q[query]
        return (own < 0) | ((own <= row) & (row < subtree_end_T[own.clamp(min=0)]))

    return sees


@cache
def _compiled_flex() -> Callable[..., Any]:
    """Fused only when compiled; one kernel for every number of tokens."""
    return torch.compile(flex_attention, dynamic=True)


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
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, layout: TreeLayout, scale: float
    ) -> Tensor:
        out = torch.empty_like(q)
        lse = torch.empty(q.shape[:-1], dtype=_lse_dtype(q), device=q.device)
        for queries, keys, is_causal in layout.blocks:
            block_out, block_lse = _flash(
                q[:, :, queries], k[:, :, keys], v[:, :, keys], 0.0, is_causal, scale=scale
            )
            if is_causal:
                out[:, :, queries], lse[:, :, queries] = block_out, block_lse
            else:
                _merge(out[:, :, queries], lse[:, :, queries], block_out, block_lse)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.layout, ctx.scale = layout, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        group = q.shape[1] // k.shape[1]
        k, v = _one_per_query_head(k, group), _one_per_query_head(v, group)
        grad_q, grad_k, grad_v = (torch.empty_like(tensor) for tensor in (q, k, v))
        # Where every output is wanted, a triangle writes every own key.
        unwritten = k.shape[2]
        if ctx.layout.wants_all:
            unwritten -= q.shape[2]
        grad_k[:, :, :unwritten], grad_v[:, :, :unwritten] = 0, 0
        for queries, keys, is_causal in ctx.layout.blocks:
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


def _blocks(segments: list[Segment], rows_Q: IntArray, past_tokens: int) -> tuple[Block, ...]:
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


def _merge(out: Tensor, lse: Tensor, block_out: Tensor, block_lse: Tensor) -> None:
    """Fold one block's softmax average into the running one, in place."""
    share = torch.sigmoid(block_lse - lse).unsqueeze(-1)
    wide = out.to(lse.dtype).lerp_(block_out.to(lse.dtype), share)
    if wide.data_ptr() != out.data_ptr():
        out.copy_(wide)
    lse.copy_(torch.logaddexp(lse, block_lse))


def _lse_dtype(q: Tensor) -> torch.dtype:
    return torch.float64 if q.dtype == torch.float64 else torch.float32


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
