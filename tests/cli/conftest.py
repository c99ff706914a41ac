"""Commands as a user runs them: a real process, its output and its exit code."""

import io
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
Tooltune = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tooltune_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Tooltune:
    """Run `tooltune ARGUMENTS` in an empty folder and in this process, so that torch is imported
    once for all; `env` is laid over the environment."""
    from tooltune.cli import main

    def run(
        *arguments: str | Path, env: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        monkeypatch.chdir(tmp_path)
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["tooltune", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(sys.argv, int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def tooltune(tmp_path: Path) -> Tooltune:
    """The same as a process of its own. No file grows past `most_file_bytes`, which fails a write
    as a full disk does, but on every machine."""

    def run(
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        most_file_bytes: int = resource.RLIM_INFINITY,
    ) -> "subprocess.CompletedProcess[str]":
        program = (
            "import resource, runpy\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most_file_bytes}, {most_file_bytes}))\n"
            "runpy.run_module('tooltune', run_name='__main__', alter_sys=True)\n"
        )
        return subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def tiny_run(tiny_llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as `train` leaves it, with a random adapter on the tiny Llama."""
    import torch

    from tooltune.chat.render import Renderer
    from tooltune.config import LoraSection, ModelSection, Recipe, dump_recipe
    from tooltune.model.load import load_base
    from tooltune.model.lora import attach_lora, save_adapter
    from tooltune.rundir import create_run

    run = create_run(tmp_path_factory.mktemp("runs") / "tiny")
    section = ModelSection(name=str(tiny_llama_folder), dtype="float32")
    lora = LoraSection(rank=2, dropout=0)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        loaded = load_base(section)
        attach_lora(loaded.model, lora)
    run.recipe.write_text(dump_recipe(Recipe(model=section, lora=lora)))
    run.adapter.mkdir()
    save_adapter(loaded.model, lora, run.adapter, base=section.name)
    Renderer.from_folder(tiny_llama_folder).save(run.adapter)
    return run.path


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `synth` writes from the example servers, but few rows of each ability."""
    from tooltune.synth.generate import Counts, synthesise

    folder = tmp_path_factory.mktemp("data")
    few = Counts(single=3, chain=2, ask=1, refuse=1, harmless=1, talk=1)
    many = Counts(single=8, chain=4, ask=4, refuse=4, harmless=4, talk=4)
    synthesise(
        EXAMPLES / "mcp.json", folder, counts={"train": many, "validation": few, "test": few}
    )
    return folder
