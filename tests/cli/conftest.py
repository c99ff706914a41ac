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
