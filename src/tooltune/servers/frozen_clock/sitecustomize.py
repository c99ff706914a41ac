"""Stops the wall clock of a Python tool server, so that its answers can be repeated.

Python runs this at its start where this folder is on PYTHONPATH. TOOLTUNE_FROZEN_CLOCK holds the
ISO time to stop at, or the absolute path of a file with it, whose content may change while the
server runs. Clocks that measure durations go on, so timeouts still work.
"""

import os
import sys
from datetime import datetime

if "TOOLTUNE_FROZEN_CLOCK" in os.environ:
    # time_machine would import pytest, where it is installed, at each start of each server.
    sys.modules["pytest"] = None  # type: ignore[assignment]
    try:
        import time_machine
    except ImportError:
        # A clock that goes on unnoticed would make recorded answers wrong: better no server.
        sys.exit(f"frozen clock: time-machine is missing in {sys.executable}. Install it there.")
    del sys.modules["pytest"]
    clock = os.environ["TOOLTUNE_FROZEN_CLOCK"]

    def read_clock() -> datetime:
        if not os.path.isabs(clock):  # noqa: PTH117 - pathlib would slow down every server's start
            return datetime.fromisoformat(clock)
        with open(clock, encoding="utf-8") as file:  # noqa: PTH123
            return datetime.fromisoformat(file.read().strip())

    traveller = time_machine.travel(read_clock(), tick=False).start()
    traveller.time_ns = (  # type: ignore[method-assign]
        lambda: int(read_clock().timestamp()) * 1_000_000_000
    )
