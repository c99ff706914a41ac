"""Stops the wall clock of a Python tool server, so that its answers can be repeated.

Python runs this at its start where this folder is on PYTHONPATH. TOOLTUNE_FROZEN_CLOCK holds the
ISO time to stop at. Clocks that measure durations go on, so timeouts still work.
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
    time_machine.travel(
        datetime.fromisoformat(os.environ["TOOLTUNE_FROZEN_CLOCK"]), tick=False
    ).start()
