"""`tooltune plan` as a user runs it, with torch missing."""

import json
import os

import pytest

RECIPE_RUN = (
    *("plan", "--model", "Qwen/Qwen3-1.7B", "--examples", "15694"),
    *("--mean-tokens", "900", "--prefix-tokens", "500", "--device", "t4"),
)


@pytest.fixture
def without_torch(tmp_path):
    """An environment in which importing torch or transformers fails."""
    for name in ("torch", "transformers"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not installed')")
    return {"PYTHONPATH": str(tmp_path)}


def test_the_recipes_plan_is_answered_without_torch_in_under_a_second(tooltune, without_torch):
    """Processor time of the fastest of three runs, so that a busy machine does not decide."""
    seconds = []
    for _ in range(3):
        before = os.times()
        done = tooltune(*RECIPE_RUN, "--json", env=without_torch)
        after = os.times()
        seconds.append(after.children_user + after.children_system - sum(before[2:4]))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["parameters"]["total"] == 1_720_574_976
    assert answer["parameters"]["lora_trainable"] == 17_432_576
    assert (answer["steps_per_epoch"], answer["steps_total"]) == (981, 2943)
    assert answer["fits"] is True
    assert answer["basis"] in ("measured", "derived")
    assert answer["hours_range"][0] <= answer["hours"] <= answer["hours_range"][1]
    assert answer["usd"] == pytest.approx(answer["hours"] * answer["usd_per_hour"], abs=1e-3)
    for method in ("full", "lora", "qlora"):
        terms = answer["memory_gib"][method]
        assert {"total", "weights", "gradients", "optimizer", "activations", "logits"} <= set(terms)
    assert min(seconds) < 1


def test_the_tables_show_every_method_and_device(tooltune):
    text = tooltune(*RECIPE_RUN, "--explain").stdout
    for word in ("full fine-tuning", "QLoRA", "h200", "981 an epoch x 3 = 2,943", "8 P_l"):
        assert word in text


def test_without_a_word_the_published_recipe_is_planned(tooltune):
    answer = json.loads(tooltune("plan", "--json").stdout)
    assert answer["steps_total"] == 2943


def test_this_machine_is_timed_for_an_adapter_of_the_upper_layers(tooltune, tmp_path):
    """Three layers are timed: fewer than the recipe leaves without an adapter."""
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}
    config = {"model_type": "llama", "num_hidden_layers": 6, "vocab_size": 512} | shape
    (tmp_path / "config.json").write_text(json.dumps(config))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'[model]\nname = "{tmp_path}"\n[lora]\nfirst_layer = 4\n')
    averages = ("--examples", "100", "--mean-tokens", "200", "--prefix-tokens", "100")
    cache = {"TOOLTUNE_CACHE": str(tmp_path / "cache")}
    done = tooltune("plan", recipe, *averages, "--device", "this", "--json", env=cache)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["device"], answer["basis"]) == ("this", "measured")
    assert answer["hours"] > 0
    by_module = answer["parameters"]["lora_by_module"]
    assert by_module["q_proj"] == 2 * 16 * (64 + 64)  # two layers of rank 16


def test_an_unknown_model_is_a_message_and_exit_code_2(tooltune):
    done = tooltune("plan", "--model", "Qwen/Qwen3-1.8B", "--examples", "10")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --model: unknown model (got 'Qwen/Qwen3-1.8B'")
    assert "Traceback" not in done.stderr


def test_an_unknown_device_offers_the_nearest(tooltune):
    done = tooltune(*RECIPE_RUN[:-1], "rtx4080")
    assert done.returncode == 2
    assert "Did you mean rtx4090 or rtx3090?" in done.stderr


def test_an_unknown_device_offers_all_that_are_near(tooltune):
    done = tooltune(*RECIPE_RUN[:-1], "a100")
    assert "Did you mean a100-80 or a100-40?" in done.stderr


@pytest.mark.parametrize("option", ["--budget-usd", "--deadline-hours"])
@pytest.mark.parametrize("value", ["0", "-3", "nan"])
def test_a_limit_that_no_run_could_keep_is_refused(tooltune, option, value):
    done = tooltune("plan", f"{option}={value}")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {option}: not a limit (got {value}, expected above 0).")


def test_examples_must_be_a_number_or_a_file(tooltune):
    done = tooltune("plan", "--examples", "many")
    assert done.returncode == 2
    assert "neither a number nor a file (got 'many')" in done.stderr


def test_own_prices_come_from_the_file_that_the_environment_names(tooltune, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        '[[price]]\ndevice = "t4"\nprovider = "me"\noffer = "x"\nusd_per_hour = 0.01\n'
        'source = "bill"\n'
    )
    answer = json.loads(tooltune(*RECIPE_RUN, "--json", env={"TOOLTUNE_TABLES": str(own)}).stdout)
    assert answer["usd_per_hour"] == 0.01
