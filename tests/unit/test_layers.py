"""Norms and MLPs made some rows at a time, on inputs whose rows do not stand one after another."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tooltune.config import LoraSection
from tooltune.model.layers import RmsNorm
from tooltune.model.lora import LoraLinear
from tooltune.model.mlp import SwiGlu


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
    monkeypatch.setattr("tooltune.model.layers.NORM_ROWS", rows)
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
