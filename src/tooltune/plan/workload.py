"""How many tokens an epoch holds: logical, distinct and computed, and how deep they sit.

Two sources: three averages (`--mean-tokens`, `--prefix-tokens`), or real sequences put through
the same packing as training.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tooltune.errors import ConfigError
from tooltune.packing.pack import cut_tree, plan_epoch
from tooltune.packing.tree import TokenSequence, build_tree
from tooltune.plan.tables import Basis


@dataclass(frozen=True, slots=True)
class Workload:
    """Totals of one epoch."""

    basis: Basis
    """`measured` on real sequences, `derived` from averages."""
    examples: int
    steps_per_epoch: int
    micro_batches: int
    logical_tokens: int
    """Every sequence counted by itself."""
    computed_tokens: int
    """What the trainer really runs: distinct tokens of each update, or padded rows."""
    supervised_tokens: int | None
    """None where nobody counted them."""
    largest_micro_batch_tokens: int
    longest_sequence_tokens: int
    mean_depth_tokens: float
    """Average number of tokens a computed token attends to."""
    too_long: int = 0
    """Examples left out because they are longer than the limit."""

    @property
    def sharing_ratio(self) -> float:
        return self.logical_tokens / self.computed_tokens


def workload_from_averages(
    *,
    examples: int,
    mean_tokens: int,
    prefix_tokens: int,
    examples_per_step: int,
    micro_batch_tokens: int,
    shares_prefixes: bool,
    rows: int = 4,
) -> Workload:
    """Every example taken to be of mean length; the last update of an epoch is partial but counts.

    15,694 examples at 16 an update: 980.875, so 981 updates.
    """
    _check_averages(examples, mean_tokens, prefix_tokens)
    own = mean_tokens - prefix_tokens
    full_steps, rest = divmod(examples, examples_per_step)
    steps = [(full_steps, examples_per_step), (1 if rest else 0, rest)]
    if not shares_prefixes:
        micro = sum(count * math.ceil(size / rows) for count, size in steps)
        logical = examples * mean_tokens
        return Workload(
            basis="derived",
            examples=examples,
            steps_per_epoch=math.ceil(examples / examples_per_step),
            micro_batches=micro,
            logical_tokens=logical,
            computed_tokens=logical,
            supervised_tokens=None,
            largest_micro_batch_tokens=min(rows, examples) * mean_tokens,
            longest_sequence_tokens=mean_tokens,
            mean_depth_tokens=mean_tokens / 2,
        )
    together = max(1, (micro_batch_tokens - prefix_tokens) // max(1, own))
    groups = [(count, math.ceil(size / together)) for count, size in steps]
    # In an update of several groups the prefix is a pass of its own.
    micro = sum(count * (cut + (cut > 1 and prefix_tokens > 0)) for count, cut in groups)
    prefix_total = sum(count for count, _ in steps) * prefix_tokens
    computed = prefix_total + examples * own
    depth_total = prefix_total * prefix_tokens / 2 + examples * own * (prefix_tokens + own / 2)
    return Workload(
        basis="derived",
        examples=examples,
        steps_per_epoch=math.ceil(examples / examples_per_step),
        micro_batches=micro,
        logical_tokens=examples * mean_tokens,
        computed_tokens=computed,
        supervised_tokens=None,
        largest_micro_batch_tokens=prefix_tokens + min(together, examples_per_step, examples) * own,
        longest_sequence_tokens=mean_tokens,
        mean_depth_tokens=depth_total / computed,
    )


def workload_from_examples(
    examples: Sequence[Sequence[TokenSequence]],
    groups: Sequence[int],
    *,
    examples_per_step: int,
    micro_batch_tokens: int,
    shares_prefixes: bool,
    seed: int,
    rows: int = 4,
) -> Workload:
    """The first epoch as training will run it. An example is its sequences, one group a catalog."""
    steps = plan_epoch(groups, examples_per_step=examples_per_step, seed=seed)
    batches: list[tuple[int, int, float]] = []  # tokens in memory, computed, their summed depth
    for step in steps:
        sequences = [sequence for index in step for sequence in examples[index]]
        batches += (
            _tree_batches(sequences, micro_batch_tokens)
            if shares_prefixes
            else _padded_batches(sequences, rows)
        )
    lengths = [len(sequence.tokens) for example in examples for sequence in example]
    computed = sum(tokens for _, tokens, _ in batches)
    return Workload(
        basis="measured",
        examples=len(examples),
        steps_per_epoch=len(steps),
        micro_batches=len(batches),
        logical_tokens=sum(lengths),
        computed_tokens=computed,
        supervised_tokens=sum(
            sequence.supervised_tokens for example in examples for sequence in example
        ),
        largest_micro_batch_tokens=max(tokens for tokens, _, _ in batches),
        longest_sequence_tokens=max(lengths),
        mean_depth_tokens=sum(depth for _, _, depth in batches) / computed,
    )


def _tree_batches(sequences: list[TokenSequence], budget: int) -> list[tuple[int, int, float]]:
    """The pieces of the update's tree; what is above a piece stays in memory with it."""
    tree = build_tree(sequences)
    pieces = [one for top in cut_tree(tree, micro_batch_tokens=budget) for one in top.walk()]
    return [
        (
            int(tree.positions_T[piece.start]) + piece.end - piece.start,
            piece.end - piece.start,
            float(np.sum(tree.positions_T[piece.start : piece.end] + 1)),
        )
        for piece in pieces
    ]


def _padded_batches(sequences: list[TokenSequence], rows: int) -> list[tuple[int, int, float]]:
    lengths = [len(sequence.tokens) for sequence in sequences]
    batches = [lengths[first : first + rows] for first in range(0, len(lengths), rows)]
    return [(size := len(batch) * max(batch), size, size * max(batch) / 2) for batch in batches]


def _check_averages(examples: int, mean_tokens: int, prefix_tokens: int) -> None:
    if examples < 1 or mean_tokens < 2:
        raise ConfigError(
            f"--examples, --mean-tokens: nothing to train on (got {examples} examples of "
            f"{mean_tokens} tokens). Give at least 1 example of 2 tokens."
        )
    if not 0 <= prefix_tokens < mean_tokens:
        raise ConfigError(
            f"--prefix-tokens: the shared start must be shorter than an example (got "
            f"{prefix_tokens}, expected 0 to {mean_tokens - 1}). Lower it."
        )
