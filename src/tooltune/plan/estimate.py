"""`plan`: a recipe, a workload and a device in; memory, steps, time and cost out.

The closed form: arithmetic only, no torch. `plan.dry_run` and `plan.calibrate` refine it.
"""

import datetime
import math
from dataclasses import dataclass, replace
from typing import Any

from tooltune.config import Quantization, Recipe
from tooltune.plan.duration import Duration, estimate_duration, flops_per_token
from tooltune.plan.memory import (
    GIB,
    METHODS,
    Job,
    Memory,
    Method,
    Trainer,
    estimate_memory,
    largest_micro_batch_tokens,
)
from tooltune.plan.shape import ModelShape, Parameters
from tooltune.plan.tables import Device, Price, Tables
from tooltune.plan.workload import Workload

TIGHT_FRACTION = 0.08
"""A plan within this share of the device's memory fits, but is called tight."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a plan is made from."""

    recipe: Recipe
    shape: ModelShape
    workload: Workload
    trainer: Trainer
    tables: Tables
    today: datetime.date


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """One device's answer. `hours` and `usd` are of LoRA; None where unknown."""

    device: Device
    method: Method
    """What the recipe trains."""
    memory: dict[Method, Memory]
    duration: Duration | None
    price: Price | None
    largest_micro_batch_tokens: int

    def fits(self, method: Method | None = None) -> bool:
        """None: what the recipe trains."""
        return self.memory[method or self.method].total <= self.device.memory_mib * 2**20

    @property
    def peak_gib(self) -> float:
        """Of what the recipe trains."""
        return self.memory[self.method].total / GIB

    @property
    def is_tight(self) -> bool:
        limit = (1 - TIGHT_FRACTION) * self.device.memory_mib * 2**20
        return self.fits() and self.memory[self.method].total > limit

    @property
    def hours(self) -> float:
        """Middle estimate; infinite where no rate is known."""
        return math.inf if self.duration is None else self.duration.hours[1]

    @property
    def usd(self) -> tuple[float, float, float] | None:
        if self.price is None or self.duration is None:
            return None
        low, middle, high = (hours * self.price.usd_per_hour for hours in self.duration.hours)
        return low, middle, high


@dataclass(frozen=True, slots=True)
class Plan:
    """What `tooltune plan` says. `chosen` is the requested device, or the cheapest that fits."""

    request: Request
    parameters: Parameters
    devices: tuple[DevicePlan, ...]
    chosen: DevicePlan
    is_requested: bool
    flops_total: float
    tier: str = "closed form"
    """How the chosen device's memory was found: closed form, dry run or calibrated."""

    @property
    def steps_total(self) -> int:
        return self.request.workload.steps_per_epoch * self.request.recipe.train.epochs


def plan(request: Request, *, device: Device | None = None) -> Plan:
    """Every device of the table, and `device` (one of it or the user's own machine) in front."""
    rows = [row for row in request.tables.devices if device is None or row.name != device.name]
    devices = tuple(plan_device(request, row) for row in ([device] if device else []) + rows)
    recipe = request.recipe
    job = make_job(request, devices[0].device)
    return Plan(
        request=request,
        parameters=job.parameters(),
        devices=devices,
        chosen=devices[0] if device else cheapest(devices) or devices[0],
        is_requested=device is not None,
        flops_total=flops_per_token(job, request.workload, "lora")
        * request.workload.computed_tokens
        * recipe.train.epochs,
    )


def plan_device(request: Request, device: Device) -> DevicePlan:
    job, method = make_job(request, device), trained_method(request.recipe)
    offers = request.tables.offers(device.name)
    return DevicePlan(
        device=device,
        method=method,
        memory={method: estimate_memory(job, method) for method in METHODS},
        duration=estimate_duration(
            job, request.workload, device, "lora", epochs=request.recipe.train.epochs
        ),
        price=offers[0] if offers else None,
        largest_micro_batch_tokens=largest_micro_batch_tokens(
            job, method, device.memory_mib * 2**20
        ),
    )


def trained_method(recipe: Recipe) -> Method:
    return "qlora" if recipe.model.quantization else "lora"


def make_job(request: Request, device: Device) -> Job:
    """The recipe on a device, in the dtype that its hardware multiplies."""
    recipe = request.recipe
    checkpointing = recipe.train.activation_checkpointing
    job = Job(
        shape=request.shape,
        trainer=request.trainer,
        dtype=device.dtype if recipe.model.dtype == "auto" else recipe.model.dtype,
        rank=recipe.lora.rank,
        target_modules=recipe.lora.target_modules,
        micro_batch_tokens=request.workload.largest_micro_batch_tokens,
        sequence_tokens=request.workload.longest_sequence_tokens,
        checkpointing=checkpointing is True,
        first_layer=recipe.lora.first_layer,
        dropout=recipe.lora.dropout,
        quantization=recipe.model.quantization or fewest_bits(device),
        context_bytes=device.context_mib * 2**20,
        fragmentation=device.fragmentation,
    )
    if checkpointing == "auto":
        method = trained_method(recipe)
        return replace(job, checkpointing=needs_checkpointing(job, device, method))
    return job


def fewest_bits(device: Device) -> Quantization:
    """Of the base, that can be had there."""
    return "q8_0" if device.is_processor else "nf4"


def needs_checkpointing(job: Job, device: Device, method: Method) -> bool:
    """Whether the planned peak without it leaves less than TIGHT_FRACTION of the device."""
    peak = estimate_memory(replace(job, checkpointing=False), method).total
    return peak > (1 - TIGHT_FRACTION) * device.memory_mib * 2**20


def cheapest(
    devices: tuple[DevicePlan, ...],
    *,
    budget_usd: float | None = None,
    deadline_hours: float | None = None,
) -> DevicePlan | None:
    """Of those that fit and have a price; the middle estimate has to meet budget and deadline."""
    priced = [
        (row.usd[1], row)
        for row in devices
        if row.usd is not None
        and row.fits()
        and (budget_usd is None or row.usd[1] <= budget_usd)
        and (deadline_hours is None or row.hours <= deadline_hours)
    ]
    return min(priced, key=lambda pair: pair[0])[1] if priced else None


def to_dict(made: Plan) -> dict[str, Any]:
    """The fixed shape of `--json`; numbers that are unknown are null."""
    chosen, workload = made.chosen, made.request.workload
    parameters = made.parameters
    return {
        "tier": made.tier,
        "model": made.request.shape.name,
        "trainer": made.request.trainer.name,
        "parameters": {
            "total": parameters.total,
            "embedding": parameters.embedding,
            "embedding_tied": parameters.embedding_tied,
            "linear": parameters.linear,
            "lora_trainable": parameters.lora_trainable,
            "lora_by_module": parameters.lora_by_module,
        },
        "examples": workload.examples,
        "epochs": made.request.recipe.train.epochs,
        "steps_per_epoch": workload.steps_per_epoch,
        "steps_total": made.steps_total,
        "tokens": {
            "basis": workload.basis,
            "logical_per_epoch": workload.logical_tokens,
            "computed_per_epoch": workload.computed_tokens,
            "supervised_per_epoch": workload.supervised_tokens,
            "sharing_ratio": round(workload.sharing_ratio, 4),
            "largest_micro_batch": workload.largest_micro_batch_tokens,
            "longest_sequence": workload.longest_sequence_tokens,
            "examples_too_long": workload.too_long,
        },
        "flops_total": made.flops_total,
        **_device_dict(chosen, made.request.today),
        "devices": [_device_dict(row, made.request.today) for row in made.devices],
    }


def with_micro_batch(request: Request, micro_batch_tokens: int) -> Request:
    """The same request with a smaller micro-batch; the number of micro-batches grows with it."""
    factor = request.workload.largest_micro_batch_tokens / micro_batch_tokens
    workload = replace(
        request.workload,
        largest_micro_batch_tokens=micro_batch_tokens,
        micro_batches=max(1, round(request.workload.micro_batches * factor)),
    )
    return replace(request, workload=workload)


def _device_dict(row: DevicePlan, today: datetime.date) -> dict[str, Any]:
    usd, price, time = row.usd, row.price, row.duration
    return {
        "device": row.device.name,
        "device_memory_gib": round(row.device.memory_mib * 2**20 / GIB, 2),
        "memory_gib": {method: row.memory[method].to_gib() for method in METHODS},
        "method": row.method,
        "fits": row.fits(),
        "tight": row.is_tight,
        "fits_by_method": {method: row.fits(method) for method in METHODS},
        "largest_micro_batch_tokens": row.largest_micro_batch_tokens,
        "hours": time and round(time.hours[1], 4),
        "hours_range": time and [round(time.hours[0], 4), round(time.hours[2], 4)],
        "seconds_per_step": time and round(time.seconds_per_step[1], 4),
        "bound": time and time.bound,
        "usd": None if usd is None else round(usd[1], 4),
        "usd_range": None if usd is None else [round(usd[0], 4), round(usd[2], 4)],
        "usd_per_hour": None if price is None else price.usd_per_hour,
        "offer": None if price is None else f"{price.provider} {price.offer}",
        "price_note": None if price is None else price.age_note(today),
        "basis": time and time.basis,
        "basis_note": time and time.basis_note,
    }
