"""Names and order of a run folder's files. What stages write there is tested with them."""

from pathlib import Path

import pytest

from tooltune.errors import DataError
from tooltune.rundir import create_run, open_run


def test_metrics_are_appended_row_by_row(tmp_path: Path) -> None:
    run = create_run(tmp_path / "runs" / "one")
    run.append_metrics({"step": 1, "loss": 2.5})
    run.append_metrics({"step": 2, "loss": 2.25})
    assert run.read_metrics() == [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.25}]


def test_checkpoints_are_listed_oldest_first_and_unfinished_ones_not_at_all(tmp_path: Path) -> None:
    run = create_run(tmp_path)
    for name in ("step-000100", "step-000020", ".step-000110.tmp", "step-half"):
        (run.checkpoints / name).mkdir(parents=True)
    assert run.list_checkpoints() == [(20, run.checkpoint(20)), (100, run.checkpoint(100))]


def test_a_folder_without_a_recipe_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a run folder"):
        open_run(tmp_path)
    (tmp_path / "recipe.toml").write_text("")
    assert open_run(tmp_path).path == tmp_path


def test_creating_a_run_leaves_no_probe_behind(tmp_path: Path) -> None:
    assert list(create_run(tmp_path / "run").path.iterdir()) == []
