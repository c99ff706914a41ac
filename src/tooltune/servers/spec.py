"""Reads a standard `mcp.json`: which tool servers there are and how to start each.

Accepts the `mcpServers` key of Claude Desktop, Cursor and others, and VS Code's `servers`. Four
keys are ours: `package`, `tools`, `timeout_seconds` and `trusted`. Unknown keys are ignored, as
elsewhere.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tooltune.errors import ConfigError, DataError
from tooltune.jsonl import read_json
from tooltune.servers.known import KNOWN

_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
_UNKNOWN_VARIABLE = re.compile(r"\$\{[^}]*\}")


class ServerSpec(BaseModel):
    """One entry of an `mcp.json`, `${VARIABLES}` still unexpanded, so it holds no secrets."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    name: str
    package: str | None = None
    """Instead of a command: the name of a known server (`servers.known`), which is installed into
    an environment of its own at the first use. `args`, where given, replace its own."""
    command: str = Field(min_length=1)
    """Program to run. `python` and `python3` mean the interpreter that runs tooltune, so servers
    installed beside it are found; write a full path for any other."""
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    """Added to the few variables a server inherits (HOME, LOGNAME, PATH, SHELL, TERM, USER)."""
    cwd: Path | None = None
    """Folder to run in; None for the one tooltune was started in."""
    timeout_seconds: float = Field(30, gt=0)
    """Longest wait for the start, and for each call."""
    tools: tuple[str, ...] | None = None
    """Tools to offer; None offers all. `git_log(repo_path, max_count)` offers a tool with only
    these of its parameters. A short catalog trains and answers faster."""
    trusted: bool = False
    """Whether to believe the server when it calls a tool read-only."""

    @property
    def offered(self) -> dict[str, tuple[str, ...] | None]:
        """Names of `tools`, each with the parameters to offer, or None for all of them."""
        offered = {}
        for entry in self.tools or ():
            name, has_list, rest = entry.partition("(")
            names = tuple(part.strip() for part in rest.removesuffix(")").split(","))
            offered[name.strip()] = names if has_list else None
        return offered

    @property
    def command_line(self) -> str:
        """For people to read and to run by hand."""
        return shlex.join([self.command, *self.args])

    def expanded(self, environ: Mapping[str, str] = os.environ) -> "ServerSpec":
        """With every `${VAR}` and `${env:VAR}` filled in: use right before starting the server, and
        let the result go nowhere else. Raises ConfigError naming a variable that is not set."""

        def expand(text: str) -> str:
            def lookup(match: re.Match[str]) -> str:
                if match[1] not in environ:
                    raise _unset(self.name, match[0])
                return environ[match[1]]

            if unknown := _UNKNOWN_VARIABLE.search(_VARIABLE.sub("", text)):
                raise _unset(self.name, unknown[0])
            return _VARIABLE.sub(lookup, text)

        command = sys.executable if self.command in ("python", "python3") else expand(self.command)
        return self.model_copy(
            update={
                "command": command,
                "args": tuple(expand(argument) for argument in self.args),
                "env": {key: expand(value) for key, value in self.env.items()},
            }
        )


def read_specs(path: Path) -> dict[str, ServerSpec]:
    """The servers of an `mcp.json` by name, in the file's order; entries with `disabled` are left
    out. Raises ConfigError naming file, server and key."""
    specs = {}
    for name, entry in _entries(path).items():
        if not isinstance(entry, dict):
            raise ConfigError(
                f"{path}: server {name}: must be an object (got {_kind(entry)}). "
                'Write {"command": ..., "args": [...]}.'
            )
        if not entry.get("disabled"):
            specs[name] = _spec(path, name, entry)
    if not specs:
        raise ConfigError(f"{path}: names no server to start. Add one under mcpServers.")
    return specs


def _entries(path: Path) -> dict[str, Any]:
    try:
        document = read_json(path)
    except DataError as error:
        raise ConfigError(str(error)) from None
    if not isinstance(document, dict):
        raise ConfigError(
            f'{path}: must be an object (got {_kind(document)}). Write {{"mcpServers": {{...}}}}.'
        )
    for key in ("mcpServers", "servers"):
        if isinstance(entries := document.get(key), dict):
            return entries
        if key in document:
            raise ConfigError(
                f"{path}: {key}: must be an object of servers by name (got {_kind(entries)}). "
                f'Write {{"{key}": {{"NAME": {{"command": ...}}}}}}.'
            )
    found = ", ".join(document) or "no key at all"
    raise ConfigError(
        f"{path}: no servers (got {found}, expected the key mcpServers or servers). "
        'Write {"mcpServers": {"NAME": {"command": ..., "args": [...]}}}.'
    )


def _spec(path: Path, name: str, entry: dict[str, Any]) -> ServerSpec:
    if isinstance(package := entry.get("package"), str):
        if package not in KNOWN:
            raise ConfigError(
                f"{path}: server {name}: package: no server known by that name (got {package!r}, "
                f"expected one of {', '.join(KNOWN)}). Give a command instead."
            )
        entry = {"command": package, **entry}
    if "command" not in entry:
        url = next((key for key in ("url", "serverUrl") if key in entry), None)
        found = f"a {url}" if url else "no command"
        raise ConfigError(
            f"{path}: server {name}: cannot be started (got {found}, expected a command). "
            "Give a program that speaks MCP over its standard input and output."
        )
    try:
        spec = ServerSpec.model_validate({**entry, "name": name})
    except ValidationError as error:
        # The value itself stays out of the message: it may be a secret of `env`.
        raise ConfigError(
            "\n".join(
                f"{path}: server {name}: {'.'.join(str(part) for part in issue['loc'])}: "
                f"{issue['msg']} (got {_kind(issue['input'])}). Correct the value."
                for issue in error.errors()
            )
        ) from None
    if spec.cwd is None:
        return spec
    return spec.model_copy(update={"cwd": path.resolve().parent / spec.cwd})


def _unset(server: str, variable: str) -> ConfigError:
    return ConfigError(
        f"server {server}: {variable} has no value (expected an environment variable). "
        "Set it, or write the value into the file."
    )


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number"}
    return "null" if value is None else names.get(type(value), "a number")
