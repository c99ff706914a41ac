"""Recipes: the published defaults, TOML in and out, `--set`, and what is refused in which words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tooltune.config import (
    LINEAR_LAYERS,
    Recipe,
    apply_settings,
    dump_recipe,
    load_recipe,
    parse_recipe,
)
from tooltune.errors import ConfigError


def test_the_defaults_are_the_published_recipe() -> None:
    recipe = Recipe()
    assert recipe.model.name == "Qwen/Qwen3-1.7B"
    assert (recipe.lora.rank, recipe.lora.alpha, recipe.lora.dropout) == (16, 32, 0.05)
    assert recipe.lora.target_modules == LINEAR_LAYERS
    train = recipe.train
    assert (train.learning_rate, train.examples_per_step, train.epochs) == (2e-4, 16, 3)
    assert (train.warmup_fraction, train.activation_checkpointing) == (0.1, True)
    assert recipe.data.max_sequence_tokens == 2048


def test_paths_count_from_the_recipes_folder(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('[data]\ntrain = "data/train.jsonl"\n')
    assert load_recipe(tmp_path / "recipe.toml").data.train == tmp_path / "data" / "train.jsonl"


def test_the_demos_recipe_is_valid() -> None:
    recipe = load_recipe(Path(__file__).parents[2] / "examples" / "demo.toml")
    assert recipe.model.name == "smollm2-135m"


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@given(
    name=names,
    rate=st.floats(1e-9, 1e3),
    epochs=st.integers(1, 99),
    targets=st.lists(names, min_size=1, max_size=3),
    checkpointing=st.sampled_from([True, False, "auto"]),
)
def test_a_dumped_recipe_reads_back_the_same(
    name: str, rate: float, epochs: int, targets: list[str], checkpointing: bool | str
) -> None:
    import tomllib

    recipe = parse_recipe(
        {
            "model": {"name": name},
            "lora": {"target_modules": targets},
            "train": {
                "learning_rate": rate,
                "epochs": epochs,
                "activation_checkpointing": checkpointing,
            },
        },
        where="test",
    )
    assert parse_recipe(tomllib.loads(dump_recipe(recipe)), where="test") == recipe


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"train": {"epoch": 3}},
            "r.toml: unknown key train.epoch. Did you mean train.epochs?",
        ),
        ({"trian": {}}, "r.toml: unknown key trian. Did you mean train?"),
        ({"zzz": 1}, "r.toml: unknown key zzz. Known: model, data, lora, train."),
        (
            {"train": 3},
            "r.toml: train must be a section (got 3). Write [train] and its keys.",
        ),
        (
            {"lora": {"rank": 0}},
            "r.toml: lora.rank: Input should be greater than or equal to 1 (got 0). "
            "Correct the value.",
        ),
        (
            {"model": {"dtype": "float8"}},
            "r.toml: model.dtype: Input should be 'auto', 'float32', 'bfloat16' or 'float16' "
            "(got 'float8'). Correct the value.",
        ),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_with_its_key(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        parse_recipe(values, where="r.toml")
    assert str(error.value) == message


def test_several_wrong_values_are_said_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        parse_recipe({"lora": {"rank": 0, "alpha": -1}}, where="r.toml")
    assert len(str(error.value).splitlines()) == 2


def test_settings_lay_over_a_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = ["train.epochs=1", "model.name=smollm2-135m", "data.train=x.jsonl", "lora.alpha = 8"]
    recipe = apply_settings(Recipe(), settings)
    assert recipe.train.epochs == 1
    assert recipe.model.name == "smollm2-135m"
    assert recipe.data.train == tmp_path / "x.jsonl"
    assert recipe.lora.alpha == 8
    assert recipe.train.learning_rate == Recipe().train.learning_rate


@pytest.mark.parametrize("setting", ["epochs=1", "train.epochs", "=", ""])
def test_a_setting_without_section_key_and_value_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=r"expected SECTION\.KEY=VALUE"):
        apply_settings(Recipe(), [setting])
