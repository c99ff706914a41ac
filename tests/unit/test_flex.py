"""FlexAttention: its gradients, the number of kernels compiled for it, and when it is not taken.

On a processor it runs uncompiled. PyTorch refuses gradients there, though it has them; here that
refusal is taken out. What a GPU's compiler makes of it is compared when a model is loaded there
(`fastest.flex_obstacle`), and is not tested here.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.attention.flex_attention import create_block_mask

from tooltune.model import fastest, flex
from tooltune.model.attention import Kernel, tree_attention, tree_layout
from tooltune.model.fastest import Heads, fastest_kernel, flex_obstacle
from tooltune.packing.tree import Piece, PrefixTree, TokenSequence, build_tree

pytestmark = [
    pytest.mark.usefixtures("flex_gradients_on_a_processor"),
    pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]

CPU = torch.device("cpu")
HEADS = Heads(queries=4, keys=2, size=16)


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    """Before a test, nor after it."""
    torch._dynamo.reset()
    fastest._flex_obstacle.cache_clear()
    yield
    torch._dynamo.reset()
    fastest._flex_obstacle.cache_clear()


def random_tree(
    random: np.random.Generator, prefix: int, branches: int, longest: int
) -> PrefixTree:
    shared = random.integers(1, 999, prefix)
    texts = [
        np.append(shared, random.integers(1, 999, random.integers(1, longest + 1)))
        for _ in range(branches)
    ]
    return build_tree([TokenSequence(x.astype(np.int32), np.ones(len(x), np.uint8)) for x in texts])


def pieces(tree: PrefixTree, prefix: int) -> list[Piece]:
    """All of it, what is shared, and what is behind that."""
    return [Piece(0, tree.distinct_tokens), Piece(0, prefix), Piece(prefix, tree.distinct_tokens)]


def wanted(random: np.random.Generator, piece: Piece) -> list[Any]:
    """All tokens, a third of them, the last one."""
    tokens = piece.end - piece.start
    some = np.sort(random.choice(tokens, max(1, tokens // 3), replace=False))
    return [None, some, np.array([tokens - 1])]


def random_inputs(tree: PrefixTree, piece: Piece, rows: Any, dtype: torch.dtype) -> list[Tensor]:
    tokens = piece.end - piece.start
    keys = int(tree.positions_T[piece.start]) + tokens
    queries = tokens if rows is None else len(rows)
    return [
        torch.randn(1, heads, length, HEADS.size, dtype=dtype)
        for heads, length in ((HEADS.queries, queries), (HEADS.keys, keys), (HEADS.keys, keys))
    ]


def attend(
    kernel: Kernel, tree: PrefixTree, piece: Piece, rows: Any, inputs: list[Tensor]
) -> Tensor:
    q, k, v = inputs
    return tree_attention(q, k, v, tree_layout(tree, piece, CPU, kernel, rows), 0.3)


@pytest.mark.parametrize("kernel", ["flex", "masked"])
@pytest.mark.parametrize("prefix", [1, 127, 128, 300])
def test_outputs_and_gradients_are_those_of_the_dense_mask(kernel: Kernel, prefix: int) -> None:
    random = np.random.default_rng(prefix)
    torch.manual_seed(prefix)
    tree = random_tree(random, prefix, 5, 60)
    for piece in pieces(tree, prefix):
        for rows in wanted(random, piece):
            inputs = random_inputs(tree, piece, rows, torch.float64)
            inputs = [x.requires_grad_() for x in inputs]
            ours, dense = (
                attend(which, tree, piece, rows, inputs) for which in (kernel, "reference")
            )
            torch.testing.assert_close(ours, dense, rtol=1e-10, atol=1e-12)
            weights = torch.randn_like(ours)
            gradients = (torch.autograd.grad(out, inputs, weights) for out in (ours, dense))
            torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


def compilations(monkeypatch: pytest.MonkeyPatch) -> int:
    """Of FlexAttention for trees, pieces and wanted tokens of many sizes: while training, in layers
    below the first adapter, while validating, and while reading prompts."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("eager")
    monkeypatch.setattr(flex, "flex_attention", flex.compiled_flex(counter))
    random = np.random.default_rng(1)
    for prefix, branches, longest in ((200, 4, 60), (30, 2, 10), (300, 1, 5)):
        tree = random_tree(random, prefix, branches, longest)
        for piece in pieces(tree, prefix):
            for rows in wanted(random, piece):
                inputs = random_inputs(tree, piece, rows, torch.float32)
                attend("flex", tree, piece, rows, inputs)
                with torch.no_grad():
                    attend("flex", tree, piece, rows, inputs)
                with torch.inference_mode():
                    attend("flex", tree, piece, rows, [x.clone() for x in inputs])
                attend("flex", tree, piece, rows, [x.requires_grad_() for x in inputs])
    return int(counter.frame_count)


def test_one_kernel_serves_every_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each of four ways to ask for gradients or not."""
    assert compilations(monkeypatch) == 4


def test_with_lengths_as_they_are_torch_runs_out_of_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: where a mask may have one block, and equal lengths are taken for one."""
    monkeypatch.setattr(flex, "_filled", lambda length: -(-length // 128) * 128)
    monkeypatch.setattr(flex, "_EQUAL_LENGTHS_APART", nullcontext())
    monkeypatch.setattr(flex, "_KERNELS", 8)
    flex.compiled_flex.cache_clear()
    with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
        compilations(monkeypatch)


def test_a_mask_of_blocks_is_the_librarys() -> None:
    random = np.random.default_rng(2)
    tree = random_tree(random, 200, 5, 120)
    for piece in pieces(tree, 200):
        for rows in wanted(random, piece):
            mask = tree_layout(tree, piece, CPU, "flex", rows).block_mask
            assert mask is not None
            queries, keys = mask.shape[-2:]
            whole = create_block_mask(mask.mask_mod, None, None, queries, keys, device="cpu")
            assert torch.equal(mask.to_dense(), whole.to_dense())
            for ours, library in (
                (mask.kv_num_blocks, whole.kv_num_blocks),
                (mask.full_kv_num_blocks, whole.full_kv_num_blocks),
            ):
                assert torch.equal(ours, library)


def without_numbers_backward(q: Tensor, *rest: Any) -> Tensor:
    if q.requires_grad:
        q.register_hook(lambda gradient: gradient * torch.nan)
    return REAL_ATTENTION(q, *rest)


def seen_a_token_late(subtree_end_T: Tensor, rows_Q: Tensor, past_tokens: int) -> Any:
    return REAL_MASK(subtree_end_T, (rows_Q - 1).clamp(min=0), past_tokens)


def refused(*_: Any, **__: Any) -> Tensor:
    raise RuntimeError("Failed to find C compiler\nand more")


REAL_MASK: Callable[..., Any] = flex.flex_mask
REAL_ATTENTION: Callable[..., Tensor] = flex.flex_tree_attention


def test_a_gpu_takes_flexattention_where_it_computes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fastest, "suits_flex", lambda _: True)
    with torch.inference_mode():  # whoever asks first
        assert flex_obstacle(CPU, torch.bfloat16, HEADS) == ""

    fastest._flex_obstacle.cache_clear()
    monkeypatch.setattr("tooltune.model.attention.flex_mask", seen_a_token_late)
    assert "computes something else" in flex_obstacle(CPU, torch.bfloat16, HEADS)

    fastest._flex_obstacle.cache_clear()
    monkeypatch.setattr("tooltune.model.attention.flex_tree_attention", without_numbers_backward)
    assert "off by nan" in flex_obstacle(CPU, torch.bfloat16, HEADS)

    fastest._flex_obstacle.cache_clear()
    monkeypatch.setattr("tooltune.model.attention.flex_tree_attention", refused)
    reason = flex_obstacle(CPU, torch.bfloat16, HEADS)
    assert "could not be compiled (Failed to find C compiler)" in reason


@pytest.mark.parametrize(
    ("capability", "kernel"), [((7, 5), "masked"), ((8, 0), "flex"), ((9, 0), "flex")]
)
def test_cards_without_matrix_units_for_it_take_pytorchs_own_kernel(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], kernel: Kernel
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda _: capability)
    monkeypatch.setattr(fastest, "_flex_difference", lambda *_: 0.0)
    monkeypatch.setattr(fastest, "flex_obstacle", fastest._flex_obstacle)
    assert fastest_kernel(torch.device("cuda"), torch.float16, HEADS) == kernel
