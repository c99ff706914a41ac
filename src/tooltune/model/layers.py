"""Leaner norm and MLP for a frozen decoder: fewer passes over memory, fewer saved tensors.

They compute what transformers' modules compute; only the gradient of the frozen weights is left
out, and activations that are cheap to recompute are not kept. Half precision is widened to float32
inside the norm.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RmsNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, over the last dimension."""

    def __init__(self, weight: nn.Parameter, eps: float) -> None:
        super().__init__()
        self.weight = weight
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _RmsNorm.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        return y


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = _widen(x)
        rstd = wide.pow(2).mean(-1, keepdim=True).add_(eps).rsqrt_()
        ctx.save_for_backward(x, rstd, weight)
        return (wide * rstd).mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, rstd, weight = ctx.saved_tensors
        wide = _widen(x)
        grad = _widen(grad_y) * weight
        slope = (grad * wide).sum(-1, keepdim=True).mul_(rstd.pow(3)).div_(-x.shape[-1])
        return grad.mul_(rstd).addcmul_(wide, slope).to(x.dtype), None, None


class SwiGlu(nn.Module):
    """down(silu(gate(x)) * up(x)), keeping gate(x) and up(x) only."""

    def __init__(self, gate_proj: nn.Module, up_proj: nn.Module, down_proj: nn.Module) -> None:
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = gate_proj, up_proj, down_proj

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = _SwiGlu.apply(self.gate_proj(x), self.up_proj(x))  # type: ignore[no-untyped-call]
        y: Tensor = self.down_proj(product)
        return y


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        grad_gate = torch.ops.aten.silu_backward(grad * up, gate)
        return grad_gate, F.silu(gate).mul_(grad)


def use_lean_layers(model: nn.Module) -> None:
    """Replace every RMSNorm and SwiGLU MLP of a transformers decoder, in place."""
    for name, module in list(model.named_modules()):
        parent, _, last = name.rpartition(".")
        if type(module).__name__.endswith("RMSNorm"):
            setattr(
                model.get_submodule(parent), last, RmsNorm(module.weight, module.variance_epsilon)
            )
        elif type(getattr(module, "act_fn", None)).__name__ in ("SiLU", "SiLUActivation"):
            parts = (module.get_submodule(part) for part in ("gate_proj", "up_proj", "down_proj"))
            setattr(model.get_submodule(parent), last, SwiGlu(*parts))


def _widen(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
