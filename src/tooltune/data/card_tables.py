"""The card's tables that are counted from rows alone, and the bounds a recipe's rows must keep."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tooltune.data.duplicates import diversity, find_near_duplicates
from tooltune.messages import ABILITIES, Conversation

Splits = Mapping[str, Sequence[Conversation]]
Facts = Mapping[str, Mapping[str, Any]]
"""Server to what summary.json says of it: `package`, `version`, `licence`, `tools`."""

LEAST_SERVERS, LEAST_TOOLS = 8, 60
MOST_POINTS_OFF = 2.0
"""Percentage points an ability's share may differ from the recipe's."""
MOST_PER_PROGRAM, LEAST_DISTINCT_REQUESTS = 0.02, 0.99
OUR_PACKAGE = "tooltune"
"""Servers of this package are examples of ours; all others are real ones."""
_MOST_TOOLS = 60


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Markdown."""
    lines = [columns, ["---", *("---:" for _ in columns[1:])], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def abilities(splits: Splits, shares: Mapping[str, float]) -> str:
    """`shares` are the recipe's, empty where there is none."""
    counts = {
        name: Counter(one.ability or "unnamed" for one in rows) for name, rows in splits.items()
    }
    found = {ability for counter in counts.values() for ability in counter}
    order = [name for name in ABILITIES if name in found] + sorted(found - set(ABILITIES))
    rows = [(name, *(counter[name] for counter in counts.values())) for name in order]
    total = ("all", *(len(rows) for rows in splits.values()))
    text = f"## Conversations\n\n{table(('ability', *splits), [*rows, total])}"
    if not shares:
        return text
    points = points_off(splits, shares)
    lines = [
        (name, percent(share), *(f"{points[split, name]:+.2f}" for split in splits))
        for name, share in shares.items()
    ]
    columns = ("ability", "share in the recipe", *(f"{name}, points off" for name in splits))
    return f"{text}\n{table(columns, lines)}"


def points_off(splits: Splits, shares: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """(split, ability) -> percentage points its share is above the recipe's."""
    return {
        (split, name): 100 * (sum(one.ability == name for one in rows) / len(rows) - share)
        for split, rows in splits.items()
        for name, share in shares.items()
        if rows
    }


def bounds(splits: Splits, shares: Mapping[str, float], servers: Facts) -> str:
    """What a recipe's dataset must keep, over all its rows, beside what it does."""
    everything = [one for rows in splits.values() for one in rows]
    programs = Counter(str(one.meta.get("program")) for one in everything)
    program, largest = programs.most_common(1)[0]
    real = {
        (server, tool)
        for server, tool in called_tools(everything, servers)
        if server and servers[server].get("package") != OUR_PACKAGE
    }
    found = diversity(everything)
    off = max(map(abs, points_off(splits, shares).values()), default=0.0)
    share, distinct = largest / len(everything), found["distinct_requests_fraction"] or 0.0
    count, tools = len({server for server, _ in real}), len(real)
    lines: list[tuple[str, str, str, bool | None]] = [
        ("abilities: points off the recipe's shares, in any split", f"{off:.2f}",
         f"at most {MOST_POINTS_OFF:g}", off <= MOST_POINTS_OFF),
        (f"largest program family of {len(programs)} ({program})", percent(share),
         f"at most {percent(MOST_PER_PROGRAM)}", share <= MOST_PER_PROGRAM),
        ("real servers whose tools are called", str(count), f"at least {LEAST_SERVERS}",
         count >= LEAST_SERVERS),
        ("tools of real servers that are called", str(tools), f"at least {LEAST_TOOLS}",
         tools >= LEAST_TOOLS),
        ("distinct requests", percent(distinct), f"at least {percent(LEAST_DISTINCT_REQUESTS)}",
         distinct >= LEAST_DISTINCT_REQUESTS),
        ("distinct 4-grams over all", percent(found["distinct_4grams_fraction"]), "-", None),
    ]  # fmt: skip
    outcomes = {True: "kept", False: "not kept", None: "-"}
    rows = [(what, here, bound, outcomes[kept]) for what, here, bound, kept in lines]
    return f"## Bounds\n\n{table(('over all rows', 'here', 'bound', 'outcome'), rows)}"


def diversity_table(splits: Splits) -> str:
    rows = []
    for name, conversations in splits.items():
        found = diversity(conversations)
        near = len(find_near_duplicates(conversations))
        shares = (found["distinct_requests_fraction"], found["distinct_4grams_fraction"])
        rows.append((name, *(percent(share) for share in shares), near))
    columns = ("split", "distinct requests", "distinct 4-grams over all", "near-duplicates")
    return f"## Diversity\n\n{table(columns, rows)}"


def called_tools(conversations: Sequence[Conversation], servers: Facts) -> Counter[tuple[str, str]]:
    """Calls by server and by its own name of the tool, whatever the row calls it. The server is ""
    where `servers` lists the tool under none."""
    offers: dict[str, set[str]] = {}
    for server, facts in servers.items():
        for tool in facts.get("tools") or ():
            offers.setdefault(tool, set()).add(server)
    counts: Counter[tuple[str, str]] = Counter()
    for one in conversations:
        used = set(one.meta.get("servers") or ())
        for tool in _called(one):
            able = offers.get(tool, set())
            counts[min(able & used or able, default=""), tool] += 1
    return counts


def _called(one: Conversation) -> Iterator[str]:
    renamed = (one.meta.get("catalog") or {}).get("renamed") or {}
    for message in one.messages:
        for call in message.tool_calls:
            yield renamed.get(call.name, {}).get("tool", call.name)


def tools_and_servers(splits: Splits, servers: Facts) -> str:
    """Calls by tool, and by server where `servers` says whose the tools are."""
    calls = {name: called_tools(rows, servers) for name, rows in splits.items()}
    total: Counter[tuple[str, str]] = Counter()
    for counter in calls.values():
        total.update(counter)
    rows = [
        (f"`{key[1]}`" + (f" of {key[0]}" if key[0] else ""), *(calls[one][key] for one in splits))
        for key, _ in total.most_common(_MOST_TOOLS)
    ]
    more = len(total) - len(rows)
    note = f"\n{more} more tools with fewer calls.\n" if more > 0 else ""
    text = f"## Calls by tool\n\n{len(total)} tools are called.\n\n{table(('tool', *splits), rows)}"
    if not any(facts.get("tools") for facts in servers.values()):
        return text + note
    names = sorted({server for server, _ in total})
    lines = [
        (server or "not listed", *(_of_server(calls[one], server) for one in splits))
        for server in names
    ]
    return f"{text}{note}\n## Calls by server\n\n{table(('server', *splits), lines)}"


def _of_server(calls: Mapping[tuple[str, str], int], server: str) -> int:
    return sum(count for (name, _), count in calls.items() if name == server)


def programs(splits: Splits) -> str:
    """How many there are and how large the largest is."""
    rows = []
    for name, conversations in splits.items():
        counts = Counter(str(one.meta["program"]) for one in conversations if "program" in one.meta)
        if counts:
            largest, number = counts.most_common(1)[0]
            share = percent(number / len(conversations))
            rows.append((name, len(counts), f"{largest} ({share})"))
    columns = ("split", "number", "largest")
    return f"## Program families\n\n{table(columns, rows)}" if rows else ""


def kinds(splits: Splits) -> str:
    """Rows by the kind of world they were executed in, where `meta.world` names it."""
    values = {
        name: [str((one.meta.get("world") or {}).get("kind", "desk")) for one in rows]
        for name, rows in splits.items()
    }
    return _by_value("Kinds of world", "kind", values)


def forms(splits: Splits) -> str:
    """Rows by `meta.form`: what a program is beside its number of calls."""
    values = {
        name: [str(one.meta.get("form", "plain")) for one in rows] for name, rows in splits.items()
    }
    return _by_value("Forms", "form", values)


def catalogs(splits: Splits) -> str:
    """Rows by how their catalog is shown (`meta.catalog.dress`), and how many catalogs there
    are."""
    shown = {name: [one.meta.get("catalog") or {} for one in rows] for name, rows in splits.items()}
    dresses = {name: [str(one.get("dress", "plain")) for one in all] for name, all in shown.items()}
    text = _by_value("Catalogs", "shown", dresses)
    number = len({one.get("name") for all in shown.values() for one in all})
    return f"{text}\n{number} catalogs.\n" if text else ""


def _by_value(title: str, column: str, values: Mapping[str, Sequence[str]]) -> str:
    """Nothing where all rows have the same."""
    counts = {name: Counter(found) for name, found in values.items()}
    order = sorted({value for counter in counts.values() for value in counter})
    if len(order) < 2:
        return ""
    rows = [(value, *(counter[value] for counter in counts.values())) for value in order]
    return f"## {title}\n\n{table((column, *counts), rows)}"
