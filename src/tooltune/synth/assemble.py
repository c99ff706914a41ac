"""From all that was made to the splits: wanted counts, no request twice, no words of the test."""

import random
from collections import Counter
from pathlib import Path

from tooltune.data.card_tables import MOST_PER_PROGRAM
from tooltune.data.duplicates import find_shared, request_texts, same_words
from tooltune.jsonl import read_json, read_jsonl
from tooltune.messages import Conversation
from tooltune.synth.summary import RecipeReport
from tooltune.synth.talk_rows import talk_rows
from tooltune.worlds.kinds import KINDS
from tooltune.worlds.pools import Split

SMALL_TALK_SHARE = 0.25
"""Of the `talk` rows: greetings and general questions; the others are wishes out of reach."""
_SMALL, _LEAST_PER_PROGRAM = 500, 20
"""The largest share of a program binds in splits that are large enough for it."""


def read_parts(
    parts: Path, split: Split, report: RecipeReport, held_out: list[str]
) -> list[list[Conversation]]:
    """All kinds' rows of a split, twins together, without those that talk as a held-out one."""
    groups: list[list[Conversation]] = []
    for kind in sorted(KINDS):
        if not (file := parts / f"{split}-{kind}.jsonl").exists():
            continue
        facts = read_json(file.with_suffix(".json"))
        for counts, found in ((report.rejected, "rejected"), (report.teacher, "teacher")):
            for reason, count in facts[found].items():
                counts[reason] = counts.get(reason, 0) + count
        groups += [[Conversation.from_dict(row) for row in group]
                   for _, group in read_jsonl(file)]  # fmt: skip
    owners = [number for number, group in enumerate(groups) for _ in group]
    shared = find_shared([row for group in groups for row in group], held_out)
    left_out = {owners[row] for row, _ in shared}
    if left_out:
        report.rejected["words of the test"] = report.rejected.get("words of the test", 0) + len(
            left_out
        )
    return [group for number, group in enumerate(groups) if number not in left_out]


def assemble(
    groups: list[list[Conversation]],
    split: Split,
    counts: dict[str, int],
    seed: int,
    report: RecipeReport,
) -> list[Conversation]:
    """Exactly `counts` rows of each ability, as far as there are, and no request twice."""
    rng = random.Random(f"{seed} assemble {split}")
    rng.shuffle(groups)
    by_catalog = [row for group in groups for row in group[:1]]
    strangers = sum(row.ability == "talk" for row in by_catalog)
    small = max(round(counts["talk"] * SMALL_TALK_SHARE), counts["talk"] - strangers)
    groups = [*talk_rows(split, small, by_catalog, rng), *groups]
    # Pairs first: single rows fill up what the twins of `ask` leave open.
    groups.sort(key=lambda group: -len(group))
    return _choose(groups, counts, split, report, rng)


def _choose(
    groups: list[list[Conversation]],
    counts: dict[str, int],
    split: Split,
    report: RecipeReport,
    rng: random.Random,
) -> list[Conversation]:
    total = sum(counts.values())
    chosen: list[Conversation] = []
    open_rows, requests = Counter(counts), set[str]()
    programs: Counter[str] = Counter()
    most = int(total * MOST_PER_PROGRAM) if total >= _SMALL else _LEAST_PER_PROGRAM
    for _ in range(2):
        for group in groups:
            asked = [same_words(*request_texts(row)) for row in group]
            needs = Counter(str(row.ability) for row in group)
            names = Counter(str(row.meta["program"]) for row in group)
            if (
                all(open_rows[ability] >= count for ability, count in needs.items())
                and not requests.intersection(asked)
                and all(programs[name] + count <= most for name, count in names.items())
            ):
                chosen += group
                requests.update(asked)
                open_rows.subtract(needs)
                programs.update(names)
        # What another ability is short of, single calls fill up.
        open_rows = Counter({"single": total - len(chosen)})
    if missing := total - len(chosen):
        report.short[split] = missing
        report.left_out[split] = f"{missing} rows of {split}: no more could be made well"
    rng.shuffle(chosen)
    return chosen
