"""The report's chapters on the run itself: planned against measured, and what diagnosis says."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from markupsafe import Markup, escape

from tooltune.diagnose.doctor import diagnose
from tooltune.diagnose.finding import INFORMATIONAL, Finding
from tooltune.diagnose.log import Series, TrainingLog
from tooltune.diagnose.rules_loss import last_third
from tooltune.diagnose.text import SHOWN_IN
from tooltune.errors import DataError
from tooltune.jsonl import read_json
from tooltune.plan.memory import TERMS
from tooltune.report.charts import draw_costs
from tooltune.report.sections import Section
from tooltune.rundir import RunDir

METHODS = {"full": "Full fine-tuning", "lora": "LoRA", "qlora": "QLoRA"}
_NOT_IN_PEAK = {"loss": ("recomputed", "attention"), "backward of a layer": ("logits",)}
_POINTS = 240


def describe_diagnosis(run: RunDir) -> Section:
    title = "Diagnosis"
    try:
        diagnosis = diagnose(run.metrics)
    except DataError:
        return Section("diagnosis", title, {}, (f"Diagnosis: no losses in {run.metrics.name}.",))
    values = {
        "healthy": diagnosis.healthy,
        "best_step": diagnosis.best_checkpoint_step,
        "last_third": last_third(diagnosis.log),
        "findings": [
            {
                "finding": finding,
                "evidence": finding.evidence[0].upper() + finding.evidence[1:],
                "chart": _draw_finding(diagnosis.log, finding),
            }
            for finding in diagnosis.findings
        ],
        "informational": INFORMATIONAL,
    }
    return Section("diagnosis", title, values)


def describe_plan(run: RunDir) -> Section:
    """RUN/plan.json beside what metrics.jsonl measured."""
    title = "Planned and measured"
    if not run.plan.is_file():
        return Section("plan", title, {}, (f"Plan: {run.plan.name} is not there.",))
    plan = read_json(run.plan)
    rows = run.read_metrics() if run.metrics.is_file() else []
    priced = [row for row in plan["devices"] if row["usd"] is not None and row["fits"]]
    values = {
        "plan": plan,
        "facts": _compare(plan, rows),
        "methods": METHODS,
        "terms": _terms(plan, rows),
        "devices": [(row, _draw_methods(row)) for row in plan["devices"]],
        "costs": {
            form: draw_costs(priced, is_narrow=form == "narrow") for form in ("wide", "narrow")
        }
        if priced
        else {},
    }
    missing = () if rows else ("Measured values: metrics.jsonl is not there or empty.",)
    return Section("plan", title, values, missing)


def _terms(
    plan: dict[str, Any], rows: Sequence[dict[str, Any]]
) -> list[tuple[str, list[float], float | None]]:
    """(term, planned GiB of each method, measured GiB of this run); the peak comes last.

    What lives within a step is measured together, as the rest of the peak.
    """
    memory = plan["memory_gib"]
    measured = dict(plan.get("measured_gib", {}))
    peak = _peak(rows)
    table = [
        (term, [memory[method][term] for method in METHODS], measured.get(term)) for term in TERMS
    ]
    if measured and peak is not None:
        known = sum(measured.values())
        rest = [
            memory[method]["total"] - sum(memory[method][term] for term in measured)
            for method in METHODS
        ]
        table.append(("all but the measured terms", rest, peak - known))
    table.append(("peak", [memory[method]["total"] for method in METHODS], peak))
    return table


def _draw_methods(device: dict[str, Any]) -> list[tuple[Markup, float, bool]]:
    """(bar, GiB, whether it fits) of each method; a full bar is the device's memory."""
    return [
        (
            draw_stack(device["memory_gib"][method], device["device_memory_gib"]),
            device["memory_gib"][method]["total"],
            device["fits_by_method"][method],
        )
        for method in METHODS
    ]


def draw_stack(memory: dict[str, Any], widest_gib: float) -> Markup:
    """One bar of the terms that make up the peak, each named in its tooltip; what is wider than
    `widest_gib` is cut off."""
    absent = _NOT_IN_PEAK[memory["peak_phase"]]
    parts, left = [], 0.0
    shown = [(term, memory[term]) for term in TERMS if term not in absent and memory[term] > 0]
    for index, (term, gib) in enumerate(shown):
        width = max(0.0, min(100 * gib / widest_gib, 100 - left))
        parts.append(
            f'<rect x="{left:.2f}%" width="{width:.2f}%" height="16" fill="currentColor" '
            f'opacity="{0.25 + 0.65 * (index % 2):.2f}"><title>{term} {gib:.2f} GiB</title></rect>'
        )
        left += width
    label = escape(", ".join(f"{term} {gib:.2f} GiB" for term, gib in shown))
    return Markup(
        f'<svg role="img" aria-label="{label}" width="100%" height="16">{"".join(parts)}</svg>'
    )


def draw_marked(series: Series, marked: tuple[int, int]) -> Markup:
    """A curve with the steps of a finding shaded behind it."""
    shown = series.finite()
    if len(shown) < 2:
        return Markup("")
    every = max(1, len(shown) // _POINTS)
    steps, values = shown.steps[::every], shown.values[::every]
    first, last = float(steps[0]), float(max(steps[-1], steps[0] + 1))
    low, high = float(values.min()), float(values.max())
    spread = high - low or 1.0

    def x(step: float) -> float:
        return 600 * (min(max(step, first), last) - first) / (last - first)

    line = " ".join(
        f"{x(float(step)):.1f},{70 - 64 * (float(value) - low) / spread:.1f}"
        for step, value in zip(steps, values, strict=True)
    )
    begin, end = x(marked[0]), x(marked[1])
    return Markup(
        f'<svg role="img" aria-label="{low:.3g} to {high:.3g}, steps {marked[0]} to {marked[1]} '
        f'marked" viewBox="0 0 600 74">'
        f'<rect x="{begin:.1f}" width="{max(3.0, end - begin):.1f}" height="74" '
        'fill="currentColor" opacity="0.12"/>'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


def _draw_finding(log: TrainingLog, finding: Finding) -> Markup:
    series: Series = getattr(log, SHOWN_IN.get(finding.code, "loss"))
    return draw_marked(series, (finding.first_step, finding.last_step))


def _compare(plan: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Planned and, where it was logged, measured."""
    planned = plan["memory_gib"][plan.get("method", "lora")]["total"]
    facts = [
        ("Steps planned", f"{plan['steps_total']:,}"),
        ("Steps done", f"{len(rows):,}"),
        ("Peak memory planned", f"{planned:.2f} GiB"),
    ]
    if (peak := _peak(rows)) is not None:
        facts.append(
            ("Peak memory measured", f"{peak:.2f} GiB ({100 * (peak / planned - 1):+.0f} %)")
        )
    if seconds := [row["seconds"] for row in rows if "seconds" in row]:
        facts.append(("Seconds a step", f"{median(seconds):.2f}"))
        facts.append(("Training time", f"{sum(seconds) / 60:.1f} min"))
    if plan["hours"] is not None:
        facts.append(("Training time planned", f"{60 * plan['hours']:.1f} min"))
    return facts


def _peak(rows: Sequence[dict[str, Any]]) -> float | None:
    return max((row["peak_memory_gib"] for row in rows if "peak_memory_gib" in row), default=None)
