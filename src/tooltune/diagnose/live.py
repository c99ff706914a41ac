"""Diagnosis of a run that still grows: the same rules, asked again as rows come in."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tooltune.config import nearest
from tooltune.diagnose.doctor import Diagnosis, diagnose
from tooltune.diagnose.finding import CODES, Finding
from tooltune.errors import ConfigError, DataError
from tooltune.rundir import RunDir

POLL_SECONDS = 2.0
LOOK_EVERY_STEPS = 10


def watch(path: Path, *, wait: Callable[[], None] | None = None) -> Iterator[Diagnosis]:
    """A diagnosis each time the log has grown; ends when its last planned step is there.

    `wait` is called between looks. A log without a loss yet is waited for.
    """
    pause = wait or (lambda: time.sleep(POLL_SECONDS))
    seen = -1
    while True:
        size = _size(path)
        if size != seen:
            seen = size
            try:
                diagnosis = diagnose(path)
            except DataError:
                if not path.exists():
                    raise
            else:
                yield diagnosis
                total = diagnosis.log.total_steps
                if total is not None and diagnosis.log.last_step >= total:
                    return
        pause()


def require_codes(names: list[str]) -> frozenset[str]:
    """Codes for `--stop-on`. Raises ConfigError with the nearest name."""
    for name in names:
        if name not in CODES:
            raise ConfigError(f"--stop-on: unknown finding {name!r}. {nearest(name, list(CODES))}")
    return frozenset(names)


def find_reason_to_stop(run: RunDir, stop_on: frozenset[str], *, step: int) -> Finding | None:
    """First finding of the growing RUN/metrics.jsonl whose code is in `stop_on`.

    Asked after every step, it looks every LOOK_EVERY_STEPS steps.
    """
    if not stop_on or step % LOOK_EVERY_STEPS or not run.metrics.is_file():
        return None
    found = diagnose(run.path).findings
    return next((finding for finding in found if finding.code in stop_on), None)


def _size(path: Path) -> int:
    """Bytes of the file, or of everything in the folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0
