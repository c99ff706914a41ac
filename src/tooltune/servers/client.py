"""Starts tool servers and calls their tools, synchronously, through the official MCP SDK.

The SDK's connections live in one background thread. Each is opened and closed by one task of its
own there, because the SDK's scopes must be left in the task, and the order, they were entered in.
"""

import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tooltune.config import nearest
from tooltune.errors import ConfigError, ServerError
from tooltune.messages import Tool, ToolResult
from tooltune.servers.catalog import narrow
from tooltune.servers.connection import Mode, call_tool, connect, list_tools, one_line
from tooltune.servers.install import installed
from tooltune.servers.spec import ServerSpec

if TYPE_CHECKING:
    from mcp import Client

_T = TypeVar("_T")
_CTRL_C_SECONDS = 0.2


class Servers:
    """Running tool servers: `with Servers(specs) as servers: servers.call(...)`.

    `cwd` is the folder every server runs in, whatever its spec says; `env` is added to every
    server's variables. Entering starts all servers side by side and raises ServerError or
    ConfigError where one cannot be used; leaving ends their processes.
    """

    def __init__(
        self,
        specs: Iterable[ServerSpec],
        *,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self._specs = tuple(specs)
        self._cwd = cwd
        self._env = env or {}
        self._servers: dict[str, _Server] = {}
        self._close = ExitStack()
        self.tools: tuple[Tool, ...] = ()
        """In the order of the specs, then of each server."""
        self.server_of: dict[str, str] = {}
        self.problems: list[str] = []
        """One line for each tool that was left out."""

    def __enter__(self) -> Self:
        with ExitStack() as close:
            portal = close.enter_context(start_blocking_portal())
            self._servers = {
                spec.name: _Server(spec, portal, cwd=self._cwd, env=self._env)
                for spec in self._specs
            }
            close.callback(lambda: _side_by_side(portal, _Server.close, self._servers.values()))
            listings = _side_by_side(portal, _Server.start_and_list, self._servers.values())
            for server, listed in zip(self._servers.values(), listings, strict=True):
                self._offer(server, listed)
            self._close = close.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close.close()

    def call(
        self, name: str, arguments: dict[str, Any], timeout_seconds: float | None = None
    ) -> ToolResult:
        """What the tool answers; a tool that fails, or does not exist, is a result with `is_error`.

        Raises ServerError if its server dies or stays silent; the next call starts it again.
        """
        if name not in self.server_of:
            return ToolResult(content=f"Unknown tool: {name}", is_error=True)
        return self._servers[self.server_of[name]].call(name, arguments, timeout_seconds)

    def _offer(self, server: "_Server", listed: tuple[Tool, ...]) -> None:
        self.problems += [
            f"server {server.spec.name}: tool {name} is left out: {reason}."
            for name, reason in server.left_out.items()
        ]
        for tool in listed:
            if (other := self.server_of.get(tool.name)) is not None:
                raise ConfigError(
                    f"servers {other} and {server.spec.name}: both offer a tool {tool.name}. "
                    'Leave it out of one of them: list the names to offer in its "tools".'
                )
            self.server_of[tool.name] = server.spec.name
        self.tools += listed


class _Server:
    """One server: its process while it runs, and what it takes to start it again."""

    def __init__(
        self, spec: ServerSpec, portal: BlockingPortal, *, cwd: Path | None, env: dict[str, str]
    ) -> None:
        self.spec = spec
        self.left_out: dict[str, str] = {}
        """Why, by name, for each tool that cannot be offered."""
        self._portal = portal
        self._cwd = cwd or spec.cwd or Path.cwd()
        self._env = env
        self._mode: Mode = "auto"
        self._lock = threading.Lock()
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._connection: AbstractContextManager[Client] | None = None
        self._client: Client | None = None

    def start_and_list(self) -> tuple[Tool, ...]:
        with self._lock:
            client = self._start()
            try:
                listed = self._portal.call(list_tools, client, self.spec.timeout_seconds)
            except Exception as error:
                raise self._error(f"cannot list its tools ({one_line(error)})") from None
        return self._allowed({tool.name: tool for tool in listed})

    def call(
        self, name: str, arguments: dict[str, Any], timeout_seconds: float | None
    ) -> ToolResult:
        limit = timeout_seconds or self.spec.timeout_seconds
        with self._lock:
            client = self._client or self._start()
            try:
                answer: ToolResult = self._portal.call(call_tool, client, name, arguments, limit)
            except TimeoutError:
                # Ended, too: its answer, or its effect, must not come during a later call.
                self._stop()
                raise self._error(
                    f"no answer to a call of {name} within {limit:g} s",
                    fix="The next call starts it again; raise timeout_seconds if it needs longer.",
                ) from None
            except ConnectionError:
                self._stop()
                raise self._error(
                    f"ended without answering a call of {name}{self._last_words()}",
                    fix="The next call starts it again.",
                ) from None
            return answer

    def close(self) -> None:
        with self._lock:
            self._stop()
            self._stderr.close()

    def _start(self) -> "Client":
        spec = self.spec.expanded()
        if not self._cwd.is_dir():
            raise ConfigError(f"server {spec.name}: no folder {self._cwd} to run in. Create it.")
        if spec.package is not None:
            spec = installed(spec, self._cwd)
        self._stderr.seek(0)
        self._stderr.truncate()
        failure: Exception = AssertionError("no mode was tried")
        # Servers on the Rust SDK, among others, exit at the question `auto` begins with.
        for mode in ("auto", "legacy") if self._mode == "auto" else ("legacy",):
            connection = self._portal.wrap_async_context_manager(self._connect(spec, mode))
            try:
                client = connection.__enter__()
            except Exception as error:
                failure = error
                if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                    break
            else:
                self._connection, self._client = connection, client
                # A server that shook hands will again: the question may have cost it 10 s.
                self._mode = "legacy" if client.session.initialize_result else "auto"
                return client
        raise self._not_started(failure)

    def _connect(self, spec: ServerSpec, mode: Mode) -> AbstractAsyncContextManager["Client"]:
        return connect(
            spec,
            mode=mode,
            cwd=self._cwd,
            env=self._env,
            stderr=self._stderr,
            left_out=self.left_out,
        )

    def _stop(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            try:
                connection.__exit__(None, None, None)
            except Exception as error:
                # The process is gone all the same; a pipe that broke on the way changes nothing.
                logging.getLogger(__name__).debug("closing %s: %s", self.spec.name, error)

    def _allowed(self, listed: dict[str, Tool]) -> tuple[Tool, ...]:
        offered = self.spec.offered
        for name in offered:
            if name in self.left_out:
                raise self._error(f"tool {name} cannot be offered: {self.left_out[name]}")
            if name not in listed:
                raise ConfigError(
                    f"server {self.spec.name}: no tool {name} (got it in its list of tools). "
                    f"{nearest(name, list(listed))}"
                )
        if self.spec.tools is None:
            return tuple(listed.values())
        self.left_out = {}
        return tuple(
            tool if (parameters := offered[name]) is None else narrow(tool, parameters)
            for name, tool in listed.items()
            if name in offered
        )

    def _not_started(self, error: Exception) -> ServerError:
        command = self.spec.command
        limit = self.spec.timeout_seconds
        if isinstance(error, FileNotFoundError):
            return self._error(
                f"command not found (got {command!r}, expected a program on PATH)",
                fix="Install it, or write its full path.",
            )
        if isinstance(error, TimeoutError):
            return self._error(f"no answer within {limit:g} s of its start{self._last_words()}")
        if isinstance(error, OSError):
            return self._error(f"cannot run {command!r} ({error.strerror})")
        return self._error(f"ended while starting ({one_line(error)}){self._last_words()}")

    def _error(self, happened: str, *, fix: str | None = None) -> ServerError:
        fix = fix or f"Run it by hand to see why: {self.spec.command_line}"
        return ServerError(f"server {self.spec.name}: {happened}. {fix}")

    def _last_words(self) -> str:
        # The server writes through the same open file: read at an offset, never move its position.
        handle = self._stderr.fileno()
        tail = os.pread(handle, 4096, max(0, os.fstat(handle).st_size - 4096))
        lines = tail.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), None)
        return f"; its last words: {last[:200]}" if last else ""


def _side_by_side(
    portal: BlockingPortal, do: Callable[[_Server], _T], servers: Iterable[_Server]
) -> list[_T]:
    """`do` for all servers at once. Ctrl-C ends the waiting for servers that do not answer."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        try:
            # Ctrl-C may come while the threads start, too: leaving the pool waits for each of them.
            futures = [pool.submit(do, server) for server in servers]
            # An endless wait would not notice one that comes just before it begins.
            while wait(futures, timeout=_CTRL_C_SECONDS).not_done:
                pass
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            portal.start_task_soon(portal.stop, True)
            raise
