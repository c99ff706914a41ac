"""The machine at hand as a row of the device table: its free memory, and a rate measured earlier.

Measuring takes seconds, half a minute for a large model (`plan.measure`), so a run that starts does
not do it: it takes the rate that the user's cache keeps, with its date, and says "unknown" where
there is none.
"""

import contextlib
import datetime
import os
import platform
import resource
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from pydantic import ValidationError
from rich.console import Console
from torch import nn

from tooltune.config import ModelSection, Recipe
from tooltune.data.examples import Examples
from tooltune.errors import ConfigError, TooltuneError
from tooltune.jsonl import read_json, write_json
from tooltune.model.base import cache_folder
from tooltune.model.load import choose_device, choose_dtype
from tooltune.plan.estimate import Plan, make_job
from tooltune.plan.memory import GIB, estimate_memory
from tooltune.plan.shape import ModelShape
from tooltune.plan.tables import THIS, Device, load_tables
from tooltune.plan.training import describe_plan, plan_training, require_fit, write_plan
from tooltune.rundir import RunDir

Dtype = Literal["float32", "bfloat16", "float16"]

_GPU_FRAGMENTATION = 0.10
# Resident over allocated on a processor, with heap.py's setting: the mean of the four SmolLM2 rows
# of tests/data/measure_memory.py when it was set. All rows since, and the others then, judge it.
HEAP_FRAGMENTATION = 0.13
_COMPILED_PRODUCTS_BYTES = 110 * 2**20
"""Of bfloat16 products on a processor: 256 are kept (heap.py), of 0.1 to 0.7 MiB."""


def processor_runtime_bytes(dtype: str) -> float:
    """What this process holds before any tensor, and what its products will add to it."""
    return resident_bytes() + (_COMPILED_PRODUCTS_BYTES if dtype == "bfloat16" else 0.0)


def keep_rate(device: Device, shape: ModelShape) -> None:
    """For the runs that start here. Without a writable cache the rate stands for one plan only."""
    measured = {"achieved_tflops": device.achieved_tflops, "as_of": device.as_of.isoformat()}
    with contextlib.suppress(TooltuneError, OSError):
        _rates_file().parent.mkdir(parents=True, exist_ok=True)
        write_json(_rates_file(), _read_rates() | {_rate_key(device, shape): measured})


def with_known_rate(device: Device, shape: ModelShape) -> Device:
    """The rate measured here earlier for a model of this shape; without one, `device` unchanged."""
    measured = _read_rates().get(_rate_key(device, shape))
    if not isinstance(measured, dict):
        return device
    try:
        return Device.model_validate(device.model_dump() | measured)
    except ValidationError:  # damaged: as if it had not been measured
        return device


def _rates_file() -> Path:
    return cache_folder() / "rates.json"


def _read_rates() -> dict[str, Any]:
    """Empty where nothing was measured yet or the file is damaged: it can be measured again."""
    try:
        value = read_json(_rates_file())
    except TooltuneError:
        return {}
    return value if isinstance(value, dict) else {}


def _rate_key(device: Device, shape: ModelShape) -> str:
    """What a rate depends on."""
    threads = f"{torch.get_num_threads()} threads"
    sizes = f"{shape.family} {shape.layers}x{shape.hidden}x{shape.intermediate}"
    return ", ".join((platform.node(), device.title, threads, sizes, device.dtype))


def local_device(model: ModelSection) -> Device:
    """Memory of this machine, and the dtype a run would take here; its rate stays unknown."""
    where = choose_device(model.device)
    chosen, _ = choose_dtype(model.dtype, where)
    dtype = str(chosen).removeprefix("torch.")
    if where.type == "cuda":
        free = float(torch.cuda.mem_get_info()[0])
        title, context = torch.cuda.get_device_name(), 0.0  # free memory is after the context
    else:
        free = _available_bytes() + resident_bytes()
        title, context = "this machine's processor", processor_runtime_bytes(dtype)
    return Device(
        name=THIS,
        title=title,
        is_processor=where.type != "cuda",
        memory_mib=free / 2**20,
        memory_basis="measured",
        memory_source="free memory now",
        context_mib=context / 2**20,
        context_basis="measured",
        launch_seconds_per_layer=0.0,  # is in the measured rate
        fragmentation=_GPU_FRAGMENTATION if where.type == "cuda" else HEAP_FRAGMENTATION,
        rate_basis="measured",
        rate_source="one and three layers of the model, timed on this machine",
        dtype=cast(Dtype, dtype),
        as_of=datetime.date.today(),
    )


def start_plan(
    recipe: Recipe, run: RunDir, examples: Examples, *, folder: Path, console: Console
) -> Plan | None:
    """What `train` calls before it loads the model: print the plan, refuse or keep it. None, and
    said so, for a model the planner does not know.

    Raises ConfigError where the run cannot fit.
    """
    try:
        shape = load_tables().shape(str(folder))
    except ConfigError as unknown:
        console.print(f"Plan: none ({unknown})", highlight=False)
        return None
    device = local_device(recipe.model)
    made = plan_training(recipe, examples, folder=folder, device=with_known_rate(device, shape))
    console.print(describe_plan(made), highlight=False)
    if not recipe.train.shard_base:  # the plan counts the whole base in one process
        require_fit(made)
    write_plan(run, made)
    return made


def choose_checkpointing(recipe: Recipe, made: Plan | None) -> tuple[bool, str]:
    """Whether the run recomputes activations, and why."""
    setting = recipe.train.activation_checkpointing
    if setting != "auto":
        return setting, "set by the recipe"
    if made is None:
        return True, "the planner does not know this model"
    job = make_job(made.request, made.chosen.device)
    without = estimate_memory(replace(job, checkpointing=False), made.chosen.method).total / GIB
    free = made.chosen.device.memory_mib / 1024
    return job.checkpointing, f"planned peak without it {without:.2f} GiB, {free:.2f} GiB free"


def finish_plan(run: RunDir, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """After a run's last step: the terms that can be measured, beside what plan.json planned.

    Activations and the rest live within a step; they stand together in the measured peak. Without
    a plan nothing is written.
    """
    if not run.plan.is_file():
        return
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # Buffers are the scales of quantised weights.
    frozen = [*(p for p in model.parameters() if not p.requires_grad), *model.buffers()]
    states = [
        value
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]
    measured = {
        "weights": _gib(frozen),
        "adapter": _gib(trained),
        "gradients": _gib([p.grad for p in trained if p.grad is not None]),
        "optimizer": _gib(states),
    }
    write_json(run.plan, read_json(run.plan) | {"measured_gib": measured})


def _gib(tensors: Sequence[torch.Tensor]) -> float:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors) / GIB


def _available_bytes() -> float:
    """Free memory, reclaimable caches included; all memory where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return next(float(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)


def resident_bytes() -> float:
    """Of this process now; its highest so far where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
