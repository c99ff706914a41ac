"""Each illness is found, described and separated from its consequences; health is left alone.

How often the rules are right over many random logs: tests/property/test_diagnose_score.py.
"""

import numpy as np
import pytest
from tests.data.simulate_logs import SICK, healthy, observe, thinned

from tooltune.diagnose.columns import Part, Rows, build_log
from tooltune.diagnose.doctor import examine
from tooltune.diagnose.finding import CODES
from tooltune.diagnose.rules_loss import last_third
from tooltune.diagnose.text import chart, to_text


def diagnose_rows(rows):
    return examine(build_log(Rows("log", [Part(rows, range(1, len(rows) + 1))])))


def codes(diagnosis):
    return {finding.code for finding in diagnosis.findings}


@pytest.mark.parametrize("code", CODES)
def test_each_illness_is_named_with_evidence_cause_and_change(code):
    diagnosis = diagnose_rows(SICK[code](1).rows())
    found = {finding.code: finding for finding in diagnosis.findings}
    finding = found[code]
    assert finding.first_step <= finding.last_step <= diagnosis.log.last_step
    assert 0 <= finding.confidence <= 1
    assert finding.evidence
    assert finding.cause.endswith(".")
    assert finding.change.endswith(".")
    assert diagnosis.healthy == (code == "plateau")
    assert code in to_text(diagnosis)


def test_a_healthy_log_says_so_and_names_the_checkpoint():
    diagnosis = diagnose_rows(healthy(3).rows())
    assert diagnosis.healthy
    assert diagnosis.best_checkpoint_step == min(
        healthy(3).validation, key=healthy(3).validation.get
    )
    text = to_text(diagnosis)
    assert "Healthy: nothing needs action." in text
    assert f"Checkpoint to keep: step {diagnosis.best_checkpoint_step}" in text


def test_overfitting_names_the_step_where_it_began():
    run = healthy(5, count=1000)
    rise = 0.4 * np.clip((run.steps - 400) / 600, 0, 1)
    observe(run, validation=run.level * np.exp(rise))
    finding = next(f for f in diagnose_rows(run.rows()).findings if f.code == "overfitting")
    assert abs(finding.first_step - 400) <= 130
    assert finding.last_step == 1000


def test_the_checkpoint_to_keep_is_one_that_was_saved():
    run = healthy(3)
    places = sorted(run.validation)
    found = Rows("log", [Part(run.rows(), range(run.count))], checkpoints=tuple(places[:3]))
    assert examine(build_log(found)).best_checkpoint_step in places[:3]


def test_without_validation_the_last_step_before_the_damage_is_kept():
    run = SICK["nan"](4)
    run.validation = {}
    diagnosis = diagnose_rows(run.rows())
    assert diagnosis.best_checkpoint_step == diagnosis.findings[0].first_step - 1


def test_a_rising_training_loss_is_divergence_not_overfitting():
    run = SICK["divergence"](3)
    assert codes(diagnose_rows(run.rows())) == {"divergence"}


def test_paired_losses_of_examples_widen_the_error_of_a_rise():
    """A rise that comes from two examples of many is not called overfitting."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 1.5, 200)
    rows = [{"step": step, "loss": 1.0 + 0.5 / step} for step in range(1, 101)]
    for index, step in enumerate(range(10, 101, 10)):
        losses = base * (1.0 - 0.02 * min(index, 4))
        if index > 4:
            losses = losses.copy()
            losses[:2] += 1.5 * (index - 4)
        rows[step - 1]["validation_loss"] = float(losses.mean())
        rows[step - 1]["validation_losses"] = losses.tolist()
    blind = [{k: v for k, v in row.items() if k != "validation_losses"} for row in rows]
    assert "overfitting" in codes(diagnose_rows(blind))
    assert "overfitting" not in codes(diagnose_rows(rows))


def test_zero_loss_with_zero_gradient_is_one_finding():
    diagnosis = diagnose_rows(SICK["constant-loss"](1).rows())
    assert [finding.code for finding in diagnosis.findings] == ["constant-loss"]
    assert "the gradient is zero" in diagnosis.findings[0].evidence


def test_a_few_skipped_updates_while_the_loss_scale_settles_are_no_fault():
    rows = healthy(8, count=500).rows()
    for index in (0, 1, 3):
        rows[index]["grad_norm"] = float("inf")
    assert "nan" not in codes(diagnose_rows(rows))
    for index in (200, 201):
        rows[index]["grad_norm"] = float("nan")
    assert "nan" in codes(diagnose_rows(rows))


def test_rules_about_the_end_wait_for_it():
    """At a tenth of the run neither the schedule nor the learning can be judged."""
    run = SICK["schedule-flat"](2)
    rows = run.rows()
    assert "schedule-flat" in codes(diagnose_rows(rows))
    assert codes(diagnose_rows(rows[: len(rows) // 2])) == set()


def test_prefixes_of_healthy_runs_raise_no_alarm():
    alarmed = [
        (seed, part, codes(diagnosis))
        for seed in range(20)
        for part in (0.1, 0.3, 0.6)
        if not (
            diagnosis := diagnose_rows(
                (rows := healthy(seed).rows())[: max(20, int(part * len(rows)))]
            )
        ).healthy
    ]
    assert alarmed == []


def test_a_short_noisy_log_cannot_tell_and_says_what_it_could_have_seen():
    run = healthy(1, count=120)
    run.noise = 0.3
    observe(run)
    log = build_log(Rows("log", [Part(run.rows(), range(120))]))
    assert last_third(log).startswith("cannot tell whether it still falls: changes below")


def test_a_log_of_one_step_is_no_reason_to_worry():
    diagnosis = diagnose_rows([{"step": 1, "loss": 2.0}])
    assert diagnosis.healthy
    assert "too few" in to_text(diagnosis)


def test_logs_of_other_trainers_lack_columns_and_stay_healthy():
    assert diagnose_rows(thinned(healthy(12))).healthy


def test_the_chart_marks_the_place_of_a_finding():
    log = build_log(Rows("log", [Part(healthy(2, count=120).rows(), range(120))]))
    bars, marks = chart(log.loss, (1, 60))
    assert len(marks) == 30
    assert bars[0] == "█"


def with_skills(calls, abstentions, *, turns=30):
    """A healthy log that decodes `turns` turns of each kind every 20 steps."""
    rows = healthy(3, count=20 * len(calls)).rows()
    for index, (call, abstention) in enumerate(zip(calls, abstentions, strict=True), start=1):
        rows[20 * index - 1] |= {
            "validation_accuracy": (call + abstention) / 2,
            "validation_call_accuracy": call,
            "validation_calls": turns,
            "validation_abstention_accuracy": abstention,
            "validation_abstentions": turns,
        }
    return rows


RISING = [0.1, 0.3, 0.5, 0.6, 0.65, 0.7, 0.72, 0.74]


def test_abstention_that_collapses_while_the_loss_falls_is_overfitting():
    rows = with_skills(RISING, [0.5, 0.8, 0.9, 0.8, 0.6, 0.4, 0.35, 0.3])
    (finding,) = [f for f in diagnose_rows(rows).findings if f.code == "overfitting"]
    assert (finding.first_step, finding.last_step) == (60, 160)
    assert finding.evidence.startswith("turns rightly answered in words fell from 0.90 at step 60")
    assert "one-sided" in finding.cause


def test_skills_that_rise_or_waver_within_their_noise_are_healthy():
    wavering = [0.5, 0.7, 0.8, 0.87, 0.77, 0.8, 0.7, 0.77]
    assert diagnose_rows(with_skills(RISING, wavering)).healthy


def test_a_fall_that_few_turns_cannot_show_is_not_reported():
    falling = [0.5, 0.8, 0.8, 0.6, 0.6, 0.4, 0.4, 0.4]
    assert diagnose_rows(with_skills(RISING, falling, turns=5)).healthy
    assert not diagnose_rows(with_skills(RISING, falling, turns=60)).healthy


def test_a_task_metric_without_a_number_of_turns_is_compared_with_its_own_noise():
    rows = healthy(3, count=200).rows()
    for index, value in enumerate([0.2, 0.5, 0.8, 0.82, 0.81, 0.7, 0.6, 0.5, 0.45, 0.42], start=1):
        rows[20 * index - 1]["eval_accuracy"] = value
    (finding,) = [f for f in diagnose_rows(rows).findings if f.code == "overfitting"]
    assert finding.first_step == 80


def test_the_checkpoint_to_keep_is_the_one_that_train_keeps():
    """Most turns right, and of equals the lowest loss."""
    rows = with_skills(RISING, [0.9] * 8)
    for index in range(1, 9):
        rows[20 * index - 1]["validation_accuracy"] = 0.8 if index in (3, 5) else 0.5
        rows[20 * index - 1]["validation_loss"] = 1.0 - 0.1 * index
    assert diagnose_rows(rows).best_checkpoint_step == 100
