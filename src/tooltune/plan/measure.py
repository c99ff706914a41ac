"""How fast the machine at hand trains: `--device this`.

One and three layers of the model's own shape are trained through the engine with random weights;
their difference is a layer, the rest is embedding and loss. About ten seconds.
"""

import time
from dataclasses import replace

import torch
from torch import nn

from tooltune.model.load import choose_device
from tooltune.plan.dry_run import build_model, engine_step
from tooltune.plan.duration import flops_per_token
from tooltune.plan.estimate import Request, make_job
from tooltune.plan.memory import Job
from tooltune.plan.tables import Device
from tooltune.plan.this_machine import keep_rate, local_device

_TOKENS = 512
_REPEATS = 2
_SPREAD = 0.25
"""Half-width of the range around a measured rate."""


def this_machine(request: Request) -> Device:
    """Measured now, and kept for the runs that start here."""
    section = request.recipe.model
    device, where = local_device(section), choose_device(section.device).type
    job = make_job(request, device)
    # Every layer that is timed has an adapter: the others do less of the same work.
    job = replace(job, micro_batch_tokens=_TOKENS, dropout=0.0, first_layer=0)
    one, three = (_step_seconds(job, layers, where) for layers in (1, 3))
    layer = (three - one) / 2
    seconds = one + (job.shape.layers - 1) * layer
    workload = replace(request.workload, mean_depth_tokens=_TOKENS / 2, supervised_tokens=None)
    tflops = flops_per_token(job, workload, "lora") * _TOKENS / seconds / 1e12
    rates = (tflops * (1 - _SPREAD), tflops, tflops * (1 + _SPREAD))
    measured = device.model_copy(update={"achieved_tflops": rates})
    keep_rate(measured, request.shape)
    return measured


def _step_seconds(job: Job, layers: int, device: str) -> float:
    """Fastest of a few steps, after one to warm up."""
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
