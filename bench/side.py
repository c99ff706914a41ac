"""One trainer of the benchmark in a process of its own, so that its peak memory is its own."""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tooltune.errors import ModelError

ROOT = Path(__file__).parents[1]
ONE_GPU = {"CUDA_VISIBLE_DEVICES": "0"}
"""Unless the user has chosen: with more in sight the peer wants torchrun."""
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


class SideError(ModelError):
    """A trainer's process ended before it answered."""


class SlowSideError(SideError):
    """An answer was not there in the time given."""


class Side:
    """One trainer in its own process; `ready` is what it said of itself."""

    def __init__(
        self,
        module: str,
        settings: dict[str, Any],
        *,
        python: str = sys.executable,
        environment: Mapping[str, str] = ENVIRONMENT,
    ) -> None:
        """`python` is the interpreter that has the trainer."""
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 closed on exit
        self.process = subprocess.Popen(
            [python, "-m", module, json.dumps(settings)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=ONE_GPU | os.environ | environment,
        )
        self.module = module
        try:
            self.ready = self._read()
        except SideError:
            self._end()
            raise

    def step(self, *, at_most_seconds: float | None = None) -> dict[str, float]:
        """Let it compute the next optimizer step. Raises SideError; SlowSideError where it takes
        longer, and then the process is of no more use."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return self._read(at_most_seconds)

    def _read(self, at_most_seconds: float | None = None) -> dict[str, Any]:
        assert self.process.stdout is not None
        # An answer is one line, so nothing waits in the buffer that this does not see.
        if not select.select([self.process.stdout], [], [], at_most_seconds)[0]:
            raise SlowSideError(f"{self.module}: no answer in {at_most_seconds:.3g} s")
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            tail = self.log.read()[-2000:].strip()
            raise SideError(
                f"{self.module}: ended with {self.process.wait()}. Its last words:\n{tail}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.log.close()
