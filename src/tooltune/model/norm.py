"""RMSNorm for a frozen decoder: one tensor kept, and half precision widened to float32 inside.

kernels/rms_norm.cpp is the same in one pass over memory.
"""

from typing import Any

import torch
from torch import Tensor, nn

from tooltune.model.compiled import call, kernels_for
from tooltune.model.mlp import empty_rows_like, in_rows
from tooltune.model.widen import widen

NORM_ROWS = 512
"""Rows of a norm that a processor widens to float32 at once; 1,024 are as fast."""


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
    """On a processor some rows at a time: what is widened to float32 would leave holes in the heap
    into which the next tensors do not fit."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        y = empty_rows_like(x)
        if kernels := kernels_for(x, weight):
            x, width = x.contiguous(), x.shape[-1]
            rstd = torch.empty(x.shape[:-1], dtype=torch.float32)
            call(kernels.rms_norm, x, weight, eps, rstd.numel(), width, y, rstd)
            ctx.save_for_backward(x, rstd, weight)
            return y
        rstd = widen(x.new_empty(*x.shape[:-1], 1))
        for x_rows, y_rows, rstd_rows in zip(*map(_runs, (x, y, rstd)), strict=True):
            wide = widen(x_rows)
            torch.mean(wide.square(), -1, keepdim=True, out=rstd_rows).add_(eps).rsqrt_()
            torch.mul(wide * rstd_rows, weight, out=y_rows)
        ctx.save_for_backward(x, rstd, weight)
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, rstd, weight = ctx.saved_tensors
        grad_x = empty_rows_like(x)
        if kernels := kernels_for(x, weight):
            width, grad = x.shape[-1], grad_y.contiguous()
            call(kernels.rms_norm_backward, grad, x, weight, rstd, rstd.numel(), width, grad_x)
            return grad_x, None, None
        tensors = (x, rstd, grad_y, grad_x)
        for x_rows, rstd_rows, grad_rows, out_rows in zip(*map(_runs, tensors), strict=True):
            wide = widen(x_rows)
            grad = widen(grad_rows) * weight
            slope = (grad * wide).sum(-1, keepdim=True).mul_(rstd_rows.pow(3)).div_(-x.shape[-1])
            torch.addcmul(grad.mul_(rstd_rows), wide, slope, out=out_rows)
        return grad_x, None, None


def _runs(x: Tensor) -> tuple[Tensor, ...]:
    return in_rows(x, NORM_ROWS if x.device.type == "cpu" else x.numel())
