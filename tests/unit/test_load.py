"""In which number format a processor computes is found by timing both."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tooltune.model.load import matrix_gflops


class ProductsSeen(TorchDispatchMode):
    """The dtypes of all products, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: list[torch.dtype] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.mm.default:
            self.dtypes.append(args[0].dtype)
        return func(*args, **(kwargs or {}))


def test_formats_take_turns_so_that_a_slow_moment_meets_both() -> None:
    both = [torch.float32, torch.float64]  # both fast on every processor
    with ProductsSeen() as seen:
        rates = matrix_gflops(*both)
    turns = len(seen.dtypes) // 2
    assert turns > 1
    assert seen.dtypes == both * turns
    assert min(rates.values()) > 0
