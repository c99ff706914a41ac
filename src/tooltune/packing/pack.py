"""Which sequences are computed together: the order of an epoch, and cutting a step by memory.

The order is a pure function of (groups, seed, epoch), so a resumed run continues it exactly.
"""

from collections.abc import Sequence

import numpy as np

from tooltune.errors import DataError
from tooltune.packing.tree import (
    TokenSequence,
    shared_prefix_tokens,
    sorted_order,
)

WINDOW_STEPS = 32


def plan_epoch(
    groups: Sequence[int], *, examples_per_step: int, seed: int, epoch: int
) -> list[list[int]]:
    """Indices of the examples of each step of one epoch; each example once, the last step partial.

    Rule: all examples are shuffled; in each window of WINDOW_STEPS steps the shuffled examples are
    then sorted stably by group (examples of one catalog have one group), cut into steps, and the
    steps shuffled. So examples of one catalog meet in one step wherever a window holds enough of
    them, and no example moves further than its window.
    """
    random = np.random.default_rng([seed, epoch])
    group_N = np.asarray(groups)
    order = random.permutation(len(group_N))
    window = WINDOW_STEPS * examples_per_step
    steps: list[list[int]] = []
    for begin in range(0, len(order), window):
        part = order[begin : begin + window]
        part = part[np.argsort(group_N[part], kind="stable")]
        cut = [
            part[first : first + examples_per_step].tolist()
            for first in range(0, len(part), examples_per_step)
        ]
        full, partial = (cut[:-1], cut[-1:]) if len(cut[-1]) < examples_per_step else (cut, [])
        steps += [full[index] for index in random.permutation(len(full))] + partial
    return steps


def cut_micro_batches(
    sequences: Sequence[TokenSequence], *, micro_batch_tokens: int
) -> list[list[TokenSequence]]:
    """Split one step's sequences so that no micro-batch has more distinct tokens than the budget.

    Sequences stay whole and are taken in lexicographic order, so that those of one prefix stay
    together. Raises DataError for a sequence longer than the budget.
    """
    batches: list[list[TokenSequence]] = []
    distinct = 0
    for place in sorted_order(sequences):
        sequence = sequences[place]
        length = len(sequence.tokens)
        if length > micro_batch_tokens:
            raise DataError(
                f"a sequence of {length} tokens does not fit the budget "
                f"train.micro_batch_tokens = {micro_batch_tokens}. Raise the budget."
            )
        shared = shared_prefix_tokens(batches[-1][-1], sequence) if batches else 0
        if batches and distinct + length - shared <= micro_batch_tokens:
            batches[-1].append(sequence)
            distinct += length - shared
        else:
            batches.append([sequence])
            distinct = length
    return batches
