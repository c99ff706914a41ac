"""The machine at hand as a row of the device table: its free memory, and a rate by measurement.

The measurement trains one and three layers of the model's own shape, with random weights, through
the engine; their difference is a layer, the rest is embedding and loss. About ten seconds.
"""

import datetime
import os
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import torch
from rich.console import Console
from torch import nn

from tooltune.config import Recipe
from tooltune.data.examples import Examples
from tooltune.errors import ConfigError
from tooltune.model.load import choose_device, choose_dtype
from tooltune.plan.dry_run import build_model, engine_step
from tooltune.plan.duration import flops_per_token
from tooltune.plan.estimate import Plan, Request, make_job
from tooltune.plan.memory import GIB, Job, estimate_memory
from tooltune.plan.tables import THIS, Device
from tooltune.plan.training import describe_plan, plan_training, require_fit, write_plan
from tooltune.rundir import RunDir

Dtype = Literal["float32", "bfloat16", "float16"]
_TOKENS = 512
_REPEATS = 2
_GPU_FRAGMENTATION = 0.10
# Resident over allocated on a processor once micro-batches of many lengths have passed: 1.20 in a
# run of 75 steps of 1,894 to 3,650 tokens (SmolLM2-135M, float32).
_HEAP_FRAGMENTATION = 0.20
_SPREAD = 0.25
"""Half-width of the range around a measured rate."""


def this_machine(request: Request) -> Device:
    """Measured now: `--device this`."""
    device = local_device("float32" if not torch.cuda.is_available() else "bfloat16")
    job = replace(make_job(request, device), micro_batch_tokens=_TOKENS, dropout=0.0)
    one, three = (_step_seconds(job, layers) for layers in (1, 3))
    layer = (three - one) / 2
    seconds = one + (job.shape.layers - 1) * layer
    workload = replace(request.workload, mean_depth_tokens=_TOKENS / 2, supervised_tokens=None)
    tflops = flops_per_token(job, workload, "lora") * _TOKENS / seconds / 1e12
    rates = (tflops * (1 - _SPREAD), tflops, tflops * (1 + _SPREAD))
    return device.model_copy(update={"achieved_tflops": rates})


def local_device(dtype: Dtype) -> Device:
    """Memory of this machine; its rate is not measured and stands at zero."""
    if torch.cuda.is_available():
        free = float(torch.cuda.mem_get_info()[0])
        title, context = torch.cuda.get_device_name(), 0.0  # free memory is after the context
    else:
        free = _available_bytes() + _resident_bytes()
        title, context = "this machine's processor", _resident_bytes()
    return Device(
        name=THIS,
        title=title,
        memory_mib=free / 2**20,
        memory_basis="measured",
        memory_source="free memory now",
        context_mib=context / 2**20,
        context_basis="measured",
        launch_seconds_per_layer=0.0,  # is in the measured rate
        fragmentation=_GPU_FRAGMENTATION if torch.cuda.is_available() else _HEAP_FRAGMENTATION,
        rate_basis="measured",
        rate_source=f"one and three layers of the model, {_TOKENS} tokens, timed on this machine",
        dtype=dtype,
        as_of=datetime.date.today(),
    )


def _step_seconds(job: Job, layers: int) -> float:
    """Fastest of a few steps, after one to warm up."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model(job, layers).to_empty(device=device)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.02)
    for buffer in model.buffers():
        buffer.zero_()
    step = engine_step(job)
    seconds = []
    for _ in range(1 + _REPEATS):
        started = time.perf_counter()
        step(model)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
        model.zero_grad(set_to_none=True)
    return min(seconds[1:])


def start_plan(
    recipe: Recipe, run: RunDir, examples: Examples, *, folder: Path, console: Console
) -> Plan:
    """What `train` calls before it loads the model: print the plan, refuse or keep it.

    Raises ConfigError.
    """
    dtype = recipe.model.dtype
    if dtype == "auto":
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
    made = plan_training(recipe, examples, folder=folder, device=local_device(dtype))
    console.print(describe_plan(made))
    require_fit(made)
    write_plan(run, made)
    return made


def choose_checkpointing(recipe: Recipe, examples: Examples, *, folder: Path) -> tuple[bool, str]:
    """Whether the run recomputes activations, and why. To be asked before the model is loaded,
    whose memory would count twice."""
    setting = recipe.train.activation_checkpointing
    if setting != "auto":
        return setting, "set by the recipe"
    dtype, _ = choose_dtype(recipe.model.dtype, choose_device(recipe.model.device))
    name = cast(Dtype, str(dtype).removeprefix("torch."))
    try:
        made = plan_training(recipe, examples, folder=folder, device=local_device(name))
    except ConfigError:
        return True, "the planner does not know this model"
    job = make_job(made.request, made.chosen.device)
    without = estimate_memory(replace(job, checkpointing=False), "lora").total / GIB
    free = made.chosen.device.memory_mib / 1024
    return job.checkpointing, f"planned peak without it {without:.2f} GiB, {free:.2f} GiB free"


def _available_bytes() -> float:
    """Free memory, reclaimable caches included; all memory where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return next(float(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)


def _resident_bytes() -> float:
    """Of this process now; its highest so far where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
