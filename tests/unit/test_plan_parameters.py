"""Parameter counts against the real classes of transformers on torch's meta device."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from tooltune.config import LINEAR_LAYERS
from tooltune.errors import ConfigError
from tooltune.plan.shape import count_parameters, read_shape
from tooltune.plan.tables import load_tables

DENSE = [row for row in load_tables().models if row.parameters is not None]
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 512,
}


def instantiate(config):
    fields = {key: value for key, value in config.items() if key != "model_type"}
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(
            AutoConfig.for_model(config["model_type"], **fields)
        )


@pytest.mark.parametrize("row", DENSE, ids=lambda row: row.name)
def test_counts_equal_the_instantiated_model(row):
    model = instantiate(row.config)
    counted = count_parameters(
        read_shape(row.config, where=row.name), rank=16, target_modules=LINEAR_LAYERS
    )
    linear = sum(
        module.weight.numel()
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name != "lm_head"
    )
    assert counted.total == sum(weight.numel() for weight in model.parameters()) == row.parameters
    assert counted.linear == linear
    assert counted.embedding == model.get_input_embeddings().weight.numel() * (
        1 if counted.embedding_tied else 2
    )


def test_the_table_holds_the_twelve_common_shapes():
    assert len(DENSE) >= 12


@pytest.mark.parametrize(
    ("name", "rank", "targets", "expected"),
    [
        ("Qwen/Qwen3-1.7B", 16, LINEAR_LAYERS, 17_432_576),
        ("Qwen/Qwen3-1.7B", 8, LINEAR_LAYERS, 8_716_288),
        ("Qwen/Qwen3-1.7B", 16, ("q_proj", "k_proj", "v_proj", "o_proj"), 6_422_528),
        ("Qwen/Qwen3-1.7B", 16, ("q_proj", "v_proj"), 3_211_264),
        ("Qwen/Qwen3-0.6B", 16, LINEAR_LAYERS, 10_092_544),
        ("Qwen/Qwen3-4B", 16, LINEAR_LAYERS, 33_030_144),
        ("Qwen/Qwen3-8B", 16, LINEAR_LAYERS, 43_646_976),
    ],
)
def test_lora_parameters_follow_rank_and_targets(name, rank, targets, expected):
    shape = load_tables().shape(name)
    assert count_parameters(shape, rank=rank, target_modules=targets).lora_trainable == expected


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # peft 0.21.2
@pytest.mark.parametrize("first_layer", [0, 20])
@pytest.mark.parametrize("name", ["Qwen/Qwen3-0.6B", "HuggingFaceTB/SmolLM2-135M"])
def test_lora_by_module_equals_peft(name, first_layer):
    row = next(row for row in DENSE if row.name == name)
    shape = read_shape(row.config, where=name)
    upper = list(range(first_layer, shape.layers))
    config = LoraConfig(r=4, target_modules=list(LINEAR_LAYERS), layers_to_transform=upper)
    model = get_peft_model(instantiate(row.config), config)
    counted = count_parameters(shape, rank=4, target_modules=LINEAR_LAYERS, first_layer=first_layer)
    for module, count in counted.lora_by_module.items():
        assert count == sum(
            weight.numel()
            for path, weight in model.named_parameters()
            if weight.requires_grad and f".{module}." in path
        )


def test_a_first_layer_above_the_last_is_refused():
    shape = load_tables().shape("smollm2-135m")
    with pytest.raises(ConfigError, match=r"lora.first_layer: .*got 30, this model's are 0 to 29"):
        count_parameters(shape, rank=1, target_modules=LINEAR_LAYERS, first_layer=30)


@pytest.mark.parametrize("biased", ["attention_bias", "mlp_bias"])
def test_optional_biases_of_a_config_are_counted(biased):
    config = {"model_type": "llama", **SIZES, biased: True}
    shape = read_shape(config, where="config.json")
    counted = count_parameters(shape, rank=1, target_modules=("q_proj",))
    assert counted.total == sum(weight.numel() for weight in instantiate(config).parameters())


def test_a_mixture_of_experts_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"Qwen/Qwen3-30B-A3B: a mixture of experts .*128"):
        load_tables().shape("Qwen/Qwen3-30B-A3B")


def test_an_unknown_model_gets_the_nearest_name():
    with pytest.raises(
        ConfigError, match=r"got 'Qwen/Qwen3-1.8B'.*Did you mean Qwen/Qwen3-1.7B or Qwen/"
    ):
        load_tables().shape("Qwen/Qwen3-1.8B")


@pytest.mark.parametrize("missing", sorted(SIZES))
def test_a_missing_config_field_is_named(missing):
    config = {"model_type": "llama"} | {k: v for k, v in SIZES.items() if k != missing}
    with pytest.raises(ConfigError, match=rf"config.json: {missing} is missing"):
        read_shape(config, where="config.json")


def test_an_unknown_family_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"got 'mamba', expected one of .*qwen3"):
        read_shape({"model_type": "mamba", **SIZES}, where="config.json")


def test_a_model_folder_stands_for_its_config(tmp_path):
    (tmp_path / "config.json").write_text(
        '{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "vocab_size": 512,'
        ' "num_hidden_layers": 2, "num_attention_heads": 4}'
    )
    assert load_tables().shape(str(tmp_path)).head_dim == 16
