"""Products with a frozen weight, and an adapter's beside them, compiled where that is faster.

kernels/product.cpp computes both as one. Without it each caller has PyTorch's way.
Shapes: T tokens, I inputs, O outputs, R rank of an adapter.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from tooltune.model.compiled import call, kernels_for

FEWEST_ROWS = 96
"""Below, what the kernel does for each weight and not for each row is too much of it."""
MOST_STEPS = 2**14
"""Inputs of a product. Beyond, no rows of them stay in a near cache: the gradient of a head."""


def frozen_product(x: Tensor, weight_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """W x (..., O). The weight may have fewer bits than x."""
    if made := compiled_product(x, weight_OI):
        return made[0] if bias_O is None else made[0].add_(bias_O)
    return F.linear(x, weight_OI.to(x.dtype), bias_O)


def frozen_product_into(out_TO: Tensor, x_TI: Tensor, weight_OI: Tensor) -> None:
    """W x, in memory that is there already."""
    if not compiled_product(x_TI, weight_OI, out=out_TO):
        torch.mm(x_TI, weight_OI.T.to(x_TI.dtype), out=out_TO)


def frozen_gradient(grad_TO: Tensor, weight_OI: Tensor) -> Tensor:
    """Of a frozen product's input, (T, I)."""
    made = compiled_product(grad_TO, weight_OI, is_gradient=True)
    return made[0] if made else grad_TO @ weight_OI.to(grad_TO.dtype)


def compiled_product(
    x: Tensor,
    weight_OI: Tensor,
    adapter: tuple[Tensor, Tensor] | None = None,
    scale: float = 1.0,
    *,
    is_gradient: bool = False,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor] | None:
    """(W x + B low, low = scale A x as (T, R)) for A (R, I) and B (O, R), or, of the gradient of
    such a result, that of its input: (W' x + A' low, low = scale B' x). None where PyTorch computes
    as fast. `out` is where the first one goes."""
    steps, columns = weight_OI.shape if is_gradient else weight_OI.shape[::-1]
    if not is_faster_here(x.dtype) or x.numel() < FEWEST_ROWS * steps or steps > MOST_STEPS:
        return None
    down, up = adapter or (x.new_empty(0, 0), x.new_empty(0, 0))
    rank = len(down)
    if is_gradient:
        down, up = up, down
    kernels = kernels_for(x, down, up) and kernels_for(weight_OI, computes_in=x.dtype)
    if not kernels or weight_OI.dtype not in (torch.float32, torch.bfloat16):
        return None
    x, rows = x.contiguous(), x.numel() // steps
    out = x.new_empty(*x.shape[:-1], columns) if out is None else out
    low_TR = x.new_empty(rows, rank)
    weight = (weight_OI.contiguous(), int(weight_OI.dtype == torch.bfloat16))
    call(
        kernels.product,
        *(x, rows, steps),
        *(*weight, columns, int(not is_gradient)),
        *(down.contiguous(), up.contiguous(), rank, scale),
        *(low_TR, out),
    )
    return out, low_TR


def transposed_product(low_TR: Tensor, x_TN: Tensor) -> Tensor:
    """low' x (R, N): the outer products of all tokens, summed."""
    kernels = kernels_for(low_TR, x_TN)
    if not kernels or not is_faster_here(x_TN.dtype) or len(x_TN) < FEWEST_ROWS:
        return low_TR.T @ x_TN
    low_TR, x_TN = low_TR.contiguous(), x_TN.contiguous()
    sums = x_TN.new_zeros(low_TR.shape[1], x_TN.shape[1])
    call(kernels.transposed_product, low_TR, *low_TR.shape, x_TN, x_TN.shape[1], sums)
    return sums


@cache
def is_faster_here(dtype: torch.dtype) -> bool:
    """In float32, on processors with registers of 256 bits: what PyTorch's products leave unused
    was measured on AMD Zen 3. With AVX-512, and in bfloat16, it was not."""
    return dtype == torch.float32 and not torch.cpu.get_capabilities().get("avx512_dq")
