"""What is summed, squared or exponentiated: in float32 at least, whatever the model computes in."""

import torch
from torch import Tensor


def wide_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for half precision; wider ones stay."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def widen(x: Tensor) -> Tensor:
    """`x` itself where it is wide already."""
    return x.to(wide_dtype(x.dtype))
