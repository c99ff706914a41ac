"""A private desk with tool servers running on it, put back to a known state between executions.

The servers keep running across resets (their start dominates everything else): the desk's content
is replaced, the folder itself, which is their working directory, stays. Their clock is frozen.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import tooltune.servers
from tooltune.messages import Tool, ToolResult
from tooltune.servers.client import Servers
from tooltune.servers.spec import read_specs
from tooltune.worlds.desk import GIT_ENV, Desk, World, build_desk
from tooltune.worlds.folder import Content, restore

FROZEN_CLOCK = Path(tooltune.servers.__file__).parent / "frozen_clock"


class Sandbox:
    """`with Sandbox(config) as sandbox: sandbox.reset(world); sandbox.call(name, arguments)`.

    `config` is an `mcp.json`. Entering makes the folders; the servers start at the first use.
    """

    def __init__(self, config: Path) -> None:
        self.config = config
        self._specs = read_specs(config)
        self._close = ExitStack()
        self._servers: Servers | None = None
        self._world: World | None = None
        self._dirty = False
        self._desks: dict[World, tuple[Desk, Content]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as close:
            root = Path(close.enter_context(tempfile.TemporaryDirectory(prefix="tooltune-")))
            self.desk_folder = root / "desk"
            self._shelf = root / "shelf"
            self.desk_folder.mkdir()
            self._shelf.mkdir()
            self._clock = root / "clock"
            self._clock.write_text(World("train", 0).clock)
            self._close = close.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._close.close()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The catalog, in the config's order."""
        return self._running().tools

    @property
    def server_names(self) -> tuple[str, ...]:
        return tuple(self._specs)

    @property
    def server_of(self) -> dict[str, str]:
        """Tool name to the name of its server."""
        return self._running().server_of

    def reset(self, world: dict[str, Any]) -> Desk:
        """Bring the desk to the start of `world` (as in a conversation's meta) and describe it."""
        wanted = World.from_dict(world)
        self._clock.write_text(wanted.clock)
        if self._dirty and self._world is not None:
            restore(self.desk_folder, self._desks[self._world][1])
        self._dirty = False
        if wanted != self._world:
            self._swap(wanted)
        return self._desks[wanted][0]

    def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Execute on the desk. Raises ServerError as `Servers.call` does."""
        servers = self._running()
        tool = next((tool for tool in servers.tools if tool.name == name), None)
        if tool is None or not tool.read_only:
            self._dirty = True
        return servers.call(name, arguments)

    def snapshot(self) -> dict[str, str]:
        """The desk's state: a hash for each file, and each repository's HEAD, refs and index.

        Equal snapshots mean equal states; times and other noise of the file system are left out.
        """
        return folder_state(self.desk_folder)

    def _running(self) -> Servers:
        if self._servers is None:
            env = {
                **GIT_ENV,
                "PYTHONPATH": str(FROZEN_CLOCK),
                "TOOLTUNE_FROZEN_CLOCK": str(self._clock),
            }
            self._servers = self._close.enter_context(
                Servers(self._specs.values(), cwd=self.desk_folder, env=env)
            )
        return self._servers

    def _swap(self, wanted: World) -> None:
        """Put one world's projects on the shelf and another's on the desk: a few renames."""
        if self._world is not None:
            _move_entries(self.desk_folder, self._place(self._world))
        place = self._place(wanted)
        if wanted not in self._desks:
            place.mkdir()
            desk = build_desk(wanted, place)
            self._desks[wanted] = desk, Content.of(place)
        _move_entries(place, self.desk_folder)
        self._world = wanted

    def _place(self, world: World) -> Path:
        return self._shelf / f"{world.split}-{world.number}"


def _move_entries(source: Path, target: Path) -> None:
    for entry in list(source.iterdir()):
        entry.rename(target / entry.name)


def folder_state(root: Path) -> dict[str, str]:
    """The state of a folder with files and git repositories (see `Sandbox.snapshot`)."""
    return dict(_state(root))


def _state(root: Path) -> Iterator[tuple[str, str]]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if ".git" in folders:
            folders.remove(".git")
            yield from _git_state(root, here)
        for name in files:
            path = here / name
            yield _key(root, path), hashlib.sha256(path.read_bytes()).hexdigest()


def _git_state(root: Path, project: Path) -> Iterator[tuple[str, str]]:
    git = project / ".git"
    loose = (path for path in (git / "refs").rglob("*") if path.is_file())
    for path in (git / "HEAD", git / "packed-refs", *loose):
        if path.is_file():
            yield _key(root, path), path.read_text(encoding="utf-8", errors="replace").strip()
    index = subprocess.run(
        ["git", "ls-files", "--stage"],
        cwd=project,
        env={"PATH": os.environ.get("PATH", ""), **GIT_ENV},
        check=False,
        capture_output=True,
    ).stdout
    yield _key(root, git / "index"), hashlib.sha256(index).hexdigest()


def _key(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
