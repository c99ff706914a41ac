"""Tree attention: what each token of a prefix tree may see, and two ways to compute it.

Registered with transformers under ATTENTION, for the mask too: transformers' own mask builder takes
every jump of positions for a new document and would silently cut branches off their prefix.

Shapes: T tokens of the tree, H query heads, G key/value heads, K head size.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from tooltune.packing.tree import PrefixTree, Segment

ATTENTION = "tooltune"

Kernel = Literal["segments", "reference"]

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """Who sees whom in one micro-batch: `k <= q < subtree_end_T[k]`."""

    subtree_end_T: Tensor
    segments: tuple[Segment, ...]
    kernel: Kernel


def tree_layout(tree: PrefixTree, device: torch.device, kernel: Kernel) -> TreeLayout:
    """The part of a tree that attention needs, on the device that computes."""
    subtree_end_T = torch.from_numpy(tree.subtree_end_T).to(device)
    return TreeLayout(subtree_end_T, tuple(tree.segments()), kernel)


def tree_attention(q: Tensor, k: Tensor, v: Tensor, layout: TreeLayout, scale: float) -> Tensor:
    """Attention output (1, H, T, K) for q (1, H, T, K) and k, v (1, G, T, K)."""
    if layout.kernel == "reference":
        return _reference(q, k, v, layout.subtree_end_T, scale)
    out: Tensor = _SegmentAttention.apply(q, k, v, layout.segments, scale)  # type: ignore[no-untyped-call]
    return out


def _reference(q: Tensor, k: Tensor, v: Tensor, subtree_end_T: Tensor, scale: float) -> Tensor:
    """One dense mask: slow, obvious, and what the other kernel is tested against."""
    index_T = torch.arange(len(subtree_end_T), device=q.device)
    visible_TT = (index_T[None, :] <= index_T[:, None]) & (
        index_T[:, None] < subtree_end_T[None, :]
    )
    return F.scaled_dot_product_attention(q, k, v, visible_TT, scale=scale, enable_gqa=True)


class _SegmentAttention(torch.autograd.Function):
    """Unmasked rectangles and causal triangles, merged by log-sum-exp.

    Depth-first order makes everything below a segment one contiguous range of queries, so the tree
    mask is exactly: a causal triangle for each segment, and for each segment with branches one
    unmasked rectangle (queries below it x its own keys). A block's backward needs only the output
    and log-sum-exp of the whole row, as in ring attention (arXiv 2310.01889).
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, segments: tuple[Segment, ...], scale: float
    ) -> Tensor:
        out = torch.zeros_like(q)
        lse = torch.full(q.shape[:-1], -torch.inf, dtype=_lse_dtype(q), device=q.device)
        for queries, keys, is_causal in _blocks(segments):
            block_out, block_lse = _flash(
                q[:, :, queries], k[:, :, keys], v[:, :, keys], 0.0, is_causal, scale=scale
            )
            _merge(out[:, :, queries], lse[:, :, queries], block_out, block_lse)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.segments, ctx.scale = segments, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        grad_q, grad_k, grad_v = (torch.zeros_like(tensor) for tensor in (q, k, v))
        group = q.shape[1] // k.shape[1]
        for queries, keys, is_causal in _blocks(ctx.segments):
            block_q, block_k, block_v = _flash_backward(
                grad_out[:, :, queries],
                q[:, :, queries],
                k[:, :, keys].repeat_interleave(group, 1),
                v[:, :, keys].repeat_interleave(group, 1),
                out[:, :, queries],
                lse[:, :, queries],
                0.0,
                is_causal,
                scale=ctx.scale,
            )
            grad_q[:, :, queries] += block_q
            grad_k[:, :, keys] += block_k.unflatten(1, (-1, group)).sum(2)
            grad_v[:, :, keys] += block_v.unflatten(1, (-1, group)).sum(2)
        return grad_q, grad_k, grad_v, None, None


def _blocks(segments: tuple[Segment, ...]) -> list[tuple[slice, slice, bool]]:
    """(queries, keys, is_causal) of every block of the mask, ancestors first."""
    blocks = []
    for segment in segments:
        own = slice(segment.start, segment.end)
        blocks.append((own, own, True))
        if segment.subtree_end > segment.end:
            blocks.append((slice(segment.end, segment.subtree_end), own, False))
    return blocks


def _merge(out: Tensor, lse: Tensor, block_out: Tensor, block_lse: Tensor) -> None:
    """Fold one block's softmax average into the running one, in place."""
    total = torch.logaddexp(lse, block_lse)
    out.mul_((lse - total).exp_().unsqueeze(-1)).add_(
        block_out * (block_lse - total).exp_().unsqueeze(-1)
    )
    lse.copy_(total)


def _lse_dtype(q: Tensor) -> torch.dtype:
    return torch.float64 if q.dtype == torch.float64 else torch.float32


@dataclass(slots=True)
class DecodeState:
    """Keys and values while B rows are decoded one token at a time.

    `root_*` is computed once and seen by all rows; `own_*` (layer, B, G, M, K) holds each row's
    further tokens, `lengths_B` of them filled, the token being computed included.
    """

    root_k: list[Tensor]
    root_v: list[Tensor]
    own_k: list[Tensor]
    own_v: list[Tensor]
    lengths_B: Tensor
    hidden_BM: Tensor
    """Additive mask of the unfilled places, -inf there."""


def decode_attention(
    q: Tensor, k: Tensor, v: Tensor, layer: int, state: DecodeState, scale: float
) -> Tensor:
    """Store this token's k, v (B, G, 1, K) and attend with q (B, H, 1, K)."""
    rows = torch.arange(len(q), device=q.device)
    own_k, own_v = state.own_k[layer], state.own_v[layer]
    own_k[rows, :, state.lengths_B - 1] = k[:, :, 0]
    own_v[rows, :, state.lengths_B - 1] = v[:, :, 0]
    B, H, _, K = q.shape
    G = k.shape[1]
    grouped_BGRK = q.view(B, G, H // G, K)
    scores = torch.matmul(grouped_BGRK, own_k.transpose(-1, -2)).float() * scale
    scores += state.hidden_BM[:, None, None, :]
    root_k, root_v = state.root_k[layer], state.root_v[layer]
    flat_GQK = grouped_BGRK.transpose(0, 1).reshape(G, -1, K)
    root = torch.matmul(flat_GQK, root_k[0].transpose(-1, -2)).float() * scale
    root = root.view(G, B, H // G, -1).transpose(0, 1)
    weights = torch.cat([root, scores], dim=-1).softmax(-1).to(q.dtype)
    P = root_k.shape[2]
    own_out = torch.matmul(weights[..., P:], own_v)
    root_weights = weights[..., :P].transpose(0, 1).reshape(G, B * (H // G), P)
    root_out = torch.matmul(root_weights, root_v[0]).view(G, B, H // G, K).transpose(0, 1)
    return (root_out + own_out).reshape(B, H, 1, K)


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    tree: TreeLayout | None = None,
    captured: list[tuple[Tensor, Tensor]] | None = None,
    decode: DecodeState | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface. `captured` collects each layer's keys and values."""
    if decode is not None:
        layer = module.layer_idx
        assert isinstance(layer, int)
        out = decode_attention(query, key, value, layer, decode, scaling)
    else:
        assert tree is not None, "every forward pass names its tree"
        if captured is not None:
            captured.append((key, value))
        out = tree_attention(query, key, value, tree, scaling)
    return out.transpose(1, 2), None


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, lambda *_, **__: None)
