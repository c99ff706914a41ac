"""Diagnosis while a run is going on: watching its log, and stopping it for a named finding."""

import json

import pytest
from tests.data.simulate_logs import healthy, nan

from tooltune.diagnose.live import find_reason_to_stop, require_codes, watch
from tooltune.errors import ConfigError, DataError
from tooltune.rundir import create_run


def lines(run):
    return [json.dumps(row) + "\n" for row in run.rows()]


def test_a_growing_log_is_read_again_each_time_and_ends_with_its_last_step(tmp_path):
    written = lines(healthy(3, count=120))
    log = tmp_path / "m.jsonl"
    log.write_text("".join(written[:40]))

    def grow():
        done = log.read_text().count("\n")
        log.write_text("".join(written[: done + 40]))

    steps = [diagnosis.log.last_step for diagnosis in watch(log, wait=grow)]
    assert steps == [40, 80, 120]


def test_a_log_without_a_loss_yet_is_waited_for(tmp_path):
    log = tmp_path / "m.jsonl"
    log.write_text("")
    written = lines(healthy(3, count=120))
    found = list(watch(log, wait=lambda: log.write_text("".join(written)) and None))
    assert [diagnosis.log.last_step for diagnosis in found] == [120]


def test_a_log_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        next(watch(tmp_path / "none.jsonl"))


def test_a_run_stops_only_for_the_findings_that_were_named(tmp_path):
    run = create_run(tmp_path)
    run.metrics.write_text("".join(lines(nan(1))))
    assert find_reason_to_stop(run, require_codes(["divergence"]), step=20) is None
    finding = find_reason_to_stop(run, require_codes(["divergence", "nan"]), step=20)
    assert finding is not None
    assert finding.code == "nan"


def test_a_run_without_a_log_goes_on(tmp_path):
    assert find_reason_to_stop(create_run(tmp_path), frozenset({"nan"}), step=20) is None


def test_an_unknown_finding_gets_the_nearest_name():
    with pytest.raises(ConfigError, match=r"unknown finding 'overfit'. Did you mean overfitting\?"):
        require_codes(["overfit"])
