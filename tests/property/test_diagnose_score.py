"""The rules on random logs they were not set on; more of them: tests/data/score_diagnosis.py."""

from tests.data.score_diagnosis import score

from tooltune.diagnose.finding import CODES


def test_precision_and_recall_stay_above_95_percent_and_no_healthy_log_alarms():
    """Six logs a finding: one miss among them all is the most that 0.95 each can mean here."""
    result = score("report", per_code=6, num_healthy=40)
    assert result.alarmed_healthy == 0, result.errors
    assert sum(result.missed.values()) + sum(result.false.values()) <= 2, result.errors
    assert {code for code in CODES if (result.recall(code) or 0) < 0.8} == set(), result.errors
