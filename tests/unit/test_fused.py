"""The compiled kernel of tree attention against the dense mask in float64.

The numbers that go in are those it computes in, so what is compared is what it rounds on the way.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from tooltune.model.attention import Kernel, tree_attention, tree_layout
from tooltune.model.fused import fused_attention
from tooltune.packing.tree import IntArray, Piece, PrefixTree, TokenSequence, build_tree

SCALE = 0.2
CPU, BF16 = torch.device("cpu"), torch.bfloat16
TOLERANCE = {BF16: 0.006, torch.float32: 1e-5}
"""Of outputs and gradients, relative to their size."""
SHAPES = {
    "SmolLM2's": (9, 3, 64),
    "Qwen3's heads": (4, 2, 128),
    "no shared heads": (2, 2, 80),
    "one group, a small head": (4, 1, 6),
}


def tree_of(texts: list[list[int]]) -> PrefixTree:
    return build_tree(
        [TokenSequence(np.asarray(text, np.int32), np.ones(len(text), np.uint8)) for text in texts]
    )


def branched(shared: int, own: int, branches: int) -> PrefixTree:
    random = np.random.default_rng(shared)
    prefix = random.integers(0, 99, shared).tolist()
    return tree_of([[*prefix, 100 + b, *random.integers(0, 99, own - 1)] for b in range(branches)])


TREES = {
    "one token": branched(0, 1, 1),
    "no prefix": branched(0, 33, 3),
    "one tile and a bit": branched(70, 20, 3),
    "many tiles": branched(301, 45, 5),
}


@pytest.fixture(
    params=[pytest.param(x, marks=pytest.mark.compiled_kernels(x), id=str(x)) for x in TOLERANCE],
)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    number: torch.dtype = request.param
    return number


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def random_inputs(
    tree: PrefixTree, shape: tuple[int, int, int], dtype: torch.dtype, past: int = 0
) -> list[Tensor]:
    """As layers make them: the heads of a token side by side."""
    heads, groups, size = shape
    torch.manual_seed(past)
    tokens = tree.distinct_tokens
    return [
        torch.randn(1, length, count, size).mul(2).to(dtype).transpose(1, 2)
        for length, count in (
            (tokens - past, heads),
            (tokens, groups),
            (tokens, groups),
            (tokens - past, heads),
        )
    ]


def with_gradients(
    kernel: Kernel,
    tree: PrefixTree,
    tensors: list[Tensor],
    past: int = 0,
    wanted: IntArray | None = None,
) -> list[Tensor]:
    """Output, and gradients of queries, keys and values for the given one of the output."""
    layout = tree_layout(tree, Piece(past, tree.distinct_tokens), CPU, kernel, wanted)
    q, k, v = (tensor.detach().requires_grad_() for tensor in tensors[:3])
    out = tree_attention(q, k, v, layout, SCALE)
    return [out.detach(), *torch.autograd.grad(out, (q, k, v), tensors[3])]


def truth(
    tree: PrefixTree, tensors: list[Tensor], past: int = 0, wanted: IntArray | None = None
) -> list[Tensor]:
    wide = [tensor.double() for tensor in tensors]
    return with_gradients("reference", tree, wide, past, wanted)


def errors(got: list[Tensor], true: list[Tensor]) -> list[float]:
    return [
        float((one.double() - other).norm() / other.norm())
        for one, other in zip(got, true, strict=True)
    ]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_it_is_as_near_to_float64_as_its_numbers_allow(
    tree: PrefixTree, shape: tuple[int, int, int], dtype: torch.dtype, threads: int
) -> None:
    tensors = random_inputs(tree, shape, dtype)
    true = truth(tree, tensors)
    got = with_gradients("fused", tree, tensors)
    assert [tensor.dtype for tensor in got] == [dtype] * 4
    if tree.distinct_tokens == 1:  # one weight, which is 1: no query or key matters
        true, got = true[::3], got[::3]
    assert max(errors(got, true)) < TOLERANCE[dtype]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_rounds_no_more_than_tiles(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    tree = TREES["many tiles"]
    tensors = random_inputs(tree, shape, dtype)
    true = truth(tree, tensors)
    ours, theirs = (
        errors(with_gradients(kernel, tree, tensors), true) for kernel in ("fused", "tiles")
    )
    for our, their in zip(ours, theirs, strict=True):
        assert our < (1.05 if dtype == BF16 else 2) * their


@pytest.mark.parametrize("past", [1, 300, 301])
def test_it_sees_what_was_computed_before(past: int, threads: int, dtype: torch.dtype) -> None:
    tree = branched(301, 45, 1)
    tensors = random_inputs(tree, SHAPES["SmolLM2's"], dtype, past)
    assert (
        max(errors(with_gradients("fused", tree, tensors, past), truth(tree, tensors, past)))
        < TOLERANCE[dtype]
    )


@pytest.mark.parametrize("seed", range(24))
def test_any_piece_and_any_wanted_tokens_are_near_float64(seed: int, dtype: torch.dtype) -> None:
    """Two levels of branches; the whole tree, or what hangs below its first segment."""
    random = np.random.default_rng(seed)
    prefix = random.integers(0, 99, int(random.integers(1, 200))).tolist()
    texts = []
    for branch in range(int(random.integers(1, 5))):
        stem = [*prefix, 100 + branch, *random.integers(0, 99, int(random.integers(0, 60)))]
        for leaf in range(int(random.integers(1, 4))):
            texts.append([*stem, 200 + leaf, *random.integers(0, 99, int(random.integers(0, 50)))])
    tree = tree_of(texts)
    past = len(prefix) if seed % 2 else 0
    tokens = tree.distinct_tokens - past
    wanted = np.sort(random.choice(tokens, int(random.integers(1, tokens + 1)), replace=False))
    shape = list(SHAPES.values())[seed % len(SHAPES)]
    q, k, v, grad = random_inputs(tree, shape, dtype)
    tensors = [q[:, :, past:][:, :, wanted], k, v, grad[:, :, past:][:, :, wanted]]

    got = with_gradients("fused", tree, tensors, past, wanted)
    assert max(errors(got, truth(tree, tensors, past, wanted))) < TOLERANCE[dtype]


def test_of_some_tokens_it_gives_the_same_outputs(dtype: torch.dtype) -> None:
    tree = TREES["many tiles"]
    q, k, v, _ = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    whole = Piece(0, tree.distinct_tokens)
    every = tree_attention(q, k, v, tree_layout(tree, whole, CPU, "fused"), SCALE)
    tolerance = 2**-7 if dtype == BF16 else 1e-5
    for wanted in ([0], [tree.distinct_tokens - 1], range(0, tree.distinct_tokens, 7)):
        rows = np.asarray(wanted, np.int64)
        some = tree_attention(
            q[:, :, rows], k, v, tree_layout(tree, whole, CPU, "fused", rows), SCALE
        )
        # Rows that share a tile share its order of keys, so the last bit may differ.
        torch.testing.assert_close(some, every[:, :, rows], rtol=tolerance, atol=tolerance)


def test_what_a_query_does_not_see_has_no_part_in_it(dtype: torch.dtype) -> None:
    tree = TREES["many tiles"]
    tensors = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    before = with_gradients("fused", tree, tensors)
    branch = tree.segments()[2]
    for tensor in tensors:
        tensor[:, :, branch.start : branch.end] += 1
    after = with_gradients("fused", tree, tensors)
    elsewhere = np.r_[0 : branch.start, branch.end : tree.distinct_tokens]
    for one, other in zip(before[:2], after[:2], strict=True):
        assert torch.equal(one[:, :, elsewhere], other[:, :, elsewhere])
        assert not torch.equal(one, other)


def test_control_a_wrong_mask_is_far_from_the_truth(dtype: torch.dtype) -> None:
    tree = TREES["many tiles"]
    tensors = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    true = truth(tree, tensors)
    one_branch_only = branched(301, 5 * 45, 1)
    assert min(errors(with_gradients("fused", one_branch_only, tensors), true)) > 0.1


def test_the_same_comes_out_each_time(threads: int, dtype: torch.dtype) -> None:
    tensors = random_inputs(TREES["many tiles"], SHAPES["SmolLM2's"], dtype)
    first, second = (with_gradients("fused", TREES["many tiles"], tensors) for _ in range(2))
    assert all(itertools.starmap(torch.equal, zip(first, second, strict=True)))


def test_an_expanded_gradient_is_read_as_it_is(dtype: torch.dtype) -> None:
    tree = TREES["one tile and a bit"]
    tensors = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    tensors[3] = torch.ones(1, 1, 1, 1, dtype=dtype).expand(tensors[0].shape)
    assert (
        max(errors(with_gradients("fused", tree, tensors), truth(tree, tensors))) < TOLERANCE[dtype]
    )


@pytest.mark.parametrize("broken", [0, 1, 2, 3])
def test_what_is_no_number_stays_none(broken: int, dtype: torch.dtype) -> None:
    """The run must stop for it: it may not become a weight of zero."""
    tree = TREES["one tile and a bit"]
    tensors = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    tensors[broken][0, 0, 40, 3] = torch.nan
    got = with_gradients("fused", tree, tensors)
    out, *gradients = (bool(tensor.isnan().any()) for tensor in got)
    assert out == (broken < 3)
    assert any(gradients)


def test_scores_that_overflow_are_no_numbers(dtype: torch.dtype) -> None:
    """Else what is hidden would be the most that a query sees."""
    tree = TREES["one tile and a bit"]
    tensors = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    tensors[0][0, 0, 0], tensors[1][0, 0, 0] = 1e30, -1e30
    out = with_gradients("fused", tree, tensors)[0]
    assert bool(out[0, 0, 0].isnan().all())
    assert not bool(out[0, 0, 1:].isnan().any())


def test_scores_far_apart_give_one_weight(dtype: torch.dtype) -> None:
    tree = TREES["one tile and a bit"]
    tensors = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    tensors[0] *= 1000
    out = with_gradients("fused", tree, tensors)[0]
    assert bool(out.isfinite().all())
    assert errors([out], truth(tree, tensors)[:1])[0] < TOLERANCE[dtype]


def test_other_numbers_are_refused(dtype: torch.dtype) -> None:
    tree = TREES["one token"]
    q, k, v, _ = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    arrays = tree_layout(tree, Piece(0, 1), CPU, "fused").tile_arrays
    assert arrays is not None
    doubles = [x.double() for x in (q, k, v)]
    for wrong in (doubles, [q, *doubles[1:]], [x[..., :63] for x in (q, k, v)]):
        with pytest.raises(ValueError, match="numbers of one kind and an even head size"):
            fused_attention(*wrong, arrays, SCALE)


def test_tiles_of_other_tensors_are_refused(dtype: torch.dtype) -> None:
    """They would be read, and written, beyond their end."""
    tree = TREES["many tiles"]
    q, k, v, _ = random_inputs(tree, SHAPES["SmolLM2's"], dtype)
    arrays = tree_layout(tree, Piece(0, tree.distinct_tokens), CPU, "fused").tile_arrays
    assert arrays is not None
    for wrong in ((q[:, :, 1:], k, v), (q, k[:, :, 1:], v[:, :, 1:])):
        with pytest.raises(ValueError, match="tiles of 526 queries and 526 keys"):
            fused_attention(*wrong, arrays, SCALE)
