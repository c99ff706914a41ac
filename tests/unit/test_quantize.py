"""A base stored in fewer bits computes what its widened weights compute, forward and backward."""

import copy
import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from torch import Tensor, nn

from tooltune.config import LoraSection, ModelSection, Quantization
from tooltune.errors import ModelError
from tooltune.model.compiled import in_pytorch
from tooltune.model.forward import tree_logits
from tooltune.model.layers import recompute_activations
from tooltune.model.load import load_base
from tooltune.model.lora import attach_lora, lora_layers, trainable_parameters, weights_for_decoding
from tooltune.model.quantize import (
    NarrowLinear,
    Q8Linear,
    dense_weight,
    require_quantization,
    store_narrow,
)
from tooltune.packing.tree import TokenSequence, build_tree
from tooltune.train.gradients import summed_loss

LORA = LoraSection(rank=4, alpha=8, dropout=0)
TOKENS = np.arange(1, 12, dtype=np.int32)
BYTES = {"q8_0": 1 + 2 / 32, "nf4": 0.5}
"""A weight; of `nf4` without its scales, which are no tensor of the layer's."""
LEAST_DIFFERENCE = {"q8_0": 1e-5, "nf4": 1e-4}
"""Relative, that fewer bits make to the tiny model's loss; rounding makes less than 1e-6."""


def test_a_machine_without_a_gpu_is_told_before_loading() -> None:
    section = ModelSection(name="no such folder", device="cpu", quantization="nf4")
    with pytest.raises(ModelError) as caught:
        load_base(section)
    assert str(caught.value) == (
        "model.quantization: nf4 computes on GPUs only (got device cpu). "
        "Take q8_0, remove the knob, or train on a machine with a GPU."
    )


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ModelError, match=r"Run pip install 'tooltune\[qlora\]'\."):
        require_quantization("nf4", torch.device("cuda"))


def test_a_layer_that_is_no_whole_blocks_is_named(plain: nn.Module) -> None:
    plain.model.odd = nn.Linear(40, 8)  # type: ignore[union-attr]
    with pytest.raises(ModelError, match=r"got layer odd with 40\)"):
        store_narrow(plain, torch.device("cpu"), torch.float32, "q8_0")


@pytest.fixture
def plain(tiny_llama_folder: Path) -> nn.Module:
    section = ModelSection(name=str(tiny_llama_folder), dtype="float32", device="cpu")
    return load_base(section).model


@pytest.fixture(params=["q8_0", "nf4"])
def kind(request: pytest.FixtureRequest) -> Quantization:
    """bitsandbytes computes on a processor too, slowly."""
    if request.param == "nf4":
        pytest.importorskip("bitsandbytes", reason="needs the extra qlora")
    return request.param


@pytest.fixture
def packed(plain: nn.Module, kind: Quantization) -> nn.Module:
    model = copy.deepcopy(plain)
    store_narrow(model, torch.device("cpu"), torch.float32, kind)
    return model


def in_float32(folder: Path) -> nn.Module:
    return load_base(ModelSection(name=str(folder), dtype="float32", device="cpu")).model


def with_its_weights(whole: nn.Module, narrow: nn.Module) -> nn.Module:
    for name, parameter in narrow.named_parameters():
        whole.get_parameter(name).data = parameter.detach().float()
    return whole


def linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}


def with_random_adapter(model: nn.Module, *, first_layer: int = 0) -> nn.Module:
    torch.manual_seed(5)
    attach_lora(model, LORA.model_copy(update={"first_layer": first_layer}))
    for layer in lora_layers(model).values():
        nn.init.normal_(layer.lora_B, 0.0, 0.1)
    return model


def loss_and_gradients(model: nn.Module) -> list[Tensor]:
    loss = summed_loss(model, build_tree([TokenSequence(TOKENS, np.ones(11, np.uint8))]))
    loss.backward()
    return [loss.detach(), *(parameter.grad for parameter in trainable_parameters(model))]


@pytest.mark.parametrize(
    ("dtype", "is_compiled"),
    [
        each
        for dtype in (torch.float32, torch.bfloat16)
        for each in (
            (dtype, False),
            pytest.param(dtype, True, marks=pytest.mark.compiled_kernels(dtype)),
        )
    ],
)
def test_q8_0_has_the_numbers_of_gguf(dtype: torch.dtype, is_compiled: bool) -> None:
    """A block of zeros, halves, and a width of several blocks among them."""
    torch.manual_seed(3)
    layer = nn.Linear(96, 40, bias=False)
    layer.weight.data[7] = 0
    layer.weight.data[8] = torch.arange(96) % 32 * 0.5 + 111.5
    layer.weight.data = layer.weight.data.to(dtype)
    stored = quantize(layer.weight.detach().float().numpy(), GGMLQuantizationType.Q8_0)
    expected = torch.from_numpy(dequantize(stored, GGMLQuantizationType.Q8_0))
    packed = Q8Linear(layer, dtype)
    with nullcontext() if is_compiled else in_pytorch():
        assert torch.equal(dense_weight(Q8Linear(layer, torch.float32)), expected)
        assert torch.equal(dense_weight(packed), expected.to(dtype))
        packed.to(torch.float64)
        assert torch.equal(dense_weight(packed), expected.to(dtype)), "other scales"


def test_the_base_computes_in_its_dtype_whatever_its_file_is_stored_in(
    plain: nn.Module, kind: Quantization
) -> None:
    """Embedding, norms and head are rounded to it as loading would."""
    narrow = copy.deepcopy(plain).bfloat16()
    store_narrow(narrow, torch.device("cpu"), torch.float32, kind)
    for layer in linear_layers(narrow).values():
        assert dense_weight(layer).dtype == torch.float32
    wide = copy.deepcopy(plain).bfloat16().float()
    store_narrow(wide, torch.device("cpu"), torch.float32, kind)
    got, truth = (loss_and_gradients(with_random_adapter(model)) for model in (narrow, wide))
    assert all(map(torch.equal, got, truth))


def test_loss_and_gradients_are_those_of_the_widened_weights(
    plain: nn.Module, packed: nn.Module, kind: Quantization
) -> None:
    original = loss_and_gradients(with_random_adapter(copy.deepcopy(plain)))
    for name, layer in linear_layers(packed).items():
        plain.get_submodule(name).weight.data = dense_weight(layer).detach().clone()
    got = loss_and_gradients(with_random_adapter(packed))
    truth = loss_and_gradients(with_random_adapter(plain))
    torch.testing.assert_close(got, truth)
    rtol = LEAST_DIFFERENCE[kind]
    assert not torch.allclose(got[0], original[0], rtol=rtol), "fewer bits are not the weights"


def test_weights_take_what_was_promised_and_the_head_stays_whole(
    plain: nn.Module, packed: nn.Module, kind: Quantization
) -> None:
    small = linear_layers(packed)
    for name, layer in linear_layers(plain).items():
        stored = small[name].weight.nbytes + sum(each.nbytes for each in small[name].buffers())
        assert stored == layer.weight.numel() * (4 if name == "lm_head" else BYTES[kind]), name


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


@pytest.mark.parametrize("is_recomputed", [False, True])
def test_weights_of_16_bits_train_in_float32_bit_for_bit(
    plain: nn.Module, tiny_llama_in_16_bits: Path, is_recomputed: bool
) -> None:
    narrow = in_float32(tiny_llama_in_16_bits)
    whole = with_its_weights(plain, narrow)
    assert all(parameter.itemsize == 4 for parameter in whole.parameters())
    for name, parameter in narrow.named_parameters():
        is_linear = isinstance(narrow.get_submodule(name.rpartition(".")[0]), NarrowLinear)
        assert parameter.itemsize == (2 if is_linear else 4), name
    got = []
    for model in (whole, narrow):
        with_random_adapter(model).train()
        if is_recomputed:
            recompute_activations(model)
        got.append(loss_and_gradients(model))
    assert all(map(torch.equal, *got))


def test_weights_of_32_bits_stay_whole_whatever_the_config_says(
    tiny_llama_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_llama_folder, tmp_path / "folder")
    config = tmp_path / "folder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "bfloat16"}))
    narrow = in_float32(tmp_path / "folder")
    assert not any(isinstance(module, NarrowLinear) for module in narrow.modules())
    whole = in_float32(tiny_llama_folder)
    assert all(map(torch.equal, narrow.parameters(), whole.parameters()))


def test_decoding_widens_a_narrow_base_once(tiny_llama_in_16_bits: Path) -> None:
    """The layers below the adapter too."""
    narrow = in_float32(tiny_llama_in_16_bits)
    with_random_adapter(narrow, first_layer=1)
    tree = build_tree([TokenSequence(TOKENS, np.ones(11, np.uint8))])
    with torch.no_grad():
        expected = tree_logits(narrow, tree)
        with weights_for_decoding(narrow):
            layers = [layer for layer in narrow.modules() if isinstance(layer, NarrowLinear)]
            assert all(layer.widened() is layer.widened() for layer in layers)
            torch.testing.assert_close(tree_logits(narrow, tree), expected)
        assert torch.equal(tree_logits(narrow, tree), expected)
    assert not any(layer.widened() is layer.widened() for layer in layers), "none is kept"


LOAD = """
import sys
from tooltune.heap import restart_with_own_heap
restart_with_own_heap()
from tooltune.config import ModelSection
from tooltune.model.load import load_base
def own_mib():
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
section = ModelSection(name=sys.argv[1], dtype="float32", quantization="q8_0")
before = own_mib()
loaded = load_base(section)
print(own_mib() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells")
def test_a_quantised_base_was_never_whole_in_memory(smollm2_folder: Path) -> None:
    """It would have left holes of the size of its layers."""
    command = [sys.executable, "-c", LOAD, str(smollm2_folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    linear = 30 * (576 * (2 * 576 + 2 * 192) + 3 * 576 * 1536) / 2**20
    embedding = 49152 * 576 / 2**20
    assert float(done.stdout) < 4 * embedding + BYTES["q8_0"] * linear + 150


@pytest.mark.skipif(not Path("/proc/self/smaps").is_file(), reason="Linux tells")
def test_what_was_read_of_quantised_weights_is_given_back(smollm2_folder: Path) -> None:
    section = ModelSection(name=str(smollm2_folder), dtype="bfloat16", device="cpu")
    packed = load_base(section.model_copy(update={"quantization": "q8_0"})).model
    after_packing = resident_mib(smollm2_folder)
    whole = load_base(section).model
    for layer in linear_layers(whole.model).values():  # type: ignore[arg-type]
        layer.weight.sum()
    assert any(isinstance(module, Q8Linear) for module in packed.modules())
    assert after_packing < 2
    assert resident_mib(smollm2_folder) > 200


def resident_mib(folder: Path) -> float:
    """Of the folder's weights, mapped into this process."""
    entries = Path("/proc/self/smaps").read_text().split("VmFlags")
    sizes = [entry.partition("Rss:")[2].split()[0] for entry in entries if str(folder) in entry]
    return sum(map(int, sizes)) / 1024
