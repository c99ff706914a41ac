"""Model name or folder -> frozen base on a device, with the dtype chosen by hardware.

Loading is safetensors only, never remote code.
"""

import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig, PreTrainedConfig
from transformers.utils import logging as transformers_logging

from tooltune.config import ModelSection
from tooltune.errors import ModelError
from tooltune.model.attention import ATTENTION
from tooltune.model.base import SMOLLM2, ensure_smollm2
from tooltune.model.compiled import kernels_obstacle, suits_processor
from tooltune.model.fastest import flex_obstacle, heads_of
from tooltune.model.flex import suits_flex
from tooltune.model.forward import output_matrix, tree_hidden, tree_logits
from tooltune.model.layers import use_lean_layers
from tooltune.model.quantize import require_quantization, store_narrow
from tooltune.packing.tree import TokenSequence, build_tree

SUPPORTED = ("llama", "qwen2", "qwen3")
"""Model types whose attention is causal softmax over all earlier tokens in every layer."""
WINDOWED = ("gemma3_text",)
"""Model types of which this holds for sequences within the sliding window."""
VECTOR_MATH = (
    *("acos", "asin", "atan", "cos", "erf", "erfc", "erfinv", "exp", "log", "log10", "sin"),
    *("sqrt", "tan", "tanh", "trunc"),
)
"""What torch computes on a processor with MKL's vector functions (its `ATen/cpu/vml.h`)."""
_FORMATS = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
_PROBE_TOKENS = (5, 3, 7, 4, 9, 6, 8, 2)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A base model ready to compute, and where it came from."""

    model: nn.Module
    folder: Path
    dtype: torch.dtype
    device: torch.device
    why: str
    """The reason for this dtype, for the run's record."""
    shares_prefixes: bool = True
    """Else every sequence is computed by itself, with the model's own attention."""
    sharing_why: str = ""
    """The reason for that, naming the model."""
    slower_why: str = ""
    """The reason why kernels made for this device do not compute; empty where they do."""
    window_tokens: int | None = None
    """Longest sequence for which tree attention is exact; None where there is no limit."""


def resolve_folder(section: ModelSection) -> Path:
    """The local folder of a model's files, fetched where it is a Hugging Face id.

    Raises ModelError where there is none, or none with safetensors.
    """
    folder = Path(section.name).expanduser()
    if section.name == SMOLLM2:
        folder = ensure_smollm2()
    elif not folder.is_dir():
        folder = _download(section)
    if not any(folder.glob("*.safetensors")):
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:6]) or "nothing"
        raise ModelError(
            f"{section.name}: no .safetensors file (found {found}). Only safetensors are loaded, "
            "because other formats can run code; convert the weights first."
        )
    return folder


def load_base(
    section: ModelSection,
    *,
    longest_tokens: int | None = None,
    precision: tuple[torch.dtype, str] | None = None,
    stays_on_cpu: bool = False,
) -> LoadedModel:
    """A model whose attention is not a tree's up to `longest_tokens` (None: no limit) is loaded
    with its own, and shares no prefixes. `precision` is a dtype chosen before, and why;
    `stays_on_cpu` leaves moving to the caller. Linear weights of 16 bits that compute in float32
    stay in 16 (`NarrowLinear`).

    Raises ModelError for unreadable weights, for a model that cannot be trained even so, and where
    the recipe asks for fewer bits and the machine or the engine cannot.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    settle_vector_math()
    device = choose_device(section.device)
    if section.quantization:
        require_quantization(section.quantization, device)
    folder = resolve_folder(section)
    dtype, why = precision or choose_dtype(section.dtype, device)
    model, obstacle = _read_model(
        section, folder, torch.device("cpu") if stays_on_cpu else device, dtype, longest_tokens
    )
    config: Any = model.config
    if not stays_on_cpu:
        model.to(device)
    model.eval()
    if config.model_type not in SUPPORTED:
        # Decoding is greedy, whatever settings the model came with.
        settings: Any = GenerationConfig()  # type: ignore[no-untyped-call]
        model.generation_config = settings
        require_plain_logits(model, section.name)
    return LoadedModel(
        model,
        folder,
        dtype,
        device,
        why,
        shares_prefixes=not obstacle,
        sharing_why=obstacle and f"{section.name}: {obstacle}",
        slower_why=_slower_reason(device, dtype, config),
        window_tokens=getattr(config, "sliding_window", None),
    )


def _slower_reason(device: torch.device, dtype: torch.dtype, config: Any) -> str:
    if device.type == "cuda":
        is_for_it = config._attn_implementation == ATTENTION and suits_flex(device)
        return flex_obstacle(device, dtype, heads_of(config)) if is_for_it else ""
    return kernels_obstacle(dtype) if suits_processor(dtype) else ""


def settle_vector_math() -> None:
    """Call each of MKL's vector functions once, on one number, before several threads can.

    MKL chooses a function's code at its first call. Where two threads make that call together, one
    of them may run less exact code for its part of the tensor: here the rotary angles of half the
    tokens were off by 7e-5 in every fourth process, and the first loss by 2e-5
    (github.com/pytorch/pytorch/issues/188792; MKL before 2025.0).
    """
    for dtype in (torch.float32, torch.float64):
        one = torch.full((1,), 0.5, dtype=dtype)
        for name in VECTOR_MATH:
            getattr(torch, name)(one)


def _read_model(
    section: ModelSection,
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    longest_tokens: int | None,
) -> tuple[nn.Module, str]:
    """With our layers where they are known, in main memory, or on the device where weights are
    stored narrow; and why it shares no prefixes, empty where it does."""
    try:
        config = AutoConfig.from_pretrained(folder)
        is_supported = config.model_type in SUPPORTED
        if section.quantization and not is_supported:
            raise ModelError(
                f"model.quantization: for model types {', '.join(SUPPORTED)} only (got "
                f"{config.model_type!r}). Remove the knob, or take one of these."
            )
        may_be_narrow = section.quantization or (is_supported and dtype == torch.float32)
        stored = (_files_format(folder) if may_be_narrow else None) or dtype
        is_narrow = section.quantization or stored.itemsize < dtype.itemsize
        obstacle = sharing_obstacle(config, longest_tokens)
        options = {} if obstacle else {"attn_implementation": ATTENTION}
        model: nn.Module = AutoModelForCausalLM.from_pretrained(
            folder, dtype=stored if is_narrow else dtype, use_safetensors=True, **options
        )
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{section.name}: cannot be loaded ({reason}). Check the folder."
        ) from None
    if is_supported:
        use_lean_layers(model)
    if is_narrow:
        store_narrow(model, device, dtype, section.quantization)
    return model, obstacle


def _files_format(folder: Path) -> torch.dtype | None:
    """Of all weights in a folder's files, whatever its config.json says; None where there are
    several, or one that is not for weights."""
    found = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found |= {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    return _FORMATS.get(found.pop()) if len(found) == 1 else None


def sharing_obstacle(config: PreTrainedConfig, longest_tokens: int | None) -> str:
    """Why tree attention is not this model's attention; empty where it is."""
    if config.model_type not in SUPPORTED + WINDOWED:
        return (
            f"the engine does not know the attention of model type {config.model_type!r}, so each "
            "sequence is computed by itself"
        )
    window = getattr(config, "sliding_window", None)
    if window is not None and (longest_tokens is None or longest_tokens > window):
        length = "of any length" if longest_tokens is None else f"of up to {longest_tokens} tokens"
        return f"sequences {length} and a sliding window of {window}, so each is computed by itself"
    return ""


@torch.no_grad()
def require_plain_logits(model: nn.Module, name: str) -> None:
    """Raises ModelError where logits are not the output layer on the last hidden states, or hidden
    states depend on later tokens: the loss is computed as if neither were so."""
    tokens = np.asarray(_PROBE_TOKENS, np.int32)
    whole, part = (
        build_tree([TokenSequence(some, np.zeros(len(some), np.uint8))])
        for some in (tokens, tokens[:5])
    )
    fault = None
    try:
        hidden = tree_hidden(model, whole)
        if not hidden.isfinite().all():
            raise ModelError(
                f"{name}: its hidden states are beyond {hidden.dtype}. Set model.dtype to float32."
            )
        if not _difference(tree_hidden(model, part), hidden[:5]) <= 0.05:
            fault = "a token depends on later ones"
        elif not (
            _difference(F.linear(hidden, output_matrix(model)), tree_logits(model, whole)) <= 1e-3
        ):
            fault = "its logits are not its output layer on the last hidden states"
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        fault = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if fault:
        raise ModelError(
            f"{name}: model type {model.config.model_type!r} cannot be trained, not even each "  # type: ignore[union-attr]
            f"sequence by itself ({fault}). Take one of: {', '.join(SUPPORTED)}."
        )


def _difference(got: torch.Tensor, expected: torch.Tensor) -> float:
    """Length of the difference over the length of what was expected."""
    return float((got - expected).float().norm() / expected.float().norm())


def choose_device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError("model.device: no CUDA GPU here (got cuda). Set it to auto or cpu.")
    return torch.device(wanted)


@cache
def choose_dtype(wanted: str, device: torch.device) -> tuple[torch.dtype, str]:
    """The recipe's dtype, or by hardware.

    GPUs by compute capability (torch counts the T4's emulated bfloat16 as supported); CPUs by
    timing one matrix product in both, since the instruction alone does not tell: processors exist
    on which bfloat16 runs at half the rate of float32.
    """
    if wanted != "auto":
        return getattr(torch, wanted), "set by the recipe"
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if major >= 8:
            return torch.bfloat16, f"GPU of compute capability {major}.{minor} multiplies bfloat16"
        return torch.float16, f"GPU of compute capability {major}.{minor} has no bfloat16 units"
    rates = matrix_gflops(torch.float32, torch.bfloat16)
    dtype = torch.bfloat16 if rates[torch.bfloat16] > 1.2 * rates[torch.float32] else torch.float32
    why = "measured here: " + ", ".join(
        f"{str(kind).removeprefix('torch.')} {rate:.0f} GFLOP/s" for kind, rate in rates.items()
    )
    return dtype, why


def matrix_gflops(*dtypes: torch.dtype, seconds: float = 0.3) -> dict[torch.dtype, float]:
    """Best rate of a (1024, 1024) x (1024, 1024) product on the CPU, in 1e9 operations a second.

    The dtypes take turns: a machine with neighbours is slow for a moment now and then, and what was
    measured in that moment alone would lose.
    """
    ones = {dtype: torch.ones(1024, 1024, dtype=dtype) for dtype in dtypes}
    best, begin = dict.fromkeys(dtypes, float("inf")), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for dtype, matrix in ones.items():
            start = time.perf_counter()
            matrix @ matrix
            best[dtype] = min(best[dtype], time.perf_counter() - start)
    return {dtype: 2 * 1024**3 / taken / 1e9 for dtype, taken in best.items()}


def _download(section: ModelSection) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    patterns = ["*.safetensors", "*.json", "*.jinja", "*.txt"]
    try:
        return Path(
            snapshot_download(section.name, revision=section.revision, allow_patterns=patterns)
        )
    except (OSError, ValueError, HFValidationError) as error:
        reason = str(error).strip().splitlines()[0]
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise ModelError(
            f"{section.name}: not a local folder, and it could not be fetched as a Hugging Face "
            f"id{offline}: {reason}. Check the name, or the network."
        ) from None
