"""Commands as a user runs them: a real process, its output and its exit code."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Tooltune = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tooltune(tmp_path: Path) -> Tooltune:
    """Run `tooltune ARGUMENTS` in an empty folder; `env` is laid over the environment."""

    def run(
        *arguments: str | Path, env: Mapping[str, str] | None = None, timeout_seconds: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tooltune", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
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
