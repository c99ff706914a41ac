"""A frozen base stored in fewer bits than it computes in: the 16 of its files, GGUF's Q8_0 on any
device, NF4 of QLoRA on GPUs.

Q8_0 is 8 bits and a float16 scale to every 32 weights. NF4 (arXiv 2305.14314) is 4 bits, through
bitsandbytes, an extra. Only the storage changes: a layer's weight is widened where it computes,
forward and backward, and dropped again. From 16 bits to float32 that is exact; it takes PyTorch up
to 5 % of an update's time, and the kernel of products.py none. Shapes: O outputs, I inputs, N
blocks of 32 inputs.
"""

import ctypes
import mmap
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tooltune.config import Quantization
from tooltune.errors import ModelError
from tooltune.model.compiled import call, kernels_for
from tooltune.model.products import frozen_product

BLOCK = 32
"""Weights of Q8_0 that share a scale."""
_LARGEST_CODE = 127


def require_quantization(kind: Quantization, device: torch.device) -> None:
    """Raises ModelError where it cannot be had, before anything is loaded."""
    if kind == "q8_0":
        return
    if device.type != "cuda":
        raise ModelError(
            f"model.quantization: nf4 computes on GPUs only (got device {device.type}). Take "
            "q8_0, remove the knob, or train on a machine with a GPU."
        )
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "model.quantization: nf4 needs bitsandbytes, which is not installed. "
            "Run pip install 'tooltune[qlora]'."
        )


def store_narrow(
    model: nn.Module, device: torch.device, dtype: torch.dtype, kind: Quantization | None
) -> None:
    """Put every linear layer of the decoder into fewer bits on `device`, one at a time, to compute
    in `dtype`; a `kind` of None leaves it those it has. Embedding, norms and head get `dtype`.

    The model is best loaded in its files' own format: converted ones would lie in memory first, and
    leave holes in it. Raises ModelError for a layer whose inputs are no whole blocks.
    """
    decoder: nn.Module = model.model  # type: ignore[assignment]
    files, narrow_weights = _mapped_files(), set()
    for name, layer in list(decoder.named_modules()):
        if type(layer) is not nn.Linear:
            continue
        weight = layer.weight.data
        narrow = _narrow_linear(layer, name, dtype, kind).to(device)
        parent, _, last = name.rpartition(".")
        setattr(decoder.get_submodule(parent), last, narrow)
        narrow_weights.add(narrow.weight)
        _give_back_pages(weight, files, unless=narrow.weight)
    for parameter in model.parameters():
        if parameter not in narrow_weights:
            weight = parameter.data
            parameter.data = weight.to(device, dtype)
            _give_back_pages(weight, files, unless=parameter)


def _narrow_linear(
    layer: nn.Linear, name: str, dtype: torch.dtype, kind: Quantization | None
) -> nn.Linear:
    if kind is None:
        return NarrowLinear(layer, dtype)
    if kind == "nf4":
        return _nf4_linear(layer, dtype)
    if layer.in_features % BLOCK:
        raise ModelError(
            f"model.quantization: q8_0 takes inputs in blocks of {BLOCK} (got layer {name} "
            f"with {layer.in_features}). Remove the knob."
        )
    return Q8Linear(layer, dtype)


class NarrowLinear(nn.Linear):
    """A frozen linear layer whose `weight` (O, I) has fewer bits than it computes in."""

    wide_OI: Tensor | None = None
    """To compute with in place of `weight`, while somebody keeps one here."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        """`dtype` is that in which the weight computes; to widen to it must be exact."""
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.computes_in = dtype

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() and x.requires_grad:
            return F.linear(x, self.widened(), self.bias)
        return frozen_product(x, stored_weight(self), self.bias)

    def widened(self) -> Tensor:
        """(O, I)."""
        return self.weight.to(self.computes_in) if self.wide_OI is None else self.wide_OI


class Q8Linear(nn.Linear):
    """A frozen linear layer whose `weight` is int8 codes (O, I)."""

    scales_ON1: Tensor

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        """`dtype` is that in which the weight computes."""
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        codes_OI, scales_ON1 = q8_0(layer.weight.data)
        self.weight = nn.Parameter(codes_OI, requires_grad=False)
        self.register_buffer("scales_ON1", scales_ON1)
        self.bias = layer.bias
        self.computes_in = dtype

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.widened(), self.bias)

    def widened(self) -> Tensor:
        """(O, I), rounded once, from float32."""
        kernels = kernels_for(self.weight, self.scales_ON1, computes_in=self.computes_in)
        # A caller's `model.to(...)` may have widened the scales.
        if kernels and self.scales_ON1.dtype == torch.float16:
            out_OI = torch.empty_like(self.weight, dtype=self.computes_in)
            count = self.scales_ON1.numel()
            call(kernels.widen_q8_0, self.weight, self.scales_ON1, count, out_OI)
            return out_OI
        blocks = self.weight.view(len(self.weight), -1, BLOCK)
        wide_ONB = torch.mul(blocks, self.scales_ON1.float())
        return wide_ONB.to(self.computes_in).view_as(self.weight)


def q8_0(weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (O, I) int8 and scales (O, N, 1) float16, bit for bit those of the `gguf` package: a
    block's largest weight has the code 127, and halves are rounded away from zero."""
    blocks = weight_OI.float().view(len(weight_OI), -1, BLOCK)
    scales = blocks.abs().amax(-1, keepdim=True) / _LARGEST_CODE
    units = blocks * torch.where(scales == 0, 0, 1 / scales)
    whole = units.abs().floor()
    codes = (whole + (2 * (units.abs() - whole)).floor()).copysign(units)
    return codes.to(torch.int8).view_as(weight_OI), scales.half()


def _mapped_files() -> list[tuple[int, int]]:
    """Addresses at which files of weights stand in memory; none where the system does not tell."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:  # macOS
        return []
    ranges = (line.split()[0].split("-") for line in lines if line.endswith(".safetensors"))
    return [(int(start, 16), int(end, 16)) for start, end in ranges]


def _give_back_pages(weight: Tensor, files: list[tuple[int, int]], *, unless: Tensor) -> None:
    """Those of a mapped file that hold nothing but this weight, which nobody will read again unless
    it is still the other. Until the last weight of the file is gone they would count as this
    process's memory."""
    page = mmap.PAGESIZE
    start, end = weight.data_ptr(), weight.data_ptr() + weight.nbytes
    if start != unless.data_ptr() and any(low <= start and end <= high for low, high in files):
        start, end = -(-start // page) * page, end // page * page
        size = ctypes.c_size_t(max(end - start, 0))
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), size, mmap.MADV_DONTNEED)


def _nf4_linear(layer: nn.Linear, dtype: torch.dtype) -> nn.Linear:
    """The scales, one to 64 weights, are quantised too. The move to the device packs it."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    packed: nn.Linear = Linear4bit(
        layer.in_features, layer.out_features, bias=False, compute_dtype=dtype, device="meta"
    )
    # It widens to the dtype that it was packed from.
    packed.weight = Params4bit(
        layer.weight.data.to(dtype), requires_grad=False, compress_statistics=True, quant_type="nf4"
    )
    packed.bias = layer.bias
    return packed


def stored_weight(layer: nn.Linear) -> Tensor:
    """W (O, I) in the bits of its file, or as it computes where those are not numbers."""
    is_narrow = isinstance(layer, NarrowLinear) and layer.wide_OI is None
    return layer.weight if is_narrow else dense_weight(layer)


def dense_weight(layer: nn.Linear) -> Tensor:
    """W (O, I) as it computes: the parameter itself, or a narrower one widened at each call."""
    if isinstance(layer, (Q8Linear, NarrowLinear)):
        return layer.widened()
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        return layer.weight
    from bitsandbytes.functional import dequantize_4bit

    dense_OI: Tensor = dequantize_4bit(layer.weight.data, state)
    return dense_OI
