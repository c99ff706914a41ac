"""Which predictions the report shows: chosen by a stated rule, so nobody picks the nice ones."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

from tooltune.messages import ABILITIES

RULE = (
    "Taken in turn from each ability; within an ability in the order of the test file, "
    "alternating between cases the tuned model got right and cases it got wrong."
)


def choose_predictions(
    base: Sequence[dict[str, Any]], tuned: Sequence[dict[str, Any]], *, count: int = 10
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of records (base, tuned) of one case each, by RULE; fewer where there are fewer."""
    base_of = {record["id"]: record for record in base}
    pairs = [(base_of[record["id"]], record) for record in tuned if record["id"] in base_of]
    queues = [
        _alternate([pair for pair in pairs if pair[1]["ability"] == ability])
        for ability in ABILITIES
    ]
    chosen = list(islice(_take_turns(queues), count))
    order = {ability: index for index, ability in enumerate(ABILITIES)}
    return sorted(chosen, key=lambda pair: order[pair[1]["ability"]])


def _alternate(
    pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]],
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    right = [pair for pair in pairs if pair[1]["right"]]
    wrong = [pair for pair in pairs if not pair[1]["right"]]
    return _take_turns([iter(right), iter(wrong)])


def _take_turns(
    queues: Sequence[Iterator[tuple[dict[str, Any], dict[str, Any]]]],
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """One from each queue in turn, until all are empty."""
    waiting = list(queues)
    for queue in cycle(queues):
        if not waiting:
            return
        if queue not in waiting:
            continue
        try:
            yield next(queue)
        except StopIteration:
            waiting.remove(queue)
