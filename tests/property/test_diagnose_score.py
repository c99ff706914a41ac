"""The rules on random logs they were not set on; more of them: tests/data/score_diagnosis.py."""

import json
from pathlib import Path

import pytest
from tests.data.score_diagnosis import score

from tooltune.diagnose.doctor import diagnose
from tooltune.diagnose.finding import CODES, INFORMATIONAL

REAL = Path(__file__).parents[1] / "data" / "sick_runs"
LABELS: dict[str, list[str]] = json.loads((REAL / "labels.json").read_text())


def test_precision_and_recall_stay_above_95_percent_and_no_healthy_log_alarms():
    """Six logs a finding: one miss among them all is the most that 0.95 each can mean here."""
    result = score("report", per_code=6, num_healthy=40)
    assert result.alarmed_healthy == 0, result.errors
    assert sum(result.missed.values()) + sum(result.false.values()) <= 2, result.errors
    assert {code for code in CODES if (result.recall(code) or 0) < 0.8} == set(), result.errors


@pytest.mark.parametrize("name", LABELS)
def test_real_runs_made_sick_are_found_sick_and_healthy_ones_are_left_alone(name: str) -> None:
    found = {f.code for f in diagnose(REAL / f"{name}.jsonl").findings} - INFORMATIONAL
    expected = set(LABELS[name])
    assert found <= expected
    assert bool(found) == bool(expected)
