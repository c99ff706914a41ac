"""Floating-point operations of a run, and the hours they take on a device.

Per computed token, with N_l weights in linear layers, P_l adapter parameters and a the forward
operations of attention: LoRA 4 N_l + 6 P_l + 3.5 a (no weight gradients for frozen matrices), with
checkpointing 6 N_l + 8 P_l + 4.5 a; full fine-tuning 6 N_l + 3.5 a, with it 7.5 N_l + 4.5 a. Layers
below `lora.first_layer` run forward once: 2 N_l + a of theirs. Equal to torch's FlopCounterMode on
Qwen3-1.7B within 0.1 % (8.593 GFLOP a token, formula 8.595).
"""

import math
from dataclasses import dataclass

from tooltune.plan.memory import Job, Method, keeps_mlp_input_only, static_bytes
from tooltune.plan.tables import THIS, Basis, Device
from tooltune.plan.workload import Workload

_STEP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Duration:
    """Hours of the whole run: [low, middle, high] of the achievable rate."""

    hours: tuple[float, float, float]
    seconds_per_step: tuple[float, float, float]
    bound: str
    """What limits a micro-batch: arithmetic, reading the weights, or launching kernels."""
    basis: Basis
    basis_note: str


def flops_per_token(job: Job, workload: Workload, method: Method) -> float:
    """Training operations of one computed token, the loss included."""
    shape = job.shape
    counted = job.parameters()
    attention = shape.layers * 4 * shape.qd * workload.mean_depth_tokens
    head = shape.vocab * shape.hidden * _scored_fraction(job, workload)
    # Tiles are computed twice, forward and again for the gradient; ours meets each chunk once.
    head *= 6 if job.trainer.loss == "tiles" else 4
    if method == "full":
        linear = (7.5 if job.checkpointing else 6.0) * counted.linear
        return linear + (4.5 if job.checkpointing else 3.5) * attention + head
    trained, back = counted.lora_trainable, job.backward_layers(method) / shape.layers
    if job.checkpointing:
        frozen = (2 + 4 * back) * counted.linear + (1 + 3.5 * back) * attention
        if keeps_mlp_input_only(job, method):
            frozen -= 2 * back * shape.layers * shape.hidden * shape.intermediate  # down's product
        return frozen + 8 * trained + head
    return (2 + 2 * back) * counted.linear + (1 + 2.5 * back) * attention + 6 * trained + head


def estimate_duration(
    job: Job, workload: Workload, device: Device, method: Method, *, epochs: int
) -> Duration | None:
    """Operations over the achievable rate, with the parts bound by bandwidth and launches apart.

    None where no rate is known.
    """
    if device.achieved_tflops is None:
        return None
    micro_per_step = workload.micro_batches / workload.steps_per_epoch
    flops = flops_per_token(job, workload, method) * workload.computed_tokens
    per_micro = flops / workload.micro_batches
    bandwidth = (device.bandwidth_gb_per_second or math.inf) * 1e9
    weights, adapter, gradients, optimizer, _ = static_bytes(job, method)
    passes = 3 if job.checkpointing else 2
    reading = passes * weights / bandwidth
    launching = device.launch_seconds_per_layer * job.shape.layers
    # Adam reads and writes its states, gradients and parameters once an update.
    update = 2 * (adapter + gradients + optimizer) / bandwidth + _STEP_SECONDS
    slow, middle, fast = (per_micro / (rate * 1e12) for rate in device.achieved_tflops)
    steps = tuple(
        micro_per_step * max(computing, reading, launching) + update
        for computing in (fast, middle, slow)
    )
    total = workload.steps_per_epoch * epochs / 3600
    floors = {"arithmetic": middle, "reading weights": reading, "kernel launches": launching}
    own = job.trainer.shares_prefixes and device.name != THIS
    return Duration(
        hours=(total * steps[0], total * steps[1], total * steps[2]),
        seconds_per_step=(steps[0], steps[1], steps[2]),
        bound=max(floors, key=lambda name: floors[name]),
        basis="derived" if own else device.rate_basis,
        basis_note=device.rate_source
        + ("; tooltune's own rate on this card was not measured" if own else ""),
    )


def _scored_fraction(job: Job, workload: Workload) -> float:
    """Share of computed tokens whose logits are computed; all of them where nobody counted."""
    if job.trainer.loss == "full" or workload.supervised_tokens is None:
        return 1.0
    return min(1.0, workload.supervised_tokens / workload.computed_tokens)
