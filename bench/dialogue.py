"""A trainer's half of the talk with side.py: JSON lines over the process's standard pipes.

side.py starts it with its settings as JSON, reads one line when it is ready, then writes an empty
line for each optimizer step it wants and reads what that step gave.
"""

import json
import os
import resource
import sys
import time
from typing import Any, TextIO


def open_answers() -> TextIO:
    """Standard output for the dialogue alone: what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def say(answers: TextIO, **record: Any) -> None:
    print(json.dumps(record), file=answers, flush=True)


def wait_for_step() -> bool:
    """True when the next step is wanted, False when side.py has closed the pipe."""
    return sys.stdin.readline() != ""


def now(device: str) -> float:
    """Seconds, after the GPU has finished what it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


def peak_gib(device: str) -> float:
    """Most memory held so far: allocated by torch on a GPU, else resident in this process."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**30
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20
