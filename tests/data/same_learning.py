"""Loss curves of a recipe's first updates with shared prefixes and without, step by step.

python -m tests.data.same_learning RECIPE.TOML [--steps 50] [--max-sequence-tokens 400]

Float32, no dropout, the recipe's own weights, data and order. Prints both losses of each step and
the largest relative difference. Without sharing every example is computed by itself, so it takes
minutes where the recipe takes seconds.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import nn

from tooltune.chat.render import Renderer
from tooltune.config import Recipe, load_recipe
from tooltune.data.examples import Examples, read_examples
from tooltune.model.load import load_base, resolve_folder
from tooltune.model.lora import attach_lora, trainable_parameters
from tooltune.packing.pack import plan_epoch
from tooltune.train.gradients import Sharing, accumulate_gradients


def loss_curve(recipe: Recipe, examples: Examples, steps: int, sharing: Sharing) -> list[float]:
    """Losses of the first updates at the recipe's peak learning rate."""
    section = recipe.model.model_copy(update={"dtype": "float32"})
    model = load_base(section, longest_tokens=examples.longest_tokens).model
    torch.manual_seed(recipe.train.seed)
    attach_lora(model, recipe.lora.model_copy(update={"dropout": 0.0}))
    parameters = trainable_parameters(model)
    optimizer = torch.optim.AdamW(parameters, lr=recipe.train.learning_rate)
    losses: list[float] = []
    epoch = 0
    while len(losses) < steps:
        epoch += 1
        planned = plan_epoch(
            examples.groups,
            examples_per_step=recipe.train.examples_per_step,
            seed=recipe.train.seed,
            epoch=epoch,
        )
        for indices in planned[: steps - len(losses)]:
            optimizer.zero_grad(set_to_none=True)
            loss, _ = accumulate_gradients(
                model.train(),
                [sequence for index in indices for sequence in examples.sequences[index]],
                micro_batch_tokens=recipe.train.micro_batch_tokens,
                sharing=sharing,
            )
            nn.utils.clip_grad_norm_(parameters, recipe.train.max_grad_norm)
            optimizer.step()
            losses.append(loss)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--max-sequence-tokens", type=int, default=400)
    asked = parser.parse_args()
    recipe = load_recipe(asked.recipe)
    assert recipe.data.train is not None
    examples = read_examples(
        recipe.data.train,
        Renderer.from_folder(resolve_folder(recipe.model)),
        max_sequence_tokens=asked.max_sequence_tokens,
        closing_answers_fraction=recipe.data.closing_answers_fraction,
    )
    print(f"{len(examples.conversations)} examples of up to {examples.longest_tokens} tokens")
    curves = []
    for sharing in ("update", "none"):
        begin = time.perf_counter()
        curves.append(loss_curve(recipe, examples, asked.steps, sharing))
        print(f"{sharing}: {time.perf_counter() - begin:.0f} s")
    shared, separate = curves
    for step, (ours, theirs) in enumerate(zip(shared, separate, strict=True), start=1):
        print(f"step {step}: {ours:.6f} shared, {theirs:.6f} separate")
    worst = max(abs(a - b) / b for a, b in zip(shared, separate, strict=True))
    print(f"largest relative difference {worst:.1e}")


if __name__ == "__main__":
    main()
