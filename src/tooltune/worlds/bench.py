"""Known servers at work in one private folder, put back to a seeded world between executions.

The servers keep running across resets; results come back with the folder's real name replaced and
the rules of `worlds.masks` applied, so that the same world and calls give the same text everywhere.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tooltune.errors import ServerError
from tooltune.messages import Tool, ToolResult
from tooltune.servers.client import Servers
from tooltune.servers.install import ready_specs
from tooltune.servers.known import KNOWN
from tooltune.servers.spec import ServerSpec
from tooltune.worlds.desk import GIT_ENV, World
from tooltune.worlds.folder import Content, restore
from tooltune.worlds.kinds import KINDS, Kind
from tooltune.worlds.masks import ROOT, SEARCH_ORDER, mask, sorted_lines
from tooltune.worlds.sandbox import FROZEN_CLOCK
from tooltune.worlds.site import Site

CLOCK_SERVERS = ("time", "workspace")
"""Python servers whose clock is stopped at the world's instant."""
_WORLDS_KEPT = 40
_OUR_CODE = FROZEN_CLOCK.parents[2]
"""So that our servers come from the same checkout as this file."""
_COMMIT_DATE = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "1772442000 +0000")
"""The git server reads no other form of a date."""


class SecretLeakedError(Exception):
    """A result repeats a value of its server's environment; it must go nowhere."""


class Bench:
    """`with Bench("store") as bench: scene = bench.reset(world); bench.call(name, arguments)`.

    Entering installs what is missing and starts the servers; those that cannot be installed stand
    in `left_out` with the reason. Raises ServerError where none is left or one does not start.
    """

    def __init__(self, kind: str, tell: Callable[[str], None] = lambda line: None) -> None:
        self.kind: Kind = KINDS[kind]
        self.left_out: dict[str, str] = {}
        self.masked: list[str] = []
        """Rules that changed a result since the last reset."""
        self._tell = tell
        self._worlds: dict[World, tuple[Any, Content]] = {}
        self._world: World | None = None
        self._dirty = False

    def __enter__(self) -> Self:
        with ExitStack() as close:
            made = close.enter_context(tempfile.TemporaryDirectory(prefix="tooltune-"))
            root = Path(made).resolve()
            self.folder, self._clock, draft = root / "desk", root / "clock", root / "draft"
            self.folder.mkdir()
            draft.mkdir()
            self._draft = draft
            self._clock.write_text(World("train", 0).clock)
            self.site = close.enter_context(Site()) if "fetch" in self.kind.servers else None
            specs, self.left_out = ready_specs(
                [KNOWN[name] for name in self.kind.servers], self.folder, self._tell
            )
            if not specs:
                raise ServerError("; ".join(self.left_out.values()))
            self._reset_folder(World("train", 0))
            self.servers = close.enter_context(
                Servers([self._prepared(spec) for spec in specs.values()], cwd=self.folder)
            )
            self._close = close.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._close.close()

    @property
    def world(self) -> World:
        """The one of the last reset."""
        assert self._world is not None
        return self._world

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self.servers.tools

    def reset(self, world: World) -> Any:
        """Bring the folder to the start of `world` and describe it."""
        self.masked = []
        if self._dirty or world != self._world:
            self._reset_folder(world)
        self._dirty = False
        return self._worlds[world][0]

    def call(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Execute. Raises ServerError as `Servers.call` does, SecretLeakedError."""
        tool = next((tool for tool in self.tools if tool.name == name), None)
        self._dirty |= tool is None or not tool.read_only
        result = self.servers.call(name, renamed(arguments, ROOT, str(self.folder)))
        if any(secret in result.content for secret in self._secrets()):
            raise SecretLeakedError(name)
        text, used = mask(result.content.replace(str(self.folder), ROOT))
        if name == "search_files" or _program(arguments) in ("grep", "find"):
            text, used = sorted_lines(text), [*used, SEARCH_ORDER]
        self.masked += used
        return ToolResult(content=text, is_error=result.is_error)

    def snapshot(self) -> dict[str, str]:
        """The world's state, equal exactly where two states count as the same."""
        return self.kind.state(self.folder)

    def _reset_folder(self, world: World) -> None:
        if world not in self._worlds:
            if len(self._worlds) >= _WORLDS_KEPT:
                self._worlds.clear()
            restore(self._draft, Content({}, frozenset()))
            scene = self.kind.build(world, self._draft)
            self._worlds[world] = scene, Content.of(self._draft)
        scene, content = self._worlds[world]
        restore(self.folder, content)
        self._clock.write_text(world.clock)
        if self.site is not None:
            self.site.pages = scene.pages
        self._world = world

    def _prepared(self, spec: ServerSpec) -> ServerSpec:
        env = {**GIT_ENV, **_COMMIT_DATE, **spec.env}
        args = spec.args
        modules = [_OUR_CODE] if KNOWN[spec.name].manager == "ours" else []
        if spec.name in CLOCK_SERVERS:
            modules.append(FROZEN_CLOCK)
            env["TOOLTUNE_FROZEN_CLOCK"] = str(self._clock)
        env |= {"PYTHONPATH": os.pathsep.join(map(str, modules))} if modules else {}
        if self.site is not None and spec.name == "fetch":
            args = (*args, *self.site.arguments)
            # Without Node on its path the server reads pages alike on every machine.
            env["PATH"] = str(Path(spec.command).parent)
        if spec.command == "node":
            env["NODE_NO_WARNINGS"] = "1"
        return spec.model_copy(update={"env": env, "args": args})

    def _secrets(self) -> list[str]:
        """Values of tooltune's own environment that look like keys."""
        return [
            value
            for name, value in os.environ.items()
            if len(value) >= 8 and name.upper().endswith(("KEY", "TOKEN", "SECRET", "PASSWORD"))
        ]


def _program(arguments: dict[str, Any]) -> str:
    """What the shell server is asked to run; empty for other calls."""
    command = arguments.get("command")
    return str(command[0]) if isinstance(command, list) and command else ""


def renamed(value: Any, old: str, new: str) -> Any:
    """The value with `old` replaced in every text of it."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, old, new) for item in value]
    return value
