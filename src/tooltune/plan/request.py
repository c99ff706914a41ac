"""Command-line words -> a planner's Request: recipe, model shape, workload, tables."""

import datetime
from pathlib import Path

from tooltune.config import Recipe, load_recipe, nearest
from tooltune.errors import ConfigError
from tooltune.plan.estimate import Request
from tooltune.plan.memory import TRAINERS, Trainer
from tooltune.plan.tables import THIS, Device, load_tables
from tooltune.plan.workload import Workload, workload_from_averages

RECIPE_EXAMPLES = 15_694
RECIPE_MEAN_TOKENS = 900
"""The published recipe's data: what is planned when nothing else is said."""


def make_request(
    recipe_path: Path | None = None,
    *,
    model: str | None = None,
    examples: str | None = None,
    mean_tokens: int | None = None,
    prefix_tokens: int = 0,
    trainer: str = "tooltune",
) -> Request:
    """`examples` is a number or a dataset file. Raises ConfigError for anything unknown."""
    recipe = load_recipe(recipe_path) if recipe_path else Recipe()
    if model is not None:
        section = recipe.model.model_copy(update={"name": model})
        recipe = recipe.model_copy(update={"model": section})
    if trainer not in TRAINERS:
        raise ConfigError(
            f"--trainer: unknown trainer (got {trainer!r}). {nearest(trainer, list(TRAINERS))}"
        )
    program = TRAINERS[trainer]
    loaded = load_tables()
    shape = loaded.shape(recipe.model.name)
    dataset = _dataset(recipe, examples, mean_tokens)
    workload = (
        _averages(recipe, program, examples, mean_tokens, prefix_tokens)
        if dataset is None
        else _measured(recipe, program, dataset)
    )
    return Request(
        recipe=recipe,
        shape=shape,
        workload=workload,
        trainer=program,
        tables=loaded,
        today=datetime.date.today(),
    )


def require_limits(*, budget_usd: float | None, deadline_hours: float | None) -> None:
    """Raises ConfigError for a limit that no run could keep."""
    for option, limit in (("--budget-usd", budget_usd), ("--deadline-hours", deadline_hours)):
        if limit is not None and not limit > 0:
            raise ConfigError(
                f"{option}: not a limit (got {limit:g}, expected above 0). "
                "Raise it or leave it out."
            )


def choose_device(request: Request, name: str | None) -> Device | None:
    """The named device; None leaves the choice to the plan. Raises ConfigError.

    `this` measures the machine at hand, which needs torch and some seconds.
    """
    if name == THIS:
        from tooltune.plan.measure import this_machine

        return this_machine(request)
    return None if name is None else request.tables.device(name)


def _dataset(recipe: Recipe, examples: str | None, mean_tokens: int | None) -> Path | None:
    """The file to measure, unless averages were given."""
    if examples is None:
        return recipe.data.train if mean_tokens is None else None
    if examples.replace("_", "").replace(",", "").isdigit():
        return None
    path = Path(examples).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"--examples: neither a number nor a file (got {examples!r}). "
            "Give the number of examples, or a dataset in JSON lines."
        )
    return path


def _averages(
    recipe: Recipe,
    trainer: Trainer,
    examples: str | None,
    mean_tokens: int | None,
    prefix_tokens: int,
) -> Workload:
    train = recipe.train
    limit = recipe.data.max_sequence_tokens
    mean = mean_tokens if mean_tokens is not None else RECIPE_MEAN_TOKENS
    if mean > limit:
        raise ConfigError(
            f"--mean-tokens: above the limit data.max_sequence_tokens (got {mean}, limit {limit}). "
            "Raise the limit in the recipe, or shorten the examples."
        )
    count = examples.replace("_", "").replace(",", "") if examples else str(RECIPE_EXAMPLES)
    return workload_from_averages(
        examples=int(count),
        mean_tokens=mean,
        prefix_tokens=prefix_tokens,
        examples_per_step=train.examples_per_step,
        micro_batch_tokens=train.micro_batch_tokens,
        shares_prefixes=trainer.shares_prefixes,
    )


def _measured(recipe: Recipe, trainer: Trainer, dataset: Path) -> Workload:
    """Render the dataset with the model's own tokenizer and pack it as training will."""
    from tooltune.plan.dataset import measure_workload

    section = recipe.data.model_copy(update={"train": dataset})
    return measure_workload(
        recipe.model_copy(update={"data": section}), shares_prefixes=trainer.shares_prefixes
    )
