"""What only synthesis knows of a recipe's dataset: summary.json, from which its card is written."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tooltune.jsonl import write_json, write_jsonl
from tooltune.messages import ABILITIES, Conversation
from tooltune.servers.known import KNOWN
from tooltune.worlds.masks import MASKS, SEARCH_ORDER
from tooltune.worlds.pools import Split

CHECKS = {
    "schema": "every call's arguments fit the tool's JSON Schema",
    "grounded": "every value in them comes from the request, an earlier result, the system prompt, "
    "or the schema's own defaults and choices",
    "replay": "a second sandbox with servers of its own gave the same results and the same state",
    "minimal": "without any one step, or any one optional argument, the outcome differs",
    "twins": "asked-back and refused requests have a complete, harmless twin beside them",
    "split": "no phrasing family and no value pool is in two splits; one server and three invented "
    "catalogs are in the test only",
}
"""What every row with calls has passed before it was written."""


def made_from(teacher: str | None) -> str:
    """The card's sentence on who wrote what; `teacher` is the model that reworded requests."""
    wrote = f"{teacher} reworded some of the requests" if teacher else "no model wrote any of it"
    return f"programs executed on real tool servers first; {wrote}"


@dataclass(slots=True)
class RecipeReport:
    """What was written, and what was thrown away and why."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    forms: dict[str, dict[str, int]] = field(default_factory=dict)
    programs: int = 0
    largest_program: str = ""
    largest_program_fraction: float = 0.0
    rejected: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Server to the reason it took no part."""
    short: dict[str, int] = field(default_factory=dict)
    """Split to rows missing; empty where the counts are exact."""
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Server to its package, version, licence, tools, and the conversations that call it."""
    catalogs: int = 0
    masks: dict[str, int] = field(default_factory=dict)
    """Rule to the rows of which it changed a result."""
    teacher: dict[str, int] = field(default_factory=dict)
    """What became of a request that was to be reworded, to how many; empty without a teacher."""


def server_facts(name: str, tools: Iterable[str]) -> dict[str, Any]:
    """What summary.json says of a known server before any row is made."""
    known = KNOWN[name]
    return {
        "package": known.package,
        "version": known.version or "of this checkout",
        "licence": known.licence,
        "tools": sorted(tools),
        "conversations": 0,
    }


def write_dataset(
    out: Path,
    rows: dict[Split, list[Conversation]],
    report: RecipeReport,
    facts: dict[str, Any],
) -> None:
    """Write the splits and summary.json, and complete `report` from the rows. An earlier
    verify.json goes: it says nothing of these rows."""
    for split, chosen in rows.items():
        write_jsonl(out / f"{split}.jsonl", (row.to_dict() for row in chosen))
        report.rows[split] = {
            ability: sum(row.ability == ability for row in chosen) for ability in ABILITIES
        }
        report.kinds[split] = _counted(row.meta["world"]["kind"] for row in chosen)
        report.forms[split] = _counted(row.meta.get("form", "plain") for row in chosen)
    everything = [row for chosen in rows.values() for row in chosen]
    programs = Counter(row.meta["program"] for row in everything)
    report.programs = len(programs)
    report.largest_program, largest = max(programs.items(), key=lambda one: (one[1], one[0]))
    report.largest_program_fraction = round(largest / len(everything), 4)
    for name, calls in _counted(
        n for row in everything for n in row.meta.get("servers", ())
    ).items():
        report.servers[name]["conversations"] = calls
    report.catalogs = len({row.meta["catalog"]["name"] for row in everything})
    masked = Counter(name for row in everything for name in row.meta.get("masks", ()))
    report.masks = {name: masked[name] for name in (*(m.name for m in MASKS), SEARCH_ORDER)}
    write_json(out / "summary.json", {**facts, **asdict(report), "checks": CHECKS})
    (out / "verify.json").unlink(missing_ok=True)


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
