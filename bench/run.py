"""The same training steps by tooltune and by TRL, in turn: speed, peak memory, loss.

`make bench` runs it as `python -m bench.run`; docs/bench.md says what is measured and how.
Each side is a process of its own (ours.py, peer.py), so its peak memory is its own.
"""

import argparse
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.outcome import Result, summarise, table
from bench.side import ENVIRONMENT, ROOT, Side, SideError, SlowSideError
from bench.workloads import RECIPE, TRIAL, WORKLOADS, Workload
from tooltune.errors import ConfigError, TooltuneError
from tooltune.jsonl import write_json
from tooltune.model.base import ensure_smollm2

LEARNING_RATE = 2e-4
MICRO_BATCH_TOKENS = 4096
"""What holds an update of the workloads whole; the peer's batch is chosen by trial."""
OTHER_SETTINGS = {
    "recomputed": {"checkpointing": True},
    "recomputed_q8_0": {"checkpointing": True, "quantization": "q8_0"},
}
"""Of ours, beside the fastest: less memory, and the least."""
TABLE_COLUMNS = 130
NUMBER_FORMATS = ("fp32", "bf16", "bf16 autocast")
GPU_FORMATS = (*NUMBER_FORMATS, "fp16 autocast")
"""GPUs before compute capability 8.0 have units for float16 only."""
LARGER_BATCH = 4
WORTH_ITS_MEMORY = 0.95
"""The peer takes several examples at a time only where that saves more than 5 % of the time."""
PATIENCE, LEAST_PATIENCE_SECONDS = 3, 60
"""A trial is not waited for longer than this many times the fastest one's seconds: bfloat16 takes
minutes a step on processors without units for it. The first step has setting up in it."""


def main() -> int:
    options = parse_options()
    console = Console(stderr=True)
    try:
        require_what_it_needs(options)
        with tempfile.TemporaryDirectory() as folder:
            results = run(options, Path(folder), console)
    except TooltuneError as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    summary = summarise(results, options.device)
    if out := where_to_write(options):
        write_json(out, summary)
    if options.json:
        print(json.dumps(summary))
    else:
        # Written to a file it needs its columns all the same.
        width = None if sys.stdout.isatty() else TABLE_COLUMNS
        Console(width=width).print(table(results, options.device))
    differing = [sentence for result in results for sentence in result.differing_losses()]
    for sentence in differing:
        console.print(sentence, soft_wrap=True)
    return 1 if differing else 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--workload", choices=[*WORKLOADS], help="only this one")
    parser.add_argument("--steps", type=int, default=2, help="measured steps of each (default 2)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--peer-format",
        choices=GPU_FORMATS,
        help="no trials: the peer takes this, one at a time",
    )
    parser.add_argument(
        "--checkpointing", action="store_true", help="both sides recompute activations"
    )
    parser.add_argument(
        "--micro-batch-tokens",
        type=int,
        default=MICRO_BATCH_TOKENS,
        help=f"distinct tokens we compute at once (default {MICRO_BATCH_TOKENS})",
    )
    parser.add_argument("--ours-only", action="store_true", help="no peer")
    parser.add_argument(
        "--unsloth",
        metavar="PYTHON",
        help="a second peer: the interpreter of an environment that has Unsloth (docs/bench.md)",
    )
    parser.add_argument("--model", type=Path, help="a local folder instead of the fixed model")
    parser.add_argument("--out", type=Path, help="where the results go")
    parser.add_argument("--json", action="store_true", help="results on standard output as JSON")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error("--steps: at least one is measured")
    return options


def require_what_it_needs(options: argparse.Namespace) -> None:
    """Raises ConfigError for a missing GPU or peer."""
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise ConfigError("bench: no CUDA GPU here (got --device cuda). Leave the option out.")
    if options.unsloth and not Path(options.unsloth).is_file():
        raise ConfigError(
            f"--unsloth: no such file (got {options.unsloth}, expected the python of an "
            "environment that has Unsloth). Leave the option out, or make one (docs/bench.md)."
        )
    if not options.ours_only and importlib.util.find_spec("trl") is None:
        raise ConfigError(
            f"bench: trl is not installed beside {sys.executable}. Run `make bench`, or add "
            "--ours-only."
        )


def run(options: argparse.Namespace, folder: Path, console: Console) -> list[Result]:
    """Every workload asked for. Temporary files go to `folder`."""
    settings = {
        "model": str(model_folder(options, folder)),
        "device": options.device,
        "adapter": str(folder / "adapter"),
        "checkpointing": options.checkpointing,
        "quantization": None,
        "unsloth": options.unsloth,
        "examples_at_a_time": 1,
        "learning_rate": LEARNING_RATE,
        "micro_batch_tokens": options.micro_batch_tokens,
        "steps": options.steps,
    }
    if options.peer_format:
        settings |= {"number_format": options.peer_format}
    elif not options.ours_only:
        settings |= choose_peer_settings(settings, console)
    names = [options.workload] if options.workload else WORKLOADS
    results = []
    for name in names:
        results.append(measure_what_fits(WORKLOADS[name], settings, not options.ours_only, console))
    if options.device == "cuda" and not options.workload:
        memory = settings | {"checkpointing": True, "examples_at_a_time": 4, "steps": 1}
        memory["micro_batch_tokens"] = 4 * 2048
        try:
            results.append(measure(RECIPE, memory, not options.ours_only, console))
        except SideError as error:  # too large for the card: the others' results stay
            console.print(f"{RECIPE.name}: {error}", markup=False, soft_wrap=True)
    return results


def model_folder(options: argparse.Namespace, folder: Path) -> Path:
    if options.model:
        return options.model.resolve()
    if options.device == "cpu":
        return ensure_smollm2()
    random_weights = folder / "model"
    subprocess.run(
        [sys.executable, "-m", "bench.qwen3_shape", random_weights], cwd=ROOT, check=True
    )
    return random_weights


def choose_peer_settings(settings: dict[str, Any], console: Console) -> dict[str, Any]:
    """The peer's fastest number format, then its fastest batch, each by one short step. Raises
    SideError where none is to be had."""

    def seconds(number_format: str, at_a_time: int, fastest: float) -> float:
        tried = {"number_format": number_format, "examples_at_a_time": at_a_time}
        tried |= {"adapter": None, "steps": 1, "workload": asdict(TRIAL)}
        name = f"trial of the peer: {number_format}, {at_a_time} at a time"
        patience = max(PATIENCE * fastest, LEAST_PATIENCE_SECONDS) if fastest < math.inf else None
        try:
            with Side("bench.peer", settings | tried) as peer:
                for _ in ("warm-up", "measured"):
                    taken = peer.step(at_most_seconds=patience)["seconds"]
        except SlowSideError:
            console.print(f"{name}: not waited for after {patience:.0f} s")
            return math.inf
        except SideError as error:  # more than this machine's memory, or not a format of it
            console.print(f"{name}: {error}", markup=False, soft_wrap=True)
            return math.inf
        console.print(f"{name}: {taken:.2f} s")
        return taken

    by_format: dict[str, float] = {}
    for name in GPU_FORMATS if settings["device"] == "cuda" else NUMBER_FORMATS:
        by_format[name] = seconds(name, 1, min(by_format.values(), default=math.inf))
    chosen = min(by_format, key=by_format.__getitem__)
    fastest = by_format[chosen]
    if fastest == math.inf:
        raise SideError("bench.peer: ended in every number format. Its last words stand above.")
    is_faster = seconds(chosen, LARGER_BATCH, fastest) < WORTH_ITS_MEMORY * fastest
    at_a_time = LARGER_BATCH if is_faster else 1
    return {"number_format": chosen, "examples_at_a_time": at_a_time}


def measure_what_fits(
    workload: Workload, settings: dict[str, Any], with_peer: bool, console: Console
) -> Result:
    """Several examples at a time may be more than this machine's memory holds: then one."""
    try:
        return measure(workload, settings, with_peer, console)
    except SideError:
        at_a_time = settings["examples_at_a_time"]
        if at_a_time == 1:
            raise
        console.print(
            f"{workload.name}: a side died beside a peer with {at_a_time} at a time, again with 1"
        )
        return measure(workload, settings | {"examples_at_a_time": 1}, with_peer, console)


def measure(
    workload: Workload, settings: dict[str, Any], with_peer: bool, console: Console
) -> Result:
    """A warm-up step and the measured ones: ours, ours in its other settings, and the peer's. Who
    goes first changes from step to step, so that all meet the same machine."""
    settings = settings | {"workload": asdict(workload)}
    with ExitStack() as stack:

        def start(module: str, **changed: Any) -> Side:
            return stack.enter_context(Side(module, settings | changed))

        ours = start("bench.ours")
        others = {} if settings["checkpointing"] else OTHER_SETTINGS
        others = {name: start("bench.ours", **changed) for name, changed in others.items()}
        peer = start("bench.peer") if with_peer else None
        second = None
        if settings["unsloth"]:
            second = stack.enter_context(start_unsloth(settings))
        result = Result(workload, ours.ready, peer_ready=peer and peer.ready)
        turns = [("ours", ours, result.ours)]
        for name, side in others.items():
            other = replace(result, ready=side.ready, ours=[], others=[], setting=name)
            result.others.append(other)
            turns.append((name, side, other.ours))
        if peer:
            turns.append(("peer", peer, result.peer))
        if second:
            result.unsloth = replace(
                result, others=[], peer_ready=second.ready, peer=[], setting="beside unsloth"
            )
            turns.append(("unsloth", second, result.unsloth.peer))
        for step in range(settings["steps"] + 1):
            first = step % len(turns)
            for _, side, records in turns[first:] + turns[:first]:
                records.append(side.step())
            said = ", ".join(
                f"{name} {records[-1]['seconds']:.2f} s, loss {records[-1]['loss']:.5f}"
                for name, _, records in turns
            )
            turn = f"step {step}" if step else "warm-up"
            console.print(f"{workload.name}, {turn}: {said}", soft_wrap=True)
    return result


def start_unsloth(settings: dict[str, Any]) -> Side:
    """In its own environment, where tooltune is not installed; what it compiles is thrown away."""
    environment = ENVIRONMENT | {
        "PYTHONPATH": str(ROOT / "src"),
        "UNSLOTH_COMPILE_LOCATION": str(Path(settings["adapter"]).with_name("unsloth")),
        "UNSLOTH_DISABLE_STATISTICS": "1",
    }
    return Side(
        "bench.unsloth_peer",
        settings | {"number_format": "bf16"},  # its only one
        python=settings["unsloth"],
        environment=environment,
    )


def where_to_write(options: argparse.Namespace) -> Path | None:
    """A narrowed run leaves the last whole one alone, unless told where to go."""
    if options.out:
        return options.out
    if options.workload or options.ours_only or options.model:
        return None
    name = "latest.json" if options.device == "cpu" else "latest-cuda.json"
    return ROOT / "bench" / "results" / name


if __name__ == "__main__":
    sys.exit(main())
