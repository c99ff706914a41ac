"""An update's sequences divided among processes by the tokens each has to compute."""

from collections.abc import Sequence

import numpy as np

from tooltune.packing.tree import IntArray, TokenSequence, shared_prefix_tokens, sorted_order


def divide_sequences(sequences: Sequence[TokenSequence], parts: int) -> list[list[TokenSequence]]:
    """`parts` lists that hold each sequence once; the last are empty where sequences are few.

    The sequences are cut into runs of lexicographic order, so that those of one prefix stay
    together, with the largest part as small as such a cut can make it. Bound: no part has more
    distinct tokens than an even share of the tree's plus the longest sequence. Since the largest
    part of any division has at least each of the two, it is at most twice the best possible.
    """
    ordered = [sequences[place] for place in sorted_order(sequences)]
    length_S = np.array([len(sequence.tokens) for sequence in ordered], dtype=np.int64)
    shared_S = np.zeros(len(ordered), dtype=np.int64)
    for place in range(1, len(ordered)):
        shared_S[place] = shared_prefix_tokens(ordered[place - 1], ordered[place])
    new_S = length_S - shared_S
    enough = int(new_S.sum())
    too_small = max(int(length_S.max(initial=0)), -(-enough // parts)) - 1
    while enough - too_small > 1:
        tokens = (too_small + enough) // 2
        if len(_cut(shared_S, new_S, tokens)) <= parts:
            enough = tokens
        else:
            too_small = tokens
    starts = _cut(shared_S, new_S, enough)
    ends = [*starts[1:], len(ordered)]
    divided = [ordered[start:end] for start, end in zip(starts, ends, strict=True)]
    return divided + [[] for _ in range(parts - len(divided))]


def _cut(shared_S: IntArray, new_S: IntArray, most_tokens: int) -> list[int]:
    """Starts of the fewest runs of at most `most_tokens` distinct tokens.

    A run's first sequence is computed whole, each further one beyond what it shares.
    """
    starts: list[int] = []
    total_S = new_S.cumsum()
    place = 0
    while place < len(new_S):
        starts.append(place)
        before = total_S[place] - new_S[place] - shared_S[place]
        place = int(np.searchsorted(total_S, before + most_tokens, side="right"))
    return starts
