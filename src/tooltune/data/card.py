"""A dataset's card: what is in the folder, where it comes from, what was checked.

Counted from the split files; origin (servers, versions, licences, seed, rejected attempts) from
`summary.json` beside them, which synth writes, and what `tooltune verify --json` printed from
`verify.json`. What is not recorded is said to be so.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tooltune.data.duplicates import diversity, find_near_duplicates, find_shared, request_texts
from tooltune.data.readers import read_conversations
from tooltune.data.validate import validate
from tooltune.errors import DataError
from tooltune.jsonl import read_json, write_text
from tooltune.messages import ABILITIES, Conversation

SPLITS = ("train", "validation", "test")
_MOST_TOOLS = 60


def write_card(folder: Path) -> Path:
    """Write folder/card.md and return its path. Raises DataError where no split is there or a file
    cannot be read."""
    files = {name: folder / f"{name}.jsonl" for name in SPLITS}
    splits = {
        name: read_conversations(path).conversations
        for name, path in files.items()
        if path.is_file()
    }
    if not any(splits.values()):
        raise DataError(
            f"{folder}: no split to describe (expected train.jsonl, validation.jsonl or "
            "test.jsonl). Name a folder that synth wrote."
        )
    summary = _read_if_there(folder / "summary.json") or {}
    verification = _read_if_there(folder / "verify.json")
    parts = [
        f"# Dataset card: {folder.resolve().name}\n",
        "Written by `tooltune card` from the files beside it.\n",
        _counts(splits),
        _origin(summary),
        _checks(splits, summary, verification),
        _diversity(splits),
        _tools(splits),
        _servers(splits, summary),
        _meta_table(splits, "program", "Program families"),
        _kinds(splits),
    ]
    path = folder / "card.md"
    write_text(path, "\n".join(part for part in parts if part))
    return path


def _read_if_there(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Markdown."""
    lines = [columns, ["---", *("---:" for _ in columns[1:])], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def _counts(splits: Mapping[str, Sequence[Conversation]]) -> str:
    counts = {
        name: Counter(one.ability or "unnamed" for one in rows) for name, rows in splits.items()
    }
    found = {ability for counter in counts.values() for ability in counter}
    order = [name for name in ABILITIES if name in found] + sorted(found - set(ABILITIES))
    rows = [(name, *(counter[name] for counter in counts.values())) for name in order]
    total = ("all", *(len(rows) for rows in splits.values()))
    return f"## Conversations\n\n{table(('ability', *splits), [*rows, total])}"


def _origin(summary: Mapping[str, Any]) -> str:
    """`summary.servers` maps a server to `version` and `licence`, where synth recorded them."""
    servers = summary.get("servers")
    lines = ["## Origin\n"]
    lines.append(f"Seed: {summary.get('seed', 'not recorded')}.\n")
    known = servers if isinstance(servers, Mapping) else {}
    if known and all(isinstance(facts, Mapping) for facts in known.values()):
        keys = ("version", "licence", "tools")
        rows = [
            (name, *(_shown(facts, key) for key in keys)) for name, facts in sorted(known.items())
        ]
        lines.append(table(("server", *keys), rows))
    else:
        names = f" ({', '.join(sorted(known))})" if known else ""
        lines.append(f"Servers{names}, their versions and licences: not recorded.\n")
    rejected = summary.get("rejected")
    if isinstance(rejected, Mapping) and rejected:
        reasons = sorted(rejected.items(), key=lambda item: -item[1])
        lines.append("Attempts thrown away, by reason:\n")
        lines.append(table(("reason", "attempts"), reasons))
    return "\n".join(lines)


def _shown(facts: Any, key: str) -> Any:
    value = facts.get(key) if isinstance(facts, Mapping) else None
    return len(value) if isinstance(value, list) else ("not recorded" if value is None else value)


def _checks(
    splits: Mapping[str, Sequence[Conversation]],
    summary: Mapping[str, Any],
    verification: Mapping[str, Any] | None,
) -> str:
    rows: list[tuple[str, str]] = []
    for name, conversations in splits.items():
        if conversations:
            found = validate(conversations)
            issues = ", ".join(f"{code} {n}" for code, n in found.counts["issues"].items())
            rows.append(
                (f"{name}: schema, turns, doubles (`tooltune validate`)", issues or "passed")
            )
    if splits.get("train") and splits.get("test"):
        held_out = [text for one in splits["test"] for text in request_texts(one)]
        shared = len(find_shared(splits["train"], held_out))
        rows.append(("train shares no request with test (13 words, or whole)", _passed(shared)))
    if verification is None:
        rows.append(("independent re-check (`tooltune verify`)", "not recorded"))
    else:
        executed = f"{verification['checked']} executed again, {verification['failed']} failed"
        rows.append(("independent re-check (`tooltune verify`)", executed))
    masks = summary.get("masks")
    if isinstance(masks, Mapping | list) and masks:
        rows.append(("rules that masked a result", ", ".join(map(str, masks))))
    return f"## Checks\n\n{table(('check', 'outcome'), rows)}"


def _passed(number: int) -> str:
    return f"{number} rows do" if number else "passed"


def _diversity(splits: Mapping[str, Sequence[Conversation]]) -> str:
    rows = []
    for name, conversations in splits.items():
        found = diversity(conversations)
        near = len(find_near_duplicates(conversations))
        shares = (found["distinct_requests_fraction"], found["distinct_4grams_fraction"])
        rows.append((name, *(_percent(share) for share in shares), near))
    columns = ("split", "distinct requests", "distinct 4-grams over all", "near-duplicates")
    return f"## Diversity\n\n{table(columns, rows)}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _called_tools(conversations: Sequence[Conversation]) -> Counter[str]:
    """Calls by the server's name of the tool, whatever the row calls it."""
    counts: Counter[str] = Counter()
    for one in conversations:
        renamed = (one.meta.get("catalog") or {}).get("renamed") or {}
        for message in one.messages:
            for call in message.tool_calls:
                counts[renamed.get(call.name, {}).get("tool", call.name)] += 1
    return counts


def _tools(splits: Mapping[str, Sequence[Conversation]]) -> str:
    calls = {name: _called_tools(rows) for name, rows in splits.items()}
    total: Counter[str] = Counter()
    for counter in calls.values():
        total.update(counter)
    rows = [
        (f"`{tool}`", *(counter[tool] for counter in calls.values()))
        for tool, _ in total.most_common(_MOST_TOOLS)
    ]
    more = len(total) - len(rows)
    note = f"\n{more} more tools with fewer calls.\n" if more > 0 else ""
    title = f"## Calls by tool\n\n{len(total)} tools are called.\n\n"
    return f"{title}{table(('tool', *splits), rows)}{note}"


def _servers(splits: Mapping[str, Sequence[Conversation]], summary: Mapping[str, Any]) -> str:
    """Where `summary.servers` lists each server's `tools` by name."""
    offered = {
        tool: server
        for server, facts in dict(summary.get("servers") or {}).items()
        for tool in (facts.get("tools") if isinstance(facts, Mapping) else None) or ()
    }
    if not offered:
        return ""
    calls: dict[str, Counter[str]] = {}
    for name, rows in splits.items():
        calls[name] = Counter()
        for tool, number in _called_tools(rows).items():
            calls[name][offered.get(tool, "not listed")] += number
    servers = sorted({server for counter in calls.values() for server in counter})
    lines = [(server, *(calls[name][server] for name in splits)) for server in servers]
    return f"## Calls by server\n\n{table(('server', *splits), lines)}"


def _meta_table(splits: Mapping[str, Sequence[Conversation]], key: str, title: str) -> str:
    """How many there are and how large the largest is: `program` of the rows' meta."""
    rows = []
    for name, conversations in splits.items():
        counts = Counter(str(one.meta[key]) for one in conversations if key in one.meta)
        if counts:
            largest, number = counts.most_common(1)[0]
            share = _percent(number / len(conversations))
            rows.append((name, len(counts), f"{largest} ({share})"))
    return f"## {title}\n\n{table(('split', 'number', 'largest'), rows)}" if rows else ""


def _kinds(splits: Mapping[str, Sequence[Conversation]]) -> str:
    """Rows by the kind of world they were executed in, where `meta.world` names it."""
    counts = {
        name: Counter(str((one.meta.get("world") or {}).get("kind", "desk")) for one in rows)
        for name, rows in splits.items()
    }
    kinds = sorted({kind for counter in counts.values() for kind in counter})
    if len(kinds) < 2:
        return ""
    rows = [(kind, *(counter[kind] for counter in counts.values())) for kind in kinds]
    return f"## Kinds of world\n\n{table(('kind', *splits), rows)}"
