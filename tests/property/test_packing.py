"""For any sequences: a tree holds exactly them and its one integer a token is the whole mask;
micro-batches and steps hold each sequence once. What is computed on a tree: gradient/."""

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tooltune.errors import DataError
from tooltune.packing.divide import divide_sequences
from tooltune.packing.pack import WINDOW_STEPS, cut_micro_batches, cut_tree, plan_epoch
from tooltune.packing.tree import PrefixTree, TokenSequence, build_tree, shared_prefix_tokens

quick = settings(max_examples=120, deadline=None, derandomize=True)


def sequence_of(tokens: list[int], loss_mask: list[int] | None = None) -> TokenSequence:
    mask = [1] * len(tokens) if loss_mask is None else loss_mask
    return TokenSequence(np.asarray(tokens, np.int32), np.asarray(mask, np.uint8))


@st.composite
def sequences_that_share(draw: st.DrawFn) -> list[TokenSequence]:
    """One to nine sequences; few distinct tokens and grown prefixes make sharing the rule."""
    token = st.sampled_from([0, 1, 2, 70_000])
    texts: list[list[int]] = []
    for _ in range(draw(st.integers(1, 9))):
        stem = draw(st.sampled_from(texts)) if texts and draw(st.booleans()) else []
        kept = stem[: draw(st.integers(0, len(stem)))]
        texts.append(kept + draw(st.lists(token, min_size=0 if kept else 1, max_size=8)))
    return [
        sequence_of(text, draw(st.lists(st.integers(0, 1), min_size=len(text), max_size=len(text))))
        for text in texts
    ]


def ancestors(tree: PrefixTree, token: int) -> set[int]:
    """The token itself and all before it on its path, found by walking up."""
    seen = set()
    while token >= 0:
        seen.add(token)
        token = int(tree.parent_T[token])
    return seen


@quick
@given(sequences_that_share())
def test_a_tree_expands_to_the_sequences_it_was_built_from(sequences: list[TokenSequence]) -> None:
    tree = build_tree(sequences)
    for sequence, leaf in zip(sequences, tree.leaf_S, strict=True):
        path = tree.path(int(leaf))
        assert tree.tokens_T[path].tolist() == sequence.tokens.tolist()
        assert tree.positions_T[path].tolist() == list(range(len(sequence.tokens)))


@quick
@given(sequences_that_share())
def test_each_distinct_prefix_is_one_token_of_the_tree(sequences: list[TokenSequence]) -> None:
    tree = build_tree(sequences)
    texts = [sequence.tokens.tolist() for sequence in sequences]
    prefixes = {tuple(text[:end]) for text in texts for end in range(1, len(text) + 1)}
    assert tree.distinct_tokens == len(prefixes)
    assert tree.logical_tokens == sum(map(len, texts))
    assert tree.sharing_ratio == tree.logical_tokens / len(prefixes)


@quick
@given(sequences_that_share())
def test_an_edge_weighs_as_many_sequences_as_train_it(sequences: list[TokenSequence]) -> None:
    tree = build_tree(sequences)
    expected: Counter[int] = Counter()
    for sequence, leaf in zip(sequences, tree.leaf_S, strict=True):
        for token, trained in zip(tree.path(int(leaf))[1:], sequence.loss_mask[1:], strict=True):
            expected[int(token)] += int(trained)
    assert {index: int(weight) for index, weight in enumerate(tree.edge_weight_T) if weight} == {
        index: weight for index, weight in expected.items() if weight
    }
    assert tree.supervised_tokens == sum(sequence.supervised_tokens for sequence in sequences)


@quick
@given(sequences_that_share())
def test_subtree_end_alone_tells_who_sees_whom(sequences: list[TokenSequence]) -> None:
    tree = build_tree(sequences)
    for query in range(tree.distinct_tokens):
        seen = {key for key in range(query + 1) if query < tree.subtree_end_T[key]}
        assert seen == ancestors(tree, query)


@quick
@given(sequences_that_share())
def test_depth_first_order_puts_a_parent_before_its_children(
    sequences: list[TokenSequence],
) -> None:
    tree = build_tree(sequences)
    for token, parent in enumerate(tree.parent_T.tolist()):
        assert parent < token
        assert tree.positions_T[token] == (tree.positions_T[parent] + 1 if parent >= 0 else 0)


@quick
@given(sequences_that_share())
def test_segments_tile_the_tokens_and_draw_the_same_mask(sequences: list[TokenSequence]) -> None:
    tree = build_tree(sequences)
    segments = tree.segments()
    bounds = [0, *(segment.end for segment in segments)]
    assert [segment.start for segment in segments] == bounds[:-1]
    assert bounds[-1] == tree.distinct_tokens

    visible = np.zeros((tree.distinct_tokens,) * 2, dtype=bool)
    for segment in segments:
        own = np.arange(segment.start, segment.end)
        visible[np.ix_(own, own)] = own[:, None] >= own[None, :]
        visible[segment.end : segment.subtree_end, own] = True
    query, key = np.indices(visible.shape)
    assert (visible == ((key <= query) & (query < tree.subtree_end_T[None, :]))).all()


@quick
@given(sequences_that_share())
def test_a_segment_ends_only_where_the_tree_branches_or_a_path_ends(
    sequences: list[TokenSequence],
) -> None:
    """Fewest segments: each costs two products, so none may be split without need."""
    tree = build_tree(sequences)
    children = Counter(tree.parent_T.tolist())
    assert all(children[segment.end - 1] != 1 for segment in tree.segments())


def test_the_worked_example_of_the_docstring() -> None:
    tree = build_tree([sequence_of([10, 11, 12, 13]), sequence_of([10, 11, 20, 21])])
    assert tree.tokens_T.tolist() == [10, 11, 12, 13, 20, 21]
    assert tree.positions_T.tolist() == [0, 1, 2, 3, 2, 3]
    assert tree.parent_T.tolist() == [-1, 0, 1, 2, 1, 4]
    assert tree.subtree_end_T.tolist() == [6, 6, 4, 4, 6, 6]
    assert tree.edge_weight_T.tolist() == [0, 2, 1, 1, 1, 1]
    assert tree.leaf_S.tolist() == [3, 5]


@quick
@given(sequences_that_share(), st.integers(0, 30))
def test_micro_batches_hold_each_sequence_once_within_the_budget(
    sequences: list[TokenSequence], spare_tokens: int
) -> None:
    budget = max(len(sequence.tokens) for sequence in sequences) + spare_tokens
    batches = cut_micro_batches(sequences, micro_batch_tokens=budget)
    assert Counter(id(sequence) for batch in batches for sequence in batch) == Counter(
        map(id, sequences)
    )
    assert all(build_tree(batch).distinct_tokens <= budget for batch in batches)
    for batch, following in itertools.pairwise(batches):
        assert build_tree([*batch, following[0]]).distinct_tokens > budget, "cut without need"


@quick
@given(sequences_that_share(), st.integers(0, 12))
def test_the_pieces_of_a_tree_hold_each_token_once_within_the_budget(
    sequences: list[TokenSequence], spare_tokens: int
) -> None:
    tree = build_tree(sequences)
    budget = max(len(sequence.tokens) for sequence in sequences) + spare_tokens
    pieces = [one for top in cut_tree(tree, micro_batch_tokens=budget) for one in top.walk()]
    bounds = [0, *(piece.end for piece in pieces)]
    assert [piece.start for piece in pieces] == bounds[:-1]
    assert bounds[-1] == tree.distinct_tokens
    for piece in pieces:
        above = int(tree.positions_T[piece.start])
        assert above + piece.end - piece.start <= budget
        if piece.below:
            assert above + tree.subtree_end_T[piece.start] - piece.start > budget, "cut in vain"
            *_, last = piece.walk()
            assert (tree.subtree_end_T[piece.start : piece.end] == last.end).all(), "seen by all"


@quick
@given(sequences_that_share())
def test_a_sequence_above_the_budget_is_an_error(sequences: list[TokenSequence]) -> None:
    longest = max(len(sequence.tokens) for sequence in sequences)
    for cut in (cut_micro_batches, lambda *args, **budget: cut_tree(build_tree(*args), **budget)):
        with pytest.raises(DataError) as caught:
            cut(sequences, micro_batch_tokens=longest - 1)
        message = str(caught.value)
        assert message.startswith(f"a sequence of {longest} tokens does not fit the budget")
        assert message.endswith(f"train.micro_batch_tokens = {longest - 1}. Raise the budget.")


@quick
@given(sequences_that_share(), st.data())
def test_a_shared_prefix_ends_at_the_first_difference(
    sequences: list[TokenSequence], data: st.DataObject
) -> None:
    first, second = data.draw(st.sampled_from(sequences)), data.draw(st.sampled_from(sequences))
    pairs = zip(first.tokens.tolist(), second.tokens.tolist(), strict=False)
    expected = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
    assert shared_prefix_tokens(first, second) == expected


def distinct_tokens(sequences: Sequence[TokenSequence]) -> int:
    return build_tree(sequences).distinct_tokens if sequences else 0


@quick
@given(sequences_that_share(), st.integers(1, 5))
def test_processes_share_an_update_within_the_stated_bound(
    sequences: list[TokenSequence], processes: int
) -> None:
    parts = divide_sequences(sequences, processes)
    assert len(parts) == processes
    assert Counter(id(sequence) for part in parts for sequence in part) == Counter(
        map(id, sequences)
    )
    even_share = distinct_tokens(sequences) / processes
    longest = max(len(sequence.tokens) for sequence in sequences)
    assert max(map(distinct_tokens, parts)) <= even_share + longest


@quick
@given(sequences_that_share(), st.integers(1, 4))
def test_no_other_cut_of_the_sorted_sequences_has_a_smaller_largest_part(
    sequences: list[TokenSequence], processes: int
) -> None:
    ordered = sorted(sequences, key=lambda sequence: sequence.tokens.tolist())
    cuts = itertools.combinations_with_replacement(range(len(ordered) + 1), processes - 1)
    best = min(
        max(
            distinct_tokens(ordered[start:end])
            for start, end in itertools.pairwise([0, *cut, len(ordered)])
        )
        for cut in cuts
    )
    parts = divide_sequences(sequences, processes)
    assert max(map(distinct_tokens, parts)) == best


def test_sequences_of_one_catalog_go_to_one_process_and_tokens_decide_not_counts() -> None:
    short = [sequence_of([1, 2, 3, 4, 5, own]) for own in range(10, 15)]
    long = [sequence_of([9, *range(20, 29)])]
    parts = divide_sequences([short[0], *long, *short[1:]], 2)
    assert sorted(len(part) for part in parts) == [1, 5]
    assert [distinct_tokens(part) for part in parts] == [10, 10]


many_groups = st.lists(st.integers(0, 4), min_size=1, max_size=300)
seeds = st.integers(0, 2**31)


@quick
@given(many_groups, st.integers(1, 6), seeds, st.integers(1, 4))
def test_an_epoch_holds_each_example_once_in_full_steps_but_the_last(
    groups: list[int], examples_per_step: int, seed: int, epoch: int
) -> None:
    steps = plan_epoch(groups, examples_per_step=examples_per_step, seed=seed, epoch=epoch)
    assert sorted(itertools.chain(*steps)) == list(range(len(groups)))
    assert all(len(step) == examples_per_step for step in steps[:-1])
    assert 1 <= len(steps[-1]) <= examples_per_step


@quick
@given(many_groups, st.integers(1, 6), seeds)
def test_examples_of_one_catalog_meet_in_as_few_steps_as_their_window_allows(
    groups: list[int], examples_per_step: int, seed: int
) -> None:
    steps = plan_epoch(groups, examples_per_step=examples_per_step, seed=seed, epoch=1)
    for first in range(0, len(steps), WINDOW_STEPS):
        window = steps[first : first + WINDOW_STEPS]
        for group in set(groups):
            held = [sum(groups[index] == group for index in step) for step in window]
            most = -(-(sum(held) - 1) // examples_per_step) + 1
            assert sum(count > 0 for count in held) <= most


def test_the_order_of_an_epoch_depends_on_nothing_but_its_arguments() -> None:
    """So a resumed run plans it again and goes on where it was."""
    groups = [index % 3 for index in range(100)]
    before = plan_epoch(groups, examples_per_step=4, seed=7, epoch=2)
    plan_epoch(groups, examples_per_step=4, seed=8, epoch=5)
    assert plan_epoch(groups, examples_per_step=4, seed=7, epoch=2) == before
    assert plan_epoch(groups, examples_per_step=4, seed=7, epoch=3) != before
    assert plan_epoch(groups, examples_per_step=4, seed=8, epoch=2) != before
