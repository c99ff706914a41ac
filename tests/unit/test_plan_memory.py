"""The closed form of peak memory against published runs and fake-tensor figures.

Time on GPUs is not tested: there is none here, and the rates are data with sources.
"""

import re

import pytest

from tooltune.config import LINEAR_LAYERS
from tooltune.plan.memory import (
    GIB,
    METHODS,
    TRAINERS,
    Job,
    Trainer,
    estimate_memory,
    largest_micro_batch_tokens,
    layer_bytes_per_token,
)
from tooltune.plan.table import explain_terms
from tooltune.plan.tables import load_tables

ATTENTION_ONLY = ("q_proj", "k_proj", "v_proj", "o_proj")


def recipe_job(**changes):
    values = {
        "shape": load_tables().shape("Qwen/Qwen3-1.7B"),
        "trainer": TRAINERS["trl"],
        "dtype": "bfloat16",
        "rank": 16,
        "target_modules": LINEAR_LAYERS,
        "micro_batch_tokens": 8192,
        "sequence_tokens": 2048,
        "checkpointing": True,
    }
    return Job(**{**values, **changes})


@pytest.mark.parametrize(
    ("targets", "method", "expected"),
    [
        (LINEAR_LAYERS, "lora", 115_080),
        (ATTENTION_ONLY, "lora", 94_504),
        (("q_proj", "v_proj"), "lora", 86_248),
        (LINEAR_LAYERS, "full", 112_808),
    ],
)
def test_saved_bytes_per_token_equal_the_fake_tensor_run(targets, method, expected):
    """Keys and values not repeated, as flash attention takes them."""
    trainer = Trainer("flash", "compute", "tiles", expands_kv=False)
    assert layer_bytes_per_token(recipe_job(trainer=trainer, target_modules=targets), method) == (
        expected
    )


@pytest.mark.parametrize(
    ("trainer", "checkpointing", "tokens", "expected_gib"),
    [
        ("trl", True, 8192, 5.59),
        ("trl", True, 512, 3.55),
        ("trl", False, 8192, 28.45),
        ("transformers", True, 8192, 18.25),
        ("transformers", True, 2048, 7.11),
        ("transformers", False, 8192, 41.9),
    ],
)
def test_the_recipes_run_is_predicted_as_the_fake_tensor_run_was(
    trainer, checkpointing, tokens, expected_gib
):
    job = recipe_job(
        trainer=TRAINERS[trainer], checkpointing=checkpointing, micro_batch_tokens=tokens
    )
    assert estimate_memory(job, "lora").allocated / GIB == pytest.approx(expected_gib, rel=0.05)


def test_static_memory_of_the_three_methods_is_exact():
    full, lora, qlora = (estimate_memory(recipe_job(), method) for method in METHODS)
    assert full.weights + full.gradients + full.optimizer == 16 * 1_720_574_976
    assert lora.weights == 2 * 1_720_574_976
    assert lora.adapter + lora.gradients + lora.optimizer == (4 + 2 + 4 + 8) * 17_432_576
    assert qlora.weights < 0.42 * lora.weights
    eight = estimate_memory(recipe_job(quantization="q8_0"), "qlora")
    rest = 151_936 * 2048 + 28 * (2 * 2048 + 2 * 128) + 2048  # embedding, norms
    assert eight.weights == 2 * rest + (1 + 2 / 32) * (1_720_574_976 - rest)


def test_terms_of_different_phases_do_not_add_up():
    memory = estimate_memory(recipe_job(trainer=TRAINERS["transformers"]), "lora")
    static = memory.weights + memory.adapter + memory.gradients + memory.optimizer
    assert memory.peak_phase == "loss"
    assert memory.allocated == pytest.approx(
        static + memory.activations + memory.logits + memory.workspace
    )


def test_dropout_costs_an_own_copy_and_a_mask_of_each_adapters_input():
    exact = layer_bytes_per_token(recipe_job(trainer=TRAINERS["tooltune"]), "lora")
    dropped = layer_bytes_per_token(recipe_job(trainer=TRAINERS["tooltune"], dropout=0.05), "lora")
    inputs = 3 * 2048 + 2048 + 2 * 2048 + 6144  # q, k, v; o; gate, up; down
    # Where nothing is dropped, norms and what down reads are made again, and 1 / std with a norm.
    assert dropped - exact == 3 * inputs + 2 * 4


@pytest.mark.parametrize(
    ("model", "dtype", "expected"),
    [
        ("Qwen/Qwen3-1.7B", "bfloat16", 51_584),
        ("Qwen/Qwen3-1.7B", "float32", 103_008),
        ("HuggingFaceTB/SmolLM2-135M", "float32", 23_524),
        ("meta-llama/Llama-3.2-1B", "bfloat16", 51_552),
        ("Qwen/Qwen2.5-1.5B", "float32", 98_800),
    ],
)
def test_our_own_layers_save_what_the_dry_run_counts(model, dtype, expected):
    """Slope of the fake-tensor peak over tokens and layers, without checkpointing."""
    job = recipe_job(shape=load_tables().shape(model), trainer=TRAINERS["tooltune"], dtype=dtype)
    assert layer_bytes_per_token(job, "lora") == expected


def test_the_largest_micro_batch_is_the_last_that_fits():
    available = 14_912 * 2**20
    job = recipe_job(trainer=TRAINERS["transformers"])
    tokens = largest_micro_batch_tokens(job, "lora", available)
    fits = [
        estimate_memory(recipe_job(trainer=job.trainer, micro_batch_tokens=n), "lora").total
        <= available
        for n in (tokens, tokens + 1)
    ]
    assert fits == [True, False]


def test_nothing_fits_where_the_weights_do_not():
    assert largest_micro_batch_tokens(recipe_job(), "full", 2**30) == 0


@pytest.mark.parametrize("trainer", ["tooltune", "trl", "transformers"])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_explained_formulas_give_the_planned_bytes(trainer, checkpointing, dtype):
    job = recipe_job(trainer=TRAINERS[trainer], checkpointing=checkpointing, dtype=dtype)
    shape, planned, counted = job.shape, estimate_memory(job, "lora"), job.parameters()
    names = {
        **{"L": shape.layers, "h": shape.hidden, "i": shape.intermediate, "V": shape.vocab},
        **{"N": job.micro_batch_tokens, "A": layer_bytes_per_token(job, "lora"), "MiB": 2**20},
        "c": 4 if dtype == "float32" else 2,
        **{"P": counted.total, "P_linear": counted.linear},
        "P_other": counted.embedding + counted.other,
        "min": min,
    }
    formulas = dict(explain_terms(job))
    for term in ("weights", "activations", "recomputed", "logits", "workspace"):
        formula = formulas[term].partition(";")[0].partition(" (LoRA),")[0]
        formula = re.sub(r" \((?=[a-z0-9]+ [a-z]).*", "", formula).replace(" x ", " ")
        product = re.sub(r"(?<=[\w)]) (?=\w)", "*", formula)
        assert eval(product, names) == pytest.approx(getattr(planned, term), rel=1e-3), formula
