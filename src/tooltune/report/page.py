"""Run folder -> RUN/report.html: one self-contained page that opens offline and runs no script.

A chapter is one function in SECTIONS (run folder -> Section) and one template of the same name in
templates/sections/. What a run lacks is named in its chapter, never left out in silence.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tooltune.data.validate import Validation
from tooltune.jsonl import dump_json, write_text
from tooltune.report.checks import describe_diagnosis, describe_plan
from tooltune.report.preflight import describe_preflight, preflight_values
from tooltune.report.sections import (
    Section,
    describe_data,
    describe_failures,
    describe_predictions,
    describe_recipe,
    describe_results,
    describe_training,
    describe_verdict,
    describe_versions,
)
from tooltune.rundir import RunDir

SECTIONS: tuple[Callable[[RunDir], Section], ...] = (
    describe_verdict,
    describe_results,
    describe_failures,
    describe_predictions,
    describe_data,
    describe_preflight,
    describe_training,
    describe_diagnosis,
    describe_recipe,
    describe_versions,
    describe_plan,
)


def write_report(run: RunDir) -> Path:
    """Write the page and return its path. Raises DataError if a file of the run is broken."""
    page = render_page([make(run) for make in SECTIONS], name=run.path.resolve().name)
    write_text(run.report, page)
    return run.report


def write_preflight(found: Validation, path: Path, *, name: str) -> None:
    """What `validate --preflight` found, as a page of its own."""
    assert found.preflight is not None, "validated with_preflight"
    histogram = found.counts.get("tokens", {}).get("histogram", {})
    head = {"counts": found.counts, "issues": len(found.issues), "name": name}
    values = preflight_values(found.preflight, histogram)
    sections = [
        Section("checked", "Checked", head),
        Section("preflight", "What exactly will be trained", values),
    ]
    write_text(path, render_page(sections, name=name))


def render_page(sections: Sequence[Section], *, name: str) -> str:
    """HTML; the first section is the page's head."""
    environment = Environment(
        loader=PackageLoader("tooltune.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": format_percent,
        "interval": format_interval,
        "json": dump_json,
    }
    return environment.get_template("page.html.jinja").render(name=name, sections=sections)


def format_percent(rate: float | None) -> str:
    """Whole percent; what is not quite all or nothing never rounds to it."""
    if rate is None:
        return "–"
    percent = round(100 * rate)
    if 0 < rate < 1:
        percent = min(max(percent, 1), 99)
    return f"{percent}\u00a0%"


def format_interval(rate: dict[str, Any]) -> str:
    if rate["rate"] is None:
        return str(rate["why"])
    return f"{100 * rate['low']:.0f}–{100 * rate['high']:.0f}"
