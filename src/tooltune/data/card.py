"""A dataset's card: what is in the folder, where it comes from, what was checked.

Counted from the split files; origin (servers, versions, licences, seed, rejected attempts) from
`summary.json` beside them, which synth writes, and what `tooltune verify --json` printed from
`verify.json`. What is not recorded is said to be so. Same files, same bytes.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tooltune.data import card_tables
from tooltune.data.card_tables import Facts, Splits, table
from tooltune.data.duplicates import find_shared, request_texts
from tooltune.data.readers import Reading, read_conversations
from tooltune.data.validate import validate
from tooltune.errors import DataError
from tooltune.jsonl import read_json, write_text

SPLITS = ("train", "validation", "test")
_ORIGIN = ("package", "version", "licence", "tools", "conversations")
_COUNTERS = (
    ("rejected", "Attempts thrown away, by reason", "reason"),
    ("teacher", "Requests given to the teacher, by what became of them", "outcome"),
)
"""Counters of summary.json."""


def write_card(folder: Path) -> Path:
    """Write folder/card.md and return its path. Raises DataError where no split is there or a file
    cannot be read."""
    files = {name: folder / f"{name}.jsonl" for name in SPLITS}
    readings = {name: read_conversations(path) for name, path in files.items() if path.is_file()}
    splits = {name: reading.conversations for name, reading in readings.items()}
    if not any(splits.values()):
        raise DataError(
            f"{folder}: no split to describe (expected train.jsonl, validation.jsonl or "
            "test.jsonl). Name a folder that synth wrote."
        )
    summary = _read_if_there(folder / "summary.json") or {}
    shares = summary.get("shares") or {}
    servers = _server_facts(summary)
    parts = [
        f"# Dataset card{_named(summary)}\n",
        "Written by `tooltune card` from the files beside it.\n",
        card_tables.abilities(splits, shares),
        card_tables.bounds(splits, shares, servers) if shares else "",
        _origin(summary, servers),
        _checks(readings, summary, _read_if_there(folder / "verify.json")),
        card_tables.diversity_table(splits),
        card_tables.tools_and_servers(splits, servers),
        card_tables.programs(splits),
        card_tables.kinds(splits),
        card_tables.forms(splits),
        card_tables.catalogs(splits),
    ]
    path = folder / "card.md"
    write_text(path, "\n".join(part for part in parts if part))
    return path


def _read_if_there(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def _named(summary: Mapping[str, Any]) -> str:
    return f": {summary['name']}" if "name" in summary else ""


def _server_facts(summary: Mapping[str, Any]) -> Facts:
    """Those of `summary.servers` that say more than a name."""
    servers = summary.get("servers")
    found = servers.items() if isinstance(servers, Mapping) else ()
    return {name: facts for name, facts in found if isinstance(facts, Mapping)}


def _origin(summary: Mapping[str, Any], servers: Facts) -> str:
    lines = ["## Origin\n"]
    if "made_from" in summary:
        lines.append(f"Made from {summary['made_from']}.\n")
    scale = f", scale {summary['scale']:g}" if "scale" in summary else ""
    lines.append(f"Seed {summary.get('seed', 'not recorded')}{scale}.\n")
    if servers:
        keys = [key for key in _ORIGIN if any(key in facts for facts in servers.values())]
        rows = [
            (name, *(_shown(one, key) for key in keys)) for name, one in sorted(servers.items())
        ]
        lines.append(table(("server", *keys), rows))
    else:
        names = ", ".join(sorted(summary.get("servers") or ()))
        names = f" ({names})" if names else ""
        lines.append(f"Servers{names}, their versions and licences: not recorded.\n")
    for key, title, column in _COUNTERS:
        if summary.get(key):
            found = sorted(summary[key].items(), key=lambda item: (-item[1], item[0]))
            lines += [f"{title}:\n", table((column, "attempts"), found)]
    left_out = summary.get("left_out")
    if isinstance(left_out, Mapping) and left_out:
        lines.append("".join(f"- left out: {reason}\n" for reason in left_out.values()))
    return "\n".join(lines)


def _shown(facts: Mapping[str, Any], key: str) -> Any:
    value = facts.get(key)
    return len(value) if isinstance(value, list) else ("not recorded" if value is None else value)


def _checks(
    readings: Mapping[str, Reading],
    summary: Mapping[str, Any],
    verification: Mapping[str, Any] | None,
) -> str:
    rows = list(_validated(readings))
    splits: Splits = {name: reading.conversations for name, reading in readings.items()}
    if splits.get("train") and splits.get("test"):
        held_out = [text for one in splits["test"] for text in request_texts(one)]
        shared = len(find_shared(splits["train"], held_out))
        outcome = f"{shared} rows do" if shared else "passed"
        rows.append(("train shares no request with test (13 words, or whole)", outcome))
    rows.append(("independent re-check (`tooltune verify`)", _verified(verification)))
    masks = summary.get("masks") or {}
    if masks:
        used = ", ".join(f"{name} ({count} rows)" for name, count in masks.items())
        rows.append(("rules that mask in results what no two runs agree on", used))
    text = f"## Checks\n\n{table(('check', 'outcome'), rows)}"
    passed = summary.get("checks") or {}
    if not passed:
        return text
    lines = "".join(f"- {name}: {what}\n" for name, what in passed.items())
    return f"{text}\nEvery row with calls has passed these before it was written:\n\n{lines}"


def _validated(readings: Mapping[str, Reading]) -> Iterator[tuple[str, str]]:
    for name, reading in readings.items():
        if reading.conversations:
            counts = validate(reading.conversations).counts["issues"]
            issues = [f"{code} {number}" for code, number in counts.items()]
            issues += [f"unreadable-row {len(reading.skipped)}"] if reading.skipped else []
            what = f"{name}: schema, turns, doubles (`tooltune validate`)"
            yield what, ", ".join(issues) or "passed"


def _verified(verification: Mapping[str, Any] | None) -> str:
    if verification is None:
        return "not recorded"
    idle = verification.get("nothing_to_execute", 0)
    executed = f"{verification['checked'] - idle} executed again"
    executed += f", {idle} drawn that call nothing" if idle else ""
    return f"{executed}, {verification['failed']} failed"
