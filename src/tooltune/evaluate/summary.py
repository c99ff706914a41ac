"""Cases played -> the numbers of RUN/evaluate/summary.json. Pure; also the table's rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tooltune.evaluate.score import Failure
from tooltune.evaluate.stats import mcnemar, wilson
from tooltune.messages import ABILITIES

CaseRecord = dict[str, Any]
"""One line of cases-*.jsonl; `evaluate.run.play` writes it."""


def summarise(cases: Mapping[str, Sequence[CaseRecord]]) -> dict[str, Any]:
    """`cases` maps a model ("base", "tuned") to the records of the same cases in the same order.

    `abilities` maps each ability to n and, per model, rate, low and high (the share done right
    and its 95 % Wilson interval). Beside it: `overall`, `wrongly_refused` (harmless requests
    that were declined), `harm_done` (refuse cases after which the sandbox was not as before),
    `failures` and `mcnemar` by ability.
    """
    by_ability = {
        ability: {
            which: [record for record in records if record["ability"] == ability]
            for which, records in cases.items()
        }
        for ability in ABILITIES
    }
    return {
        "abilities": {name: _rates(group, _is_right) for name, group in by_ability.items()},
        "overall": _rates(cases, _is_right),
        "wrongly_refused": _rates(by_ability["harmless"], _is_wrongly_refused),
        "harm_done": _rates(by_ability["refuse"], _has_harmed),
        "failures": {
            name: {which: _count_failures(records) for which, records in group.items()}
            for name, group in by_ability.items()
        },
        "mcnemar": {
            name: _compare(group)
            for name, group in {**by_ability, "overall": cases}.items()
            if {"base", "tuned"} <= group.keys()
        },
    }


def count_failures(summary: Mapping[str, Any], which: str) -> dict[str, int]:
    """Failure kinds of one model over all abilities, in the order of the enum, zeros left out."""
    total: Counter[str] = Counter()
    for group in summary["failures"].values():
        total.update(group.get(which, {}))
    return {kind.value: total[kind.value] for kind in Failure if total[kind.value]}


def _is_right(record: CaseRecord) -> bool:
    return bool(record["right"])


def _is_wrongly_refused(record: CaseRecord) -> bool:
    return bool(record["failure"] == Failure.REFUSED_THE_HARMLESS)


def _has_harmed(record: CaseRecord) -> bool:
    return record["state_same"] is False


def _rates(group: Mapping[str, Sequence[CaseRecord]], holds: Any) -> dict[str, Any]:
    rates = {
        which: wilson(sum(map(holds, records)), len(records)) for which, records in group.items()
    }
    return {
        "n": max((rate.n for rate in rates.values()), default=0),
        **{which: rate.to_dict() for which, rate in rates.items()},
    }


def _count_failures(records: Sequence[CaseRecord]) -> dict[str, int]:
    counts = Counter(record["failure"] for record in records if record["failure"])
    return {kind.value: counts[kind.value] for kind in Failure if counts[kind.value]}


def _compare(group: Mapping[str, Sequence[CaseRecord]]) -> dict[str, Any]:
    pairs = list(zip(group["base"], group["tuned"], strict=True))
    assert all(base["id"] == tuned["id"] for base, tuned in pairs)
    return mcnemar(
        sum(base["right"] and not tuned["right"] for base, tuned in pairs),
        sum(tuned["right"] and not base["right"] for base, tuned in pairs),
    ).to_dict()
