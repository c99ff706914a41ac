"""A plan as text: the recipe's memory table, every device, advice, and each term's formula."""

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console, RenderableType
from rich.table import Table

from tooltune.plan.advice import Change, notes, suggest_changes
from tooltune.plan.estimate import DevicePlan, Plan, cheapest, make_job, to_dict
from tooltune.plan.memory import GIB, METHODS, QUANTIZED_BYTES, TERMS, Job, layer_bytes_per_token

_HEADINGS = {"full": "full fine-tuning", "lora": "LoRA", "qlora": "QLoRA"}


def to_text(
    made: Plan,
    *,
    as_json: bool = False,
    explain: bool = False,
    budget_usd: float | None = None,
    deadline_hours: float | None = None,
) -> str:
    """What the command prints."""
    advice = advise(made, budget_usd=budget_usd, deadline_hours=deadline_hours)
    terms = explain_terms(make_job(made.request, made.chosen.device)) if explain else ()
    if as_json:
        found = cheapest(made.devices, budget_usd=budget_usd, deadline_hours=deadline_hours)
        extra = {
            "cheapest_device": None if found is None else found.device.name,
            "changes": [asdict(change) for change in suggest_changes(made)],
            "notes": notes(made),
        }
        explained = {"formulas": dict(terms)} if explain else {}
        return json.dumps({**to_dict(made), **extra, **explained}, indent=2)
    console = Console(file=io.StringIO(), width=shutil.get_terminal_size((100, 24)).columns)
    for part in (_head(made), memory_table(made), device_table(made)):
        console.print(part, highlight=False, markup=False)
    lines = [*(f"  {term:13} {formula}" for term, formula in terms), *advice]
    for line in [*lines, *(f"- {line}" for line in notes(made))]:
        console.print(line, highlight=False, markup=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().rstrip()


def memory_table(made: Plan) -> RenderableType:
    """GiB of each term for the three methods; a term in brackets is not part of the peak."""
    table = _table(f"Peak memory on {made.chosen.device.title}, GiB")
    table.add_column("term")
    for method in METHODS:
        table.add_column(_HEADINGS[method], justify="right")
    for term in TERMS:
        table.add_row(term, *(_term(made.chosen, method, term) for method in METHODS))
    table.add_section()
    table.add_row("peak", *(f"{made.chosen.memory[method].total / GIB:.2f}" for method in METHODS))
    table.add_row("fits", *("yes" if made.chosen.fits(method) else "no" for method in METHODS))
    return table


def device_table(made: Plan) -> RenderableType:
    heading = _HEADINGS[made.chosen.method]
    table = _table(f"{heading} on every device: middle estimate and range")
    for name in ("device", "fits", "most tokens", "hours", "$", "$/h", "time is"):
        table.add_column(name, justify="left" if name == "device" else "right", no_wrap=True)
    for row in made.devices:
        fits = row.fits()
        table.add_row(
            row.device.name + (" *" if row is made.chosen else ""),
            "tight" if row.is_tight else "yes" if fits else "no",
            f"{row.largest_micro_batch_tokens:,}",
            "-" if not fits else "unknown" if row.duration is None else _range(row.duration.hours),
            "-" if not fits else "unknown" if row.usd is None else _range(row.usd),
            "unknown" if row.price is None else f"{row.price.usd_per_hour:.2f}",
            "unknown" if row.duration is None else row.duration.basis,
        )
    return table


def advise(made: Plan, *, budget_usd: float | None, deadline_hours: float | None) -> list[str]:
    """Fits or not, the cheapest choice, and what to change."""
    chosen, device = made.chosen, made.chosen.device
    limit = device.memory_mib * 2**20 / GIB
    verdict = "fits tightly" if chosen.is_tight else "fits" if chosen.fits() else "cannot fit"
    heading = _HEADINGS[chosen.method]
    lines = [f"{heading} {verdict} on {device.title}: {chosen.peak_gib:.2f} of {limit:.2f} GiB."]
    best = cheapest(made.devices, budget_usd=budget_usd, deadline_hours=deadline_hours)
    limits = [
        *([f"${budget_usd:g}"] if budget_usd is not None else []),
        *([f"{deadline_hours:g} h"] if deadline_hours is not None else []),
    ]
    within = f" within {' and '.join(limits)}" if limits else ""
    if best is None:
        lines.append(f"No device with a known price fits{within}.")
    else:
        assert best.usd is not None
        lines.append(
            f"Cheapest{within}: {best.device.title}, ${best.usd[1]:.2f} in {best.hours:.2f} h."
        )
    return lines + [_change_line(change) for change in suggest_changes(made)]


def explain_terms(job: Job) -> Sequence[tuple[str, str]]:
    """Each term's formula, with this run's sizes in it. P_l: adapter parameters."""
    shape, kept = job.shape, "L_b" if job.first_layer else "L"
    backward = f"L_b={job.backward_layers('lora')} (run backward) " if job.first_layer else ""
    sizes = (
        f"L={shape.layers} {backward}h={shape.hidden} i={shape.intermediate} qd={shape.qd} "
        f"kd={shape.kd} V={shape.vocab} r={job.rank} N={job.micro_batch_tokens}"
    )
    loss = {
        "full": "12 V N (float32 log-softmax and two gradients)",
        "tiles": "2 min(N, 4096) min(V, 32768) + 6 h N",
        "edges": f"256 c V{'' if job.dtype == 'float32' else ' + 64 V'} + 2 c h N",
    }[job.trainer.loss]
    layer, again, spare = _layer_formulas(job)
    quantized = QUANTIZED_BYTES[job.quantization]
    weights, spare = "c P", f"{spare}16 MiB"
    if job.linear_dtype != job.dtype:
        weights, spare = "2 P_linear + c P_other", f"c h i + {spare}"
    saved = f"{kept} A N (all layers)"
    if job.checkpointing:
        saved = f"{kept} c h N (one boundary a layer)"
    return (
        ("sizes", sizes),
        ("weights", f"{weights} (LoRA), 4 P (full), {quantized:g} P_linear + c P_other (QLoRA)"),
        ("adapter", "4 P_l + c P_l (float32 master and its copy in the compute dtype)"),
        ("gradients", "4 P_l (LoRA, QLoRA), 4 P (full)"),
        ("optimizer", "8 P_l (two float32 Adam moments), 8 P (full)"),
        ("A", f"{layer} = {layer_bytes_per_token(job, 'lora'):,.0f} (LoRA)"),
        ("activations", saved),
        ("recomputed", again),
        ("attention", "0 (fused kernel)" if job.trainer.attention == "fused" else "6 heads s N"),
        ("logits", loss),
        ("workspace", f"{spare}; it and logits or recomputed are the peak, not their sum"),
        ("fragmentation", f"{100 * job.fragmentation:.0f} % of the above"),
    )


def _layer_formulas(job: Job) -> tuple[str, str, str]:
    """What a layer saves a token, what recomputing it takes, and temporaries; of LoRA."""
    layer = "norms 4h+4 each, q,k,v,out c(2qd+2kd), 4 heads, MLP 3ci, adapter inputs"
    factor, spare = "1.36", "8 h N + " if job.checkpointing else "30 h N + "
    if job.trainer.lean_layers:
        norms = " + c(qd+kd) + 4(heads + key heads)" if job.shape.qk_norm else ""
        layer = f"c(2h+2qd+2kd+2i) + 8 + 4 heads{norms}, adapter inputs"
        factor, spare = "1.42", "" if job.checkpointing else "1.6 c i N + "
    return (
        layer,
        f"{factor} A N (one layer, with its gradients)" if job.checkpointing else "0",
        spare,
    )


def _head(made: Plan) -> str:
    request, parameters = made.request, made.parameters
    workload = request.workload
    share = 100 * parameters.lora_trainable / parameters.total
    return (
        f"{request.shape.name}, trained with {request.trainer.name} ({made.tier})\n"
        f"  parameters   {parameters.total:,}, of them embedding {parameters.embedding:,}"
        f"{' (tied)' if parameters.embedding_tied else ''}\n"
        f"  LoRA         {parameters.lora_trainable:,} trainable ({share:.2f} %)\n"
        f"  steps        {workload.steps_per_epoch:,} an epoch x {request.recipe.train.epochs}"
        f" = {made.steps_total:,}\n"
        f"  tokens       {workload.logical_tokens:,} an epoch, of them computed "
        f"{workload.computed_tokens:,} (sharing {workload.sharing_ratio:.2f}x, {workload.basis})\n"
        f"  operations   {_petaflop(made.flops_total)} PFLOP"
    )


def _petaflop(flops: float) -> str:
    """With two significant digits where it is small, so that no run takes 0."""
    petaflop = flops / 1e15
    return f"{petaflop:,.0f}" if petaflop >= 10 else f"{petaflop:.2g}"


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 3, 0, 0),
        header_style="dim",
    )


def _range(values: tuple[float, float, float]) -> str:
    low, middle, high = values
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def _term(row: DevicePlan, method: str, term: str) -> str:
    memory = row.memory[method]  # type: ignore[index]
    text = f"{getattr(memory, term) / GIB:.2f}"
    is_loss = memory.peak_phase == "loss"
    other_phase = ("recomputed", "attention") if is_loss else ("logits",)
    return f"({text})" if term in other_phase and getattr(memory, term) else text


def _change_line(change: Change) -> str:
    low, high = change.hours_after
    hours = f"{low:.2f} h" if low == high else f"{low:.2f} to {high:.2f} h"
    verdict = "fits" if change.fits else "still does not fit"
    return (
        f"Change {change.change}: {change.total_gib_before:.2f} -> "
        f"{change.total_gib_after:.2f} GiB, {change.hours_before:.2f} h -> {hours}, {verdict}."
    )
