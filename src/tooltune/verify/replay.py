"""Executes rows again in fresh sandboxes: recorded results and state must come out again.

Two sandboxes run each row. Results must equal the recorded ones, the two end states each other,
and the state that the row records where it does (`meta.state`, see `digest`).
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol

from tooltune.errors import DataError, ServerError
from tooltune.messages import ToolResult
from tooltune.verify.rows import Row

_FOLDER = re.compile(r"(?:/[\w.-]+)*/tooltune-[\w-]+/desk")
"""A sandbox's folder has another name in every run."""


class Box(Protocol):
    """A sandbox with servers running in it; `worlds.sandbox.Sandbox` is one."""

    def reset(self, world: dict[str, Any]) -> Any: ...

    def call(self, name: str, arguments: dict[str, Any]) -> ToolResult: ...

    def snapshot(self) -> dict[str, str]: ...


OpenBox = Callable[[str | None], AbstractContextManager[Box]]
"""Opens a fresh sandbox for a kind of world (`meta.world.kind`; None where the row names none)."""
_SPLITS = ("train", "validation", "test")


def replay_rows(
    rows: Sequence[Row], open_box: OpenBox, progress: Callable[[int, int], None]
) -> dict[int, str]:
    """Line -> what differed, for rows that did not come out again. Rows of one kind of world run
    one after the other, since a sandbox's start costs most; where none of a kind can be had, its
    rows fail with the reason."""
    failures: dict[int, str] = {}
    kinds: dict[str | None, list[Row]] = {}
    for row in rows:
        if _names_world(row):
            kinds.setdefault(kind_of(row), []).append(row)
        else:
            failures[row.line] = "meta names no world, so it cannot be executed again"
    done = len(failures)
    for kind, members in kinds.items():
        with ExitStack() as close:
            try:
                boxes = [close.enter_context(open_box(kind)) for _ in range(2)]
            except (ServerError, DataError) as error:
                failures |= {row.line: f"there is no sandbox for it: {error}" for row in members}
                continue
            for row in sorted(members, key=lambda row: json.dumps(row.meta["world"])):
                reason = _replay(row, boxes)
                if reason is not None:
                    failures[row.line] = reason
                done += 1
                progress(done, len(rows))
    return failures


def kind_of(row: Row) -> str | None:
    """The kind of world a row was made in; None is the desk of an `mcp.json`."""
    world = row.meta.get("world")
    kind = world.get("kind") if isinstance(world, dict) else None
    return None if kind is None else str(kind)


def _names_world(row: Row) -> bool:
    world = row.meta.get("world")
    return (
        isinstance(world, dict)
        and world.get("split") in _SPLITS
        and isinstance(world.get("number"), int)
    )


def digest(snapshot: dict[str, str]) -> str:
    """What `meta.state` records of a sandbox's state."""
    text = json.dumps(snapshot, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def normalise(text: str) -> list[str]:
    """Rules: `folder` (the sandbox's own name), `line order` (searches of a folder promise none)
    and `space` at the ends of lines."""
    return sorted(line.rstrip() for line in _FOLDER.sub("/desk", text).splitlines())


def _replay(row: Row, boxes: Sequence[Box]) -> str | None:
    states = []
    for box in boxes:
        try:
            box.reset(row.meta["world"])
            for number, call in enumerate(row.calls, start=1):
                found = box.call(call.server_name, call.server_arguments)
                if call.result is not None and normalise(found.content) != normalise(call.result):
                    return (
                        f"call {number} ({call.name}) gave {_short(found.content)}, recorded is "
                        f"{_short(call.result)}"
                    )
        except ServerError as error:
            return f"the server failed: {error}"
        states.append(box.snapshot())
    if states[0] != states[1]:
        different = sorted(
            key
            for key in states[0].keys() | states[1].keys()
            if states[0].get(key) != states[1].get(key)
        )
        return f"two executions left different states ({', '.join(different[:5])})"
    recorded = row.meta.get("state")
    if recorded is not None and recorded != digest(states[0]):
        return f"the state differs from the recorded one ({digest(states[0])}, not {recorded})"
    return None


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")
