"""What a run trains: the frozen base with a fresh adapter, and the optimizer of the adapter."""

import torch

from tooltune.config import Recipe
from tooltune.model.layers import recompute_activations
from tooltune.model.load import LoadedModel, choose_device, choose_dtype, load_base
from tooltune.model.lora import attach_lora, lora_layers
from tooltune.train.checkpoint import Progress
from tooltune.train.distributed import from_first, shard_base


def prepare_training(
    recipe: Recipe, *, checkpointing: bool, longest_tokens: int
) -> tuple[LoadedModel, Progress]:
    """Base with a fresh adapter, seeded, its optimizer and loss scale; alike in every process.

    Raises ModelError and ConfigError where the base cannot be had as the recipe asks.
    """
    device = choose_device(recipe.model.device)
    # By measurement: two processes might choose differently.
    precision = from_first(lambda: choose_dtype(recipe.model.dtype, device))
    loaded = load_base(
        recipe.model,
        longest_tokens=longest_tokens,
        precision=precision,
        stays_on_cpu=recipe.train.shard_base,
    )
    torch.manual_seed(recipe.train.seed)
    attach_lora(loaded.model, recipe.lora)
    if recipe.train.shard_base:
        shard_base(loaded.model, device)
    if checkpointing:
        recompute_activations(loaded.model)
    layers = lora_layers(loaded.model).values()
    optimizer = torch.optim.AdamW(
        [
            {"params": [layer.lora_A for layer in layers], "rate_ratio": 1.0},
            {
                "params": [layer.lora_B for layer in layers],
                "rate_ratio": recipe.lora.b_learning_rate_ratio,
            },
        ],
        lr=recipe.train.learning_rate,
        weight_decay=recipe.train.weight_decay,
        fused=True,
    )
    scaler = torch.amp.GradScaler(loaded.device.type, enabled=loaded.dtype == torch.float16)
    return loaded, Progress(loaded.model, optimizer, scaler)
