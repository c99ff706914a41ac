"""RMSNorm for a frozen decoder: one tensor kept, and half precision widened to float32 inside.

kernels/rms_norm.cpp is the same in one pass over memory.
"""

from typing import Any

import torch
from torch import Tensor, nn

from tooltune.model.compiled import call, kernels_for
from tooltune.model.widen import widen

NORM_ROWS = 512
"""Rows of a norm that a processor widens to float32 at once; 1,024 are as fast."""

_MARGIN = 64
"""Numbers; 96 bytes are what glibc asks for beyond a tensor's size."""


class RmsNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, over the last dimension."""

    def __init__(self, weight: nn.Parameter, eps: float) -> None:
        super().__init__()
        self.weight = weight
        self.eps = float(eps)  # a config may say 0

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _RmsNorm.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        return y


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        y, rstd = rms_norm(x, weight, eps)
        ctx.save_for_backward(x, rstd, weight)
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, rstd, weight = ctx.saved_tensors
        return rms_norm_backward(grad_y, x, rstd, weight), None, None


def rms_norm(
    x: Tensor, weight: Tensor, eps: float, *, is_kept: bool = True
) -> tuple[Tensor, Tensor]:
    """The norm of x, and 1 / sqrt(mean(x^2) + eps) for `rms_norm_backward`.

    On a processor some rows at a time: what is widened to float32 would leave holes in the heap
    into which the next tensors do not fit.
    """
    y = empty_rows_like(x) if is_kept else brief_rows_like(x)
    if kernels := kernels_for(x, weight):
        x, width = x.contiguous(), x.shape[-1]
        rstd = torch.empty(x.shape[:-1], dtype=torch.float32)
        call(kernels.rms_norm, x, weight, eps, rstd.numel(), width, y, rstd)
        return y, rstd
    rstd = widen(x.new_empty(*x.shape[:-1], 1))
    for x_rows, y_rows, rstd_rows in zip(*map(_runs, (x, y, rstd)), strict=True):
        wide = widen(x_rows)
        torch.mean(wide.square(), -1, keepdim=True, out=rstd_rows).add_(eps).rsqrt_()
        torch.mul(wide * rstd_rows, weight, out=y_rows)
    return y, rstd


def rms_norm_backward(grad_y: Tensor, x: Tensor, rstd: Tensor, weight: Tensor) -> Tensor:
    """Gradient of x; the weight is frozen."""
    grad_x = empty_rows_like(x)
    if kernels := kernels_for(x, weight):
        x, grad, width = x.contiguous(), grad_y.contiguous(), x.shape[-1]
        call(kernels.rms_norm_backward, grad, x, weight, rstd, rstd.numel(), width, grad_x)
        return grad_x
    tensors = (x, rstd, grad_y, grad_x)
    for x_rows, rstd_rows, grad_rows, out_rows in zip(*map(_runs, tensors), strict=True):
        wide = widen(x_rows)
        grad = widen(grad_rows) * weight
        slope = (grad * wide).sum(-1, keepdim=True).mul_(rstd_rows.pow(3)).div_(-x.shape[-1])
        torch.addcmul(grad.mul_(rstd_rows), wide, slope, out=out_rows)
    return grad_x


def in_rows(x: Tensor, most: int) -> tuple[Tensor, ...]:
    """Its rows (..., I) in runs of one length, at most `most`; the last may be shorter. Of bfloat16
    products each length is another one to compile."""
    rows_TI = x.flatten(0, -2)
    runs = -(-len(rows_TI) // most)
    return torch.chunk(rows_TI, runs) if runs > 1 else (rows_TI,)


def empty_rows_like(x: Tensor) -> Tensor:
    """To be written through `in_rows`, which copies what is not contiguous."""
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def brief_rows_like(x: Tensor) -> Tensor:
    """The same for what is dropped soon, in a place a little longer: else none of those that come
    next and are kept, as large as x, would fit into it (see heap.py), and a hole stays."""
    return x.new_empty(x.numel() + _MARGIN)[: x.numel()].view(x.shape)


def _runs(x: Tensor) -> tuple[Tensor, ...]:
    return in_rows(x, NORM_ROWS if x.device.type == "cpu" else x.numel())
