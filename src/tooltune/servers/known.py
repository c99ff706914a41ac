"""Public tool servers we know how to install and to start offline, versions pinned.

Each is kept in an environment of its own (`servers.install`), because servers pin conflicting
versions of the protocol's SDK.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class KnownServer:
    """One server. `{folder}` in `args` and `env` stands for the folder it works in."""

    name: str
    manager: Literal["pip", "npm", "ours"]
    package: str
    version: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    module: str = ""
    """ours: what to run with `python -m`; pip packages have a program of their own name."""
    also: tuple[str, ...] = ()
    """pip: further requirements, such as the SDK version the server was written for."""
    licence: str = "MIT"

    @property
    def pins(self) -> tuple[str, ...]:
        """What is handed to the package manager."""
        sign = "==" if self.manager == "pip" else "@"
        return (f"{self.package}{sign}{self.version}", *self.also)


_CLOCK = "time-machine==3.6.0"
_NPM = "@modelcontextprotocol/server-"

KNOWN = {
    server.name: server
    for server in (
        KnownServer("git", "pip", "mcp-server-git", "2026.10.19"),
        KnownServer("time", "pip", "mcp-server-time", "2026.10.19", ("--local-timezone", "UTC"),
                    also=(_CLOCK,)),
        KnownServer("sqlite", "pip", "mcp-server-sqlite", "2025.4.25",
                    ("--db-path", "{folder}/store.db"),
                    also=("mcp==1.30.0",)),
        KnownServer("fetch", "pip", "mcp-server-fetch", "2026.10.24"),
        KnownServer("shell", "pip", "mcp-shell-server", "1.1.14",
                    env={"ALLOW_COMMANDS": "ls,cat,head,tail,wc,grep,find,sort,uniq,cut,pwd"}),
        KnownServer("calculator", "pip", "mcp-server-calculator", "0.2.1"),
        KnownServer("excel", "pip", "excel-mcp-server", "2.2.2",
                    ("stdio", "--allow-dir", "{folder}"), also=("openpyxl==3.1.5",)),
        KnownServer("filesystem", "npm", f"{_NPM}filesystem", "2026.8.31", ("{folder}",)),
        KnownServer("memory", "npm", f"{_NPM}memory", "2026.8.31",
                    env={"MEMORY_FILE_PATH": "{folder}/memory.jsonl"}),
        KnownServer("everything", "npm", f"{_NPM}everything", "2026.8.31"),
        KnownServer("workspace", "ours", "tooltune", "", module="tooltune.servers.workspace",
                    licence="Apache-2.0"),
        KnownServer("registers", "ours", "tooltune", "", ("{folder}/records.json",),
                    module="tooltune.servers.registers", licence="Apache-2.0"),
    )
}  # fmt: skip
"""By the name that a dataset's rows give as their server."""
