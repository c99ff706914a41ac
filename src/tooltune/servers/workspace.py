"""Our example tool server: looks at, reads and writes the files of one folder, and nothing else.

Run it with `python -m tooltune.servers.workspace [--root DIR]`. Commands never pass through a
shell; `servers.commands` holds what is allowed.
"""

import argparse
import os
import subprocess
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from tooltune.servers.commands import PROGRAMS, RefusedError, check_command, confine

OUTPUT_CHARACTERS = 16_000
COMMAND_SECONDS = 10.0
FILE_BYTES = 10_000_000
"""Largest file `read_file` opens."""

_READS = ToolAnnotations(readOnlyHint=True, openWorldHint=False)
_WRITES = ToolAnnotations(
    readOnlyHint=False, destructiveHint=True, idempotentHint=True, openWorldHint=False
)


def create_server(root: Path) -> MCPServer:
    """The server for `root`, an existing folder."""
    server = MCPServer("workspace", log_level="ERROR")

    @server.tool(
        description=f"Runs one read-only command in the workspace: {', '.join(PROGRAMS)}.",
        annotations=_READS,
        structured_output=False,
    )
    def shell_exec(command: str) -> str:
        return run_command(command, root)

    @server.tool(
        description="Reads a text file of the workspace.",
        annotations=_READS,
        structured_output=False,
    )
    def read_file(path: str) -> str:
        return read_text(path, root)

    @server.tool(
        description="Writes a text file of the workspace, replacing what it held.",
        annotations=_WRITES,
        structured_output=False,
    )
    def write_file(path: str, content: str) -> str:
        return write_text(path, content, root)

    return server


def run_command(command: str, root: Path) -> str:
    """What the command prints. Raises ToolError where it is refused or fails."""
    try:
        words = check_command(command, root)
        done = subprocess.run(
            words,
            cwd=root,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except RefusedError as refusal:
        raise ToolError(str(refusal)) from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"{command}: not done within {COMMAND_SECONDS:g} s.") from None
    except (OSError, ValueError) as error:
        raise ToolError(f"{command}: cannot be run ({error}).") from None
    output = _cut(done.stdout.decode("utf-8", "replace").rstrip("\n"))
    # grep ends with 1 where nothing matches, which is an answer.
    if done.returncode > (1 if words[0] == "grep" else 0):
        raise ToolError(output or f"{command}: failed with status {done.returncode}.")
    return output or "(no output)"


def read_text(path: str, root: Path) -> str:
    """A file's text. Raises ToolError."""
    real = _inside(path, root)
    try:
        if (size := real.stat().st_size) > FILE_BYTES:
            raise ToolError(f"{path}: too large to read whole ({size} bytes); use head or grep.")
        return _cut(real.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ToolError(f"{path}: not a text file.") from None
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}.") from None


def write_text(path: str, content: str, root: Path) -> str:
    """Write and say what was written. Raises ToolError."""
    real = _inside(path, root)
    # Git runs programs that its own files name (core.fsmonitor, hooks), so those are no text files.
    if any(part.casefold() == ".git" for part in real.relative_to(root.resolve()).parts):
        raise ToolError(f"{path}: belongs to Git, which must be changed through Git.")
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}.") from None
    return f"Wrote {len(content)} characters to {path}."


def _inside(path: str, root: Path) -> Path:
    try:
        real = confine(path, root)
    except RefusedError as refusal:
        raise ToolError(str(refusal)) from None
    # Opening a pipe or a device could wait for ever; a folder gets the system's own message.
    if real.exists() and not (real.is_file() or real.is_dir()):
        raise ToolError(f"{path}: not a text file.")
    return real


def _cut(text: str) -> str:
    if len(text) <= OUTPUT_CHARACTERS:
        return text
    return f"{text[:OUTPUT_CHARACTERS]}\n[cut: {len(text) - OUTPUT_CHARACTERS} more characters]"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tooltune.servers.workspace")
    parser.add_argument("--root", type=Path, default=Path(), help="folder to work in")
    root = parser.parse_args().root.resolve()
    if not root.is_dir():
        parser.error(f"--root {root}: not a folder")
    create_server(root).run("stdio")


if __name__ == "__main__":
    main()
