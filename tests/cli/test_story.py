"""From data to a talking model as a user types it, on a tiny random model: every stage, real
servers, real files. That the real model learns is shown by the demo, not here."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tooltune.jsonl import write_jsonl

Tooltune = Callable[..., "subprocess.CompletedProcess[str]"]
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def recipe(tmp_path: Path, tiny_data: Path, tiny_llama_folder: Path) -> Path:
    """Six steps on the tiny Llama."""
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'[model]\nname = "{tiny_llama_folder}"\ndtype = "float32"\n'
        f'[data]\ntrain = "{tiny_data}/train.jsonl"\nvalidation = "{tiny_data}/validation.jsonl"\n'
        "max_sequence_tokens = 8192\n"
        "[lora]\ndropout = 0.0\nrank = 4\n"
        "[train]\nepochs = 3\nlearning_rate = 3e-3\nvalidate_every_steps = 3\n"
    )
    return path


def test_the_whole_job_from_data_to_a_talking_model(
    tooltune_here: Tooltune, recipe: Path, tiny_data: Path, tmp_path: Path
) -> None:
    run, config = tmp_path / "runs" / "tiny", EXAMPLES / "mcp.json"

    done = tooltune_here("validate", tiny_data / "train.jsonl")
    assert done.stdout.endswith("28 conversations, 0 issues\n"), done.stdout

    done = tooltune_here("train", recipe, "--out", run)
    assert done.returncode == 0, done.stderr
    assert "Step 6/6: loss=" in done.stdout
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert (
        rows[-1]["validation_loss"]
        < json.loads((run / "run.json").read_text())["base_validation_loss"]
    )

    done = tooltune_here("evaluate", run, "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert {name: group["n"] for name, group in summary["abilities"].items()} == {
        "single": 3, "chain": 2, "ask": 1, "refuse": 1, "harmless": 1, "talk": 1
    }  # fmt: skip
    assert {"rate", "low", "high"} <= set(summary["abilities"]["single"]["tuned"])
    assert json.loads(tooltune_here("evaluate", run, "--json").stdout) == summary

    done = tooltune_here("report", run)
    assert done.stdout == f"{run}/report.html\n", done.stderr

    done = tooltune_here("agent", run, "--config", config)
    assert done.returncode == 0, done.stderr
    assert "8 tools" in done.stdout


def test_a_second_run_into_the_same_folder_is_refused(
    tooltune_here: Tooltune, recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("")
    done = tooltune_here("train", recipe, "--out", "run")
    assert done.returncode == 2
    assert done.stderr == (
        "error: run: holds a run already. Add --resume to continue it, or name another folder.\n"
    )


def test_a_finding_that_was_named_ends_the_run_with_a_checkpoint(
    tooltune_here: Tooltune, recipe: Path, tmp_path: Path
) -> None:
    """A rate of almost zero: by step 40 the log is long enough to say that nothing is learned."""
    for name in ("train", "validation"):
        write_jsonl(tmp_path / f"{name}.jsonl", map(greeting, range(32)))
    settings = ("learning_rate=1e-12", "epochs=4", "examples_per_step=2", "validate_every_steps=90")
    done = tooltune_here(
        *("train", recipe, "--out", "run", "--stop-on", "nan", "--stop-on", "not-learning"),
        *(part for setting in settings for part in ("--set", f"train.{setting}")),
        *("--set", "data.train=train.jsonl", "--set", "data.validation=validation.jsonl"),
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("Stopped by --stop-on not-learning (steps 1 to 40): loss fell by")
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 40
    assert (tmp_path / "run" / "checkpoints" / "step-000040").is_dir()


def test_an_interrupted_run_resumes_to_the_same_numbers(
    tooltune_here: Tooltune, recipe: Path, tmp_path: Path
) -> None:
    """Ctrl-C while training; the resumed log equals that of a run nobody disturbed."""
    for name in ("train", "validation"):
        write_jsonl(tmp_path / f"{name}.jsonl", map(greeting, range(32)))
    longer = [
        *("--set", "train.epochs=20", "--set", "train.validate_every_steps=100"),
        *("--set", "data.train=train.jsonl", "--set", "data.validation=validation.jsonl"),
    ]
    command = [sys.executable, "-m", "tooltune", "train", recipe, "--out", "cut", *longer]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("Step 10/40"))
        assert "loss=" in line
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "Interrupted. Continue with --resume --out cut\n"
    assert len((tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()) < 40

    assert tooltune_here("train", recipe, "--out", "cut", "--resume", *longer).returncode == 0
    assert tooltune_here("train", recipe, "--out", "whole", *longer).returncode == 0
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    adapters = [tmp_path / run / "adapter/adapter_model.safetensors" for run in ("cut", "whole")]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()


def greeting(number: int) -> dict[str, object]:
    turns = [("user", f"Hello, I am number {number}."), ("assistant", f"Hello, {number * 7}!")]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def losses(run: Path) -> list[tuple[int, float, float]]:
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [(row["step"], row["loss"], row["grad_norm"]) for row in rows]
