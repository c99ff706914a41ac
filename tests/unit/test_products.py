"""Products with frozen weights as compiled: float64's, for every shape and every way to store the
weight, and nothing beyond."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tooltune.config import LoraSection
from tooltune.model import products
from tooltune.model.compiled import call, in_pytorch, kernels_for
from tooltune.model.lora import LoraLinear
from tooltune.model.products import (
    FEWEST_ROWS,
    MOST_STEPS,
    compiled_product,
    frozen_gradient,
    frozen_product,
    is_faster_here,
    transposed_product,
)
from tooltune.model.quantize import NarrowLinear, Q8Linear

BF16 = torch.bfloat16
pytestmark = pytest.mark.compiled_kernels(torch.float32)


@pytest.fixture(autouse=True)
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where PyTorch is as fast, and for few rows."""
    monkeypatch.setattr(products, "is_faster_here", lambda dtype: dtype == torch.float32)
    monkeypatch.setattr(products, "FEWEST_ROWS", 1)


def drawn(*shape: int, seed: int = 7) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def distance(x: Tensor, exact: Tensor) -> float:
    assert x.shape == exact.shape
    return float((x - exact).norm() / exact.norm()) if exact.numel() else 0.0


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 60),
    inputs=st.integers(1, 80),
    outputs=st.integers(1, 80),
    rank=st.integers(1, 40),
    dtype=st.sampled_from([torch.float32, BF16]),
    is_gradient=st.booleans(),
)
def test_both_products_are_float64s(
    rows: int, inputs: int, outputs: int, rank: int, dtype: torch.dtype, is_gradient: bool
) -> None:
    weight, A, B = drawn(outputs, inputs).to(dtype), drawn(rank, inputs), drawn(outputs, rank)
    x = drawn(rows, outputs if is_gradient else inputs, seed=8)
    made = compiled_product(x, weight, (A, B), 1.5, is_gradient=is_gradient)
    assert made is not None
    W, down, up = (each.double() for each in (weight, *((B.T, A.T) if is_gradient else (A, B))))
    low = 1.5 * x.double() @ down.T
    assert distance(made[1], low) < 1e-6
    assert distance(made[0], x.double() @ (W if is_gradient else W.T) + low @ up.T) < 1e-6
    alone = compiled_product(x, weight, is_gradient=is_gradient)
    assert alone is not None
    assert distance(alone[0], x.double() @ (W if is_gradient else W.T)) < 1e-6


@settings(max_examples=30, deadline=None)
@given(tokens=st.integers(1, 120), rank=st.integers(1, 40), width=st.integers(1, 80))
def test_transposed_products_are_float64s(tokens: int, rank: int, width: int) -> None:
    """Beside the sum of all sizes: what is summed can cancel out."""
    low, x = drawn(tokens, rank).double(), drawn(tokens, width, seed=8).double()
    error = transposed_product(low.float(), x.float()) - low.T @ x
    assert error.norm() < 1e-6 * (low.abs().T @ x.abs()).norm()


@pytest.mark.parametrize(("inputs", "outputs"), [(2048, 1000), (100, 9000), (6000, 40)])
def test_panels_of_some_columns_at_a_time(inputs: int, outputs: int) -> None:
    """More of them than are widened at once, and some of which one is more than that. Thousands of
    numbers are one sum, which is rounded as often."""
    weight, x = drawn(outputs, inputs), drawn(50, inputs, seed=8)
    assert distance(frozen_product(x, weight), x.double() @ weight.double().T) < 3e-6
    grad = drawn(50, outputs, seed=9)
    assert distance(frozen_gradient(grad, weight), grad.double() @ weight.double()) < 3e-6


def test_the_same_bits_whatever_stores_the_weight_and_however_many_threads() -> None:
    x, weight, (A, B) = drawn(100, 96), drawn(70, 96).to(BF16), (drawn(16, 96), drawn(70, 16))
    made = compiled_product(x, weight, (A, B))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        other = compiled_product(x, weight.float(), (A, B))
        other_sums = transposed_product(drawn(100, 16), x)
    finally:
        torch.set_num_threads(threads)
    assert made is not None
    assert other is not None
    assert all(map(torch.equal, made, other))
    assert torch.equal(transposed_product(drawn(100, 16), x), other_sums)


def test_nothing_beyond_is_written() -> None:
    """The results lie among others; they are no whole panels, and no whole runs of rows."""
    x, weight, (A, B) = drawn(13, 30), drawn(21, 30), (drawn(5, 30), drawn(21, 5))
    lows, outs = torch.zeros(3, 13, 5), torch.zeros(3, 13, 21)
    kernel: Any = kernels_for(x)
    call(kernel.product, x, *x.shape, weight, 0, 21, 1, A, B, 5, 1.0, lows[1], outs[1])
    assert distance(outs[1], x.double() @ (weight + B @ A).double().T) < 1e-6
    sums = torch.zeros(3, 5, 30)
    call(kernel.transposed_product, lows[1], *lows[1].shape, x, 30, sums[1])
    assert distance(sums[1], lows[1].double().T @ x.double()) < 1e-6
    assert all(block[1].all() and not block[::2].any() for block in (lows, outs, sums))


def test_an_infinite_number_and_one_that_is_none_reach_their_row_only() -> None:
    x = drawn(30, 20)
    x[3, 4], x[17, 0] = torch.inf, torch.nan
    finite = frozen_product(x, drawn(40, 20)).isfinite()
    assert finite.all(1).tolist() == [row not in (3, 17) for row in range(30)]
    assert not finite[[3, 17]].any()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("narrow", [NarrowLinear, Q8Linear, None])
def test_a_layers_results_and_gradients(narrow: type[nn.Linear] | None, bias: bool) -> None:
    base = nn.Linear(64, 48, bias=bias).to(BF16 if narrow is NarrowLinear else torch.float32)
    if bias:
        base.bias.data = base.bias.data.float()
    base = narrow(base, torch.float32) if narrow else base
    layer = LoraLinear(base.requires_grad_(False), LoraSection(rank=8, dropout=0.0))
    nn.init.normal_(layer.lora_B)
    found = []
    for way in (in_pytorch, torch.enable_grad):
        with way():
            x = drawn(3, 40, 64).requires_grad_()
            y = layer(x)
            inputs = (x, layer.lora_A, layer.lora_B)
            found.append((y.detach(), *torch.autograd.grad(y, inputs, drawn(3, 40, 48, seed=9))))
    assert all(distance(ours, theirs) < 1e-6 for ours, theirs in zip(*found, strict=True))
    layer.is_enabled = False
    with torch.no_grad():
        ours = layer(x)
        with in_pytorch():
            assert distance(ours, layer(x)) < 1e-6


def test_what_pytorch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "FEWEST_ROWS", FEWEST_ROWS)
    x, weight = drawn(FEWEST_ROWS, 32), drawn(32, 32)
    assert compiled_product(x, weight) is not None
    assert compiled_product(x[1:], weight) is None, "few rows"
    assert compiled_product(x.double(), weight.double()) is None
    assert compiled_product(x.to(BF16), weight.to(BF16)) is None
    assert compiled_product(x, weight.half()) is None, "a third way to store it"
    assert compiled_product(x.to("meta"), weight.to("meta")) is None
    assert compiled_product(drawn(FEWEST_ROWS, MOST_STEPS + 1), drawn(1, MOST_STEPS + 1)) is None
    with in_pytorch():
        assert compiled_product(x, weight) is None


def test_it_is_for_float32_with_registers_of_256_bits() -> None:
    is_wide = bool(torch.cpu.get_capabilities().get("avx512_dq"))
    assert is_faster_here(torch.float32) != is_wide
    assert not is_faster_here(BF16)
