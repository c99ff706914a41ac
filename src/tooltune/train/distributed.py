"""One run on several processes, through torch.distributed; with one process all of it is nothing.

`torchrun` starts the processes and tells each its place through the environment. Each computes a
share of every update; gradients and counts are summed, so all of them hold the same adapter, and
the first alone writes files and prints.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from tooltune.config import Recipe
from tooltune.errors import ConfigError, ModelError, TooltuneError
from tooltune.model.forward import uses_tree_attention
from tooltune.model.lora import trainable_parameters
from tooltune.packing.divide import divide_sequences
from tooltune.packing.tree import TokenSequence

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

T = TypeVar("T")

LONGEST_WAIT = timedelta(hours=6)
"""For the slowest process, which may be decoding validation calls. A lost one is noticed at once
by its closed connections, or ended by torchrun."""
_FAILED = "failed"


def process_count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def process_rank() -> int:
    """From 0, which is the first process."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_first() -> bool:
    """Whether this process writes the files and prints."""
    return process_rank() == 0


@contextmanager
def joined_processes(device: torch.device) -> Iterator[None]:
    """Inside, the processes that torchrun started work as one; nothing where it did not.

    The first process to fail tells why and the others end silently with exit code 2. Raises
    ModelError where another process ended without a word, ConfigError where GPUs are too few.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    store, rank, count = next(rendezvous("env://", timeout=LONGEST_WAIT))
    try:
        _join(store, rank, count, device)
        yield
        wait_for_all()
    except KeyboardInterrupt:
        if rank > 0:
            raise SystemExit(130) from None
        raise
    except Exception as error:
        if _was_told(store):
            raise SystemExit(TooltuneError.exit_code) from None
        failure = _lost(rank, count, error) if _is_lost_connection(error) else error
        if isinstance(failure, TooltuneError):
            failure.is_common = False
        raise failure from None
    dist.destroy_process_group()


def _join(store: "Store", rank: int, count: int, device: torch.device) -> None:
    if device.type == "cuda":
        local, found = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= found:
            raise ConfigError(
                f"torchrun: more processes than GPUs on this machine (got process {local + 1}, "
                f"expected at most {found}). Set --nproc-per-node {found}."
            )
        torch.cuda.set_device(local)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=LONGEST_WAIT)


def _was_told(store: "Store") -> bool:
    """Whether another process failed before; the store may have died with the process it ran in."""
    try:
        return int(store.add(_FAILED, 1)) > 1
    except dist.DistError:
        return False


def _is_lost_connection(error: Exception) -> bool:
    """Gloo raises a plain RuntimeError that names its source file."""
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )


def _lost(rank: int, count: int, error: Exception) -> TooltuneError:
    reason = str(error).strip().splitlines()[0]
    return ModelError(
        f"process {rank} of {count}: another process ended without a word, "
        f"killed perhaps for want of memory ({reason}). Continue with --resume."
    )


def wait_for_all() -> None:
    """Return when every process is here."""
    sum_over_processes([0.0])


@contextmanager
def first_goes_first() -> Iterator[None]:
    """The first process runs the block alone, the others after it: it fetches, they find."""
    if not is_first():
        wait_for_all()
    yield
    if is_first():
        wait_for_all()


def from_first(make: Callable[[], T]) -> T:
    """What `make` gives in the first process; the others do not call it. Waits for all."""
    values = [make() if is_first() else None]
    if process_count() > 1:
        dist.broadcast_object_list(values)
    return values[0]  # type: ignore[return-value]


def sum_over_processes(values: Sequence[float]) -> list[float]:
    """Element by element, in float64."""
    if process_count() == 1:
        return list(values)
    summed = torch.tensor(values, dtype=torch.float64)
    dist.all_reduce(summed)
    return summed.tolist()


def any_process(is_so: bool) -> bool:
    """Whether it is so in one process at least."""
    return sum_over_processes([float(is_so)])[0] > 0


def most_of_processes(count: int) -> int:
    """The largest of the processes' numbers."""
    if process_count() == 1:
        return count
    most = torch.tensor(count)
    dist.all_reduce(most, dist.ReduceOp.MAX)
    return int(most)


def own_share(sequences: Sequence[TokenSequence]) -> list[TokenSequence]:
    """This process's part of an update, all of it where there is one. In lexicographic order the
    parts follow each other as the processes do."""
    if process_count() == 1:
        return list(sequences)
    return divide_sequences(sequences, process_count())[process_rank()]


def joined_values(values: list[float]) -> list[float]:
    """The lists of all processes, one after another."""
    if process_count() == 1:
        return values
    lists: list[list[float]] = [[] for _ in range(process_count())]
    dist.all_gather_object(lists, values)
    return [value for each in lists for value in each]


def require_shardable(recipe: Recipe) -> None:
    """Raises ConfigError where train.shard_base cannot go with the rest of the run."""
    if not recipe.train.shard_base:
        return
    if process_count() == 1:
        raise ConfigError(
            "train.shard_base: nothing to spread the base over (got 1 process, expected several). "
            "Start with torchrun --nproc-per-node N, or set it to false."
        )
    if recipe.train.validation_calls:
        raise ConfigError(
            "train.validation_calls: decoding needs the whole base in one process (got "
            f"{recipe.train.validation_calls} with train.shard_base). Set it to 0."
        )
    if recipe.model.quantization:
        raise ConfigError(
            "model.quantization: a quantised base cannot be sharded (got "
            f"{recipe.model.quantization} with train.shard_base). Drop one of the two."
        )


def shard_base(model: nn.Module, device: torch.device) -> None:
    """Spread each decoder layer's frozen weights over the processes, gathered while they compute.

    For a base too large for one card. Embedding, head and adapter stay whole on each. A layer
    moves to `device` when it is cut, so `model` may lie on the CPU, and all of it never lies on the
    device. Every process must run as many passes as the others, each backward after its forward.
    Raises ConfigError for a model that is computed with its own attention.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor

    if not uses_tree_attention(model):
        raise ConfigError(
            "train.shard_base: only for models that share prefixes (got one computed with its own "
            "attention). Set it to false, or take another model."
        )
    mesh = init_device_mesh(device.type, (process_count(),))
    decoder: Any = model.model
    for layer in decoder.layers:
        fully_shard(layer, mesh=mesh, ignored_params=set(trainable_parameters(layer)))
    whole = {parameter for parameter in model.parameters() if not isinstance(parameter, DTensor)}
    fully_shard(decoder, mesh=mesh, ignored_params=whole)
    model.to(device)


def filled_up(passes: Sequence[T], idle: T) -> list[T]:
    """`idle` appended, so that all processes make equally many passes.

    A sharded layer is gathered by all processes together, pass by pass.
    """
    return [*passes, *[idle] * (most_of_processes(len(passes)) - len(passes))]


def seed_step(seed: int, step: int) -> None:
    """Seed torch's generators, on GPUs too, for one step of one process."""
    (state,) = np.random.SeedSequence([seed, step, process_rank()]).generate_state(1, np.uint64)
    torch.manual_seed(int(state))


def all_reduce_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Sum each gradient over the processes, in one message; a missing one counts as zero.

    Every process gets the same bits, for each element is summed in one place and sent around.
    """
    if process_count() == 1:
        return
    gradients: list[Tensor] = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        gradients.append(parameter.grad)
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
