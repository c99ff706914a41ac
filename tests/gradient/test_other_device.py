"""An update on a device that is not the processor: no tensor of it may be left behind.

PyTorch's meta device computes shapes only. Like a GPU it refuses most operands of a processor (not
those of matrix products, of looking up and of adding in place). A GPU's own kernels are not run.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tooltune.config import LINEAR_LAYERS
from tooltune.model.generate import Decoder
from tooltune.model.load import LoadedModel
from tooltune.model.lora import trainable_parameters
from tooltune.model.masked import MaskedTile, masked_tiles
from tooltune.model.tiles import Tile
from tooltune.packing.tree import TokenSequence
from tooltune.plan.dry_run import build_model
from tooltune.plan.memory import TRAINERS, Job
from tooltune.plan.tables import load_tables
from tooltune.train.checkpoint import load_optimizer_state
from tooltune.train.gradients import accumulate_gradients

META = torch.device("meta")


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU answers and meta tensors cannot, and the kernel that a T4 takes."""
    monkeypatch.setattr(torch.Tensor, "__float__", lambda _: 1.0)
    monkeypatch.setattr("transformers.masking_utils.find_packed_sequence_indices", lambda _: None)
    monkeypatch.setattr("tooltune.model.forward.fastest_kernel", lambda *_: "masked")


def model_on_meta(family: str, *, is_recomputed: bool = False, dropout: float = 0.0) -> nn.Module:
    """Three small layers in float16 with an adapter, as the planner's dry run builds them."""
    shape = replace(
        load_tables().shape("smollm2-135m"),
        family=family,
        layers=3,
        hidden=64,
        intermediate=128,
        heads=4,
        kv_heads=2,
        head_dim=16,
        vocab=500,
    )
    job = Job(
        shape=shape,
        trainer=TRAINERS["tooltune"],
        dtype="float16",
        rank=4,
        target_modules=LINEAR_LAYERS,
        micro_batch_tokens=1000,
        sequence_tokens=1000,
        checkpointing=is_recomputed,
        dropout=dropout,
    )
    return build_model(job, shape.layers)


def sequences() -> list[TokenSequence]:
    """Forty shared tokens and six branches of twenty, half of each trained."""
    random = np.random.default_rng(0)
    shared = random.integers(1, 499, 40)
    mask = (np.arange(60) >= 50).astype(np.uint8)
    return [
        TokenSequence(np.append(shared, random.integers(1, 499, 20)).astype(np.int32), mask)
        for _ in range(6)
    ]


@pytest.mark.parametrize("is_recomputed", [False, True])
@pytest.mark.parametrize("micro_batch_tokens", [80, 1000])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_an_update_is_computed_where_the_model_is(
    family: str, micro_batch_tokens: int, is_recomputed: bool
) -> None:
    model = model_on_meta(family, is_recomputed=is_recomputed, dropout=0.05)
    accumulate_gradients(model, sequences(), micro_batch_tokens=micro_batch_tokens)
    gradients = [parameter.grad for parameter in trainable_parameters(model)]
    assert all(gradient is not None and gradient.device == META for gradient in gradients)


def test_prompts_are_decoded_where_the_model_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decoded is of no meaning: meta tensors have no contents."""
    monkeypatch.setattr(torch.Tensor, "tolist", lambda tensor: [0] * len(tensor))
    monkeypatch.setattr(torch.Tensor, "__int__", lambda _: 45)
    model = model_on_meta("qwen3").eval()
    loaded = LoadedModel(model, Path(), torch.float16, META, why="")
    prompts = [[*range(40), *range(100, end)] for end in (120, 110, 200)]
    with torch.no_grad():
        done = Decoder(loaded).complete(prompts, max_new_tokens=3, stop_token_ids=[7])
    assert [completion.tokens for completion in done] == [[0, 0, 0]] * 3


def test_a_resumed_optimizer_is_where_its_parameters_are() -> None:
    model = model_on_meta("llama")
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    saved = {
        f"{name}.{key}": torch.zeros(())
        for name in names
        for key in ("step", "exp_avg", "exp_avg_sq")
    }
    optimizer = torch.optim.AdamW(trainable_parameters(model), fused=False)
    load_optimizer_state(model, optimizer, saved)
    states = [state for parts in optimizer.state.values() for state in parts.values()]
    assert len(states) == 3 * len(names)
    assert all(state.device == META for state in states)


def left_behind(tiles: tuple[Tile, ...], _: torch.device) -> tuple[MaskedTile, ...]:
    return masked_tiles(tiles, torch.device("cpu"))


def test_a_mask_left_on_the_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the first test."""
    monkeypatch.setattr("tooltune.model.attention.masked_tiles", left_behind)
    with pytest.raises(RuntimeError, match="not on the expected device"):
        accumulate_gradients(model_on_meta("llama"), sequences(), micro_batch_tokens=1000)
