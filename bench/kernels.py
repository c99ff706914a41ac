"""Our compiled kernels beside PyTorch, in turn in one process: a layer's attention and products,
whole updates.

    .venv/bin/python -m bench.kernels                                  # layers, all workloads
    .venv/bin/python -m bench.kernels --workload one-catalog --updates 3

SmolLM2-135M's heads, and for updates its weights, in the number format that `model.dtype = "auto"`
chooses here.
"""

import argparse
import statistics
import sys
import time
from contextlib import nullcontext

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from bench.ours import adapted_model
from bench.run import LEARNING_RATE, MICRO_BATCH_TOKENS
from bench.workloads import WORKLOADS, Workload, draw_step
from tooltune.config import ModelSection, TrainSection
from tooltune.errors import ConfigError
from tooltune.heap import restart_with_own_heap
from tooltune.model.attention import Kernel, tree_attention, tree_layout
from tooltune.model.compiled import in_pytorch, kernels_obstacle
from tooltune.model.fastest import Heads
from tooltune.model.load import choose_dtype
from tooltune.model.lora import CastLora
from tooltune.model.products import is_faster_here
from tooltune.model.quantize import NarrowLinear
from tooltune.packing.tree import Piece, build_tree
from tooltune.train.step import train_step

CPU = torch.device("cpu")
HEADS = Heads(queries=9, keys=3, size=64)
VOCABULARY = 49_152
SHAPES = ((576, 576), (576, 192), (576, 1536), (1536, 576))
"""Inputs and outputs of its linear layers."""
KERNELS: tuple[Kernel, ...] = ("segments", "tiles", "fused")
WAYS = (("compiled", nullcontext), ("PyTorch", in_pytorch))


def main() -> int:
    options = parse_options()
    dtype, _ = choose_dtype(options.dtype, CPU)
    if obstacle := kernels_obstacle(dtype):
        error = ConfigError(f"bench: no compiled kernels to time ({obstacle}).")
        print(error, file=sys.stderr)
        return error.exit_code
    console = Console()
    chosen = [WORKLOADS[options.workload]] if options.workload else list(WORKLOADS.values())
    table = Table("a layer's attention", "kernel", "forward", "GFLOP/s", "backward", "GFLOP/s")
    for workload in chosen:
        for row in attention_rows(workload, dtype, options.calls):
            table.add_row(*row)
    console.print(table)
    if is_faster_here(dtype):
        for workload in chosen:
            console.print(products_table(workload, dtype, options.calls))
    if options.updates:
        console.print(updates_table(chosen, dtype, options.updates))
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description=__doc__)
    parser.add_argument("--workload", choices=[*WORKLOADS], help="only this one")
    parser.add_argument("--calls", type=int, default=7, help="of each kernel (default 7)")
    parser.add_argument(
        "--updates", type=int, default=0, help="whole ones of each kind (default 0)"
    )
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    return parser.parse_args()


def attention_rows(workload: Workload, dtype: torch.dtype, calls: int) -> list[tuple[str, ...]]:
    """Best times of each kernel's calls, and the arithmetic of visible pairs over them."""
    tree = build_tree(draw_step(workload, 0, VOCABULARY))
    piece, random = Piece(0, tree.distinct_tokens), torch.Generator().manual_seed(7)
    q, k, v, grad = (
        torch.randn(1, piece.end, heads, HEADS.size, generator=random, dtype=dtype).transpose(1, 2)
        for heads in (HEADS.queries, HEADS.keys, HEADS.keys, HEADS.queries)
    )
    layouts = {kernel: tree_layout(tree, piece, CPU, kernel) for kernel in KERNELS}
    forward, backward = (dict.fromkeys(KERNELS, float("inf")) for _ in range(2))
    for _ in range(calls):
        for kernel, layout in layouts.items():
            inputs = [x.detach().requires_grad_() for x in (q, k, v)]
            start = time.perf_counter()
            out = tree_attention(*inputs, layout, HEADS.size**-0.5)
            middle = time.perf_counter()
            torch.autograd.grad(out, inputs, grad)
            backward[kernel] = min(backward[kernel], time.perf_counter() - middle)
            forward[kernel] = min(forward[kernel], middle - start)
    # Two products forward and four backward; scores made again are not counted, as in work.py.
    flops = 4 * int((tree.positions_T + 1).sum()) * HEADS.queries * HEADS.size
    return [
        (
            workload.name,
            kernel,
            *(f"{1e3 * forward[kernel]:.1f} ms", f"{flops / forward[kernel] / 1e9:.0f}"),
            *(f"{1e3 * backward[kernel]:.1f} ms", f"{2 * flops / backward[kernel] / 1e9:.0f}"),
        )
        for kernel in KERNELS
    ]


def products_table(workload: Workload, dtype: torch.dtype, calls: int) -> Table:
    """Median rates in GFLOP/s of an adapted layer's product and of its input's gradient, with the
    weight stored in 16 bits."""
    tree = build_tree(draw_step(workload, 0, VOCABULARY))
    tokens, rank = min(tree.distinct_tokens, MICRO_BATCH_TOKENS), 16
    random = torch.Generator().manual_seed(7)
    names = [f"{each}, {name}" for each in ("forward", "gradient") for name, _ in WAYS]
    table = Table(f"{workload.name}: inputs, outputs", *names, title="a layer's products, GFLOP/s")
    for inputs, outputs in SHAPES:
        base = nn.Linear(inputs, outputs, bias=False, dtype=torch.bfloat16)
        factors = (
            torch.randn(shape, generator=random) for shape in ((rank, inputs), (outputs, rank))
        )
        lora = CastLora(NarrowLinear(base.requires_grad_(False), dtype), *factors, 2.0)
        x, grad = (torch.randn(tokens, width, generator=random) for width in (inputs, outputs))
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(calls):
            for name, way in WAYS:
                with way():
                    start = time.perf_counter()
                    lora.product(x, x)
                    middle = time.perf_counter()
                    lora.input_gradient(grad)
                    seconds[f"gradient, {name}"].append(time.perf_counter() - middle)
                    seconds[f"forward, {name}"].append(middle - start)
        flops = 2 * tokens * (inputs * outputs + rank * (inputs + outputs))
        rates = (flops / statistics.median(each) / 1e9 for each in seconds.values())
        table.add_row(f"{inputs}, {outputs}", *(f"{rate:.0f}" for rate in rates))
    return table


def updates_table(workloads: list[Workload], dtype: torch.dtype, updates: int) -> Table:
    """Seconds of each update. Both ways compute the same steps, and who goes first changes."""
    name = str(dtype).removeprefix("torch.")
    section = ModelSection(name="smollm2-135m", dtype=name)
    loaded, optimizer = adapted_model(section, LEARNING_RATE)
    train = TrainSection(micro_batch_tokens=MICRO_BATCH_TOKENS, activation_checkpointing=False)
    table = Table("whole updates", *(f"{name}, s" for name, _ in WAYS))
    for workload in workloads:
        seconds: dict[str, list[float]] = {name: [] for name, _ in WAYS}
        for step in range(updates + 1):
            sequences = draw_step(workload, step, VOCABULARY)
            for name, way in WAYS if step % 2 else reversed(WAYS):
                with way():
                    record = train_step(
                        loaded.model, optimizer, sequences, train=train, step=step, epoch=1
                    )
                if step:  # the first asks the system for its memory
                    seconds[name].append(record.seconds)
        table.add_row(
            workload.name, *(", ".join(f"{s:.2f}" for s in each) for each in seconds.values())
        )
    return table


if __name__ == "__main__":
    restart_with_own_heap()  # as `tooltune train` does
    sys.exit(main())
