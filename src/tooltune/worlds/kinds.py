"""Every kind of world: which servers work in it, how it is built, and what its state is."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooltune.worlds import graph, papers, registers, sheets, store
from tooltune.worlds.desk import World, build_desk
from tooltune.worlds.folder import file_hashes
from tooltune.worlds.sandbox import folder_state


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of world. `build` fills an empty folder and returns what is known about it."""

    name: str
    servers: tuple[str, ...]
    build: Callable[[World, Path], Any]
    state: Callable[[Path], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Bare:
    """A world without content: its servers answer from the arguments alone."""

    world: World
    rng: random.Random


def _bare(world: World, folder: Path) -> Bare:
    return Bare(world, random.Random(f"bare {world.split} {world.number}"))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("desk", ("git", "workspace", "shell", "time"), build_desk, folder_state),
        Kind("files", ("filesystem",), papers.build, file_hashes),
        Kind("store", ("sqlite",), store.build, store.state),
        Kind("sheets", ("excel",), sheets.build, sheets.state),
        Kind("graph", ("memory",), graph.build, graph.state),
        Kind("web", ("fetch",), papers.build_pages, lambda folder: {}),
        Kind("sums", ("calculator", "time"), _bare, lambda folder: {}),
        Kind("registers", ("registers",), registers.build, registers.state),
        Kind("everything", ("everything",), _bare, lambda folder: {}),
    )
}
HELD_OUT = "everything"
"""The kind that only the test split has: a server nothing was trained on."""
