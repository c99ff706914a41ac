"""A norm and the adapted layers that read it, as one function: what it makes is not kept.

Queries, keys and values read one norm of a decoder layer, gate and up the other. Kept for their
adapters these two are a seventh to a sixth of what a layer keeps; made again they cost next to
nothing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tooltune.model.lora import CastLora, LoraLinear, exact_adapters, masters_of
from tooltune.model.norm import RmsNorm, rms_norm, rms_norm_backward


def products_of(x: Tensor, norm: nn.Module, layers: Sequence[nn.Module]) -> tuple[Tensor, ...]:
    """What each layer makes of norm(x). With dropout, or where one has no adapter, norm(x) is kept:
    each adapter drops other inputs, and a layer without one is not ours."""
    exact = exact_adapters(layers)
    if isinstance(norm, RmsNorm) and len(exact) == len(layers) and torch.is_grad_enabled():
        made: tuple[Tensor, ...] = _ProductsOfNorm.apply(  # type: ignore[no-untyped-call]
            x, norm, exact, *masters_of(exact)
        )
        return made
    normed = norm(x)
    return tuple(layer(normed) for layer in layers)


class _ProductsOfNorm(torch.autograd.Function):
    """Keeps x and the rank-R products."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, norm: RmsNorm, layers: Sequence[LoraLinear], *masters: Tensor
    ) -> tuple[Tensor, ...]:
        normed, _ = rms_norm(x, norm.weight, norm.eps, is_kept=False)
        loras = [layer.cast(x.dtype) for layer in layers]
        products, lows = zip(*(lora.product(normed, normed) for lora in loras), strict=True)
        weights = [weight for lora in loras for weight in (lora.A_RI, lora.B_OR)]
        ctx.save_for_backward(x, *lows, *weights)
        ctx.norm, ctx.layers, ctx.master_dtype = norm, layers, masters[0].dtype
        return tuple(products)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, *saved = ctx.saved_tensors
        norm, layers = ctx.norm, ctx.layers
        lows, weights = saved[: len(layers)], saved[len(layers) :]
        normed, rstd = rms_norm(x, norm.weight, norm.eps, is_kept=False)
        normed_TI, grad_TI, of_masters = normed.flatten(0, -2), None, []
        for layer, low_TR, A_RI, B_OR, grad in zip(
            layers, lows, weights[::2], weights[1::2], grads, strict=True
        ):
            lora = CastLora(layer.base, A_RI, B_OR, layer.scale)
            grad_TO, dtype = grad.flatten(0, -2), ctx.master_dtype
            if ctx.needs_input_grad[0]:
                part_TI, *of_own = lora.gradients(grad_TO, normed_TI, low_TR, dtype)
                grad_TI = part_TI if grad_TI is None else grad_TI.add_(part_TI)
                of_masters += of_own
            else:
                grad_low_TR = lora.low_gradient(grad_TO)
                of_masters += lora.master_gradients(grad_TO, grad_low_TR, normed_TI, low_TR, dtype)
        grad_x = None
        if grad_TI is not None:
            del normed, normed_TI
            grad_x = rms_norm_backward(grad_TI.view_as(x), x, rstd, norm.weight)
        return grad_x, None, None, *of_masters
