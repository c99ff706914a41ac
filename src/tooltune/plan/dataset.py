"""A dataset's real token lengths and real prefix sharing, through the renderer and the packing."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tooltune.chat.render import Renderer
from tooltune.config import Recipe
from tooltune.data.readers import read_conversations
from tooltune.errors import ConfigError, DataError
from tooltune.messages import Conversation
from tooltune.model.base import SMOLLM2, cache_folder
from tooltune.packing.tree import TokenSequence
from tooltune.plan.workload import Workload, workload_from_examples


def measure_workload(recipe: Recipe, *, shares_prefixes: bool) -> Workload:
    """Raises ConfigError where no tokenizer is at hand, DataError where nothing is left."""
    path = recipe.data.train
    assert path is not None
    renderer = Renderer.from_folder(tokenizer_folder(recipe.model.name))
    conversations = read_conversations(path).conversations
    limit = recipe.data.max_sequence_tokens
    examples, kept = [], []
    for conversation in conversations:
        sequences = _sequences(renderer, conversation)
        if max(len(sequence.tokens) for sequence in sequences) <= limit:
            examples.append(sequences)
            kept.append(conversation)
    if not examples:
        raise DataError(
            f"{path}: no conversation is left to train on (got {len(conversations)}, all over the "
            f"limit data.max_sequence_tokens = {limit}). Raise the limit."
        )
    workload = workload_from_examples(
        examples,
        catalog_groups(kept),
        examples_per_step=recipe.train.examples_per_step,
        micro_batch_tokens=recipe.train.micro_batch_tokens,
        shares_prefixes=shares_prefixes,
        seed=recipe.train.seed,
    )
    return replace(workload, too_long=len(conversations) - len(examples))


def tokenizer_folder(model: str) -> Path:
    """Of a local model, or of the demo's model once it was fetched."""
    folder = Path(model).expanduser()
    if model == SMOLLM2:
        folder = cache_folder() / "smollm2-135m-instruct"
    if not (folder / "tokenizer.json").is_file():
        raise ConfigError(
            f"model.name: no tokenizer for {model!r} on this machine, so lengths cannot be "
            "measured (looked for tokenizer.json). Name a local model folder or give --mean-tokens."
        )
    return folder


def catalog_groups(conversations: list[Conversation]) -> list[int]:
    """One number for each distinct catalog with its system text: what examples can share."""
    numbers: dict[tuple[object, ...], int] = {}
    groups = []
    for conversation in conversations:
        first = conversation.messages[0] if conversation.messages else None
        system = first.content if first is not None and first.role == "system" else ""
        key = (system, *((tool.name, str(tool.input_schema)) for tool in conversation.tools))
        groups.append(numbers.setdefault(key, len(numbers)))
    return groups


def _sequences(renderer: Renderer, conversation: Conversation) -> list[TokenSequence]:
    return [
        TokenSequence(
            np.asarray(sequence.tokens, dtype=np.int32),
            np.asarray(sequence.loss_mask, dtype=np.uint8),
        )
        for sequence in renderer.sequences(conversation)
    ]
