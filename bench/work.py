"""How much arithmetic a step needs, and how fast this machine multiplies.

`matrix_rate_fraction` = step_flops / seconds of the step / matrix_flops_per_second.
"""

import time

import numpy as np
import torch
from torch import nn

from tooltune.model.forward import supervised_children
from tooltune.model.lora import lora_layers
from tooltune.packing.tree import PrefixTree


def step_flops(model: nn.Module, tree: PrefixTree) -> float:
    """Operations (a multiply-add is two) an update cannot do without, each distinct token once.

    Forward and backward of: frozen linear layers (2 + 2 a weight and token, for they need no
    gradient of their own), the adapters (2 + 4), attention over visible pairs (4 + 8 a pair and
    channel) and the head on supervised edges (2 + 2). Of the last layer a token from which nothing
    is predicted needs keys and values only. Norms, softmax and rotary are left out, and so is
    everything a trainer chooses to compute twice.
    """
    config = model.config
    last = f"layers.{config.num_hidden_layers - 1}."
    total, of_outputs = 0, 0
    for name, layer in lora_layers(model).items():
        adapter = layer.lora_A.numel() + layer.lora_B.numel()
        per_token = 4 * layer.base.weight.numel() + 6 * adapter
        total += per_token
        if last in name and not name.endswith(("k_proj", "v_proj")):
            of_outputs += per_token
    head_size = getattr(config, "head_dim", None) or (
        config.hidden_size // config.num_attention_heads
    )
    channels = config.num_attention_heads * head_size
    predicts_T = np.zeros(tree.distinct_tokens, dtype=bool)
    edge_T = supervised_children(tree)
    predicts_T[tree.parent_T[edge_T]] = True
    pairs_T = tree.positions_T + 1
    pairs = (config.num_hidden_layers - 1) * int(pairs_T.sum()) + int(pairs_T[predicts_T].sum())
    idle_tokens = tree.distinct_tokens - int(predicts_T.sum())
    head_weights = config.hidden_size * config.vocab_size
    return (
        tree.distinct_tokens * total
        - idle_tokens * of_outputs
        + 12 * pairs * channels
        + 4 * int(edge_T.sum()) * head_weights
    )


def matrix_flops_per_second(dtype: torch.dtype, device: torch.device) -> float:
    """Best rate within a second of a square product in `dtype`: 1,024 wide, 8,192 on a GPU."""
    width = 8192 if device.type == "cuda" else 1024
    left, right = (torch.ones(width, width, dtype=dtype, device=device) for _ in range(2))
    best, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < 1:
        start = time.perf_counter()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * width**3 / best
