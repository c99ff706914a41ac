"""`tooltune diagnose` as a user runs it, with torch missing."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tests.data.simulate_logs import healthy, overfitting

from tooltune.diagnose.finding import CODES

LOG_ROWS = 200_000


def write_log(path, run):
    path.write_text("".join(json.dumps(row) + "\n" for row in run.rows()))
    return path


@pytest.fixture
def without_torch(tmp_path):
    """An environment in which importing torch or transformers fails."""
    for name in ("torch", "transformers"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not installed')")
    return {"PYTHONPATH": str(tmp_path)}


def test_a_sick_log_is_exit_code_1_with_its_findings(tooltune, tmp_path, without_torch):
    log = write_log(tmp_path / "m.jsonl", overfitting(2))
    before = os.times()
    done = tooltune("diagnose", log, "--json", env=without_torch)
    after = os.times()
    answer = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert answer["healthy"] is False
    finding = answer["findings"][0]
    assert finding["code"] == "overfitting"
    assert finding["code"] in CODES
    assert {"first_step", "last_step", "confidence", "evidence", "cause", "change"} <= set(finding)
    assert isinstance(answer["best_checkpoint_step"], int)
    assert after.children_user + after.children_system - sum(before[2:4]) < 1


def test_a_healthy_log_is_exit_code_0(tooltune, tmp_path):
    done = tooltune("diagnose", write_log(tmp_path / "m.jsonl", healthy(3)))
    assert done.returncode == 0
    assert "Healthy: nothing needs action." in done.stdout


def test_a_log_without_loss_is_a_message_and_exit_code_2(tooltune, tmp_path):
    (tmp_path / "m.jsonl").write_text('{"step": 1, "accuracy": 1}\n')
    done = tooltune("diagnose", tmp_path / "m.jsonl")
    assert done.returncode == 2
    assert "no training loss" in done.stderr
    assert "Traceback" not in done.stderr


def test_follow_reports_a_growing_log_until_its_last_step(tmp_path):
    run = healthy(3, count=120)
    rows = [json.dumps(row) + "\n" for row in run.rows()]
    log = tmp_path / "m.jsonl"
    log.write_text("".join(rows[:60]))
    command = [sys.executable, "-m", "tooltune", "diagnose", str(log), "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "last step 60 of 120" in process.stdout.readline()
        with log.open("a") as file:
            file.writelines(rows[60:])
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 0
    assert "last step 120 of 120" in rest


def test_a_long_log_takes_seconds(tmp_path):
    """A fifth of a million rows in a fifth of five seconds, of processor time."""
    rng = np.random.default_rng(0)
    loss = np.exp(0.12 * rng.normal(size=LOG_ROWS)) * (0.5 + 2 * np.exp(-np.arange(LOG_ROWS) / 2e4))
    rows = (
        f'{{"step": {index + 1}, "loss": {value:.4f}, "learning_rate": {2e-4 / (index + 1):.3e}}}'
        for index, value in enumerate(loss.tolist())
    )
    log = tmp_path / "m.jsonl"
    log.write_text("\n".join(rows))
    program = (
        "import sys, time; from pathlib import Path\n"
        "from tooltune.diagnose.doctor import diagnose\n"
        "start = time.process_time(); diagnose(Path(sys.argv[1]))\n"
        "print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", program, log], capture_output=True, text=True)
    assert float(done.stdout) < 5 * LOG_ROWS / 1_000_000, done.stderr
