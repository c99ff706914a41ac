"""`train(recipe, run)`: the whole run, read top to bottom.

The loop only ever talks through files: RUN/metrics.jsonl a row a step, RUN/checkpoints to resume
from, RUN/adapter with the best adapter so far. Of several processes the first writes them.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from tooltune.chat.render import Renderer
from tooltune.config import Recipe, dump_recipe
from tooltune.data.examples import Examples, read_examples
from tooltune.errors import ConfigError, ModelError
from tooltune.evaluate.run import turn_accuracy
from tooltune.jsonl import write_json, write_jsonl, write_text
from tooltune.model.generate import Decoder
from tooltune.model.load import (
    LoadedModel,
    choose_device,
    choose_dtype,
    load_base,
    resolve_folder,
)
from tooltune.model.lora import (
    adapter_disabled,
    attach_lora,
    lora_layers,
    save_adapter,
    trainable_parameters,
)
from tooltune.packing.pack import plan_epoch
from tooltune.rundir import RunDir
from tooltune.train.checkpoint import (
    Best,
    Progress,
    load_checkpoint,
    save_checkpoint,
    whole_folder,
)
from tooltune.train.distributed import (
    any_process,
    first_goes_first,
    from_first,
    is_first,
    process_count,
    require_shardable,
    shard_base,
    wait_for_all,
)
from tooltune.train.schedule import learning_rate
from tooltune.train.step import StepRecord, mean_loss, train_step


def train(recipe: Recipe, run: RunDir, *, resume: bool, console: Console) -> None:
    """Train an adapter and leave the best one in RUN/adapter.

    Several processes run it together inside `joined_processes`; the first writes and prints.
    Ctrl-C finishes the step, saves and raises KeyboardInterrupt; with `resume` the run goes on and
    gives the same numbers. Raises TooltuneError subclasses for what a user can repair.
    """
    _require_fresh_or_resumed(run, resume)
    require_shardable(recipe)
    with first_goes_first():
        folder = resolve_folder(recipe.model)
    renderer = Renderer.from_folder(folder)
    examples = _read(recipe.data.train, "train", renderer, recipe)
    held_out = _read(recipe.data.validation, "validation", renderer, recipe)
    loaded, progress = _prepare(recipe)
    if resume:
        load_checkpoint(run, progress)
        if is_first():
            write_jsonl(
                run.metrics, [row for row in run.read_metrics() if row["step"] <= progress.step]
            )
    else:
        _write_start(run, recipe, loaded, examples, held_out)
    steps = _plan(recipe, examples)
    decoder = Decoder(loaded)
    console = console if is_first() else Console(quiet=True)

    with _interrupts() as interrupted, _bar(console, len(steps), progress.step) as show:
        for epoch, indices in steps[progress.step :]:
            record = _update(recipe, run, progress, examples, epoch, indices, len(steps))
            is_last = progress.step == len(steps)
            row = asdict(record)
            if is_last or progress.step % recipe.train.validate_every_steps == 0:
                row |= _validate(recipe, run, progress, held_out, renderer, decoder)
            if is_first():
                run.append_metrics(row)
            show(row)
            must_stop = any_process(bool(interrupted))
            if is_last or must_stop or progress.step % recipe.train.checkpoint_every_steps == 0:
                if is_first():
                    save_checkpoint(run, recipe, progress)
                wait_for_all()
            if must_stop:
                raise KeyboardInterrupt


def _update(
    recipe: Recipe,
    run: RunDir,
    progress: Progress,
    examples: Examples,
    epoch: int,
    indices: list[int],
    total_steps: int,
) -> StepRecord:
    """One step; a loss that is not finite leaves a checkpoint of the last good state."""
    step = progress.step + 1
    try:
        record = train_step(
            progress.model,
            progress.optimizer,
            [sequence for index in indices for sequence in examples.sequences[index]],
            train=recipe.train,
            step=step,
            epoch=epoch,
            rate=learning_rate(recipe.train, step, total_steps),
        )
    except ModelError:
        if is_first():
            save_checkpoint(run, recipe, progress)
        raise
    progress.step = step
    return record


def _validate(
    recipe: Recipe,
    run: RunDir,
    progress: Progress,
    held_out: Examples,
    renderer: Renderer,
    decoder: Decoder,
) -> dict[str, Any]:
    """Measure, and put the adapter into RUN/adapter if it is the best so far."""
    progress.model.eval()
    sequences = [sequence for rendered in held_out.sequences for sequence in rendered]
    accuracy = from_first(
        lambda: turn_accuracy(
            held_out.conversations[: recipe.train.validation_calls],
            renderer=renderer,
            complete=decoder.complete,
        )
    )
    loss = mean_loss(progress.model, sequences, micro_batch_tokens=recipe.train.micro_batch_tokens)
    found = Best(progress.step, loss, accuracy)
    if found.is_better_than(progress.best):
        progress.best = found
        if is_first():
            with whole_folder(run.adapter) as folder:
                save_adapter(progress.model, recipe.lora, folder, base=recipe.model.name)
                renderer.save(folder)
    return {"validation_loss": loss, "validation_accuracy": accuracy}


def _prepare(recipe: Recipe) -> tuple[LoadedModel, Progress]:
    """Base with a fresh adapter, seeded, and its optimizer."""
    device = choose_device(recipe.model.device)
    # By measurement: two processes might choose differently.
    precision = from_first(lambda: choose_dtype(recipe.model.dtype, device))
    loaded = load_base(recipe.model, precision=precision, stays_on_cpu=recipe.train.shard_base)
    torch.manual_seed(recipe.train.seed)
    attach_lora(loaded.model, recipe.lora)
    if recipe.train.shard_base:
        shard_base(loaded.model, device)
    if recipe.train.activation_checkpointing:
        loaded.model.activation_checkpointing_enable(  # type: ignore[operator]
            activation_checkpointing_kwargs={"use_reentrant": False}
        )
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
    return loaded, Progress(loaded.model, optimizer)


def _plan(recipe: Recipe, examples: Examples) -> list[tuple[int, list[int]]]:
    """(epoch from 1, example indices) of every step of the run."""
    return [
        (epoch, indices)
        for epoch in range(1, recipe.train.epochs + 1)
        for indices in plan_epoch(
            examples.groups,
            examples_per_step=recipe.train.examples_per_step,
            seed=recipe.train.seed,
            epoch=epoch,
        )
    ]


def _read(path: Path | None, name: str, renderer: Renderer, recipe: Recipe) -> Examples:
    if path is None:
        raise ConfigError(
            f"recipe: data.{name} is missing. Name the file of conversations, for example "
            f'data.{name} = "data/{name}.jsonl" as `tooltune synth` writes it.'
        )
    return read_examples(
        path,
        renderer,
        max_sequence_tokens=recipe.data.max_sequence_tokens,
        closing_answers_fraction=recipe.data.closing_answers_fraction,
    )


def _require_fresh_or_resumed(run: RunDir, resume: bool) -> None:
    if run.metrics.exists() and not resume:
        raise ConfigError(
            f"{run.path}: holds a run already. Add --resume to continue it, or name another folder."
        )


def _write_start(
    run: RunDir, recipe: Recipe, loaded: LoadedModel, examples: Examples, held_out: Examples
) -> None:
    """recipe.toml and run.json; the base model's loss is the yardstick for every later one."""
    sequences = [sequence for rendered in held_out.sequences for sequence in rendered]
    with adapter_disabled(loaded.model):
        base_loss = mean_loss(
            loaded.model, sequences, micro_batch_tokens=recipe.train.micro_batch_tokens
        )
    if not is_first():
        return
    write_text(run.recipe, dump_recipe(recipe))
    packages = ("tooltune", "torch", "transformers", "mcp", "numpy")
    facts = {
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "dtype_reason": loaded.why,
        "device": str(loaded.device),
        "threads": torch.get_num_threads(),
        "processes": process_count(),
        "base_validation_loss": base_loss,
        "trained_parameters": sum(p.numel() for p in trainable_parameters(loaded.model)),
        "data": {
            name: {
                "conversations": len(part.conversations),
                "supervised_tokens": part.supervised_tokens,
                "left_out": part.left_out,
            }
            for name, part in (("train", examples), ("validation", held_out))
        },
        "versions": {package: version(package) for package in packages},
    }
    write_json(run.run, facts)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list that stays empty until Ctrl-C or a polite kill; the second one acts at once."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def _bar(console: Console, total: int, done: int) -> Iterator[Any]:
    """A progress bar, and the recipe's line above it for each logged step."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("train", total=total, completed=done, rate="")

        def show(row: dict[str, Any]) -> None:
            rate = f"{row['tokens_per_second']:.0f} tokens/s"
            bar.update(task, completed=row["step"], rate=rate)
            if row["step"] % 10 == 0 or "validation_loss" in row or row["step"] == total:
                bar.console.print(step_line(row, total))

        yield show


def step_line(row: dict[str, Any], total: int) -> str:
    """`Step 10/245: loss=2.847, learning_rate=2.0e-05`, and what validation found."""
    line = f"Step {row['step']}/{total}: loss={row['loss']:.3f}"
    line += f", learning_rate={row['learning_rate']:.1e}"
    if "validation_loss" in row:
        line += f", validation_loss={row['validation_loss']:.3f}"
        if row["validation_accuracy"] is not None:
            line += f", validation_accuracy={row['validation_accuracy']:.3f}"
    return line
