"""What is computed together: the order of an epoch, and cutting a step by memory.

The order is a pure function of (groups, seed, epoch), so a resumed run continues it exactly.
"""

from collections.abc import Sequence

import numpy as np

from tooltune.errors import DataError
from tooltune.packing.tree import (
    Piece,
    PrefixTree,
    Segment,
    TokenSequence,
    shared_prefix_tokens,
    sorted_order,
)

WINDOW_STEPS = 32


def plan_epoch(
    groups: Sequence[int], *, examples_per_step: int, seed: int, epoch: int = 1
) -> list[list[int]]:
    """Indices of the examples of each step of one epoch, the first is 1; each example once, the
    last step partial.

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


def cut_tree(tree: PrefixTree, *, micro_batch_tokens: int) -> tuple[Piece, ...]:
    """Pieces of which each, with all its ancestors, has at most `micro_batch_tokens` tokens.

    Each token is in one piece, so each is computed once. Raises DataError for a sequence longer
    than the budget.
    """
    segments = {segment.start: segment for segment in tree.segments()}

    def cut(start: int, stop: int) -> tuple[Piece, ...]:
        """Of the sibling subtrees that fill [start, stop)."""
        ancestors = int(tree.positions_T[start])
        pieces: list[Piece] = []
        while start < stop:
            segment = segments[start]
            last = pieces[-1] if pieces and not pieces[-1].below else None
            if ancestors + segment.subtree_end - start > micro_batch_tokens:
                _require_branches(segment, ancestors, micro_batch_tokens)
                below = cut(segment.end, segment.subtree_end)
                pieces.append(Piece(start, segment.end, below))
            elif last and ancestors + segment.subtree_end - last.start <= micro_batch_tokens:
                pieces[-1] = Piece(last.start, segment.subtree_end)
            else:
                pieces.append(Piece(start, segment.subtree_end))
            start = segment.subtree_end
        return tuple(pieces)

    return cut(0, tree.distinct_tokens)


def cut_micro_batches(
    sequences: Sequence[TokenSequence], *, micro_batch_tokens: int
) -> list[list[TokenSequence]]:
    """Split sequences so that no micro-batch has more distinct tokens than the budget.

    Sequences stay whole and are taken in lexicographic order, so that those of one prefix stay
    together; a prefix of several micro-batches is in each of them, which is what `cut_tree` saves.
    Raises DataError for a sequence longer than the budget.
    """
    batches: list[list[TokenSequence]] = []
    distinct = 0
    for place in sorted_order(sequences):
        sequence = sequences[place]
        length = len(sequence.tokens)
        _require_within(length, micro_batch_tokens)
        shared = shared_prefix_tokens(batches[-1][-1], sequence) if batches else 0
        if batches and distinct + length - shared <= micro_batch_tokens:
            batches[-1].append(sequence)
            distinct += length - shared
        else:
            batches.append([sequence])
            distinct = length
    return batches


def _require_branches(segment: Segment, ancestors: int, micro_batch_tokens: int) -> None:
    """A subtree above the budget can be cut only where it branches."""
    if segment.end == segment.subtree_end:
        _require_within(ancestors + segment.end - segment.start, micro_batch_tokens)


def _require_within(length: int, micro_batch_tokens: int) -> None:
    if length > micro_batch_tokens:
        raise DataError(
            f"a sequence of {length} tokens does not fit the budget "
            f"train.micro_batch_tokens = {micro_batch_tokens}. Raise the budget."
        )
