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
    values = {
        "plan": plan,
        "facts": _compare(plan, rows),
        "bars": [
            (name, draw_stack(memory, _widest(plan)), memory)
            for method, name in METHODS.items()
            if (memory := plan["memory_gib"][method])
        ],
        "terms": [
            (term, [plan["memory_gib"][method][term] for method in METHODS]) for term in TERMS
        ],
        "devices": [row for row in plan["devices"] if row["hours"] is not None],
    }
    missing = () if rows else ("Measured values: metrics.jsonl is not there or empty.",)
    return Section("plan", title, values, missing)


def draw_stack(memory: dict[str, Any], widest_gib: float) -> Markup:
    """One bar of the terms that make up the peak, each named in its tooltip."""
    absent = _NOT_IN_PEAK[memory["peak_phase"]]
    parts, left = [], 0.0
    shown = [(term, memory[term]) for term in TERMS if term not in absent and memory[term] > 0]
    for index, (term, gib) in enumerate(shown):
        width = 100 * gib / widest_gib
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


def _widest(plan: dict[str, Any]) -> float:
    return max(float(plan["memory_gib"][method]["total"]) for method in METHODS)


def _compare(plan: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Planned and, where it was logged, measured."""
    lora = plan["memory_gib"]["lora"]["total"]
    facts = [
        ("Steps planned", f"{plan['steps_total']:,}"),
        ("Steps done", f"{len(rows):,}"),
        ("Peak memory planned", f"{lora:.2f} GiB"),
    ]
    if rows:
        peak = max(row["peak_memory_gib"] for row in rows)
        facts.append(("Peak memory measured", f"{peak:.2f} GiB ({100 * (peak / lora - 1):+.0f} %)"))
        facts.append(("Seconds a step", f"{median(row['seconds'] for row in rows):.2f}"))
        facts.append(("Training time", f"{sum(row['seconds'] for row in rows) / 60:.1f} min"))
    return facts
