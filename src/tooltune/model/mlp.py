"""The MLP of Llama and Qwen with adapters in it: what it keeps for its backward pass, and what it
makes again.

Shapes: T tokens, I inputs, O outputs, R rank of an adapter.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tooltune.model.compiled import call, kernels_for
from tooltune.model.lora import CastLora, LoraLinear, exact_adapters, masters_of
from tooltune.model.norm import empty_rows_like, in_rows
from tooltune.model.normed import products_of

MLP_ROWS = 640
"""Tokens whose widest tensors are alive at once, at most, where activations are recomputed. On a
processor 512 and all at once are as fast, 256 are slower; on a GPU it was not measured."""
NOT_NORMED = nn.Identity()


class SwiGlu(nn.Module):
    """down(silu(gate(x)) * up(x)), keeping gate(x) and up(x), or x where it is recomputed."""

    def __init__(self, gate_proj: nn.Module, up_proj: nn.Module, down_proj: nn.Module) -> None:
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = gate_proj, up_proj, down_proj

    def forward(
        self, x: Tensor, *, norm: nn.Module = NOT_NORMED, is_recomputed: bool = False
    ) -> Tensor:
        """Of norm(x). `is_recomputed` as in `DecoderLayer`; the second time nobody reads what this
        returns."""
        parts = (self.gate_proj, self.up_proj, self.down_proj)
        exact = exact_adapters(parts)
        y: Tensor
        if is_recomputed and len(exact) == len(parts):
            is_read = not torch.is_grad_enabled()
            y = _RecomputedMlp.apply(  # type: ignore[no-untyped-call]
                norm(x), is_read, exact, *masters_of(exact)
            )
            return y
        gate, up = products_of(x, norm, (self.gate_proj, self.up_proj))
        down = self.down_proj
        if down in exact:
            y = _SwiGluDown.apply(  # type: ignore[no-untyped-call]
                gate, up, down.lora_A, down.lora_B, down
            )
        else:
            y = down(_SwiGlu.apply(gate, up))  # type: ignore[no-untyped-call]
        return y


class _RecomputedMlp(torch.autograd.Function):
    """Keeps its input only, and holds what is wider for MLP_ROWS tokens at a time. Without dropout:
    rows would draw other masks than all at once."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, is_read: bool, layers: Sequence[LoraLinear], *masters: Tensor
    ) -> Tensor:
        ctx.save_for_backward(x, *masters)
        ctx.layers = layers
        y = empty_rows_like(x)
        if is_read:
            gate, up, down = (layer.cast(x.dtype) for layer in layers)
            for x_rows, y_rows in zip(_runs(x), _runs(y), strict=True):
                product = _swiglu(gate.product(x_rows, x_rows)[0], up.product(x_rows, x_rows)[0])
                y_rows.copy_(down.product(product, product)[0])
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, *masters = ctx.saved_tensors
        gate, up, down = (layer.cast(x.dtype) for layer in ctx.layers)
        grad_x = empty_rows_like(x)
        grads = [torch.zeros_like(master) for master in masters]
        for x_TI, grad_x_TI, grad_TO in zip(*map(_runs, (x, grad_x, grad_y)), strict=True):
            gated, gate_low_TR = gate.product(x_TI, x_TI)
            upped, up_low_TR = up.product(x_TI, x_TI)
            product = _swiglu(gated, upped)
            grad = _backward(down, grad_TO, product, down.low(product), grads[4:])
            grad_gate, grad_up = _swiglu_backward(grad, gated, upped)
            grad_x_TI.copy_(_backward(gate, grad_gate, x_TI, gate_low_TR, grads[:2]))
            grad_x_TI.add_(_backward(up, grad_up, x_TI, up_low_TR, grads[2:4]))
        return grad_x, None, None, *grads


def _runs(x: Tensor) -> tuple[Tensor, ...]:
    return in_rows(x, MLP_ROWS)


def _backward(
    lora: CastLora, grad_TO: Tensor, x_TI: Tensor, low_TR: Tensor, masters: Sequence[Tensor]
) -> Tensor:
    """Gradient of an adapted layer's input; those of its masters are added to what is there."""
    grad_TI, grad_A, grad_B = lora.gradients(grad_TO, x_TI, low_TR, masters[0].dtype)
    masters[0].add_(grad_A)
    masters[1].add_(grad_B)
    return grad_TI


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return _swiglu(gate, up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        return _swiglu_backward(grad.clone(memory_format=torch.contiguous_format), gate, up)


class _SwiGluDown(torch.autograd.Function):
    """Both at once, so that down's adapter need not keep its input, the widest tensor of a layer:
    the backward pass makes it again."""

    @staticmethod
    def forward(
        ctx: Any, gate: Tensor, up: Tensor, A_RI: Tensor, B_OR: Tensor, down: LoraLinear
    ) -> Tensor:
        lora = down.cast(gate.dtype)
        product = _swiglu(gate, up)
        y, low_TR = lora.product(product, product)
        ctx.save_for_backward(gate, up, low_TR, lora.A_RI, lora.B_OR)
        ctx.base, ctx.scale, ctx.master_dtype = down.base, down.scale, A_RI.dtype
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, low_TR, A_RI, B_OR = ctx.saved_tensors
        lora = CastLora(ctx.base, A_RI, B_OR, ctx.scale)
        grad_TO, product_TI = (each.flatten(0, -2) for each in (grad_y, _swiglu(gate, up)))
        grad, grad_A, grad_B = lora.gradients(grad_TO, product_TI, low_TR, ctx.master_dtype)
        del product_TI
        return *_swiglu_backward(grad.view_as(gate), gate, up), grad_A, grad_B, None


def _swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up."""
    if kernels := kernels_for(gate, up):
        gate, up = gate.contiguous(), up.contiguous()
        out = torch.empty_like(gate)
        call(kernels.swiglu, gate, up, gate.numel(), out)
        return out
    return F.silu(gate).mul_(up)


def _swiglu_backward(grad: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of gate and up; `grad` is overwritten."""
    if kernels := kernels_for(gate, up):
        gate, up = gate.contiguous(), up.contiguous()
        grad_gate = torch.empty_like(gate)
        call(kernels.swiglu_backward, grad, gate, up, gate.numel(), grad_gate, grad)
        return grad_gate, grad
    grad_up = F.silu(gate).mul_(grad)
    return torch.ops.aten.silu_backward(grad.mul_(up), gate), grad_up
