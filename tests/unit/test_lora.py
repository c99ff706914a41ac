"""The adapter's layer, its files, and `peft` reading them. Its gradients: gradient/."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tooltune.config import LINEAR_LAYERS, LoraSection, ModelSection
from tooltune.errors import ModelError
from tooltune.model.forward import tree_hidden
from tooltune.model.load import load_base
from tooltune.model.lora import (
    LoraLinear,
    adapter_disabled,
    adapter_state,
    attach_lora,
    load_adapter,
    lora_layers,
    read_adapter_config,
    save_adapter,
    trainable_parameters,
    weights_for_decoding,
)
from tooltune.packing.tree import TokenSequence, build_tree

LORA = LoraSection(rank=4, alpha=12, dropout=0.1)
TOKENS = [5, 90, 17, 400, 33, 33, 8, 211]


def base_model(folder: Path) -> nn.Module:
    return load_base(ModelSection(name=str(folder), dtype="float32", device="cpu")).model


def adapted(folder: Path, lora: LoraSection = LORA) -> nn.Module:
    """With an adapter whose B is random, so that it says something."""
    model = base_model(folder)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        attach_lora(model, lora)
        for layer in lora_layers(model).values():
            nn.init.normal_(layer.lora_B, 0.0, 0.5)
    return model


@torch.no_grad()
def logits_of(model: nn.Module) -> Tensor:
    import numpy as np

    sequence = TokenSequence(np.asarray(TOKENS, np.int32), np.ones(len(TOKENS), np.uint8))
    return model.lm_head(tree_hidden(model, build_tree([sequence])))


@pytest.fixture
def saved(tiny_llama_folder: Path, tmp_path: Path) -> tuple[nn.Module, Path]:
    """A model with a random adapter, and the folder it was saved to."""
    model = adapted(tiny_llama_folder)
    save_adapter(model, LORA, tmp_path, base=str(tiny_llama_folder))
    return model, tmp_path


def test_a_saved_adapter_loads_to_the_same_numbers(
    saved: tuple[nn.Module, Path], tiny_llama_folder: Path
) -> None:
    model, folder = saved
    again = base_model(tiny_llama_folder)
    attach_lora(again, read_adapter_config(folder))
    assert not torch.equal(logits_of(again), logits_of(model))
    load_adapter(again, folder)
    assert torch.equal(logits_of(again), logits_of(model))
    torch.testing.assert_close(adapter_state(again), adapter_state(model), rtol=0, atol=0)


def test_the_saved_shape_is_the_recipes(saved: tuple[nn.Module, Path]) -> None:
    read = read_adapter_config(saved[1])
    assert read.model_copy(update={"target_modules": LINEAR_LAYERS}) == LORA
    assert set(read.target_modules) == set(LINEAR_LAYERS)


# PEFT 0.21 asks transformers by a name that 5.23 has deprecated.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
@pytest.mark.parametrize("first_layer", [0, 1])
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_peft_loads_the_folder_and_computes_the_same_logits(
    kind: str, first_layer: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base: Path = request.getfixturevalue(f"tiny_{kind}_folder")
    lora = LORA.model_copy(update={"first_layer": first_layer})
    ours = adapted(base, lora)
    save_adapter(ours, lora, tmp_path, base=str(base))
    assert read_adapter_config(tmp_path).first_layer == first_layer
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(plain, tmp_path).eval()
    with torch.no_grad():
        logits = theirs(input_ids=torch.tensor([TOKENS])).logits[0]
        with theirs.disable_adapter():
            base_logits = theirs(input_ids=torch.tensor([TOKENS])).logits[0]
    torch.testing.assert_close(logits_of(ours), logits, rtol=1e-5, atol=1e-5)
    assert (logits - base_logits).abs().max() > 0.01, "the adapter says nothing"


def test_only_a_and_b_of_the_named_layers_are_trained(tiny_llama_folder: Path) -> None:
    model = base_model(tiny_llama_folder)
    names = attach_lora(model, LoraSection(rank=2, target_modules=("q_proj", "down_proj")))
    layers = [f"model.layers.{layer}" for layer in (0, 1)]
    parts = ("self_attn.q_proj", "mlp.down_proj")
    assert names == [f"{layer}.{part}" for layer in layers for part in parts]
    assert [tuple(parameter.shape) for parameter in trainable_parameters(model)] == [
        (2, 64), (64, 2), (2, 128), (64, 2)
    ] * 2  # fmt: skip


def test_all_linear_layers_are_adapted_but_never_the_head(tiny_llama_folder: Path) -> None:
    names = attach_lora(base_model(tiny_llama_folder), LoraSection())
    assert {name.rpartition(".")[2] for name in names} == set(LINEAR_LAYERS)
    assert len(names) == 2 * len(LINEAR_LAYERS)


def test_layers_below_the_first_have_no_adapter(tiny_llama_folder: Path) -> None:
    names = attach_lora(base_model(tiny_llama_folder), LoraSection(first_layer=1))
    assert len(names) == len(LINEAR_LAYERS)
    assert all(name.startswith("model.layers.1.") for name in names)


def test_a_first_layer_above_the_last_is_refused(tiny_llama_folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        attach_lora(base_model(tiny_llama_folder), LoraSection(first_layer=2))
    assert str(caught.value) == (
        "lora.first_layer: no layer is left to adapt (got 2, this model's are 0 to 1). "
        "Take a lower one."
    )


def test_a_fresh_adapter_changes_nothing_yet(tiny_llama_folder: Path) -> None:
    model = base_model(tiny_llama_folder)
    before = logits_of(model)
    attach_lora(model, LORA)
    assert torch.equal(logits_of(model), before)


def test_without_its_adapter_the_model_is_the_base(tiny_llama_folder: Path) -> None:
    base, model = base_model(tiny_llama_folder), adapted(tiny_llama_folder)
    tuned = logits_of(model)
    with adapter_disabled(model):
        assert torch.equal(logits_of(model), logits_of(base))
    assert torch.equal(logits_of(model), tuned)
    with pytest.raises(KeyboardInterrupt), adapter_disabled(model):
        raise KeyboardInterrupt
    assert torch.equal(logits_of(model), tuned), "the adapter must come back after an error too"


def test_a_merged_adapter_computes_the_same_and_leaves_no_trace(tiny_llama_folder: Path) -> None:
    model = adapted(tiny_llama_folder)
    tuned = logits_of(model)
    weights = {name: p.clone() for name, p in model.named_parameters()}
    with weights_for_decoding(model):
        inside = logits_of(model)
        assert torch.allclose(inside, tuned, atol=1e-5)
        with adapter_disabled(model):
            assert torch.equal(logits_of(model), inside), "the weights hold the adapter"
        assert torch.equal(logits_of(model), inside), "and it is not added twice"
    with pytest.raises(KeyboardInterrupt), weights_for_decoding(model):
        raise KeyboardInterrupt
    with adapter_disabled(model), weights_for_decoding(model):
        assert torch.equal(logits_of(model), logits_of(base_model(tiny_llama_folder)))
    assert torch.equal(logits_of(model), tuned)
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())


def test_unknown_target_names_are_refused_with_the_known_ones(tiny_llama_folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        attach_lora(base_model(tiny_llama_folder), LoraSection(target_modules=("query", "key")))
    assert str(caught.value) == (
        "lora.target_modules: no layer is called query, key (this model has down_proj, gate_proj, "
        "k_proj, lm_head, o_proj, q_proj, up_proj, v_proj). Name some of these."
    )


def test_a_truncated_file_is_named(saved: tuple[nn.Module, Path]) -> None:
    model, folder = saved
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError) as caught:
        load_adapter(model, folder)
    assert str(caught.value).startswith(f"{weights}: cannot be read (")
    assert str(caught.value).endswith("Take another checkpoint.")


def test_an_adapter_of_another_rank_is_refused(
    saved: tuple[nn.Module, Path], tiny_llama_folder: Path
) -> None:
    other = adapted(tiny_llama_folder, LoraSection(rank=2))
    before = adapter_state(other)
    with pytest.raises(ModelError) as caught:
        load_adapter(other, saved[1])
    assert str(caught.value) == (
        f"{saved[1]}/adapter_model.safetensors: does not fit this model and recipe (28 tensors "
        "differ, first base_model.model.model.layers.0.mlp.down_proj.lora_A.weight). "
        "Use the recipe and base it was trained with."
    )
    torch.testing.assert_close(adapter_state(other), before, rtol=0, atol=0)


def test_a_folder_without_an_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        read_adapter_config(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no adapter (adapter_config.json and adapter_model.safetensors expected). "
        "Train one first."
    )


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("bias", [False, True])
def test_the_layer_is_its_formula_in_value_and_gradients(bias: bool, dropout: float) -> None:
    """With the same random state the formula drops the same inputs."""
    torch.manual_seed(5)
    base = nn.Linear(7, 5, bias=bias, dtype=torch.float64).requires_grad_(False)
    layer = LoraLinear(base, LoraSection(rank=3, alpha=6, dropout=dropout)).double().train()
    nn.init.normal_(layer.lora_B)
    x = torch.randn(2, 6, 7, dtype=torch.float64, requires_grad=True)
    inputs, weighing = (x, layer.lora_A, layer.lora_B), torch.randn(2, 6, 5, dtype=torch.float64)

    torch.manual_seed(9)
    y = layer(x)
    torch.manual_seed(9)
    low = F.linear(F.dropout(x, dropout), layer.lora_A)
    formula = F.linear(x, base.weight, base.bias) + 2.0 * F.linear(low, layer.lora_B)

    torch.testing.assert_close(y, formula, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad((y * weighing).sum(), inputs),
        torch.autograd.grad((formula * weighing).sum(), inputs),
        rtol=1e-12,
        atol=1e-12,
    )
    is_equal = torch.equal(layer.eval()(x), y)
    assert is_equal == (dropout == 0), "dropout acts in training, and only there"
