"""Tree attention by FlexAttention, for GPUs.

FlexAttention computes blocks of 128 queries and 128 keys and leaves out those that the mask hides.
It is fast only compiled, and a compiled kernel serves only what looks like the call it was made
for: lengths that are equal or 1 there, a mask of one block, a length below 128. After eight such
kernels torch makes no more: it warns, and computes with all scores at once. So calls look alike
here: queries and keys are filled up to whole blocks, two at least, and lengths that happen to be
equal are told apart.

Shapes: T tokens computed now, P tokens before them, Q queries, H query heads, G key/value heads, K
head size.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental import _config
from torch.nn.attention.flex_attention import BlockMask, flex_attention

_BLOCK = 128
_KERNELS = 32
"""More than the ways to call it: with gradients of all inputs, some or none, and in two modes
without, for each number format and shape of heads. Beyond them it is an error."""
_shape_settings: Any = _config
_EQUAL_LENGTHS_APART = _shape_settings.patch(use_duck_shape=False)
"""Made once: each patch leaves something behind in its thread."""


def suits_flex(device: torch.device) -> bool:
    """Triton, which it is compiled by, has matrix units from compute capability 8.0 on."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def flex_mask(subtree_end_T: Tensor, rows_Q: Tensor, past_tokens: int) -> BlockMask:
    """All see the P tokens before; of the T, row q sees k where `k <= q < subtree_end_T[k]`.

    Queries beyond Q see the first key, keys beyond P + T are seen by none.
    """
    tokens = past_tokens + len(subtree_end_T)
    end = subtree_end_T.new_zeros(_filled(tokens))
    end[:past_tokens] = tokens
    end[past_tokens:tokens] = subtree_end_T + past_tokens
    rows = rows_Q.new_zeros(_filled(len(rows_Q)))
    rows[: len(rows_Q)] = rows_Q + past_tokens

    def sees(_batch: Any, _head: Any, query: Tensor, key: Tensor) -> Tensor:
        return (key <= rows[query]) & (rows[query] < end[key])

    partial, full = _seen_blocks(end, rows)
    return BlockMask.from_kv_blocks(
        *_listed(partial),
        *_listed(full),
        BLOCK_SIZE=_BLOCK,
        mask_mod=sees,
        seq_lengths=(len(rows), len(end)),
    )


def _seen_blocks(end: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Which blocks of keys a block of queries sees in part, and which as a whole.

    As the library's `create_block_mask` finds them, but for one block of queries at a time: that
    holds several bytes for every query and key, 0.7 GB for 8,192 of each.
    """
    key = torch.arange(len(end), device=end.device)
    some, whole = [], []
    for row_B in rows.view(-1, _BLOCK):
        seen = (key <= row_B[:, None]) & (row_B[:, None] < end)
        blocks = seen.view(_BLOCK, -1, _BLOCK)
        some.append(blocks.any(2).any(0))
        whole.append(blocks.all(2).all(0))
    full = torch.stack(whole)
    return torch.stack(some) & ~full, full


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Their number in each row, and their places, these first."""
    places = blocks.int().argsort(dim=1, descending=True, stable=True)
    return blocks.sum(1, dtype=torch.int32)[None, None], places.int()[None, None]


def flex_tree_attention(q: Tensor, k: Tensor, v: Tensor, mask: BlockMask, scale: float) -> Tensor:
    """Attention output (1, H, Q, K) for q (1, H, Q, K) and k, v (1, G, P + T, K).

    On a processor all scores are held at once.
    """
    queries, keys = mask.shape[-2:]
    flex: Any = compiled_flex() if q.is_cuda else flex_attention
    with _EQUAL_LENGTHS_APART:
        out: Tensor = flex(
            _fill(q, queries),
            _fill(k, keys),
            _fill(v, keys),
            block_mask=mask,
            scale=scale,
            enable_gqa=True,
        )
    return out[:, :, : q.shape[2]]


@cache
def compiled_flex(backend: str | Callable[..., Any] = "inductor") -> Callable[..., Any]:
    """FlexAttention in one kernel for every length."""
    compile_: Any = torch.compile  # its overloads know nothing of a limit
    compiled: Callable[..., Any] = compile_(
        flex_attention, dynamic=True, backend=backend, fullgraph=True, recompile_limit=_KERNELS
    )
    return compiled


def _filled(length: int) -> int:
    return max(-(-length // _BLOCK), 2) * _BLOCK


def _fill(x: Tensor, length: int) -> Tensor:
    """Zeros below (1, H or G, rows, K), up to `length` rows."""
    missing = length - x.shape[2]
    return (F.pad(x, (0, 0, 0, missing)) if missing else x).contiguous()
