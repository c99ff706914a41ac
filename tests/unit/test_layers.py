"""Norms and MLPs made some rows at a time, on inputs whose rows do not stand one after another; and
in bfloat16, compiled and not."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from tooltune.config import LoraSection
from tooltune.model.compiled import in_pytorch
from tooltune.model.layers import rotate
from tooltune.model.lora import LoraLinear
from tooltune.model.mlp import SwiGlu, _swiglu, _swiglu_backward
from tooltune.model.norm import RmsNorm
from tooltune.model.normed import products_of


@pytest.fixture
def x_BTD() -> Tensor:
    torch.manual_seed(3)
    turned = torch.randn(5, 3, 8, dtype=torch.float64).transpose(0, 1)
    assert not turned.is_contiguous()
    return turned


def gradient(y: Tensor, grad_y: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(y, inputs, grad_y)


@pytest.mark.parametrize("rows", [4, 512])
def test_a_norm_in_runs_of_rows(rows: int, x_BTD: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tooltune.model.norm.NORM_ROWS", rows)
    weight = nn.Parameter(torch.randn(8, dtype=torch.float64), requires_grad=False)
    x, grad_y = x_BTD.requires_grad_(), torch.randn_like(x_BTD)
    truth, got = F.rms_norm(x, (8,), weight, 1e-5), RmsNorm(weight, 1e-5)(x)
    torch.testing.assert_close(got, truth)
    torch.testing.assert_close(gradient(got, grad_y, x), gradient(truth, grad_y, x))


@pytest.mark.parametrize("rows", [4, 512])
def test_a_recomputed_mlp_in_runs_of_rows(
    rows: int, x_BTD: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First without a graph, when its result is read; then with one, for the gradient only."""
    monkeypatch.setattr("tooltune.model.mlp.MLP_ROWS", rows)
    lora = LoraSection(rank=2, alpha=4, dropout=0)
    shapes = ((8, 6), (8, 6), (6, 8))
    parts = [LoraLinear(nn.Linear(*shape, bias=False), lora).double() for shape in shapes]
    for part in parts:
        nn.init.normal_(part.lora_B)
        part.base.requires_grad_(False)
    mlp = SwiGlu(*parts)
    masters = [master for part in parts for master in (part.lora_A, part.lora_B)]
    x, grad_y = x_BTD.requires_grad_(), torch.randn_like(x_BTD)
    truth = mlp(x)
    with torch.no_grad():
        torch.testing.assert_close(mlp(x, is_recomputed=True), truth)
    again = mlp(x, is_recomputed=True)
    torch.testing.assert_close(
        gradient(again, grad_y, x, *masters), gradient(truth, grad_y, x, *masters)
    )


FLOATS = (torch.float32, torch.bfloat16)
COMPILED = [pytest.param(x, marks=pytest.mark.compiled_kernels(x), id=f"{x}") for x in FLOATS]


@pytest.fixture(
    params=[
        *(pytest.param((each, False), id=f"{each} in PyTorch") for each in FLOATS),
        *(
            pytest.param((each, True), marks=pytest.mark.compiled_kernels(each), id=f"{each}")
            for each in FLOATS
        ),
    ]
)
def dtype(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    """Computed by compiled kernels, and not."""
    numbers: torch.dtype
    numbers, is_compiled = request.param
    with nullcontext() if is_compiled else in_pytorch():
        yield numbers


def relative_error(got: Tensor, truth: Tensor) -> float:
    return float(((got.double() - truth).norm() / truth.norm()).detach())


def rounded_once(truth: Tensor, dtype: torch.dtype) -> float:
    """The relative error of that, and a little for the float32 inside, which is all of it in
    float32."""
    inside = 2e-7 if dtype == torch.float32 else 0.0
    return 1.05 * relative_error(truth.to(dtype), truth) + inside


WIDTHS = [1, 16, 37, 576]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_norm_is_rounded_once(width: int, dtype: torch.dtype) -> None:
    torch.manual_seed(width)
    x = torch.randn(3, 5, width).to(dtype).transpose(0, 1).requires_grad_()
    grad_y = torch.randn(5, 3, width).to(dtype)
    weight = nn.Parameter(torch.rand(width).to(dtype), requires_grad=False)
    wide = x.detach().double().requires_grad_()
    truth, got = F.rms_norm(wide, (width,), weight.double(), 1e-5), RmsNorm(weight, 1e-5)(x)
    assert got.dtype == dtype
    assert relative_error(got, truth) < rounded_once(truth, dtype)
    if width > 1:  # of one number the norm is its sign, and the gradient next to nothing
        ours, theirs = gradient(got, grad_y, x)[0], gradient(truth, grad_y.double(), wide)[0]
        assert relative_error(ours, theirs) < rounded_once(theirs, dtype)


@pytest.mark.parametrize("number", COMPILED)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_compiled_swiglu_is_rounded_once(width: int, number: torch.dtype) -> None:
    for got, truth in swiglu_and_truth(width, number):
        assert relative_error(got, truth) < rounded_once(truth, number)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_swiglu_is_near_float64(width: int, dtype: torch.dtype) -> None:
    for got, truth in swiglu_and_truth(width, dtype):
        assert relative_error(got, truth) < 3 * rounded_once(truth, dtype)


@pytest.mark.parametrize("size", [2, 6, 64, 80])
@pytest.mark.parametrize("batch", [1, 2])
def test_heads_are_turned_as_transformers_turns_them(
    size: int, batch: int, dtype: torch.dtype
) -> None:
    """With one row of positions for all, or one for each. The gradient is turned back."""
    torch.manual_seed(size)
    x = torch.randn(2, 7, 3, size).to(dtype).requires_grad_()
    angles = torch.rand(batch, 7, size // 2).mul(9).repeat(1, 1, 2)
    cos, sin = (each.to(dtype) for each in (angles.cos(), angles.sin()))
    grad, wide = torch.randn(3, 2, 7, size).to(dtype).permute(1, 2, 0, 3), x.detach().double()
    wide.requires_grad_()
    truth, _ = apply_rotary_pos_emb(wide, wide, cos.double(), sin.double(), unsqueeze_dim=2)
    got = rotate(x, cos, sin)
    bound = (1 if dtype == torch.float32 else 2) * rounded_once(truth, dtype)
    assert relative_error(got, truth) < bound
    ours, theirs = gradient(got, grad, x)[0], gradient(truth, grad.double(), wide)[0]
    assert relative_error(ours, theirs) < bound


@pytest.mark.parametrize("number", COMPILED)
def test_compiled_turns_are_rounded_once(number: torch.dtype) -> None:
    torch.manual_seed(64)
    x, cos, sin = torch.randn(1, 7, 3, 64), torch.rand(1, 7, 64), torch.rand(1, 7, 64)
    x, cos, sin = (each.to(number) for each in (x, cos, sin))
    truth = rotate(*(each.double() for each in (x, cos, sin)))  # which is never compiled
    assert relative_error(rotate(x, cos, sin), truth) < rounded_once(truth, number)


def swiglu_and_truth(width: int, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
    """The output, and both gradients."""
    torch.manual_seed(width)
    gate, up, grad = (torch.randn(7, 5, width).mul(3).to(dtype) for _ in range(3))
    gate[0, 0], gate[0, 1] = 100, -100
    up = up.transpose(0, 1).contiguous().transpose(0, 1)
    wide = [x.double().requires_grad_() for x in (gate, up)]
    truth = F.silu(wide[0]) * wide[1]
    got = [_swiglu(gate, up), *_swiglu_backward(grad.clone(), gate, up)]
    truths = [truth.detach(), *torch.autograd.grad(truth, wide, grad.double())]
    return list(zip(got, truths, strict=True))


def test_what_is_no_number_stays_none(dtype: torch.dtype) -> None:
    x = torch.randn(4, 40).to(dtype)
    x[2, 3] = torch.nan
    weight = nn.Parameter(torch.ones(40, dtype=dtype), requires_grad=False)
    assert bool(RmsNorm(weight, 1e-5)(x)[2].isnan().all())
    assert int(_swiglu(x, torch.ones_like(x)).isnan().sum()) == 1


HIDDEN, ROWS = 24, 11


def norm_and_readers(dropout: float = 0.0) -> tuple[RmsNorm, list[LoraLinear]]:
    torch.manual_seed(5)
    norm = RmsNorm(nn.Parameter(torch.rand(HIDDEN).double() + 0.5, requires_grad=False), 1e-5)
    lora = LoraSection(rank=3, alpha=6, dropout=dropout)
    readers = [LoraLinear(nn.Linear(HIDDEN, width).double(), lora).double() for width in (16, 8, 8)]
    for reader in readers:
        reader.base.requires_grad_(False)
        nn.init.normal_(reader.lora_B)
    return norm, readers


def kept_by(outputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Tensors that the graph behind some outputs keeps."""
    nodes, kept = [output.grad_fn for output in outputs], []
    for node in nodes:  # grows meanwhile
        kept += [x for x in getattr(node, "saved_tensors", ()) if x is not None]
        nodes += [each for each, _ in node.next_functions if each and each not in nodes]
    return kept


@pytest.mark.parametrize("needs_gradient", [True, False])
def test_readers_of_a_norm_have_the_gradients_of_each_by_itself(needs_gradient: bool) -> None:
    norm, readers = norm_and_readers()
    x = torch.randn(1, ROWS, HIDDEN, dtype=torch.float64, requires_grad=needs_gradient)
    masters = [master for reader in readers for master in (reader.lora_A, reader.lora_B)]
    leaves = [*([x] if needs_gradient else []), *masters]
    together, normed = products_of(x, norm, readers), norm(x)
    apart = tuple(reader(normed) for reader in readers)
    weights = [torch.randn_like(each) for each in apart]
    for got, truth in zip(together, apart, strict=True):
        assert torch.equal(got, truth)
    pairs = [torch.autograd.grad(each, leaves, weights) for each in (together, apart)]
    torch.testing.assert_close(*pairs, rtol=1e-12, atol=1e-12)


def test_what_a_norm_makes_is_not_kept_but_where_an_adapter_drops_from_it() -> None:
    for dropout, is_kept in ((0.0, 0), (0.5, 3)):  # the three each drop others
        norm, readers = norm_and_readers(dropout)
        x = torch.randn(1, ROWS, HIDDEN, dtype=torch.float64, requires_grad=True)
        kept = [y for y in kept_by(products_of(x, norm, readers)) if y.shape == x.shape]
        assert sum(y.data_ptr() != x.data_ptr() for y in kept) == is_kept


def test_a_reader_without_an_adapter_leaves_the_norm_to_the_others() -> None:
    norm, readers = norm_and_readers()
    x = torch.randn(1, ROWS, HIDDEN, dtype=torch.float64, requires_grad=True)
    readers[1].is_enabled = False
    made = products_of(x, norm, readers)
    for got, reader in zip(made, readers, strict=True):
        assert torch.equal(got, reader(norm(x)))
