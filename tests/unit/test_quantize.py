"""A base in 4 bits computes what its dequantised weights compute, forward and backward."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tooltune.config import LoraSection, ModelSection
from tooltune.errors import ModelError
from tooltune.model.load import load_base
from tooltune.model.lora import attach_lora, lora_layers, trainable_parameters
from tooltune.model.quantize import dense_weight, quantize_base, require_nf4
from tooltune.packing.tree import TokenSequence, build_tree
from tooltune.train.gradients import summed_loss

LORA = LoraSection(rank=4, alpha=8, dropout=0)
TOKENS = np.arange(1, 12, dtype=np.int32)


def test_a_machine_without_a_gpu_is_told_before_loading() -> None:
    section = ModelSection(name="no such folder", device="cpu", quantization="nf4")
    with pytest.raises(ModelError) as caught:
        load_base(section)
    assert str(caught.value) == (
        "model.quantization: nf4 computes on GPUs only (got device cpu). "
        "Remove the knob, or train on a machine with a GPU."
    )


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match=r"Run pip install 'tooltune\[qlora\]'\."):
        require_nf4(torch.device("cuda"))


@pytest.fixture
def plain(tiny_llama_folder: Path) -> nn.Module:
    section = ModelSection(name=str(tiny_llama_folder), dtype="float32", device="cpu")
    return load_base(section).model


@pytest.fixture
def packed(plain: nn.Module) -> nn.Module:
    """The same with the decoder in 4 bits, on the CPU: bitsandbytes computes there too, slowly."""
    pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    model = copy.deepcopy(plain)
    quantize_base(model, torch.device("cpu"), torch.float32)
    return model


def linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}


def with_random_adapter(model: nn.Module) -> nn.Module:
    torch.manual_seed(5)
    attach_lora(model, LORA)
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_B, 0.0, 0.1)
    return model


def loss_and_gradients(model: nn.Module) -> list[Tensor]:
    loss = summed_loss(model, build_tree([TokenSequence(TOKENS, np.ones(11, np.uint8))]))
    loss.backward()
    return [loss.detach(), *(parameter.grad for parameter in trainable_parameters(model))]


def test_loss_and_gradients_are_those_of_the_dequantised_weights(
    plain: nn.Module, packed: nn.Module
) -> None:
    original = loss_and_gradients(with_random_adapter(copy.deepcopy(plain)))
    for name, layer in linear_layers(packed).items():
        plain.get_submodule(name).weight.data = dense_weight(layer).detach().clone()
    got = loss_and_gradients(with_random_adapter(packed))
    truth = loss_and_gradients(with_random_adapter(plain))
    torch.testing.assert_close(got, truth)
    assert not torch.allclose(got[0], original[0], rtol=1e-4), "4 bits are not the weights"


def test_weights_take_about_half_a_byte_and_the_head_stays_whole(
    plain: nn.Module, packed: nn.Module
) -> None:
    small = linear_layers(packed)
    for name, layer in linear_layers(plain).items():
        numel = layer.weight.numel()
        stored = small[name].weight
        assert stored.nbytes == (numel * 4 if name == "lm_head" else numel // 2), name


def test_no_dense_weight_waits_for_the_backward_pass(packed: nn.Module) -> None:
    model = with_random_adapter(packed)
    weights = {tuple(dense_weight(layer.base).shape) for layer in lora_layers(model).values()}
    kept = set()

    def keep(tensor: Tensor) -> Tensor:
        kept.add(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss_and_gradients(model)
    assert kept
    assert not kept & weights
