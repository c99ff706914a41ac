"""The kernels of tree attention against the dense mask, also behind tokens computed before.

What they do to a model's gradients: gradient/test_tree_training.py. Those of GPUs: test_flex.py.
"""

import numpy as np
import pytest
import torch
from torch import Tensor

from tooltune.model.attention import Kernel, tree_attention, tree_layout
from tooltune.model.fastest import Heads, fastest_kernel
from tooltune.packing.tree import Piece, PrefixTree, TokenSequence, build_tree

SCALE = 0.3
HEADS, GROUPS, HEAD_SIZE = 4, 2, 8
BF16 = torch.bfloat16


@pytest.fixture(autouse=True, params=[2, 128])
def tile_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small trees in many tiles, and in one."""
    monkeypatch.setattr("tooltune.model.tiles.TILE_ROWS", request.param)


def tree_of(*texts: list[int]) -> PrefixTree:
    return build_tree(
        [TokenSequence(np.asarray(text, np.int32), np.ones(len(text), np.uint8)) for text in texts]
    )


SHARED = [1, 2, 3, 4]
TREE = tree_of([*SHARED, 5, 6, 7], [*SHARED, 5, 6, 8], [*SHARED, 5, 9], [*SHARED, 10, 11])
PIECES = {
    "the whole tree": Piece(0, TREE.distinct_tokens),
    "its first segment": Piece(0, 4),
    "what hangs below it": Piece(4, TREE.distinct_tokens),
    "a segment in the middle": Piece(4, 5),
    "leaves below two segments": Piece(5, 9),
}


def random_inputs(piece: Piece, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(piece.start)
    tokens = piece.end - piece.start
    past_tokens = int(TREE.positions_T[piece.start])
    q = torch.randn(1, HEADS, tokens, HEAD_SIZE, dtype=dtype)
    k, v = (torch.randn(1, GROUPS, past_tokens + tokens, HEAD_SIZE, dtype=dtype) for _ in range(2))
    return q, k, v


def attend(
    kernel: Kernel, piece: Piece, q: Tensor, k: Tensor, v: Tensor, wanted: list[int] | None = None
) -> Tensor:
    """Of the tokens `wanted` (None: all), for q of all tokens."""
    if wanted is None:
        layout = tree_layout(TREE, piece, q.device, kernel)
    else:
        rows = np.asarray(wanted, np.int64)
        layout = tree_layout(TREE, piece, q.device, kernel, rows)
        q = q[:, :, rows]
    return tree_attention(q, k, v, layout, SCALE)


def by_hand(piece: Piece, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Token by token over its path."""
    out = torch.empty_like(q)
    past_tokens = int(TREE.positions_T[piece.start])
    for index in range(piece.start, piece.end):
        path = torch.from_numpy(TREE.path(index))
        places = torch.where(path < piece.start, torch.arange(len(path)), path - piece.start)
        places = torch.where(path < piece.start, places, places + past_tokens)
        for head in range(HEADS):
            group = head * GROUPS // HEADS
            scores = k[0, group, places] @ q[0, head, index - piece.start] * SCALE
            out[0, head, index - piece.start] = scores.softmax(0) @ v[0, group, places]
    return out


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("kernel", ["reference", "segments", "tiles", "flex"])
def test_every_kernel_sees_the_path_and_nothing_else(
    kernel: Kernel, piece: Piece, dtype: torch.dtype
) -> None:
    inputs = random_inputs(piece, dtype)
    torch.testing.assert_close(attend(kernel, piece, *inputs), by_hand(piece, *inputs))


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("kernel", ["segments", "tiles"])
def test_every_kernel_has_the_gradients_of_the_dense_mask(kernel: Kernel, piece: Piece) -> None:
    inputs = [tensor.requires_grad_() for tensor in random_inputs(piece, torch.float64)]
    weights = torch.randn_like(inputs[0])
    ours, dense = (
        torch.autograd.grad((attend(which, piece, *inputs) * weights).sum(), inputs)
        for which in (kernel, "reference")
    )
    torch.testing.assert_close(ours, dense, rtol=1e-10, atol=1e-12)


def some_wanted(piece: Piece) -> list[list[int]]:
    """The first token, the last, every other one, and all but one in the middle."""
    tokens = list(range(piece.end - piece.start))
    middle = len(tokens) // 2
    sets = [tokens[:1], tokens[-1:], tokens[::2], tokens[:middle] + tokens[middle + 1 :]]
    return [wanted for wanted in sets if wanted]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("kernel", ["reference", "segments", "tiles", "flex"])
def test_of_some_tokens_every_kernel_gives_the_same_outputs(kernel: Kernel, piece: Piece) -> None:
    inputs = random_inputs(piece, torch.float64)
    for wanted in some_wanted(piece):
        some = attend(kernel, piece, *inputs, wanted)
        torch.testing.assert_close(some, by_hand(piece, *inputs)[:, :, wanted])


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("kernel", ["segments", "tiles"])
def test_of_some_tokens_every_kernel_has_the_gradients_of_the_dense_mask(
    kernel: Kernel, piece: Piece
) -> None:
    inputs = [tensor.requires_grad_() for tensor in random_inputs(piece, torch.float64)]
    for wanted in some_wanted(piece):
        ours, dense = (
            torch.autograd.grad(attend(which, piece, *inputs, wanted).square().sum(), inputs)
            for which in (kernel, "reference")
        )
        torch.testing.assert_close(ours, dense, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("device", "dtype", "kernel"),
    [
        ("cpu", torch.float16, "segments"),
        ("cpu", torch.float64, "segments"),
        *(
            pytest.param("cpu", dtype, "fused", marks=pytest.mark.compiled_kernels(dtype))
            for dtype in (torch.float32, torch.bfloat16)
        ),
    ],
)
def test_the_kernel_is_chosen_by_device_and_number_format(
    device: str, dtype: torch.dtype, kernel: Kernel
) -> None:
    assert fastest_kernel(torch.device(device), dtype, Heads(9, 3, 64)) == kernel
    of_odd_heads = "tiles" if dtype == torch.bfloat16 else "segments"
    assert fastest_kernel(torch.device(device), dtype, Heads(9, 3, 63)) == of_odd_heads


def test_a_tile_holds_the_keys_its_queries_see_and_no_more() -> None:
    layout = tree_layout(TREE, PIECES["the whole tree"], torch.device("cpu"), "tiles")
    for tile in layout.tiles:
        held = {place for run in tile.keys for place in range(run.start, run.stop)}
        rows = range(tile.rows.start, tile.rows.stop)
        assert held == {place for row in rows for place in TREE.path(row).tolist()}
    assert [row for tile in layout.tiles for row in range(tile.rows.start, tile.rows.stop)] == [
        *range(TREE.distinct_tokens)
    ]


def test_float32_products_are_left_as_they_were() -> None:
    """Tiles round the factors of float32 products for themselves only."""
    piece, q, k, v = PIECES["the whole tree"], *random_inputs(PIECES["the whole tree"], BF16)
    before = torch.backends.mkldnn.matmul.fp32_precision
    attend("tiles", piece, q.requires_grad_(), k, v).sum().backward()
    assert torch.backends.mkldnn.matmul.fp32_precision == before


def test_in_bfloat16_tiles_are_no_further_from_float64_than_pytorchs_kernel() -> None:
    """Outputs and gradients of 200 shared tokens and five branches of 40, with scores up to 10."""
    random = np.random.default_rng(5)
    shared = random.integers(1, 1000, 200).tolist()
    tree = tree_of(*(shared + random.integers(1, 1000, 40).tolist() for _ in range(5)))
    torch.manual_seed(5)
    tokens = tree.distinct_tokens
    q, weights = (2 * torch.randn(1, HEADS, tokens, 64, dtype=BF16) for _ in range(2))
    k, v = (torch.randn(1, GROUPS, tokens, 64, dtype=BF16) for _ in range(2))

    def run(kernel: Kernel, dtype: torch.dtype) -> list[Tensor]:
        inputs = [tensor.to(dtype).requires_grad_() for tensor in (q, k, v)]
        layout = tree_layout(tree, Piece(0, tokens), q.device, kernel)
        out = tree_attention(*inputs, layout, 0.125)
        gradients = torch.autograd.grad(out, inputs, weights.to(dtype))
        return [out.detach().double(), *(gradient.double() for gradient in gradients)]

    truth = run("reference", torch.float64)
    tiles, kernels = (
        sum(
            float((got - true).norm() / true.norm())
            for got, true in zip(run(kernel, BF16), truth, strict=True)
        )
        for kernel in ("tiles", "segments")
    )
    assert 0 < tiles < kernels < 0.1
