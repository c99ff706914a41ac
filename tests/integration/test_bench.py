"""The benchmark end to end on a tiny random model, our side alone: TRL is not installed here."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from bench.run import NUMBER_FORMATS, choose_peer_settings, start_unsloth
from bench.side import Side, SideError, SlowSideError
from tooltune.model.products import is_faster_here

ROOT = Path(__file__).parents[2]


def bench(
    *arguments: str | Path, module: str = "bench.run", env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )


def test_one_measured_step_of_our_side(tiny_llama_folder: Path, tmp_path: Path) -> None:
    narrowed = ["--workload", "one-catalog", "--steps", "1", "--ours-only", "--json"]
    done = bench(*narrowed, "--model", tiny_llama_folder, "--out", tmp_path / "results.json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary == json.loads((tmp_path / "results.json").read_text())
    entry = summary["workloads"]["one-catalog"]
    assert entry["examples_per_second"] > 0
    assert 0 < entry["peak_gib"] < 4
    assert 5 < entry["loss"] < 8  # a random model over 512 tokens: about ln 512
    assert entry["peer_loss"] is None
    assert entry["recomputed"]["loss"] == pytest.approx(entry["loss"], rel=1e-4)
    assert entry["recomputed_q8_0"]["loss"] == pytest.approx(entry["loss"], rel=1e-2)
    assert entry["recomputed_q8_0"]["loss"] != entry["recomputed"]["loss"], "8 bits are no weights"


@pytest.mark.compiled_kernels(torch.float32)
def test_kernels_are_timed_in_turn() -> None:
    narrowed = ["--workload", "one-catalog", "--calls", "1", "--dtype", "float32"]
    done = bench(*narrowed, module="bench.kernels")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    attention = [row[3] for row in rows if row[1:2] == ["one-catalog"]]
    assert attention == ["segments", "tiles", "fused"]
    rates = [row[4::2] for row in rows if row[1:2] in (["576,"], ["1536,"])]
    assert [len(each) for each in rates] == ([4] * 4 if is_faster_here(torch.float32) else [])


def test_kernels_that_are_not_there_are_not_timed(tmp_path: Path) -> None:
    nothing_kept = {"CXX": "no-such-compiler", "TOOLTUNE_CACHE": str(tmp_path)}
    done = bench("--dtype", "float32", module="bench.kernels", env=os.environ | nothing_kept)
    assert done.returncode == 2
    assert done.stderr.startswith("bench: no compiled kernels to time (")


def test_without_the_peer_installed_it_says_what_to_do() -> None:
    done = bench("--workload", "no-sharing")
    assert done.returncode == 2
    assert "Run `make bench`" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_environment_that_is_not_there_is_named() -> None:
    done = bench("--ours-only", "--unsloth", "nowhere/python")
    assert done.returncode == 2
    assert "--unsloth: no such file (got nowhere/python" in done.stderr


def test_without_a_gpu_cuda_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = bench("--device", "cuda", "--ours-only")
    assert done.returncode == 2
    assert "no CUDA GPU" in done.stderr


def interpreter(folder: Path, answer: str) -> Path:
    """One that gives its first answer and no other."""
    path = folder / "ready-but-never-done"
    path.write_text(f"#!/bin/sh\necho '{answer}'\nwhile read _; do :; done\n")
    path.chmod(0o755)
    return path


def test_a_side_is_not_waited_for_longer_than_told(tmp_path: Path) -> None:
    with Side("some.trainer", {}, python=str(interpreter(tmp_path, "{}"))) as side:
        with pytest.raises(SlowSideError, match=r"some.trainer: no answer in 0.1 s"):
            side.step(at_most_seconds=0.1)
        assert side.process.poll() is None
    assert side.process.poll() is not None, "it is ended with the block"


@pytest.mark.skipif(find_spec("trl") is not None, reason="the peer is installed, and would live")
def test_a_peer_that_dies_in_a_number_format_is_tried_in_the_others() -> None:
    console = Console(file=StringIO(), width=200)
    with pytest.raises(SideError, match="ended in every number format"):
        choose_peer_settings({"device": "cpu"}, console)
    assert isinstance(console.file, StringIO)
    said = console.file.getvalue()
    assert [f"trial of the peer: {name}, 1 at a time" in said for name in NUMBER_FORMATS] == [
        True
    ] * 3
    assert "No module named" in said


def test_unsloth_finds_tooltune_and_compiles_beside_the_adapter(tmp_path: Path) -> None:
    said = """{"source": "'$PYTHONPATH'", "compiled": "'$UNSLOTH_COMPILE_LOCATION'"}"""
    settings = {
        "adapter": str(tmp_path / "adapter"),
        "unsloth": str(interpreter(tmp_path, said)),
    }
    with start_unsloth(settings) as side:
        assert side.ready == {"source": str(ROOT / "src"), "compiled": str(tmp_path / "unsloth")}
