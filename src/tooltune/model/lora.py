"""LoRA: y = W x + (alpha / rank) B A x with W frozen, saved and loaded in PEFT's format.

A and B are float32 masters computed in the base's dtype. The backward pass never forms a gradient
of W and keeps no second copy of x. Shapes: T tokens, I inputs, O outputs, R rank.
"""

import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tooltune.config import LoraSection
from tooltune.errors import ModelError
from tooltune.jsonl import read_json, write_json
from tooltune.model.products import (
    compiled_product,
    frozen_gradient,
    frozen_product,
    transposed_product,
)
from tooltune.model.quantize import NarrowLinear, dense_weight, stored_weight

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


class LoraLinear(nn.Module):
    """A frozen linear layer with an adapter beside it."""

    def __init__(self, base: nn.Linear, lora: LoraSection) -> None:
        super().__init__()
        self.base = base
        self.scale = lora.alpha / lora.rank
        self.dropout = lora.dropout
        self.is_enabled = True
        device = base.weight.device
        self.lora_A = nn.Parameter(torch.empty(lora.rank, base.in_features, device=device))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, lora.rank, device=device))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # as PEFT does

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_enabled:
            return self.base(x)  # type: ignore[no-any-return]
        dropped = F.dropout(x, self.dropout) if self.training and self.dropout else x
        y: Tensor = _LoraProduct.apply(  # type: ignore[no-untyped-call]
            x, dropped, self.lora_A, self.lora_B, self
        )
        return y

    def cast(self, dtype: torch.dtype) -> "CastLora":
        """Its products, computed in `dtype`."""
        return CastLora(self.base, self.lora_A.to(dtype), self.lora_B.to(dtype), self.scale)


def exact_adapters(layers: Iterable[nn.Module]) -> list[LoraLinear]:
    """Those with an adapter that is on and drops nothing now."""
    return [
        layer
        for layer in layers
        if isinstance(layer, LoraLinear)
        and layer.is_enabled
        and not (layer.training and layer.dropout)
    ]


def masters_of(layers: Iterable[LoraLinear]) -> list[nn.Parameter]:
    """A and B of each, one after another."""
    return [master for layer in layers for master in (layer.lora_A, layer.lora_B)]


class CastLora(NamedTuple):
    """A frozen linear layer and its adapter in the dtype that computes.

    W is asked of its layer at each use, not kept: it may be stored in 4 bits, or gathered from
    other processes just before.
    """

    base: nn.Linear
    A_RI: Tensor
    B_OR: Tensor
    scale: float

    def product(self, x: Tensor, dropped: Tensor) -> tuple[Tensor, Tensor]:
        """(W x + bias + B low, low = scale A dropped as (T, R))."""
        weight_OI, bias_O = stored_weight(self.base), self.base.bias
        if dropped is x and (made := compiled_product(x, weight_OI, self[1:3], self.scale)):
            y, low_TR = made
            return y if bias_O is None else y.add_(bias_O), low_TR
        low_TR = self.low(dropped)
        y = frozen_product(x, weight_OI, bias_O)
        y.view(-1, y.shape[-1]).addmm_(low_TR, self.B_OR.T)
        return y, low_TR

    def low(self, dropped: Tensor) -> Tensor:
        """scale A dropped, (T, R)."""
        return F.linear(dropped, self.A_RI).flatten(0, -2).mul_(self.scale)

    def gradients(
        self, grad_TO: Tensor, x_TI: Tensor, low_TR: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of `product`, where nothing was dropped: of its input (T, I), and of the masters A and B,
        in `dtype`."""
        grad_TI, grad_low_TR = self.input_gradient(grad_TO)
        return grad_TI, *self.master_gradients(grad_TO, grad_low_TR, x_TI, low_TR, dtype)

    def input_gradient(self, grad_TO: Tensor) -> tuple[Tensor, Tensor]:
        """Of `product`, where nothing was dropped: of its input (T, I), and of A x (T, R)."""
        weight_OI = stored_weight(self.base)
        made = compiled_product(grad_TO, weight_OI, self[1:3], self.scale, is_gradient=True)
        if made:
            return made
        grad_low_TR = self.low_gradient(grad_TO)
        return frozen_gradient(grad_TO, weight_OI).addmm_(grad_low_TR, self.A_RI), grad_low_TR

    def low_gradient(self, grad_TO: Tensor) -> Tensor:
        """Of A dropped, (T, R)."""
        return (grad_TO @ self.B_OR).mul_(self.scale)

    def master_gradients(
        self, grad_TO: Tensor, grad_low_TR: Tensor, x_TI: Tensor, low_TR: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Of A and B, in `dtype`."""
        # Twice as fast on a processor as grad_TO.T @ low_TR.
        grad_B = transposed_product(low_TR, grad_TO).T.to(dtype)
        return transposed_product(grad_low_TR, x_TI).to(dtype), grad_B


class _LoraProduct(torch.autograd.Function):
    """Saves `dropped` and the rank-R product only."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, dropped: Tensor, A_RI: Tensor, B_OR: Tensor, layer: LoraLinear
    ) -> Tensor:
        lora = layer.cast(x.dtype)
        y, low_TR = lora.product(x, dropped)
        ctx.save_for_backward(dropped, low_TR, lora.A_RI, lora.B_OR)
        ctx.base, ctx.scale, ctx.is_shared = layer.base, layer.scale, dropped is x
        ctx.master_dtype = A_RI.dtype
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        dropped, low_TR, A_RI, B_OR = ctx.saved_tensors
        lora = CastLora(ctx.base, A_RI, B_OR, ctx.scale)
        grad_TO, dropped_TI = grad_y.flatten(0, -2), dropped.flatten(0, -2)
        dtype, grad_x, grad_dropped = ctx.master_dtype, None, None
        if ctx.needs_input_grad[0] and ctx.is_shared:
            grad_TI, grad_A, grad_B = lora.gradients(grad_TO, dropped_TI, low_TR, dtype)
            return grad_TI.view_as(dropped), None, grad_A, grad_B, None
        grad_low_TR = lora.low_gradient(grad_TO)
        grad_A, grad_B = lora.master_gradients(grad_TO, grad_low_TR, dropped_TI, low_TR, dtype)
        if ctx.needs_input_grad[0]:
            grad_x = frozen_gradient(grad_TO, stored_weight(lora.base)).view_as(dropped)
            grad_dropped = (grad_low_TR @ A_RI).view_as(dropped)
        return grad_x, grad_dropped, grad_A, grad_B, None


def attach_lora(model: nn.Module, lora: LoraSection) -> list[str]:
    """Freeze the model and put an adapter on each target layer; returns their names.

    Raises ModelError where no layer has a target's name, or none is as high as the first.
    """
    model.requires_grad_(False)
    names = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in lora.target_modules
    ]
    if not names:
        linear = {
            n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, nn.Linear)
        }
        raise ModelError(
            f"lora.target_modules: no layer is called {', '.join(lora.target_modules)} "
            f"(this model has {', '.join(sorted(linear))}). Name some of these."
        )
    highest = max(map(_layer_number, names))
    if lora.first_layer > highest:
        raise ModelError(
            f"lora.first_layer: no layer is left to adapt (got {lora.first_layer}, this model's "
            f"are 0 to {highest}). Take a lower one."
        )
    names = [name for name in names if _layer_number(name) >= lora.first_layer]
    for name in names:
        parent, _, last = name.rpartition(".")
        owner = model.get_submodule(parent)
        layer = getattr(owner, last)
        # A module is born in training mode, where it would drop inputs of a model in use.
        setattr(owner, last, LoraLinear(layer, lora).train(layer.training))
    return names


def _layer_number(name: str) -> int:
    """Of the decoder layer that a module belongs to, from its name."""
    number = re.search(r"\.layers\.(\d+)\.", name)
    return int(number[1]) if number else 0


def lora_layers(model: nn.Module) -> dict[str, LoraLinear]:
    """Adapted layers by the name of the linear layer they wrap."""
    return {name: m for name, m in model.named_modules() if isinstance(m, LoraLinear)}


def trainable_parameters(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@contextmanager
def adapter_disabled(model: nn.Module) -> Iterator[None]:
    """Inside, the model is the base model."""
    layers = [layer for layer in lora_layers(model).values() if layer.is_enabled]
    for layer in layers:
        layer.is_enabled = False
    try:
        yield
    finally:
        for layer in layers:
            layer.is_enabled = True


@contextmanager
def weights_for_decoding(model: nn.Module) -> Iterator[None]:
    """Inside, narrow weights are wide, and each enabled adapter is added to the weight beside it:
    decoding then computes one product a layer. Afterwards all is as it was. Quantised weights, and
    those that compute in less than float32, which would round the adapter away, keep it beside
    them."""
    narrow = [layer for layer in model.modules() if isinstance(layer, NarrowLinear)]
    layers = [
        layer
        for layer in lora_layers(model).values()
        if layer.is_enabled
        and (
            isinstance(layer.base, NarrowLinear)
            or layer.base.weight.dtype in (torch.float32, torch.float64)
        )
    ]
    whole = [layer.base for layer in layers if not isinstance(layer.base, NarrowLinear)]
    saved = [base.weight.detach().clone() for base in whole]
    try:
        with torch.no_grad():
            for each in narrow:
                each.wide_OI = each.widened()
            for layer in layers:
                weight = dense_weight(layer.base)
                weight.addmm_(layer.lora_B.to(weight), layer.lora_A.to(weight), alpha=layer.scale)
                layer.is_enabled = False
        yield
    finally:
        for each in narrow:
            each.wide_OI = None
        for base, weight in zip(whole, saved, strict=True):
            base.weight.data.copy_(weight)
        for layer in layers:
            layer.is_enabled = True


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """A and B under PEFT's names, float32, contiguous."""
    state = {}
    for name, layer in lora_layers(model).items():
        state[f"base_model.model.{name}.lora_A.weight"] = layer.lora_A.detach().contiguous()
        state[f"base_model.model.{name}.lora_B.weight"] = layer.lora_B.detach().contiguous()
    return state


def save_adapter(model: nn.Module, lora: LoraSection, folder: Path, *, base: str) -> None:
    """Write the two files `peft` reads. `base` is the recipe's model name."""
    save_file(adapter_state(model), folder / WEIGHTS, metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": sorted(lora.target_modules),
        "bias": "none",
        "inference_mode": True,
    }
    if lora.first_layer:
        config["layers_to_transform"] = sorted({*map(_layer_number, lora_layers(model))})
    write_json(folder / CONFIG, config)


def read_adapter_config(folder: Path) -> LoraSection:
    """The shape of a saved adapter. Raises ModelError where the folder holds none."""
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise ModelError(
            f"{folder}: no adapter ({CONFIG} and {WEIGHTS} expected). Train one first."
        )
    config = read_json(folder / CONFIG)
    return LoraSection(
        rank=config["r"],
        alpha=config["lora_alpha"],
        dropout=config["lora_dropout"],
        target_modules=tuple(config["target_modules"]),
        first_layer=min(config.get("layers_to_transform") or [0]),
    )


def load_adapter(model: nn.Module, folder: Path) -> None:
    """Copy a saved adapter into the attached one. Raises ModelError where they do not fit."""
    path = folder / WEIGHTS
    try:
        saved = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error}). Take another checkpoint.") from None
    current = adapter_state(model)
    differing = saved.keys() ^ current.keys() or {
        name for name in saved if saved[name].shape != current[name].shape
    }
    if differing:
        raise ModelError(
            f"{path}: does not fit this model and recipe ({len(differing)} tensors differ, "
            f"first {min(differing)}). Use the recipe and base it was trained with."
        )
    with torch.no_grad():
        for name, tensor in current.items():
            tensor.copy_(saved[name])
