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


def planned(run, **changes):
    made = plan(make_request(examples="1000", mean_tokens=500), device=load_tables().device("t4"))
    run.plan.write_text(json.dumps(to_dict(made) | changes))
    return made.chosen.memory["lora"].to_gib()


def test_planned_stands_beside_measured(run):
    memory = planned(run)
    write_metrics(run, healthy(3, count=120))
    section = describe_plan(run)
    facts = dict(section.values["facts"])
    assert facts["Steps planned"] == "189"
    assert facts["Steps done"] == "120"
    assert facts["Peak memory measured"].startswith("5.00 GiB (")
    assert facts["Training time"] == "4.0 min"
    page = render(section)
    assert f"{memory['total']:.2f}" in page
    assert "weights 3.20 GiB" in page
    assert page.count("<figure") == 2, "cost against time, wide and narrow"


def test_what_can_be_measured_apart_stands_beside_its_term_and_the_rest_together(run):
    measured = {"weights": 3.0, "adapter": 0.1, "gradients": 0.1, "optimizer": 0.2}
    memory = planned(run, measured_gib=measured)
    write_metrics(run, healthy(3, count=120))
    terms = {term: (plans[1], found) for term, plans, found in describe_plan(run).values["terms"]}
    assert terms["weights"] == (memory["weights"], 3.0)
    assert terms["activations"] == (memory["activations"], None)
    rest, found = terms["all but the measured terms"]
    assert found == pytest.approx(5.0 - 3.4)
    assert rest == pytest.approx(memory["total"] - sum(memory[name] for name in measured))
    assert terms["peak"] == (memory["total"], 5.0)


def test_a_bar_wider_than_the_device_is_cut_at_its_memory(run):
    planned(run)
    device, bars = describe_plan(run).values["devices"][0]
    assert device["device"] == "t4"
    widths = [sum(map(float, re.findall(r'width="([0-9.]+)%" height="16"', b))) for b, _, _ in bars]
    assert [fits for _, _, fits in bars] == [False, True, True]
    assert widths[0] - 100 == pytest.approx(100, abs=0.1), "the picture's own width, and a full bar"
    assert widths[1] - 100 == pytest.approx(100 * bars[1][1] / device["device_memory_gib"], abs=0.5)


def test_without_a_plan_the_chapter_says_so(run):
    assert describe_plan(run).missing == ("Plan: plan.json is not there.",)
