"""Stage `synth`: executes programs in a sandbox and writes train, validation and test splits.

Same config and seed, same bytes.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tooltune.config import nearest
from tooltune.errors import ConfigError
from tooltune.jsonl import write_json, write_jsonl
from tooltune.messages import ABILITIES, Conversation
from tooltune.synth.maker import Maker
from tooltune.synth.plan import DEFAULT_COUNTS, Counts
from tooltune.synth.programs import CORE, PROGRAMS, Program
from tooltune.worlds.desk import World
from tooltune.worlds.pools import Split
from tooltune.worlds.sandbox import Sandbox


@dataclass(slots=True)
class Report:
    """What was written, and what was thrown away and why."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    """Split to ability to rows."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Reason to attempts; `given up` are rows missing in the end."""
    left_out: list[str] = field(default_factory=list)
    """Programs whose tools the servers do not offer."""
    seconds: float = 0.0


def synthesise(
    config: Path,
    out: Path,
    *,
    seed: int = 7,
    counts: dict[Split, Counts] | None = None,
    programs: Collection[str] = CORE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Write out/{train,validation,test}.jsonl and out/summary.json.

    `config` is an `mcp.json`, `programs` names what to make conversations of; `progress` gets rows
    done and rows in all. Raises ConfigError where a program is unknown or a server has no
    hand-written programs, ServerError where one fails.
    """
    started = time.monotonic()
    for name in programs:
        if name not in PROGRAMS:
            raise ConfigError(
                f"--programs: {name} is not a program. {nearest(name, sorted(PROGRAMS))}"
            )
    counts = counts or DEFAULT_COUNTS
    total = sum(one.total for one in counts.values())
    with Sandbox(config) as sandbox:
        sandbox.reset(World("train", 0).to_dict())
        maker = Maker(sandbox, _offered_programs(sandbox, programs), seed)
        splits = {
            split: maker.make_split(split, wanted, lambda done: progress(done, total))
            for split, wanted in counts.items()
        }
    report = Report(
        rows={split: _count(rows) for split, rows in splits.items()},
        rejected=dict(sorted(maker.rejected.items())),
        left_out=sorted(set(programs) - maker.programs.keys()),
    )
    for split, rows in splits.items():
        write_jsonl(out / f"{split}.jsonl", (row.to_dict() for row in rows))
    # Seconds stay out of the file: the same seed must give the same bytes.
    facts = {key: value for key, value in asdict(report).items() if key != "seconds"}
    write_json(out / "summary.json", {"seed": seed, **facts})
    report.seconds = time.monotonic() - started
    return report


def _offered_programs(sandbox: Sandbox, wanted: Collection[str]) -> dict[str, Program]:
    """The wanted programs whose tools are all there. Raises ConfigError for servers that have
    none."""
    known = {tool for program in PROGRAMS.values() for tool in program.tools}
    offers: dict[str, set[str]] = {name: set() for name in sandbox.server_names}
    for tool, server in sandbox.server_of.items():
        offers[server].add(tool)
    unknown = [name for name, tools in offers.items() if not tools & known]
    if unknown or not offers:
        raise ConfigError(
            f"{sandbox.config}: server {', '.join(unknown) or '(none)'}: no programs for its tools "
            f"(got {', '.join(sorted(offers)) or 'no server'}, expected mcp-server-git, "
            "mcp-server-time, tooltune.servers.workspace, or some of them). "
            "Take the other servers out of the config."
        )
    offered = set(sandbox.server_of)
    return {
        name: one
        for name, one in PROGRAMS.items()
        if name in wanted and offered.issuperset(one.tools)
    }


def _count(rows: list[Conversation]) -> dict[str, int]:
    return {ability: sum(row.ability == ability for row in rows) for ability in ABILITIES}
