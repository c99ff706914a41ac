"""`train(recipe, run)`: the whole run, read top to bottom.

The loop only ever talks through files: RUN/metrics.jsonl a row a step, RUN/checkpoints to resume
from, RUN/adapter with the best adapter so far. Of several processes the first writes them.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.console import Console

from tooltune.chat.render import Renderer
from tooltune.config import Recipe, dump_recipe, require_data
from tooltune.data.examples import Examples, read_examples
from tooltune.diagnose.finding import Finding
from tooltune.diagnose.live import find_reason_to_stop
from tooltune.errors import ConfigError, ModelError
from tooltune.evaluate.run import turn_accuracy
from tooltune.jsonl import write_json, write_jsonl, write_text
from tooltune.model.generate import Decoder
from tooltune.model.load import LoadedModel, resolve_folder
from tooltune.model.lora import (
    adapter_disabled,
    save_adapter,
    trainable_parameters,
)
from tooltune.packing.pack import plan_epoch
from tooltune.plan.this_machine import choose_checkpointing, finish_plan, start_plan
from tooltune.plan.training import CALIBRATION_STEPS, calibrate
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
    wait_for_all,
)
from tooltune.train.prepare import prepare_training
from tooltune.train.schedule import learning_rate
from tooltune.train.show import progress_bar
from tooltune.train.step import (
    StepRecord,
    held_out_losses,
    require_untouched_base,
    set_learning_rate,
    train_step,
)


def train(
    recipe: Recipe,
    run: RunDir,
    *,
    resume: bool,
    console: Console,
    stop_on: frozenset[str] = frozenset(),
) -> Finding | None:
    """Train an adapter and leave the best one in RUN/adapter; says why it ended early, if it did.

    Several processes run it together inside `joined_processes`; the first plans, diagnoses, writes
    and prints. The rules of `diagnose` look at the growing log; a finding in `stop_on` ends the
    run. Ctrl-C finishes the step, saves and raises KeyboardInterrupt; with `resume` the run goes on
    and gives the same numbers. Raises TooltuneError subclasses for what a user can repair.
    """
    require_data(recipe)
    _require_fresh_or_resumed(run, resume)
    require_shardable(recipe)
    console = console if is_first() else Console(quiet=True)
    with first_goes_first():
        folder = resolve_folder(recipe.model)
    renderer = Renderer.from_folder(folder)
    examples = _read(recipe.data.train, renderer, recipe)
    held_out = _read(recipe.data.validation, renderer, recipe)
    planned = from_first(lambda: start_plan(recipe, run, examples, folder=folder, console=console))
    checkpointing, why = choose_checkpointing(recipe, planned)
    with console.status(f"loading {recipe.model.name}"):
        loaded, progress = prepare_training(
            recipe,
            checkpointing=checkpointing,
            longest_tokens=max(examples.longest_tokens, held_out.longest_tokens),
        )
    if not loaded.shares_prefixes:
        console.print(f"No prefix is shared: {loaded.sharing_why}.")
    if loaded.slower_why:
        console.print(f"Slower than it could be: {loaded.slower_why}.")
    if resume:
        load_checkpoint(run, progress)
        _forget_later_rows(run, progress.step)
    else:
        facts = {"activation_checkpointing": checkpointing, "activation_checkpointing_reason": why}
        _write_start(run, recipe, loaded, examples, held_out, facts)
    steps = _plan(recipe, examples)
    decoder = Decoder(loaded)
    rows: list[dict[str, Any]] = []

    with _interrupts() as interrupted, progress_bar(console, len(steps), progress.step) as show:
        for epoch, indices in steps[progress.step :]:
            record = _update(recipe, run, progress, examples, epoch, indices, len(steps))
            is_last = progress.step == len(steps)
            row = asdict(record)
            if is_last or progress.step % recipe.train.validate_every_steps == 0:
                row |= _validate(recipe, run, progress, held_out, renderer, decoder)
            if is_first():
                run.append_metrics(row)
            show(row)
            rows.append(row)
            if planned and len(rows) == CALIBRATION_STEPS:
                console.print(str(calibrate(planned, rows)), highlight=False)
            finding = (
                from_first(lambda: find_reason_to_stop(run, stop_on, step=progress.step))
                if stop_on
                else None
            )
            must_stop = any_process(bool(interrupted))
            is_saved = progress.step % recipe.train.checkpoint_every_steps == 0
            if is_last or must_stop or finding or is_saved:
                _save(run, recipe, progress)
            if must_stop:
                raise KeyboardInterrupt
            if finding:
                return finding
    if is_first():
        finish_plan(run, progress.model, progress.optimizer)
    return None


def _save(run: RunDir, recipe: Recipe, progress: Progress) -> None:
    """A checkpoint by the first process, whole before any goes on."""
    if is_first():
        save_checkpoint(run, recipe, progress)
    wait_for_all()


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
    set_learning_rate(progress.optimizer, learning_rate(recipe.train, step, total_steps))
    try:
        record = train_step(
            progress.model,
            progress.optimizer,
            [sequence for index in indices for sequence in examples.sequences[index]],
            train=recipe.train,
            step=step,
            epoch=epoch,
            scaler=progress.scaler,
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
    started = time.perf_counter()
    progress.model.eval()
    accuracy = from_first(
        lambda: turn_accuracy(
            held_out.conversations[: recipe.train.validation_calls],
            renderer=renderer,
            complete=decoder.complete,
        )
    )
    loss, losses = held_out_losses(
        progress.model, held_out.sequences, micro_batch_tokens=recipe.train.micro_batch_tokens
    )
    found = Best(progress.step, loss, accuracy.overall)
    if found.is_better_than(progress.best):
        progress.best = found
        if is_first():
            with whole_folder(run.adapter) as folder:
                save_adapter(progress.model, recipe.lora, folder, base=recipe.model.name)
                renderer.save(folder)
    return {
        "validation_loss": loss,
        "validation_losses": [round(value, 5) for value in losses],
        **accuracy.to_row(),
        "validation_seconds": round(time.perf_counter() - started, 3),
    }


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


def _read(path: Path | None, renderer: Renderer, recipe: Recipe) -> Examples:
    assert path is not None, "require_data"
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


def _forget_later_rows(run: RunDir, step: int) -> None:
    """Steps after the checkpoint will be made again."""
    if is_first():
        write_jsonl(run.metrics, [row for row in run.read_metrics() if row["step"] <= step])


def _write_start(
    run: RunDir,
    recipe: Recipe,
    loaded: LoadedModel,
    examples: Examples,
    held_out: Examples,
    facts: dict[str, Any],
) -> None:
    """recipe.toml, and run.json with `facts` and what else was found; the base model's loss is the
    yardstick for every later one."""
    with adapter_disabled(loaded.model):
        base_loss, losses = held_out_losses(
            loaded.model, held_out.sequences, micro_batch_tokens=recipe.train.micro_batch_tokens
        )
    require_untouched_base(loaded.model, held_out.sequences[0], base_loss=losses[0])
    if not is_first():
        return
    write_text(run.recipe, dump_recipe(recipe))
    packages = ("tooltune", "torch", "transformers", "mcp", "numpy")
    facts = {
        **facts,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "dtype_reason": loaded.why,
        "device": str(loaded.device),
        "slower_reason": loaded.slower_why,
        "prefix_sharing": loaded.shares_prefixes,
        "prefix_sharing_reason": loaded.sharing_why,
        "threads": torch.get_num_threads(),
        "processes": process_count(),
        "base_validation_loss": base_loss,
        "total_steps": len(_plan(recipe, examples)),
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
