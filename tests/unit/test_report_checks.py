"""The report's chapters on plan and diagnosis, rendered as the page renders them."""

import json
import re

import pytest
from jinja2 import Environment, PackageLoader, StrictUndefined
from tests.data.simulate_logs import healthy, overfitting

from tooltune.plan.estimate import plan, to_dict
from tooltune.plan.request import make_request
from tooltune.plan.tables import load_tables
from tooltune.report.checks import describe_diagnosis, describe_plan
from tooltune.rundir import create_run


def render(section):
    environment = Environment(
        loader=PackageLoader("tooltune.report"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(f"sections/{section.name}.html.jinja").render(
        values=section.values
    )


@pytest.fixture
def run(tmp_path):
    return create_run(tmp_path)


def write_metrics(run, simulated):
    rows = [{**row, "seconds": 2.0, "peak_memory_gib": 5.0} for row in simulated.rows()]
    run.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_healthy_run_says_so(run):
    write_metrics(run, healthy(3))
    page = render(describe_diagnosis(run))
    assert "Healthy: nothing needs action." in page


def test_a_finding_stands_with_its_curve_and_marked_steps(run):
    write_metrics(run, overfitting(2))
    page = render(describe_diagnosis(run))
    assert "<h3>overfitting, steps " in page
    assert re.search(r'aria-label="[^"]* marked"', page)


def test_without_losses_the_chapter_says_what_is_missing(run):
    assert describe_diagnosis(run).missing == ("Diagnosis: no losses in metrics.jsonl.",)


def test_planned_stands_beside_measured(run):
    made = plan(make_request(examples="1000", mean_tokens=500), device=load_tables().device("t4"))
    run.plan.write_text(json.dumps(to_dict(made)))
    write_metrics(run, healthy(3, count=120))
    section = describe_plan(run)
    facts = dict(section.values["facts"])
    assert facts["Steps planned"] == "189"
    assert facts["Steps done"] == "120"
    assert facts["Peak memory measured"].startswith("5.00 GiB (")
    page = render(section)
    total = made.chosen.memory["lora"].to_gib()["total"]
    assert f"{total:.2f}" in page
    assert "weights 3.20 GiB" in page


def test_without_a_plan_the_chapter_says_so(run):
    assert describe_plan(run).missing == ("Plan: plan.json is not there.",)
