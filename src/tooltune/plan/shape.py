"""A model's shape from its config.json, and every parameter count that follows from it.

Dense decoder models only: a mixture of experts is refused by name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tooltune.config import nearest
from tooltune.errors import ConfigError

# What a family fixes outside its config.json: a norm on queries and keys, a bias on q/k/v, norms
# per layer, the head size when it is not written down (else hidden / heads), and transformers'
# default for tied embeddings.
_FAMILIES: dict[str, dict[str, Any]] = {
    "gemma3_text": {"qk_norm": True, "norms": 4, "head_dim": 256, "tied": True},
    "llama": {},
    "mistral": {},
    "qwen2": {"qkv_bias": True},
    "qwen3": {"qk_norm": True, "head_dim": 128},
}

LEAN_FAMILIES = ("llama", "qwen2", "qwen3")
"""Whose layers are our own: SUPPORTED of model/load.py, which cannot be asked without torch."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes of a dense decoder; `qd` and `kd` are the widths of queries and of keys (or values)."""

    name: str
    family: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    qk_norm: bool
    qkv_bias: bool
    output_bias: bool
    mlp_bias: bool
    norms_per_layer: int
    dtype: str = "float32"
    """Of the weights as they are published."""

    @property
    def qd(self) -> int:
        return self.heads * self.head_dim

    @property
    def kd(self) -> int:
        return self.kv_heads * self.head_dim

    def linear_layers(self) -> dict[str, tuple[int, int]]:
        """Name -> (in, out) of the linear layers of one decoder layer."""
        return {
            "q_proj": (self.hidden, self.qd),
            "k_proj": (self.hidden, self.kd),
            "v_proj": (self.hidden, self.kd),
            "o_proj": (self.qd, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }


@dataclass(frozen=True, slots=True)
class Parameters:
    """Counts of weights; a matrix shared by input and output embedding counts once."""

    total: int
    embedding: int
    embedding_tied: bool
    linear: int
    """Weight matrices of all decoder layers: what a matrix multiplication touches per token."""
    other: int
    """Norms and biases."""
    lora_trainable: int
    lora_by_module: dict[str, int]


def read_shape(config: dict[str, Any], *, where: str) -> ModelShape:
    """From the content of a config.json. Raises ConfigError naming the missing or refused field."""
    family = str(config.get("model_type", "missing"))
    _require_dense(config, family, where)
    if family not in _FAMILIES:
        raise ConfigError(
            f"{where}: model_type is not known to the planner (got {family!r}, expected one of "
            f"{', '.join(_FAMILIES)}). {nearest(family, list(_FAMILIES))}"
        )
    fixed = _FAMILIES[family]
    heads = _size(config, "num_attention_heads", where)
    hidden = _size(config, "hidden_size", where)
    bias = bool(config.get("attention_bias", False))
    return ModelShape(
        name=where,
        family=family,
        layers=_size(config, "num_hidden_layers", where),
        hidden=hidden,
        intermediate=_size(config, "intermediate_size", where),
        heads=heads,
        kv_heads=_size(config, "num_key_value_heads", where, default=heads),
        head_dim=_size(config, "head_dim", where, default=fixed.get("head_dim", hidden // heads)),
        vocab=_size(config, "vocab_size", where),
        tied=bool(config.get("tie_word_embeddings", fixed.get("tied", False))),
        qk_norm=fixed.get("qk_norm", False),
        qkv_bias=fixed.get("qkv_bias", False) or bias,
        output_bias=bias,
        mlp_bias=bool(config.get("mlp_bias", False)),
        norms_per_layer=fixed.get("norms", 2),
        dtype=str(config.get("dtype") or config.get("torch_dtype") or "float32"),
    )


def count_parameters(
    shape: ModelShape, *, rank: int, target_modules: Sequence[str], first_layer: int = 0
) -> Parameters:
    """Exact counts, equal to instantiating the model and its adapter.

    An adapter on a layer in -> out has rank x (in + out) parameters.
    """
    if first_layer >= shape.layers:
        raise ConfigError(
            f"lora.first_layer: no layer is left to adapt (got {first_layer}, this model's are 0 "
            f"to {shape.layers - 1}). Take a lower one."
        )
    layers, adapted = shape.linear_layers(), shape.layers - first_layer
    by_module = {
        name: adapted * rank * sum(layers[name]) for name in layers if name in target_modules
    }
    if unknown := [name for name in target_modules if name not in layers]:
        raise ConfigError(
            f"lora.target_modules: no such linear layer (got {unknown[0]!r}). "
            f"{nearest(unknown[0], list(layers))}"
        )
    matrix = shape.vocab * shape.hidden
    embedding = matrix if shape.tied else 2 * matrix
    linear = shape.layers * sum(math.prod(sizes) for sizes in layers.values())
    other = shape.layers * _other_per_layer(shape) + shape.hidden
    return Parameters(
        total=embedding + linear + other,
        embedding=embedding,
        embedding_tied=shape.tied,
        linear=linear,
        other=other,
        lora_trainable=sum(by_module.values()),
        lora_by_module=by_module,
    )


def _other_per_layer(shape: ModelShape) -> int:
    count = shape.norms_per_layer * shape.hidden
    count += 2 * shape.head_dim if shape.qk_norm else 0
    count += shape.qd + 2 * shape.kd if shape.qkv_bias else 0
    count += shape.hidden if shape.output_bias else 0
    return count + (2 * shape.intermediate + shape.hidden if shape.mlp_bias else 0)


def _require_dense(config: dict[str, Any], family: str, where: str) -> None:
    experts = next(
        (config[key] for key in ("num_experts", "num_local_experts") if config.get(key)), None
    )
    if experts:
        raise ConfigError(
            f"{where}: a mixture of experts is not planned (got {experts} experts, model_type "
            f"{family!r}): what a token computes depends on its routing. Choose a dense model."
        )
    if "text_config" in config or "vision_config" in config:
        raise ConfigError(
            f"{where}: a model with a vision part is not planned (model_type {family!r}). "
            "Give a config.json of its language model."
        )


def _size(config: dict[str, Any], key: str, where: str, *, default: int | None = None) -> int:
    value = config.get(key)
    value = default if value is None else value
    if value is None:
        raise ConfigError(
            f"{where}: {key} is missing (got keys {', '.join(sorted(config)) or 'none'}). "
            "Add it, or name a model of the shipped table."
        )
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(
            f"{where}: {key} must be a whole number above 0 (got {value!r}). "
            "Repair it, or name a model of the shipped table."
        )
    return value
