"""Attention of one token a row over what all rows share and what is the row's own."""

import torch

from tooltune.model.decode import DecodeRows, DecodeState, decode_attention

ROWS, HEADS, GROUPS, SHARED, OWN, SIZE = 3, 4, 2, 5, 4, 128
SCALE = SIZE**-0.5


def decoded(dtype: torch.dtype, magnitude: float) -> tuple[torch.Tensor, torch.Tensor]:
    """What `decode_attention` gives in `dtype`, and by hand in float64; every place filled."""
    torch.manual_seed(3)

    def some(*shape: int) -> torch.Tensor:
        return (torch.randn(shape) + 1).to(dtype)

    q, k, v = (some(ROWS, heads, 1, SIZE) for heads in (HEADS, GROUPS, GROUPS))
    q, k = q * magnitude, k * magnitude
    root_k, root_v = some(1, GROUPS, SHARED, SIZE) * magnitude, some(1, GROUPS, SHARED, SIZE)
    own_k, own_v = some(ROWS, GROUPS, OWN, SIZE) * magnitude, some(ROWS, GROUPS, OWN, SIZE)
    group = DecodeRows([own_k], [own_v], torch.full((ROWS,), OWN), torch.zeros(ROWS, OWN))
    found = decode_attention(q, k, v, 0, DecodeState([root_k], [root_v], [group]), SCALE)
    # The token's own key and value stand in the last place now.
    keys, values = (
        torch.cat([root.expand(ROWS, -1, -1, -1), own], 2).double().repeat_interleave(2, 1)
        for root, own in ((root_k, own_k), (root_v, own_v))
    )
    weights = (q.double() @ keys.mT * SCALE).softmax(-1)
    return found, weights @ values


def test_every_row_sees_what_is_shared_and_its_own() -> None:
    torch.testing.assert_close(*decoded(torch.float64, 1.0), rtol=1e-6, atol=1e-6)
    for dtype, bound in ((torch.bfloat16, 2e-2), (torch.float16, 3e-3)):
        found, truth = decoded(dtype, 1.0)
        assert float((found.double() - truth).norm() / truth.norm()) < bound


def test_scores_may_be_large_in_float16() -> None:
    """Before they are scaled they would be beyond its largest number, 65,504. Scores of thousands
    are rounded to whole numbers."""
    found, truth = decoded(torch.float16, 20.0)
    assert float((found.double() - truth).norm() / truth.norm()) < 0.02
