"""A dataset's real token lengths and real prefix sharing, through the renderer and the packing."""

from dataclasses import replace
from pathlib import Path

from tooltune.chat.render import Renderer
from tooltune.config import Recipe
from tooltune.data.examples import Examples, read_examples
from tooltune.errors import ConfigError
from tooltune.model.base import SMOLLM2, cache_folder
from tooltune.plan.workload import Workload, workload_from_examples


def measure_workload(recipe: Recipe, *, shares_prefixes: bool) -> Workload:
    """Raises ConfigError where no tokenizer is at hand, DataError where nothing is left."""
    path = recipe.data.train
    assert path is not None
    examples = read_examples(
        path,
        Renderer.from_folder(tokenizer_folder(recipe.model.name)),
        max_sequence_tokens=recipe.data.max_sequence_tokens,
        closing_answers_fraction=recipe.data.closing_answers_fraction,
    )
    workload = planned_workload(recipe, examples, shares_prefixes=shares_prefixes)
    return replace(workload, too_long=examples.left_out["too long"])


def planned_workload(recipe: Recipe, examples: Examples, *, shares_prefixes: bool) -> Workload:
    """What the recipe's steps compute of examples that are read already."""
    return workload_from_examples(
        examples.sequences,
        examples.groups,
        examples_per_step=recipe.train.examples_per_step,
        micro_batch_tokens=recipe.train.micro_batch_tokens,
        shares_prefixes=shares_prefixes,
        seed=recipe.train.seed,
    )


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
