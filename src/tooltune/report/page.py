"""Run folder -> RUN/report.html: one self-contained page that opens offline and runs no script.

A chapter is one function in SECTIONS (run folder -> Section) and one template of the same name in
templates/sections/. What a run lacks is named in its chapter, never left out in silence.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tooltune.jsonl import dump_json, write_text
from tooltune.report.checks import describe_diagnosis, describe_plan
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
    describe_training,
    describe_diagnosis,
    describe_recipe,
    describe_versions,
    describe_plan,
)


def write_report(run: RunDir) -> Path:
    """Write the page and return its path. Raises DataError if a file of the run is broken."""
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
    sections = [make(run) for make in SECTIONS]
    page = environment.get_template("page.html.jinja")
    write_text(run.report, page.render(name=run.path.resolve().name, sections=sections))
    return run.report


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
