"""Every log format gives the same columns; what cannot be read is named with its line.

data/events.out.tfevents.* was written by tensorboard 2.x's EventFileWriter: STEPS, LOSS and RATE
under the tags of transformers' Trainer, a text, and one scalar as a tensor.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tooltune.diagnose import readers
from tooltune.diagnose.doctor import diagnose
from tooltune.diagnose.readers import read_log
from tooltune.errors import DataError

EVENTS = Path(__file__).parents[1] / "data" / "events.out.tfevents.1700000000.example"
STEPS = list(range(1, 61))
LOSS = [round(2 * math.exp(-step / 30) + 0.5 + 0.01 * (step % 3), 4) for step in STEPS]
RATE = [2e-4 * (1 - step / 60) for step in STEPS]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def as_jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def our_rows():
    rows = [
        {"step": step, "loss": loss, "learning_rate": rate, "grad_norm": 1.0}
        for step, loss, rate in zip(STEPS, LOSS, RATE, strict=True)
    ]
    rows[29]["validation_loss"] = 1.1
    rows[59]["validation_loss"] = 0.9
    return rows


def trainer_state():
    history = [
        {"step": step, "epoch": step / 60, "loss": loss, "grad_norm": 1.0, "learning_rate": rate}
        for step, loss, rate in zip(STEPS, LOSS, RATE, strict=True)
    ]
    history += [{"step": 30, "eval_loss": 1.1}, {"step": 60, "eval_loss": 0.9}]
    history.append({"step": 60, "train_loss": 1.0, "train_runtime": 12.0})
    return json.dumps({"best_metric": None, "log_history": history, "max_steps": 60}, indent=2)


def recipe_lines():
    lines = ["Loading the model..."]
    for step, loss, rate in zip(STEPS, LOSS, RATE, strict=True):
        lines.append(f"Step {step}/60: loss={loss:.4f}, learning_rate={rate:.1e}, grad_norm=1.0")
        if step in (30, 60):
            lines[-1] += f", validation_loss={1.1 if step == 30 else 0.9}"
    return "\n".join(lines)


def console_dictionaries():
    lines = []
    for step, loss, rate in zip(STEPS, LOSS, RATE, strict=True):
        lines.append(f" 50%|#####     | {step}/60 [00:10<00:10,  1.00it/s]")
        lines.append(str({"loss": str(loss), "grad_norm": "1.0", "learning_rate": str(rate)}))
        if step in (30, 60):
            lines.append(str({"eval_loss": 1.1 if step == 30 else 0.9, "epoch": step / 60}))
    return "\n".join(lines)


def as_csv():
    lines = ["step,loss,learning_rate,grad_norm,eval_loss"]
    for step, loss, rate in zip(STEPS, LOSS, RATE, strict=True):
        validation = {30: "1.1", 60: "0.9"}.get(step, "")
        lines.append(f"{step},{loss},{rate},1.0,{validation}")
    return "\n".join(lines)


FORMATS = {
    "metrics.jsonl": as_jsonl(our_rows()),
    "trainer_state.json": trainer_state(),
    "recipe.log": recipe_lines(),
    "console.txt": console_dictionaries(),
    "log.csv": as_csv(),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_columns(name, tmp_path):
    log = read_log(write(tmp_path / name, FORMATS[name]))
    assert log.loss.steps.tolist() == STEPS
    assert log.loss.values == pytest.approx(LOSS)
    assert log.learning_rate.values == pytest.approx(RATE, rel=0.04, abs=1e-6)
    assert log.grad_norm.values.tolist() == [1.0] * 60
    assert dict(zip(log.validation.steps.tolist(), log.validation.values, strict=True)) == {
        30: 1.1,
        60: 0.9,
    }
    assert log.notes == ()


def test_a_tensorboard_file_gives_the_same_columns():
    log = read_log(EVENTS)
    assert log.loss.steps.tolist() == STEPS
    assert log.loss.values == pytest.approx(LOSS)
    assert log.learning_rate.values == pytest.approx(RATE)
    assert log.grad_norm.values.tolist() == [1.0] * 60
    assert log.validation.steps.tolist() == [30, 60]
    assert log.validation.values == pytest.approx([1.1, 0.9])
    assert log.total_steps == 60, "a scalar that is a tensor"
    assert log.notes == ()


def test_the_event_files_of_a_folder_are_one_log_and_a_growing_one_is_read_so_far(tmp_path):
    data = EVENTS.read_bytes()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "events.out.tfevents.1.a").write_bytes(data)
    (tmp_path / "runs" / "events.out.tfevents.2.a").write_bytes(data[: len(data) // 2])
    assert read_log(tmp_path).loss.steps.tolist() == STEPS
    half = read_log(tmp_path / "runs" / "events.out.tfevents.2.a")
    assert half.loss.steps.tolist() == STEPS[: len(half.loss)]
    assert 20 < len(half.loss) < 40


def test_bytes_that_are_no_event_file_are_refused(tmp_path):
    path = tmp_path / "events.out.tfevents.1.a"
    path.write_bytes((3).to_bytes(8, "little") + b"\0" * 4 + b"\xff\xff\xff" + b"\0" * 4)
    with pytest.raises(DataError, match="no training loss in 0 rows"):
        read_log(path)


@pytest.mark.parametrize("part_bytes", [1, 100, 5000])
def test_a_log_read_in_parts_is_the_same_log(tmp_path, monkeypatch, part_bytes):
    lines = FORMATS["metrics.jsonl"].splitlines()
    lines[4] = "not json"
    lines[9] = lines[9].replace(f'"loss": {LOSS[9]}', '"loss": "oops"')
    path = write(tmp_path / "m.jsonl", "\n".join(lines))
    whole = read_log(path)
    monkeypatch.setattr(readers, "_PART_BYTES", part_bytes)
    log = read_log(path)
    assert log.notes == whole.notes
    assert [note.split(" ")[0] for note in log.notes] == [f"{path}:5:", f"{path}:10:"]
    for name in ("loss", "learning_rate", "validation"):
        mine, other = getattr(log, name), getattr(whole, name)
        assert mine.steps.tolist() == other.steps.tolist()
        assert mine.values.tolist() == other.values.tolist()


@pytest.mark.parametrize("name", ["trainer_state.json", "recipe.log", "console.txt"])
def test_planned_steps_are_read_where_a_format_has_them(name, tmp_path):
    assert read_log(write(tmp_path / name, FORMATS[name])).total_steps == 60


def test_a_run_folder_brings_its_base_loss_clipping_and_checkpoints(tmp_path):
    write(tmp_path / "metrics.jsonl", FORMATS["metrics.jsonl"])
    write(tmp_path / "recipe.toml", "[train]\nmax_grad_norm = 0.7\n")
    write(tmp_path / "run.json", '{"base_validation_loss": 2.4}')
    (tmp_path / "checkpoints" / "step-000030").mkdir(parents=True)
    log = read_log(tmp_path)
    assert (log.base_loss, log.max_grad_norm, log.checkpoints) == (2.4, 0.7, (30,))


def test_a_damaged_run_json_costs_only_its_facts(tmp_path):
    write(tmp_path / "metrics.jsonl", FORMATS["metrics.jsonl"])
    write(tmp_path / "run.json", "{")
    assert read_log(tmp_path).base_loss is None


def test_a_validation_loss_at_step_0_is_the_base_models(tmp_path):
    rows = [{"step": 0, "validation_loss": 2.5}, *our_rows()]
    assert read_log(write(tmp_path / "m.jsonl", as_jsonl(rows))).base_loss == 2.5


def test_logged_nan_is_a_value_and_a_missing_cell_is_not(tmp_path):
    text = '{"step": 1, "loss": 2.0}\n{"step": 2, "loss": NaN}\n{"step": 3, "loss": null}\n'
    log = read_log(write(tmp_path / "m.jsonl", text))
    assert log.loss.steps.tolist() == [1, 2]
    assert np.isnan(log.loss.values[1])


def test_console_text_spells_nan_too(tmp_path):
    log = read_log(write(tmp_path / "a.txt", "Step 1/3: loss=2.0\nStep 2/3: loss=nan\n"))
    assert np.isnan(log.loss.values[1])


def test_a_log_without_loss_names_what_it_found(tmp_path):
    path = write(tmp_path / "m.jsonl", '{"step": 1, "accuracy": 0.5}\n')
    with pytest.raises(DataError, match=r"m.jsonl: no training loss in 1 rows \(found accuracy, s"):
        read_log(path)


def test_an_empty_log_is_refused(tmp_path):
    with pytest.raises(DataError, match="no training loss in 0 rows"):
        read_log(write(tmp_path / "m.jsonl", ""))


def test_a_missing_log_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_log(tmp_path / "none.jsonl")


def test_an_empty_folder_is_refused_with_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"looked for metrics.jsonl, trainer_state.json"):
        read_log(tmp_path)


def test_broken_lines_are_counted_and_the_rest_is_read(tmp_path):
    lines = FORMATS["metrics.jsonl"].splitlines()
    lines[4] = lines[4][:10]
    lines[9] = "not json"
    log = read_log(write(tmp_path / "m.jsonl", "\n".join(lines)))
    assert len(log.loss) == 58
    assert log.notes == (f"{tmp_path / 'm.jsonl'}:5: not valid JSON; 2 such lines left out.",)


def test_cells_that_are_no_numbers_are_named_with_their_line(tmp_path):
    text = as_csv().replace(f"3,{LOSS[2]}", "3,oops")
    log = read_log(write(tmp_path / "log.csv", text))
    assert len(log.loss) == 59
    assert log.notes[0].startswith(f"{tmp_path / 'log.csv'}:4: loss is not a number (got 'oops')")


def test_two_runs_in_one_file_are_told_apart(tmp_path):
    path = write(tmp_path / "m.jsonl", as_jsonl([*our_rows(), *our_rows()[:50]]))
    log = read_log(path)
    assert log.last_step == 50
    assert log.notes == (
        f"{path}:61: a new run begins (step 60 is followed by step 1); 2 runs in one file, "
        "the last is read.",
    )


def test_steps_out_of_order_are_sorted(tmp_path):
    rows = our_rows()
    rows[10], rows[20] = rows[20], rows[10]
    log = read_log(write(tmp_path / "m.jsonl", as_jsonl(rows)))
    assert log.loss.steps.tolist() == STEPS
    assert log.loss.values == pytest.approx(LOSS)


def test_a_shuffled_log_is_read_whole(tmp_path):
    rows = [our_rows()[i] for i in np.random.default_rng(7).permutation(60)]
    diagnosis = diagnose(path := write(tmp_path / "m.jsonl", as_jsonl(rows)))
    assert diagnosis.log.loss.values == pytest.approx(LOSS)
    assert [note.startswith(f"{path}:") for note in diagnosis.log.notes] == [True]
    assert "steps out of order" in diagnosis.log.notes[0]
    assert "missing-steps" not in {finding.code for finding in diagnosis.findings}


def test_what_cannot_be_read_is_a_note_and_no_missing_step(tmp_path):
    rows = our_rows()
    rows[20]["step"], rows[30]["loss"] = "twenty", "n/a"
    lines = as_jsonl(rows).splitlines()
    lines[40] = "half a li"
    diagnosis = diagnose(write(tmp_path / "m.jsonl", "\n".join(lines)))
    assert diagnosis.log.loss.steps.tolist() == [s for s in STEPS if s not in (21, 31, 41)]
    assert len(diagnosis.log.notes) == 3
    assert "missing-steps" not in {finding.code for finding in diagnosis.findings}
    del lines[10:15]
    codes = {f.code for f in diagnose(write(tmp_path / "n.jsonl", "\n".join(lines))).findings}
    assert "missing-steps" in codes, "control: lines that are not there"


def test_a_decimal_comma_in_a_console_line_is_not_read_as_a_whole_number(tmp_path):
    text = "\n".join(f"Step {step}/60: loss={loss}" for step, loss in zip(STEPS, LOSS, strict=True))
    log = read_log(path := write(tmp_path / "a.txt", text.replace("loss=", "loss=1,", 1)))
    assert log.loss.steps.tolist() == STEPS[1:]
    assert log.notes[0].startswith(f"{path}:1: loss is not a number (got '1,")


def test_tables_separated_by_semicolons_or_tabs_are_read(tmp_path):
    semicolons = as_csv().replace(",", ";").replace(".", ",")
    for number, text in enumerate((semicolons, as_csv().replace(",", "\t"))):
        log = read_log(write(tmp_path / f"{number}.csv", text))
        assert log.loss.values == pytest.approx(LOSS)


def test_an_exact_resume_is_no_finding_and_a_different_one_is(tmp_path):
    rows = our_rows()
    exact = [*rows[:40], *rows[30:]]
    other = [*rows[:40], *({**row, "loss": row["loss"] * 1.1} for row in rows[30:])]
    codes = [
        {f.code for f in diagnose(write(tmp_path / f"{i}.jsonl", as_jsonl(r))).findings}
        for i, r in enumerate((exact, other))
    ]
    assert "missing-steps" not in codes[0]
    assert "missing-steps" in codes[1]


def test_without_step_numbers_log_lines_are_counted(tmp_path):
    text = "\n".join(f"{{'loss': {loss}}}" for loss in LOSS)
    log = read_log(write(tmp_path / "a.txt", text))
    assert log.loss.steps.tolist() == STEPS
    assert "log lines are counted" in log.notes[0]
