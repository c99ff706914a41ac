"""What to change when a run does not fit, with each change's effect in figures, and what to know.

Each change is planned again as a whole, so its figures are those of the plan that would follow.
"""

from dataclasses import dataclass, replace

from tooltune.config import Quantization
from tooltune.plan.estimate import (
    DevicePlan,
    Plan,
    Request,
    fewest_bits,
    make_job,
    plan_device,
    with_micro_batch,
)
from tooltune.plan.memory import GIB, TRAINERS, largest_micro_batch_tokens

_QUANTIZED: dict[Quantization, tuple[str, float, float]] = {
    # Widening takes 1.1 to 1.4 % of a product of 2,520 tokens on a processor.
    "q8_0": ("an 8-bit base", 1.0, 1.05),
    # Published T4 runs: a 4-bit base reached 7.3 to 11.1 TFLOPS where a 16-bit base reached 12.8.
    "nf4": ("a 4-bit base", 1.15, 1.75),
}
"""In words, and the range of what it costs in time."""
_JOBS_TIMEOUT_HOURS = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, and the plan after it on the same device."""

    change: str
    total_gib_before: float
    total_gib_after: float
    hours_before: float
    hours_after: tuple[float, float]
    fits: bool


def suggest_changes(made: Plan) -> list[Change]:
    """For the chosen device; empty when the recipe fits there already."""
    before = made.chosen
    if before.fits():
        return []
    request = made.request
    changes = []
    if request.trainer.loss == "full":
        chunked = replace(request, trainer=TRAINERS["trl"])
        changes.append(_replan("a chunked loss instead of full logits", chunked, before))
    if not request.recipe.train.activation_checkpointing:
        checkpointed = _with_train(request, activation_checkpointing=True)
        changes.append(_replan("train.activation_checkpointing = true", checkpointed, before))
    changes += _smaller_micro_batch(request, before)
    if request.recipe.model.quantization is None:
        changes.append(_quantized(request, before))
    if not any(change.fits for change in changes):
        changes += _everything(request, before)
    return changes


def notes(made: Plan) -> list[str]:
    """Assumptions and traps that hold for this plan, one sentence each."""
    request, chosen = made.request, made.chosen
    job = make_job(request, chosen.device)
    lines = [
        f"Computed in {job.dtype}, checkpointing {'on' if job.checkpointing else 'off'}, "
        f"{job.micro_batch_tokens:,} tokens in the largest micro-batch.",
    ]
    if chosen.device.name == "t4":
        lines.append(
            "A T4 has no bfloat16 (torch emulates it and reports it as supported): float16 with "
            "loss scaling, float32 adapters."
        )
    if request.workload.basis == "derived":
        lines.append("Every example is taken to be of mean length; real data varies.")
    if request.workload.supervised_tokens is None and job.trainer.loss != "full":
        lines.append("Nobody counted the supervised tokens: all are taken to be scored.")
    if request.workload.too_long:
        lines.append(f"{request.workload.too_long} examples are over the limit and left out.")
    if chosen.price:
        lines.append(f"Dollars at {chosen.price.provider} {chosen.price.offer}, on demand.")
    if chosen.price and (note := chosen.price.age_note(request.today)):
        lines.append(f"{chosen.price.provider} {chosen.price.offer}: {note}; check it.")
    is_job = chosen.price is not None and chosen.price.provider == "Hugging Face Jobs"
    if is_job and chosen.hours > _JOBS_TIMEOUT_HOURS:
        lines.append("Hugging Face Jobs stop after 30 minutes unless --timeout says otherwise.")
    if chosen.device.memory_basis == "derived":
        lines.append(f"{chosen.device.title}: memory {chosen.device.memory_source}, not measured.")
    return lines


def _with_train(request: Request, **values: object) -> Request:
    train = request.recipe.train.model_copy(update=values)
    return replace(request, recipe=request.recipe.model_copy(update={"train": train}))


def _replan(change: str, request: Request, before: DevicePlan) -> Change:
    after = plan_device(request, before.device)
    return Change(
        change=change,
        total_gib_before=before.peak_gib,
        total_gib_after=after.peak_gib,
        hours_before=before.hours,
        hours_after=(after.hours, after.hours),
        fits=after.fits(),
    )


def _smaller_micro_batch(request: Request, before: DevicePlan) -> list[Change]:
    """The largest that fits, if one sequence still goes in; else shorter sequences."""
    available = before.device.memory_mib * 2**20
    job = make_job(request, before.device)
    tokens = largest_micro_batch_tokens(job, before.method, available)
    if tokens < 1:
        return []
    longest = request.workload.longest_sequence_tokens
    change = f"train.micro_batch_tokens = {tokens}"
    if tokens < longest:
        change += f" and data.max_sequence_tokens = {tokens} (the longest has {longest})"
    return [_replan(change, with_micro_batch(request, tokens), before)]


def _everything(request: Request, before: DevicePlan) -> list[Change]:
    """Chunked loss, checkpointing and fewer bits at once, with the largest micro-batch left."""
    trainer = TRAINERS["trl"] if request.trainer.loss == "full" else request.trainer
    combined = _with_train(replace(request, trainer=trainer), activation_checkpointing=True)
    available = before.device.memory_mib * 2**20
    tokens = largest_micro_batch_tokens(make_job(combined, before.device), "qlora", available)
    if tokens < 1:
        return []
    tokens = min(tokens, request.workload.largest_micro_batch_tokens)
    after = plan_device(with_micro_batch(combined, tokens), before.device)
    change = _quantized(request, after)
    words = f"all at once: {change.change}, micro-batches of {tokens:,} tokens"
    return [
        replace(
            change,
            change=words,
            total_gib_before=before.peak_gib,
            hours_before=before.hours,
        )
    ]


def _quantized(request: Request, before: DevicePlan) -> Change:
    kind = request.recipe.model.quantization or fewest_bits(before.device)
    words, low, high = _QUANTIZED[kind]
    hours = before.hours
    return Change(
        change=f'model.quantization = "{kind}": {words}',
        total_gib_before=before.peak_gib,
        total_gib_after=before.memory["qlora"].total / GIB,
        hours_before=hours,
        hours_after=(hours * low, hours * high),
        fits=before.fits("qlora"),
    )
