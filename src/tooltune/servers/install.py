"""Environments for known servers: one venv or npm prefix each, made at the first use.

They stand in the user's cache and work offline afterwards. Installing goes through the ordinary
pip and npm, with whatever index the user has configured.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tooltune.errors import ServerError
from tooltune.jsonl import write_json
from tooltune.servers.known import KNOWN, KnownServer
from tooltune.servers.spec import ServerSpec

INSTALL_SECONDS = 900
START_SECONDS = 120
"""Longest wait for a server's start: on busy machines Python takes its time."""

_DONE = "installed.json"


def servers_folder() -> Path:
    """`servers` in `$TOOLTUNE_CACHE`, else in tooltune's folder in the user's cache."""
    if folder := os.environ.get("TOOLTUNE_CACHE"):
        return Path(folder) / "servers"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tooltune" / "servers"


def installed(spec: ServerSpec, folder: Path) -> ServerSpec:
    """A spec that names a known package, with the command that starts it in `folder`.

    Raises ServerError where it cannot be installed."""
    assert spec.package is not None
    ready = ready_spec(KNOWN[spec.package], folder, say)
    args = ready.args
    if spec.args:
        own = len(KNOWN[spec.package].args)
        args = (*args[: len(args) - own], *spec.args)
    return spec.model_copy(
        update={"command": ready.command, "args": args, "env": {**ready.env, **spec.env}}
    )


def say(line: str) -> None:
    """Progress lines for people, apart from what a command prints."""
    print(line, file=sys.stderr, flush=True)


def ready_specs(
    servers: Iterable[KnownServer], folder: Path, tell: Callable[[str], None]
) -> tuple[dict[str, ServerSpec], dict[str, str]]:
    """How to start each in `folder`, installing what is missing; and, by name, why one is left out.

    `tell` gets a line before each installation.
    """
    specs, left_out = {}, {}
    for server in servers:
        try:
            specs[server.name] = ready_spec(server, folder, tell)
        except ServerError as error:
            left_out[server.name] = str(error)
    return specs, left_out


def is_installed(server: KnownServer) -> bool:
    """Whether it can be started without installing anything."""
    done = _home(server) / _DONE
    return server.manager == "ours" or (
        done.is_file() and json.loads(done.read_text()) == list(server.pins)
    )


def ready_spec(server: KnownServer, folder: Path, tell: Callable[[str], None]) -> ServerSpec:
    """How to start the server with `folder` to work in. Raises ServerError where it cannot be
    installed."""
    home = _home(server)
    if server.manager == "npm" and shutil.which("node") is None:
        raise ServerError(
            f"server {server.name}: needs Node.js (got no `node` on PATH). Install Node.js 20."
        )
    if server.manager != "ours":
        _ensure(server, home, tell)
    command, *first = _command(server, home)
    args = (*first, *(text.format(folder=folder) for text in server.args))
    env = {key: text.format(folder=folder) for key, text in server.env.items()}
    return ServerSpec(
        name=server.name,
        command=command,
        args=args,
        env=env,
        timeout_seconds=START_SECONDS,
        trusted=True,
    )


def _home(server: KnownServer) -> Path:
    return servers_folder() / f"{server.name}-{server.version}"


def _command(server: KnownServer, home: Path) -> list[str]:
    if server.manager == "ours":
        return ["python", "-m", server.module]
    if server.manager == "pip":
        return [str(home / "bin" / server.package)]
    package = home / "node_modules" / server.package
    programs = json.loads((package / "package.json").read_text(encoding="utf-8"))["bin"]
    program = programs if isinstance(programs, str) else next(iter(programs.values()))
    return ["node", str(package / program)]


def _ensure(server: KnownServer, home: Path, tell: Callable[[str], None]) -> None:
    home.parent.mkdir(parents=True, exist_ok=True)
    with _locked(home.with_name(f"{home.name}.lock")):
        if is_installed(server):
            return
        tell(f"installing server {server.name} ({', '.join(server.pins)}) into {home}")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        if server.manager == "pip":
            _run(server, [sys.executable, "-m", "venv", str(home)])
            _run(server, [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet",
                          "--disable-pip-version-check", *server.pins])  # fmt: skip
        else:
            _run(server, ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund",
                          "--ignore-scripts", *server.pins])  # fmt: skip
        write_json(home / _DONE, list(server.pins))


def _run(server: KnownServer, command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip().splitlines() or ["no output"]
        raise _failed(server, words[-1]) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(server, str(error)) from None


def _failed(server: KnownServer, reason: str) -> ServerError:
    return ServerError(
        f"server {server.name}: cannot be installed ({reason}). "
        f"Check that {server.manager} reaches its index, or leave the server out."
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One installation at a time, also across processes."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
