"""Token sequences -> one prefix tree in depth-first order, each distinct token once.

Shapes: T distinct tokens, S sequences. In depth-first order the whole attention mask is one integer
a token: k is visible to q exactly when `k <= q < subtree_end_T[k]`. Packing without sharing is a
tree without branches (a forest of chains), so both are one code path.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One rendered training sequence: token ids and which of them are trained (0 or 1)."""

    tokens: npt.NDArray[np.int32]
    loss_mask: npt.NDArray[np.uint8]

    @property
    def supervised_tokens(self) -> int:
        """Trained tokens; the first token has no predecessor that could predict it."""
        return int(self.loss_mask[1:].sum())


@dataclass(frozen=True, slots=True)
class PrefixTree:
    """A set of sequences, merged.

    the sequences  a b c d      tokens_T       a b c d x y
                   a b x y      positions_T    0 1 2 3 2 3
                                parent_T      -1 0 1 2 1 4
                                subtree_end_T  6 6 4 4 6 6
    """

    tokens_T: IntArray
    positions_T: IntArray
    parent_T: IntArray
    """Index of the token before it on its path; -1 at the start of a sequence."""
    subtree_end_T: IntArray
    edge_weight_T: IntArray
    """Number of sequences in which the edge parent -> token is supervised."""
    leaf_S: IntArray
    """Index of each sequence's last token, in the order the sequences were given."""
    logical_tokens: int
    """Tokens of all sequences counted one by one."""

    @property
    def distinct_tokens(self) -> int:
        return len(self.tokens_T)

    @property
    def supervised_tokens(self) -> int:
        """Summed edge weights: equals the sum over separate sequences."""
        return int(self.edge_weight_T.sum())

    @property
    def sharing_ratio(self) -> float:
        """Logical over distinct tokens; 1.0 where nothing is shared."""
        return self.logical_tokens / self.distinct_tokens

    def path(self, leaf: int) -> IntArray:
        """Indices of the tokens from the start of a sequence to its last token `leaf`."""
        path = np.empty(int(self.positions_T[leaf]) + 1, dtype=np.int64)
        for depth in range(len(path) - 1, -1, -1):
            path[depth] = leaf
            leaf = int(self.parent_T[leaf])
        return path

    def segments(self) -> list["Segment"]:
        """Maximal unbranched runs of tokens, in depth-first order."""
        index_T = np.arange(self.distinct_tokens)
        children_T = np.bincount(self.parent_T[self.parent_T >= 0], minlength=self.distinct_tokens)
        continues_T = (self.parent_T == index_T - 1) & (self.parent_T >= 0)
        continues_T[1:] &= children_T[:-1] <= 1
        starts = np.flatnonzero(~continues_T)
        ends = np.append(starts[1:], self.distinct_tokens)
        return [
            Segment(int(start), int(end), int(self.subtree_end_T[start]))
            for start, end in zip(starts, ends, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens [start, end) see each other causally; all of [end, subtree_end) see them whole."""

    start: int
    end: int
    subtree_end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens [start, end) of a tree that go through the model together, and what follows them.

    Without `below`: sibling subtrees, whole. With `below`: one unbranched segment whose subtree is
    too large to be computed at once; all its tokens are visible to every piece below.
    """

    start: int
    end: int
    below: tuple["Piece", ...] = ()

    def walk(self) -> Iterator["Piece"]:
        """Itself and every piece below, in depth-first order."""
        yield self
        for piece in self.below:
            yield from piece.walk()


def sorted_order(sequences: Sequence[TokenSequence]) -> list[int]:
    """Indices in lexicographic order of token ids: neighbours share their longest prefixes."""
    keys = [sequence.tokens.astype(">u4").tobytes() for sequence in sequences]
    return sorted(range(len(keys)), key=keys.__getitem__)


def shared_prefix_tokens(first: TokenSequence, second: TokenSequence) -> int:
    """Length of the common prefix."""
    length = min(len(first.tokens), len(second.tokens))
    differs = first.tokens[:length] != second.tokens[:length]
    return int(differs.argmax()) if differs.any() else length


def build_tree(sequences: Sequence[TokenSequence]) -> PrefixTree:
    """Merge sequences on equal prefixes.

    Sequences are visited in lexicographic order, so each adds its tokens beyond the prefix it
    shares with the one before, and the tokens come out in depth-first order.
    """
    logical_tokens = sum(len(sequence.tokens) for sequence in sequences)
    leaf_S = np.zeros(len(sequences), dtype=np.int64)
    tokens_T, positions_T, parent_T, subtree_end_T, edge_weight_T = (
        np.zeros(logical_tokens, dtype=np.int64) for _ in range(5)
    )
    path = np.empty(0, dtype=np.int64)  # indices of the tokens of the sequence visited last
    total = 0
    previous: TokenSequence | None = None
    for place in sorted_order(sequences):
        sequence = sequences[place]
        shared = shared_prefix_tokens(previous, sequence) if previous is not None else 0
        length = len(sequence.tokens)
        new = np.arange(total, total + length - shared)
        subtree_end_T[path[shared:]] = total
        tokens_T[new] = sequence.tokens[shared:]
        positions_T[new] = np.arange(shared, length)
        parent_T[new] = new - 1
        if len(new):
            parent_T[new[0]] = path[shared - 1] if shared else -1
        path = np.concatenate([path[:shared], new])
        edge_weight_T[path[1:]] += sequence.loss_mask[1:]
        leaf_S[place] = path[-1]
        total += len(new)
        previous = sequence
    subtree_end_T[path] = total
    return PrefixTree(
        tokens_T=tokens_T[:total],
        positions_T=positions_T[:total],
        parent_T=parent_T[:total],
        subtree_end_T=subtree_end_T[:total],
        edge_weight_T=edge_weight_T[:total],
        leaf_S=leaf_S,
        logical_tokens=logical_tokens,
    )
