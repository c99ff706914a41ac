"""The chunked loss against all logits at once. Its place in training: gradient/."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tooltune.plan.dry_run import AllocationTracker
from tooltune.train.loss import CHUNK_EDGES, edge_loss, edge_loss_reference

WIDTH, VOCABULARY = 12, 40
COUNTS = [1, CHUNK_EDGES - 1, CHUNK_EDGES, CHUNK_EDGES + 1, 3 * CHUNK_EDGES + 7]


def edges(count: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden states, head, targets, and weights from 1 to 5."""
    random = torch.Generator().manual_seed(count)
    hidden_ED = torch.randn(count, WIDTH, generator=random, dtype=torch.float64)
    head_VD = torch.randn(VOCABULARY, WIDTH, generator=random, dtype=torch.float64)
    target_E = torch.randint(VOCABULARY, (count,), generator=random)
    weight_E = torch.randint(1, 6, (count,), generator=random)
    return hidden_ED.to(dtype).requires_grad_(), head_VD.to(dtype), target_E, weight_E


@pytest.mark.parametrize("count", COUNTS)
def test_loss_and_gradient_are_those_of_all_logits_at_once(count: int) -> None:
    hidden_ED, *others = edges(count, torch.float32)
    found = {}
    for loss_of in (edge_loss, edge_loss_reference):
        loss = loss_of(hidden_ED, *others)
        (gradient_ED,) = torch.autograd.grad(loss * 0.37, hidden_ED)
        found[loss_of] = (loss, gradient_ED)
    torch.testing.assert_close(found[edge_loss], found[edge_loss_reference], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", COUNTS)
def test_float64_stays_float64(count: int) -> None:
    hidden_ED, head_VD, target_E, weight_E = edges(count, torch.float64)
    (gradient_ED,) = torch.autograd.grad(
        loss := edge_loss(hidden_ED, head_VD, target_E, weight_E), hidden_ED
    )
    truth = (F.cross_entropy(hidden_ED @ head_VD.T, target_E, reduction="none") * weight_E).sum()
    torch.testing.assert_close(loss, truth, rtol=1e-13, atol=0)
    torch.testing.assert_close(
        gradient_ED, *torch.autograd.grad(truth, hidden_ED), rtol=1e-12, atol=1e-13
    )


def test_an_edge_of_weight_three_counts_as_three_edges() -> None:
    hidden_ED, head_VD, target_E, _ = edges(5, torch.float64)
    once, thrice = torch.ones(5, dtype=torch.long), torch.full((5,), 3)
    three_times = [tensor.repeat_interleave(3, 0) for tensor in (hidden_ED, target_E)]
    weighted = edge_loss(hidden_ED, head_VD, target_E, thrice)
    repeated = edge_loss(three_times[0], head_VD, three_times[1], once.repeat(3))
    torch.testing.assert_close(weighted, repeated, rtol=1e-13, atol=0)


def test_bfloat16_is_summed_in_float32() -> None:
    hidden_ED, *others = edges(600, torch.bfloat16)
    loss = edge_loss(hidden_ED, *others)
    (gradient_ED,) = torch.autograd.grad(loss, hidden_ED)
    assert (loss.dtype, gradient_ED.dtype) == (torch.float32, torch.bfloat16)
    truth = edge_loss_reference(hidden_ED.detach().double(), others[0].double(), *others[1:])
    assert float((loss.detach() - truth).abs() / truth) < 1e-2


class LargestTensor(TorchDispatchMode):
    """Notes the most elements of any tensor made inside."""

    elements = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor):
            self.elements = max(self.elements, made.numel())
        return made


def test_no_tensor_is_larger_than_one_chunk_of_logits() -> None:
    hidden_ED, *others = edges(COUNTS[-1], torch.float32)
    largest = {}
    for loss_of in (edge_loss, edge_loss_reference):
        with LargestTensor() as seen:
            loss_of(hidden_ED, *others).backward()
        largest[loss_of] = seen.elements
    assert largest[edge_loss] == CHUNK_EDGES * VOCABULARY
    assert largest[edge_loss_reference] == COUNTS[-1] * VOCABULARY, "the control sees them all"


def test_one_buffer_of_logits_is_alive_at_a_time() -> None:
    hidden_ED, _, target_E, weight_E = edges(COUNTS[-1], torch.float32)
    head_VD = torch.zeros(100 * VOCABULARY, WIDTH)
    with AllocationTracker() as tracker:
        edge_loss(hidden_ED, head_VD, target_E, weight_E).backward()
    buffer_bytes = CHUNK_EDGES * len(head_VD) * 4
    assert buffer_bytes <= tracker.peak < 1.1 * buffer_bytes
