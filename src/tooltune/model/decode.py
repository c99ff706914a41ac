"""Keys and values of rows that are decoded together, and their attention.

Shapes: B rows, H query heads, G key/value heads, P places all rows share, M places of a row's own,
K head size, R query heads of one key/value head.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

GROW_PLACES = 32


@dataclass(slots=True)
class DecodeRows:
    """Keys and values of B rows' own tokens (layer, B, G, M, K), `lengths_B` of the M places
    filled, the token being computed included."""

    own_k: list[Tensor]
    own_v: list[Tensor]
    lengths_B: Tensor
    hidden_BM: Tensor
    """Additive mask of the unfilled places, -inf there."""


@dataclass(slots=True)
class DecodeState:
    """Keys and values while rows are decoded one token at a time.

    `root_*` is computed once and seen by all rows. What each row has of its own is kept in groups
    of about equal length, for every place is read for every token.
    """

    root_k: list[Tensor]
    root_v: list[Tensor]
    groups: list[DecodeRows]


def decode_attention(
    q: Tensor, k: Tensor, v: Tensor, layer: int, state: DecodeState, scale: float
) -> Tensor:
    """Store this token's k, v (B, G, 1, K) and attend with q (B, H, 1, K); B rows of all groups."""
    root_GPK = state.root_k[layer][0], state.root_v[layer][0]
    out, start = [], 0
    for group in state.groups:
        rows = slice(start, start + len(group.lengths_B))
        out.append(_attend_rows(q[rows], k[rows], v[rows], layer, group, root_GPK, scale))
        start = rows.stop
    return torch.cat(out)


def _attend_rows(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    layer: int,
    group: DecodeRows,
    root_GPK: tuple[Tensor, Tensor],
    scale: float,
) -> Tensor:
    rows = torch.arange(len(q), device=q.device)
    own_k, own_v = group.own_k[layer], group.own_v[layer]
    own_k[rows, :, group.lengths_B - 1] = k[:, :, 0]
    own_v[rows, :, group.lengths_B - 1] = v[:, :, 0]
    B, H, _, K = q.shape
    G = k.shape[1]
    # Queries take the scale's power of two, exactly: unscaled scores can overflow float16.
    scale, exponent = math.frexp(scale)
    grouped_BGRK = q.view(B, G, H // G, K) * 2.0**exponent
    scores = torch.matmul(grouped_BGRK, own_k.transpose(-1, -2)).float() * scale
    scores += group.hidden_BM[:, None, None, :]
    root_k, root_v = root_GPK
    flat_GQK = grouped_BGRK.transpose(0, 1).reshape(G, -1, K)
    root = torch.matmul(flat_GQK, root_k.transpose(-1, -2)).float() * scale
    root = root.view(G, B, H // G, -1).transpose(0, 1)
    weights = torch.cat([root, scores], dim=-1).softmax(-1).to(q.dtype)
    P = root_k.shape[1]
    own_out = torch.matmul(weights[..., P:], own_v)
    root_weights = weights[..., :P].transpose(0, 1).reshape(G, B * (H // G), P)
    root_out = torch.matmul(root_weights, root_v).view(G, B, H // G, K).transpose(0, 1)
    return (root_out + own_out).reshape(B, H, 1, K)


def open_place(group: DecodeRows) -> None:
    """Make room for one more token in every row, and hide the places not filled."""
    group.lengths_B = group.lengths_B + 1
    places = group.own_k[0].shape[2]
    if int(group.lengths_B.max()) > places:
        places += GROW_PLACES
        for tensors in (group.own_k, group.own_v):
            for layer, tensor in enumerate(tensors):
                B, G, _, K = tensor.shape
                more = tensor.new_zeros(B, G, GROW_PLACES, K)
                tensors[layer] = torch.cat([tensor, more], dim=2)
    index_M = torch.arange(places, device=group.lengths_B.device)
    hidden = index_M[None, :] >= group.lengths_B[:, None]
    group.hidden_BM = torch.zeros(hidden.shape, device=hidden.device).masked_fill_(
        hidden, -torch.inf
    )


def kept_rows(groups: list[DecodeRows], kept: Tensor) -> list[DecodeRows]:
    """The groups with the rows `kept`, ascending and counted over all groups."""
    left = []
    start = 0
    for group in groups:
        end = start + len(group.lengths_B)
        inside = kept[(kept >= start) & (kept < end)] - start
        if 0 < len(inside) < len(group.lengths_B):
            for tensors in (group.own_k, group.own_v):
                for layer, tensor in enumerate(tensors):
                    tensors[layer] = tensor[inside]
            group.lengths_B = group.lengths_B[inside]
        left += [group] if len(inside) else []
        start = end
    return left
