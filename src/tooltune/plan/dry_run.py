"""The real model, adapter and loss, executed on fake tensors: peak memory without weights or GPU.

Fake tensors have shapes and dtypes but no content. Every storage an operation makes is counted
until it dies, as a GPU's allocator would (blocks of 512 bytes). A model of three and one of four
layers are run; their difference is one layer, so any depth costs seconds.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, AutoModelForCausalLM

from tooltune.config import LoraSection
from tooltune.errors import ConfigError
from tooltune.model.attention import ATTENTION, Kernel
from tooltune.model.layers import recompute_activations, use_lean_layers
from tooltune.model.load import SUPPORTED
from tooltune.model.lora import attach_lora
from tooltune.model.quantize import store_narrow
from tooltune.packing.tree import TokenSequence, build_tree
from tooltune.plan.estimate import Plan, make_job
from tooltune.plan.memory import Job, Memory, static_bytes
from tooltune.plan.shape import ModelShape
from tooltune.train.gradients import summed_loss

_BLOCK_BYTES = 512
# What a GPU's allocator holds beyond the tensors: cuBLAS's workspace, and the tails of blocks
# (11 published T4 runs: 16 to 83 MiB above the fake run).
_WORKSPACE_BYTES = 16 * 2**20
_BLOCK_TAILS = 0.015

Step = Callable[[nn.Module], object]
"""Runs one forward and backward pass; what it returns is kept alive until the next step."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """Peak bytes allocated in one optimizer step, states of Adam included."""

    peak_bytes: float

    @property
    def gpu_bytes(self) -> float:
        """With the allocator's own share."""
        return self.peak_bytes * (1 + _BLOCK_TAILS) + _WORKSPACE_BYTES


class AllocationTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of all storages made while it is active; `peak` is the most at one time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = 0
        self.peak = 0
        self._seen: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        return out

    def add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._seen:
            return
        size = -(-storage.nbytes() // _BLOCK_BYTES) * _BLOCK_BYTES
        self._seen.add(key)
        self.current += size
        self.peak = max(self.peak, self.current)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.current -= size


def dry_run(shape: ModelShape, build: Callable[[int], nn.Module], step: Step) -> DryRun:
    """Peak of `step` on the model `build(layers)` makes on the meta device.

    A shape of at most four layers is run as it is.
    """
    if shape.layers <= 4:
        return DryRun(float(_peak(build(shape.layers), step)))
    three, four = (_peak(build(layers), step) for layers in (3, 4))
    return DryRun(float(three + (shape.layers - 3) * (four - three)))


def dry_run_job(job: Job) -> DryRun:
    """Of our engine. Layers below the adapter add their weights, and nothing that stays."""
    adapted = replace(job, shape=replace(job.shape, layers=job.backward_layers("lora")))
    adapted = replace(adapted, first_layer=0)
    # Compiled kernels do not run on fake tensors. Of the others this one keeps what FlexAttention
    # keeps: its inputs, its output and a number a row.
    step = engine_step(adapted, kernel="segments")
    run = dry_run(adapted.shape, partial(build_model, adapted), step)
    below = static_bytes(job, "lora")[0] - static_bytes(adapted, "lora")[0]
    return DryRun(run.peak_bytes + below)


def refine_plan(made: Plan) -> Plan:
    """The chosen device's LoRA memory from a dry run of our engine instead of the closed form.

    Raises ConfigError for a trainer or model that our engine does not run.
    """
    job = make_job(made.request, made.chosen.device)
    if not job.trainer.lean_layers or job.shape.family not in SUPPORTED:
        raise ConfigError(
            f"--dry-run: executes tooltune's own engine (got trainer {job.trainer.name}, model "
            f"type {job.shape.family}; it runs {', '.join(SUPPORTED)}). Plan without --dry-run."
        )
    run = dry_run_job(job)
    memory = {**made.chosen.memory, "lora": _refine_memory(made.chosen.memory["lora"], run)}
    chosen = replace(made.chosen, memory=memory)
    devices = tuple(chosen if row is made.chosen else row for row in made.devices)
    return replace(made, chosen=chosen, devices=devices, tier="dry run")


def build_model(job: Job, layers: int) -> nn.Module:
    """Our engine's model of this shape on the meta device: base, adapter, lean layers."""
    shape = job.shape
    config = AutoConfig.for_model(
        shape.family,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocab,
        tie_word_embeddings=shape.tied,
    )
    lora = LoraSection(
        rank=job.rank,
        target_modules=tuple(job.target_modules),
        dropout=job.dropout,
        first_layer=job.first_layer,
    )
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, dtype=getattr(torch, job.linear_dtype), attn_implementation=ATTENTION
        )
        if job.linear_dtype != job.dtype:
            store_narrow(model, torch.device("meta"), getattr(torch, job.dtype), None)
        attach_lora(model, lora)
    use_lean_layers(model)
    if job.checkpointing:
        recompute_activations(model)
    model.train()
    return model  # type: ignore[no-any-return]


def engine_step(
    job: Job, *, supervised_tokens: int | None = None, kernel: Kernel | None = None
) -> Step:
    """Forward and backward over one sequence as long as the micro-batch, its last
    `supervised_tokens` supervised (None: all), with the fastest attention kernel or this one."""
    length = job.micro_batch_tokens
    tokens = np.arange(length, dtype=np.int32) % job.shape.vocab
    supervised = np.arange(length) >= length - (supervised_tokens or length)
    tree = build_tree([TokenSequence(tokens, supervised.astype(np.uint8))])

    def step(model: nn.Module) -> object:
        loss = summed_loss(model, tree, kernel=kernel)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return step


def _refine_memory(memory: Memory, run: DryRun) -> Memory:
    """The closed form's terms with the dry run's peak; what differs goes to the activations."""
    allocated = run.gpu_bytes
    ratio = memory.fragmentation / memory.allocated
    term = "recomputed" if memory.recomputed else "activations"
    return replace(
        memory,
        fragmentation=ratio * allocated,
        total=allocated * (1 + ratio) + memory.runtime,
        **{term: getattr(memory, term) + allocated - memory.allocated},
    )


def _peak(model: nn.Module, step: Step) -> int:
    """Parameters, Adam's two moments, then one forward and backward pass."""
    with FakeTensorMode(allow_non_fake_inputs=True), AllocationTracker() as tracker:
        _materialise(model)
        moments = [
            torch.empty_like(parameter)
            for parameter in model.parameters()
            if parameter.requires_grad
            for _ in range(2)
        ]
        kept = step(model)
        peak: int = tracker.peak
        del moments, kept
    return peak


def _materialise(model: nn.Module) -> None:
    """Meta parameters and buffers -> fake CPU tensors; a shared parameter stays shared.

    Fake CUDA tensors cannot require gradients in a PyTorch built without CUDA.
    """
    made: dict[int, torch.Tensor] = {}

    def fake(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in made:
            made[id(tensor)] = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
        return made[id(tensor)]

    parameters: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                if id(parameter) not in parameters:
                    parameters[id(parameter)] = nn.Parameter(
                        fake(parameter), requires_grad=parameter.requires_grad
                    )
                module._parameters[name] = parameters[id(parameter)]
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = fake(buffer)
