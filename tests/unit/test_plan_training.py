"""The plan of a starting run: on its own examples, refused where it cannot fit, then calibrated.

How fast this machine is is not tested here: on a shared machine its seconds mean nothing.
"""

import datetime
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from tooltune.config import ModelSection, Recipe
from tooltune.data.examples import Examples
from tooltune.errors import ConfigError
from tooltune.packing.tree import TokenSequence
from tooltune.plan.tables import load_tables
from tooltune.plan.this_machine import (
    keep_rate,
    local_device,
    start_plan,
    with_known_rate,
)
from tooltune.plan.training import (
    calibrate,
    describe_plan,
    plan_training,
    require_fit,
    write_plan,
)
from tooltune.rundir import create_run

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 512,
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def shared_examples(count=40, prefix=30, own=10):
    sequences = [
        [
            TokenSequence(
                np.r_[np.arange(prefix), np.full(own, 100 + index)].astype(np.int32),
                np.r_[np.zeros(prefix), np.ones(own)].astype(np.uint8),
            )
        ]
        for index in range(count)
    ]
    return Examples([], sequences, [0] * count, {"too long": 0})


def started(folder, **changes):
    device = load_tables().device("t4").model_copy(update=changes)
    return plan_training(Recipe(), shared_examples(), folder=folder, device=device)


def test_the_plan_counts_the_runs_own_examples(folder):
    made = started(folder)
    assert made.steps_total == 9
    assert made.request.workload.supervised_tokens == 400
    assert made.request.workload.computed_tokens == 3 * 30 + 40 * 10
    assert "9 steps, 1,600 tokens an epoch, 490 computed (sharing 3.27x)" in describe_plan(made)


def test_a_run_that_cannot_fit_is_refused_with_what_would_fit(folder):
    require_fit(started(folder))
    with pytest.raises(ConfigError, match=r"cannot fit NVIDIA T4 16 GB: planned peak .* GiB"):
        require_fit(started(folder, memory_mib=100.0))


def test_without_a_measured_rate_time_and_cost_stay_unknown(folder, tmp_path):
    made = started(folder, achieved_tflops=None)
    run = create_run(tmp_path / "run")
    write_plan(run, made)
    answer = json.loads(run.plan.read_text())
    assert answer["hours"] is None
    assert answer["usd"] is None
    assert answer["basis"] is None
    assert answer["steps_total"] == 9


def test_a_starting_run_prints_and_keeps_its_plan(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path / "empty"))
    recipe = Recipe().model_copy(
        update={"model": Recipe().model.model_copy(update={"dtype": "float32"})}
    )
    console = Console(file=io.StringIO(), width=200)
    run = create_run(tmp_path / "run")
    made = start_plan(recipe, run, shared_examples(), folder=folder, console=console)
    assert console.file.getvalue().startswith("Plan: 9 steps")
    assert "GiB; time unknown until step 20" in console.file.getvalue()
    assert json.loads(run.plan.read_text())["device"] == "this"
    assert made.chosen.memory["lora"].runtime > 2**25  # the process itself


def test_a_rate_measured_earlier_gives_the_starting_run_a_time_with_its_date(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path / "cache"))
    section = ModelSection(dtype="float32", device="cpu")
    device, shape = local_device(section), load_tables().shape(str(folder))
    assert with_known_rate(device, shape).achieved_tflops is None
    measured = {"achieved_tflops": (0.1, 0.2, 0.3), "as_of": datetime.date(2026, 11, 2)}
    keep_rate(device.model_copy(update=measured), shape)
    known = with_known_rate(device, shape)
    assert known.achieved_tflops == (0.1, 0.2, 0.3)
    made = plan_training(Recipe(), shared_examples(), folder=folder, device=known)
    assert "rate of this machine measured on 2026-11-02" in describe_plan(made)
    other = replace(shape, layers=3)
    assert with_known_rate(device, other).achieved_tflops is None, "another model, another rate"


@pytest.mark.parametrize("damaged", ["", "[]", '{"key": 3}', "{"])
def test_a_damaged_cache_of_rates_is_as_good_as_none(folder, tmp_path, monkeypatch, damaged):
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path))
    (tmp_path / "rates.json").write_text(damaged)
    device, shape = local_device(ModelSection(device="cpu")), load_tables().shape(str(folder))
    assert with_known_rate(device, shape) == device
    keep_rate(device.model_copy(update={"achieved_tflops": (1.0, 2.0, 3.0)}), shape)
    assert with_known_rate(device, shape).achieved_tflops == (1.0, 2.0, 3.0)


def rows(count, *, seconds_per_token=0.01, noise=0.0):
    rng = np.random.default_rng(3)
    tokens = rng.integers(100, 300, count)
    return [
        {
            "step": index + 1,
            "distinct_tokens": int(number),
            "seconds": float(number * seconds_per_token * (1 + noise * rng.normal())),
            "peak_memory_gib": 1.0 + 0.01 * index,
        }
        for index, number in enumerate(tokens)
    ]


def test_calibration_takes_time_by_computed_tokens(folder):
    """490 computed tokens in 3 steps at 0.01 s each; 7 of 9 steps are left."""
    made = started(folder)
    found = calibrate(made, rows(2))
    assert found.seconds_per_step == pytest.approx(490 / 3 * 0.01)
    assert found.hours_left == pytest.approx(7 * 490 / 3 * 0.01 / 3600)
    assert found.usd_total == pytest.approx(9 * 490 / 3 * 0.01 / 3600 * 0.40)
    assert found.peak_memory_gib == 1.01


def test_validations_to_come_count_once_one_was_timed(folder):
    """The recipe validates every 50 steps: here after the 9th and last."""
    made, first = started(folder), rows(5)
    without = calibrate(made, first)
    assert not without.counts_validations
    assert "validations not counted" in str(without)
    first[-1]["validation_seconds"] = 36.0
    found = calibrate(made, first)
    assert found.counts_validations
    assert found.hours_left == pytest.approx(without.hours_left + 36 / 3600)


def test_calibration_says_cost_with_its_interval_or_that_it_is_unknown(folder):
    found = calibrate(started(folder), rows(8, noise=0.3))
    low, high = found.usd_interval
    assert low < found.usd_total < high
    assert f"${found.usd_total:.2f} in all (${low:.2f} to ${high:.2f})" in str(found)
    unpriced = calibrate(started(folder, name="this"), rows(8))
    assert unpriced.usd_total is None
    assert "cost unknown" in str(unpriced)


def test_the_interval_of_the_time_left_widens_with_noise(folder):
    made = started(folder)
    narrow = calibrate(made, rows(8, noise=0.01)).hours_left_interval
    wide = calibrate(made, rows(8, noise=0.3)).hours_left_interval
    assert wide[1] - wide[0] > narrow[1] - narrow[0] > 0


def test_slow_first_steps_do_not_count(folder):
    slow = rows(10)
    for row in slow[:2]:
        row["seconds"] *= 50
    assert calibrate(started(folder), slow).seconds_per_step == pytest.approx(490 / 3 * 0.01)
