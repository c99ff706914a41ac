"""The machine at hand as a row of the device table: its free memory, and a rate by measurement.

The measurement trains one and three layers of the model's own shape, with random weights, through
the engine; their difference is a layer, the rest is embedding and loss. About ten seconds.
"""

import datetime
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from tooltune.plan.dry_run import build_model, engine_step
from tooltune.plan.duration import flops_per_token
from tooltune.plan.estimate import Request, make_job
from tooltune.plan.memory import Job
from tooltune.plan.tables import THIS, Device

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


def local_device(dtype: str) -> Device:
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


def _available_bytes() -> float:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return 0.0


def _resident_bytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return float(pages * 4096)
