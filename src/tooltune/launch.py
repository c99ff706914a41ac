"""Starts a training in this process, or as one of torchrun's, and says how it ended.

Only the command line uses it. Importing it loads torch.
"""

from pathlib import Path

from tooltune import terminal
from tooltune.config import Recipe
from tooltune.diagnose.finding import Finding
from tooltune.model.load import choose_device
from tooltune.rundir import create_run
from tooltune.train.distributed import is_first, joined_processes
from tooltune.train.loop import train


def run_training(
    recipe: Recipe, out: Path, *, resume: bool, stop_on: frozenset[str]
) -> Finding | None:
    """What ended the run early, in every process; the first one prints it."""
    try:
        with joined_processes(choose_device(recipe.model.device)):
            found = train(
                recipe, create_run(out), resume=resume, console=terminal.console, stop_on=stop_on
            )
            if found is not None and is_first():
                terminal.print_stop(found)
    except KeyboardInterrupt:
        terminal.log.print(f"Interrupted. Continue with --resume --out {out}")
        raise
    return found
