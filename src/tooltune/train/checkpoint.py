"""Everything a run needs to continue exactly, and the adapter it hands on.

A checkpoint is written beside its place and renamed, so it is whole or absent. The position in the
data is the step alone: the order of an epoch is a pure function of the recipe, and dropout one of
recipe, step and process. So a run may go on with another number of processes.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tooltune.config import Recipe
from tooltune.errors import ModelError, TooltuneError
from tooltune.jsonl import read_json, unwritable, write_json
from tooltune.model.lora import load_adapter, lora_layers, save_adapter
from tooltune.rundir import RunDir, moved_aside

OPTIMIZER = "optimizer.safetensors"
STATE = "state.json"
KEEP = 2


@dataclass(frozen=True, slots=True)
class Best:
    """The validation that chose RUN/adapter: more right calls first, then less loss."""

    step: int
    validation_loss: float
    validation_accuracy: float | None

    def is_better_than(self, other: "Best | None") -> bool:
        return other is None or self._rank() > other._rank()

    def _rank(self) -> tuple[float, float]:
        return self.validation_accuracy or 0.0, -self.validation_loss


@dataclass(slots=True)
class Progress:
    """What changes while training."""

    model: nn.Module
    optimizer: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    """Of float16 gradients; disabled in other dtypes."""
    step: int = 0
    """Updates done."""
    best: Best | None = None


def save_checkpoint(run: RunDir, recipe: Recipe, progress: Progress) -> None:
    """Write RUN/checkpoints/step-* and forget all but the last KEEP."""
    model, optimizer, best = progress.model, progress.optimizer, progress.best
    with whole_folder(run.checkpoint(progress.step)) as folder:
        save_adapter(model, recipe.lora, folder, base=recipe.model.name)
        save_file(optimizer_state(model, optimizer), folder / OPTIMIZER)
        state = {
            "step": progress.step,
            "best": best and asdict(best),
            "loss_scale": progress.scaler.state_dict(),
        }
        write_json(folder / STATE, state)
    for _, old in run.list_checkpoints()[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(run: RunDir, progress: Progress) -> None:
    """Continue from the newest checkpoint.

    Raises ModelError where there is none, or where it is damaged, naming the one before it.
    """
    checkpoints = run.list_checkpoints()
    if not checkpoints:
        raise ModelError(f"{run.checkpoints}: no checkpoint to resume. Train without --resume.")
    step, folder = checkpoints[-1]
    try:
        load_adapter(progress.model, folder)
        tensors = load_file(folder / OPTIMIZER)
        state = read_json(folder / STATE)
        load_optimizer_state(progress.model, progress.optimizer, tensors)
        if state["loss_scale"]:  # empty after another number format than float16
            progress.scaler.load_state_dict(state["loss_scale"])
    except (TooltuneError, SafetensorError, OSError, KeyError, RuntimeError) as error:
        before = f" and {checkpoints[-2][1].name} is taken" if len(checkpoints) > 1 else ""
        raise ModelError(
            f"{folder}: damaged checkpoint ({error}). Delete the folder{before} with --resume."
        ) from None
    progress.step = step
    progress.best = Best(**state["best"]) if state["best"] else None


def optimizer_state(model: nn.Module, optimizer: torch.optim.AdamW) -> dict[str, Tensor]:
    """AdamW's moments and step counts under the names of their parameters."""
    return {
        f"{name}.{key}": value.detach().contiguous()
        for name, parameter in _named_parameters(model)
        for key, value in optimizer.state[parameter].items()
    }


def load_optimizer_state(
    model: nn.Module, optimizer: torch.optim.AdamW, tensors: dict[str, Tensor]
) -> None:
    """Each beside its parameter: the fused AdamW of a GPU wants its step count there, too."""
    for name, parameter in _named_parameters(model):
        keys = ("step", "exp_avg", "exp_avg_sq")
        optimizer.state[parameter] = {
            key: tensors[f"{name}.{key}"].to(parameter.device)
            for key in keys
            if f"{name}.{key}" in tensors
        }


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill; on success it takes the place of `target`, otherwise nothing is left."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        old = moved_aside(target)
        try:
            yield folder
            for path in folder.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            folder.chmod(0o755)
            # Moved aside, not removed: a kill in between must not leave half a folder in place.
            if target.exists():
                shutil.rmtree(old, ignore_errors=True)
                target.replace(old)
            folder.replace(target)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        cause = error if isinstance(error, OSError) else OSError(str(error))
        raise unwritable(target, cause) from error


def _named_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    for name, layer in lora_layers(model).items():
        yield f"{name}.lora_A", layer.lora_A
        yield f"{name}.lora_B", layer.lora_B
