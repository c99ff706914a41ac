"""How fast the machine at hand trains: `--device this`.

One and three layers of the model's own shape are trained through the engine with random weights;
their difference is a layer, the rest is embedding and loss. Seconds for small models.
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
"""Enough for a processor; a GPU, which waits for kernels to start, gets a whole micro-batch."""
_SUPERVISED = 0.25
"""Of the demo's distinct tokens three in ten are supervised."""
_REPEATS, _SECONDS = 2, 1.5
"""Timed steps of a model, and their time together: at least."""
_NOISE = 2**16
_SPREAD = 0.25
"""Half-width of the range around a measured rate."""


def this_machine(request: Request) -> Device:
    """Measured now, and kept for the runs that start here."""
    section = request.recipe.model
    device, where = local_device(section), choose_device(section.device).type
    job = make_job(request, device)
    # Every layer that is timed has an adapter: the others do less of the same work.
    tokens = max(_TOKENS, job.micro_batch_tokens) if where == "cuda" else _TOKENS
    job = replace(job, micro_batch_tokens=tokens, dropout=0.0, first_layer=0)
    one, three = (_step_seconds(job, layers, where) for layers in (1, 3))
    layer = (three - one) / 2
    seconds = one + (job.shape.layers - 1) * layer
    workload = replace(
        request.workload,
        mean_depth_tokens=tokens / 2,
        computed_tokens=tokens,
        supervised_tokens=int(tokens * _SUPERVISED),
    )
    tflops = flops_per_token(job, workload, "lora") * tokens / seconds / 1e12
    rates = (tflops * (1 - _SPREAD), tflops, tflops * (1 + _SPREAD))
    measured = device.model_copy(update={"achieved_tflops": rates})
    keep_rate(measured, request.shape)
    return measured


def _step_seconds(job: Job, layers: int, device: str) -> float:
    """Fastest of a few steps, after one to warm up."""
    model = build_model(job, layers).to_empty(device=device)
    _fill(model, device)
    step = engine_step(job, supervised_tokens=int(job.micro_batch_tokens * _SUPERVISED))
    seconds: list[float] = []
    while len(seconds) < 1 + _REPEATS or sum(seconds[1:]) < _SECONDS:
        started = time.perf_counter()
        step(model)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
        model.zero_grad(set_to_none=True)
    return min(seconds[1:])


@torch.no_grad()
def _fill(model: nn.Module, device: str) -> None:
    """Some normally distributed numbers again and again: drawing as many as a model has weights
    takes longer than its steps."""
    noise = torch.randn(_NOISE, device=device) * 0.02
    for parameter in model.parameters():
        for some in torch.split(parameter.view(-1), _NOISE):
            some.copy_(noise[: len(some)])
    for buffer in model.buffers():
        buffer.zero_()
