"""Which kernel of tree attention computes on this machine.

Shapes: H query heads, G key/value heads, K head size.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tooltune.model.attention import Kernel, tree_attention, tree_layout
from tooltune.model.compiled import kernels_obstacle
from tooltune.model.flex import suits_flex
from tooltune.packing.tree import Piece, TokenSequence, build_tree

FLEX_TOLERANCE = 0.02
"""Four times what bfloat16 rounds here; a wrong mask is off by far more."""


class Heads(NamedTuple):
    """H, G and K."""

    queries: int
    keys: int
    size: int


def heads_of(config: Any) -> Heads:
    """Of a model by transformers."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Heads(config.num_attention_heads, config.num_key_value_heads, size)


def fastest_kernel(device: torch.device, dtype: torch.dtype, heads: Heads) -> Kernel:
    """Of a processor where ours is not compiled, or a head's size is odd, which it does not take:
    `tiles` for bfloat16, `segments` for others."""
    if device.type == "cuda":
        return "masked" if flex_obstacle(device, dtype, heads) else "flex"
    if heads.size % 2 == 0 and not kernels_obstacle(dtype):
        return "fused"
    return "tiles" if dtype == torch.bfloat16 else "segments"


def flex_obstacle(device: torch.device, dtype: torch.dtype, heads: Heads) -> str:
    """Why `flex` does not compute on this GPU, empty where it does: it is compiled here, and must
    give what `masked` gives."""
    return _flex_obstacle(torch.empty(0, device=device).device, dtype, heads)


@cache
def _flex_obstacle(device: torch.device, dtype: torch.dtype, heads: Heads) -> str:
    """Of a device with its number, so that it is found out once."""
    if not suits_flex(device):
        return "FlexAttention has no matrix units on a GPU of compute capability below 8.0"
    try:
        with torch.inference_mode(False):
            difference = _flex_difference(device, dtype, heads)
    except Exception as error:  # a compiler's errors are of many kinds
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return f"FlexAttention could not be compiled ({reason})"
    if not difference <= FLEX_TOLERANCE:
        return f"FlexAttention computes something else on this GPU (off by {difference:.2g})"
    return ""


def _flex_difference(device: torch.device, dtype: torch.dtype, heads: Heads) -> float:
    """Largest relative difference of gradients from `masked`, and of outputs in each of the ways
    that are compiled apart, for two branches behind one prefix; NaN where there is one."""
    texts = ([*range(150), *range(start, start + 100)] for start in (200, 300))
    tree = build_tree(
        [TokenSequence(np.array(text, np.int32), np.ones(250, np.uint8)) for text in texts]
    )
    piece, random = Piece(0, tree.distinct_tokens), torch.Generator(device).manual_seed(7)
    q, k, v, weights = (
        torch.randn((1, count, piece.end, heads.size), generator=random, device=device, dtype=dtype)
        for count in (heads.queries, heads.keys, heads.keys, heads.queries)
    )

    def computed(kernel: Kernel) -> list[Tensor]:
        layout = tree_layout(tree, piece, device, kernel)

        def attend(*inputs: Tensor) -> Tensor:
            return tree_attention(inputs[0], inputs[1], inputs[2], layout, heads.size**-0.5)

        with torch.inference_mode():
            outputs = [attend(*(x.clone() for x in (q, k, v)))]
        with torch.no_grad():
            outputs.append(attend(q, k, v))
        with torch.enable_grad():
            inputs = [x.clone().requires_grad_() for x in (q, k, v)]
            out = attend(*inputs)
            return [*outputs, out.detach(), *torch.autograd.grad(out, inputs, weights)]

    pairs = zip(computed("flex"), computed("masked"), strict=True)
    differences = [(ours - other).float().norm() / other.float().norm() for ours, other in pairs]
    return float(torch.stack(differences).max())
