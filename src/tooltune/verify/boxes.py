"""Sandboxes for every kind of world that synth executes in: all that is shared with generation.

A row that names a kind runs on the known servers of that kind, one that names none on the servers
of an `mcp.json`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, cast

from tooltune.errors import DataError, ServerError
from tooltune.messages import ToolResult
from tooltune.verify.replay import Box, OpenBox
from tooltune.worlds.bench import Bench, SecretLeakedError
from tooltune.worlds.desk import World
from tooltune.worlds.kinds import KINDS
from tooltune.worlds.sandbox import Sandbox


def open_boxes(config: Path) -> OpenBox:
    """`config` is needed only where a row names no kind. What is opened raises ServerError where
    its servers cannot be had, DataError where there is no such kind."""

    def open_box(kind: str | None) -> AbstractContextManager[Box]:
        if kind is None:
            return cast(AbstractContextManager[Box], Sandbox(config))
        return _bench(kind)

    return open_box


class _OnBench:
    """A bench that takes a world as a row has it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def reset(self, world: dict[str, Any]) -> Any:
        return self._bench.reset(World.from_dict(world))

    def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        try:
            return self._bench.call(name, arguments)
        except SecretLeakedError:
            raise ServerError(f"{name} repeats a secret of its environment") from None

    def snapshot(self) -> dict[str, str]:
        return self._bench.snapshot()


@contextmanager
def _bench(kind: str) -> Iterator[Box]:
    if kind not in KINDS:
        raise DataError(f"{kind} is no kind of world (expected one of {', '.join(KINDS)})")
    with Bench(kind) as bench:
        yield _OnBench(bench)
