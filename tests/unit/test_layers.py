"""Norms and MLPs made some rows at a time, on inputs whose rows do not stand one after another; and
in bfloat16, compiled and not."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tooltune.config import LoraSection
from tooltune.model.lora import LoraLinear
from tooltune.model.mlp import SwiGlu, _swiglu, _swiglu_backward
from tooltune.model.norm import RmsNorm


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


@pytest.fixture(params=[pytest.param("compiled", marks=pytest.mark.compiled_kernels), "in PyTorch"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in PyTorch":
        for module in ("mlp", "norm"):
            monkeypatch.setattr(f"tooltune.model.{module}.kernels_for", lambda *_: None)


def relative_error(got: Tensor, truth: Tensor) -> float:
    return float(((got.double() - truth).norm() / truth.norm()).detach())


def rounded_once(truth: Tensor) -> float:
    """The relative error of that, and a little for the float32 inside."""
    return 1.05 * relative_error(truth.to(torch.bfloat16), truth)


WIDTHS = [1, 16, 37, 576]


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("width", WIDTHS)
def test_a_norm_in_bfloat16_is_rounded_once(width: int) -> None:
    torch.manual_seed(width)
    x = torch.randn(3, 5, width).to(torch.bfloat16).transpose(0, 1).requires_grad_()
    grad_y = torch.randn(5, 3, width).to(torch.bfloat16)
    weight = nn.Parameter(torch.rand(width).to(torch.bfloat16), requires_grad=False)
    wide = x.detach().double().requires_grad_()
    truth, got = F.rms_norm(wide, (width,), weight.double(), 1e-5), RmsNorm(weight, 1e-5)(x)
    assert got.dtype == torch.bfloat16
    assert relative_error(got, truth) < rounded_once(truth)
    if width > 1:  # of one number the norm is its sign, and the gradient next to nothing
        ours, theirs = gradient(got, grad_y, x)[0], gradient(truth, grad_y.double(), wide)[0]
        assert relative_error(ours, theirs) < rounded_once(theirs)


@pytest.mark.compiled_kernels
@pytest.mark.parametrize("width", WIDTHS)
def test_a_compiled_swiglu_in_bfloat16_is_rounded_once(width: int) -> None:
    for got, truth in swiglu_and_truth(width):
        assert relative_error(got, truth) < rounded_once(truth)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("width", WIDTHS)
def test_a_swiglu_in_bfloat16_is_near_float64(width: int) -> None:
    for got, truth in swiglu_and_truth(width):
        assert relative_error(got, truth) < 3 * rounded_once(truth)


def swiglu_and_truth(width: int) -> list[tuple[Tensor, Tensor]]:
    """The output, and both gradients."""
    torch.manual_seed(width)
    gate, up, grad = (torch.randn(7, 5, width).mul(3).to(torch.bfloat16) for _ in range(3))
    gate[0, 0], gate[0, 1] = 100, -100
    up = up.transpose(0, 1).contiguous().transpose(0, 1)
    wide = [x.double().requires_grad_() for x in (gate, up)]
    truth = F.silu(wide[0]) * wide[1]
    got = [_swiglu(gate, up), *_swiglu_backward(grad.clone(), gate, up)]
    truths = [truth.detach(), *torch.autograd.grad(truth, wide, grad.double())]
    return list(zip(got, truths, strict=True))


@pytest.mark.usefixtures("kernels")
def test_what_is_no_number_stays_none() -> None:
    x = torch.randn(4, 40).to(torch.bfloat16)
    x[2, 3] = torch.nan
    weight = nn.Parameter(torch.ones(40, dtype=torch.bfloat16), requires_grad=False)
    assert bool(RmsNorm(weight, 1e-5)(x)[2].isnan().all())
    assert int(_swiglu(x, torch.ones_like(x)).isnan().sum()) == 1
