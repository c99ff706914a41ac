"""Loss curves of a recipe's first updates with shared prefixes and without, step by step.

python -m tests.data.same_learning RECIPE.TOML [--steps 50] [--learning-rate 2e-4]

Float32, no dropout, the recipe's own weights, data and order. Both runs go side by side; each step
is printed as it comes, the largest relative difference at the end. Without sharing every example is
computed by itself, so it takes minutes where the recipe takes seconds.

Rounding differs between the two, and training multiplies it: the higher the learning rate, the
sooner curves part that a real-valued computation would keep together.
"""

import argparse
import time
from collections.abc import Iterator
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


def losses(
    recipe: Recipe, examples: Examples, learning_rate: float, sharing: Sharing
) -> Iterator[tuple[float, float]]:
    """Loss and seconds of one update after another, at a constant learning rate."""
    section = recipe.model.model_copy(update={"dtype": "float32"})
    model = load_base(section, longest_tokens=examples.longest_tokens).model
    torch.manual_seed(recipe.train.seed)
    attach_lora(model, recipe.lora.model_copy(update={"dropout": 0.0}))
    parameters = trainable_parameters(model)
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate)
    epoch = 0
    while True:
        epoch += 1
        for indices in plan_epoch(
            examples.groups,
            examples_per_step=recipe.train.examples_per_step,
            seed=recipe.train.seed,
            epoch=epoch,
        ):
            begin = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            loss, _ = accumulate_gradients(
                model.train(),
                [sequence for index in indices for sequence in examples.sequences[index]],
                micro_batch_tokens=recipe.train.micro_batch_tokens,
                sharing=sharing,
            )
            nn.utils.clip_grad_norm_(parameters, recipe.train.max_grad_norm)
            optimizer.step()
            yield loss, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--max-sequence-tokens", type=int, default=400)
    parser.add_argument("--learning-rate", type=float, help="[the recipe's]")
    asked = parser.parse_args()
    recipe = load_recipe(asked.recipe)
    assert recipe.data.train is not None
    examples = read_examples(
        recipe.data.train,
        Renderer.from_folder(resolve_folder(recipe.model)),
        max_sequence_tokens=asked.max_sequence_tokens,
        closing_answers_fraction=recipe.data.closing_answers_fraction,
    )
    rate = asked.learning_rate or recipe.train.learning_rate
    print(f"{len(examples.conversations)} examples of up to {examples.longest_tokens} tokens")
    shared, separate = (losses(recipe, examples, rate, way) for way in ("update", "none"))
    worst, spent = 0.0, [0.0, 0.0]
    for step in range(1, asked.steps + 1):
        (ours, our_seconds), (theirs, their_seconds) = next(shared), next(separate)
        spent = [spent[0] + our_seconds, spent[1] + their_seconds]
        worst = max(worst, abs(ours - theirs) / theirs)
        print(f"step {step}: {ours:.6f} shared, {theirs:.6f} separate", flush=True)
    print(f"largest relative difference {worst:.1e}; {spent[0]:.0f} s shared, {spent[1]:.0f} s not")


if __name__ == "__main__":
    main()
