"""Model name or folder -> frozen base on a device, with the dtype chosen by hardware.

Loading is safetensors only, never remote code.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from tooltune.config import ModelSection
from tooltune.errors import ModelError
from tooltune.model.attention import ATTENTION
from tooltune.model.base import SMOLLM2, ensure_smollm2
from tooltune.model.layers import use_lean_layers
from tooltune.model.quantize import quantize_base, require_nf4

SUPPORTED = ("llama", "qwen2", "qwen3")
"""Model types whose attention is causal softmax over all earlier tokens in every layer."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A base model ready to compute, and where it came from."""

    model: nn.Module
    folder: Path
    dtype: torch.dtype
    device: torch.device
    why: str
    """The reason for this dtype, for the run's record."""


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
    precision: tuple[torch.dtype, str] | None = None,
    stays_on_cpu: bool = False,
) -> LoadedModel:
    """`precision` is a dtype chosen before, and why; `stays_on_cpu` leaves moving to the caller.

    Raises ModelError for an unknown architecture or unreadable weights, and where the recipe asks
    for 4 bits and the machine cannot.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = choose_device(section.device)
    if section.quantization:
        require_nf4(device)
    folder = resolve_folder(section)
    dtype, why = precision or choose_dtype(section.dtype, device)
    model = _read_model(section, folder, dtype)
    use_lean_layers(model)
    if section.quantization:
        quantize_base(model, device, dtype)
    if not stays_on_cpu:
        model.to(device)  # type: ignore[arg-type]
    return LoadedModel(model.eval(), folder, dtype, device, why)


def _read_model(section: ModelSection, folder: Path, dtype: torch.dtype) -> nn.Module:
    try:
        config = AutoConfig.from_pretrained(folder)
        if config.model_type not in SUPPORTED:
            raise ModelError(
                f"{section.name}: the engine does not know the attention of model type "
                f"{config.model_type!r} (known: {', '.join(SUPPORTED)}). Take one of these."
            )
        if getattr(config, "use_sliding_window", False):
            raise ModelError(
                f"{section.name}: sliding-window attention is on (use_sliding_window), which the "
                "tree mask does not express. Take a model without it."
            )
        model: nn.Module = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation=ATTENTION, use_safetensors=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"{section.name}: cannot be loaded ({reason}). Check the folder."
        ) from None
    return model


def choose_device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError("model.device: no CUDA GPU here (got cuda). Set it to auto or cpu.")
    return torch.device(wanted)


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
    rates = {dtype: matrix_gflops(dtype) for dtype in (torch.float32, torch.bfloat16)}
    dtype = torch.bfloat16 if rates[torch.bfloat16] > 1.2 * rates[torch.float32] else torch.float32
    why = "measured here: " + ", ".join(
        f"{str(kind).removeprefix('torch.')} {rate:.0f} GFLOP/s" for kind, rate in rates.items()
    )
    return dtype, why


def matrix_gflops(dtype: torch.dtype, *, seconds: float = 0.15) -> float:
    """Best rate of a (1024, 1024) x (1024, 1024) product on the CPU, in 1e9 operations a second."""
    left, right = (torch.ones(1024, 1024, dtype=dtype) for _ in range(2))
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9


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
