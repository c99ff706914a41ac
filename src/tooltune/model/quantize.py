"""Frozen weights in 4 bits: NF4 of QLoRA (arXiv 2305.14314) through bitsandbytes, an extra.

Only the storage changes: a layer's weight is widened where it computes, forward and backward, and
dropped again. Shapes: O outputs, I inputs.
"""

from importlib.util import find_spec

import torch
from torch import Tensor, nn

from tooltune.errors import ModelError


def require_nf4(device: torch.device) -> None:
    """Raises ModelError where 4 bits cannot be had, before anything is loaded."""
    if device.type != "cuda":
        raise ModelError(
            f"model.quantization: nf4 computes on GPUs only (got device {device.type}). "
            "Remove the knob, or train on a machine with a GPU."
        )
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "model.quantization: nf4 needs bitsandbytes, which is not installed. "
            "Run pip install 'tooltune[qlora]'."
        )


def quantize_base(model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Put every linear layer of the decoder into 4 bits on `device`, one at a time.

    The scales, one to 64 weights, are quantised too. Embedding, norms and head stay as they are.
    """
    from bitsandbytes.nn import Linear4bit, Params4bit

    decoder: nn.Module = model.model  # type: ignore[assignment]
    for name, layer in list(decoder.named_modules()):
        if type(layer) is not nn.Linear:
            continue
        packed = Linear4bit(
            layer.in_features, layer.out_features, bias=False, compute_dtype=dtype, device="meta"
        )
        packed.weight = Params4bit(
            layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4"
        )
        packed.bias = layer.bias
        parent, _, last = name.rpartition(".")
        setattr(decoder.get_submodule(parent), last, packed.to(device))


def dense_weight(layer: nn.Linear) -> Tensor:
    """W (O, I) as it computes: the parameter itself, or a 4-bit one widened anew at each call."""
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        return layer.weight
    from bitsandbytes.functional import dequantize_4bit

    dense_OI: Tensor = dequantize_4bit(layer.weight.data, state)
    return dense_OI
