"""The command line: each command parses, calls one function and prints what it returned.

The only place where the pieces are wired together. Everything heavy is imported inside the
command that computes with it, so that `tooltune --help` answers at once.
"""

import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from tooltune import __version__, cli_data
from tooltune.cli_data import Json
from tooltune.errors import ConfigError, TooltuneError

app = typer.Typer(
    name="tooltune",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[
    Path,
    typer.Option(
        "--config", metavar="MCP.JSON", help="The tool servers, listed as for any other MCP host."
    ),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that `train` wrote.")]


def main() -> None:
    """A user's mistake ends with one message and its exit code, never with a traceback."""
    try:
        app()
    except TooltuneError as error:
        if os.environ.get("TOOLTUNE_DEBUG"):
            raise
        if not error.is_common or os.environ.get("LOCAL_RANK", "0") == "0":
            print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tooltune {__version__}")
        raise typer.Exit


@app.callback(epilog="Set TOOLTUNE_DEBUG=1 to see the traceback behind an error message.")
def tooltune(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Turn the MCP servers you already have into a small private model that calls their tools.

    Exit codes: 0 done, 1 a check found something, 2 wrong use or input.
    """


@app.command()
def synth(
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the three splits.")],
    config: Annotated[
        Path | None, typer.Option(metavar="MCP.JSON", help="Your tool servers.")
    ] = None,
    recipe: Annotated[
        Literal["mcp-agent"] | None,
        typer.Option(help="Instead of your servers: the recipe's whole dataset."),
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0, max=1, help="With --recipe: this fraction of its rows.")
    ] = 1.0,
    from_schemas: Annotated[
        bool, typer.Option("--from-schemas", help="Any servers: work from their schemas alone.")
    ] = False,
    allow_writes: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --from-schemas: a folder to write in.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    programs: Annotated[
        str, typer.Option(metavar="NAMES", help="What to teach: core, all, or names with commas.")
    ] = "core",
    teacher_url: Annotated[
        str | None, typer.Option(metavar="URL", help="With --recipe: a chat endpoint that rewords.")
    ] = None,
    teacher_model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model asked at --teacher-url.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write conversations by executing calls on the real servers.

    Writes train.jsonl, validation.jsonl and test.jsonl into DIR. An interrupted `--recipe` goes on.
    A teacher speaks OpenAI's chat protocol; its key is read from TOOLTUNE_TEACHER_KEY.

    Example: tooltune synth --config mcp.json --out data --seed 7
    """
    from tooltune import terminal
    from tooltune.synth.sources import Source, make

    source = Source(
        config, recipe, scale, from_schemas, allow_writes, programs, teacher_url, teacher_model
    )
    with terminal.progress() as show:
        made = make(source, out, seed=seed, progress=partial(show, "conversations"))
    if as_json:
        terminal.print_json(asdict(made))
    else:
        terminal.print_synthesis(made.rows, made.rejected, made.left_out)


app.add_typer(cli_data.app)


@app.command()
def plan(
    recipe: Annotated[
        Path | None, typer.Argument(metavar="[RECIPE.TOML]", help="Default: the published recipe.")
    ] = None,
    *,
    model: Annotated[
        str | None, typer.Option(help="Hugging Face id of the shipped table, or a local folder.")
    ] = None,
    examples: Annotated[
        str | None, typer.Option(help="Number of conversations, or a dataset to measure.")
    ] = None,
    mean_tokens: Annotated[int | None, typer.Option(min=1, help="Of a conversation.")] = None,
    prefix_tokens: Annotated[int, typer.Option(min=0, help="That all conversations share.")] = 0,
    device: Annotated[str | None, typer.Option(help="Of the shipped table, or `this`.")] = None,
    trainer: Annotated[str, typer.Option(help="Whose memory and speed to plan.")] = "tooltune",
    budget_usd: Annotated[float | None, typer.Option(help="Most a run may cost.")] = None,
    deadline_hours: Annotated[float | None, typer.Option(help="Most a run may take.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Memory from the real program on fake tensors.")
    ] = False,
    explain: Annotated[bool, typer.Option(help="Show the formula of each term.")] = False,
    as_json: Json = False,
) -> None:
    """Memory, steps, time and cost of a run before it starts.

    Example: tooltune plan --model Qwen/Qwen3-1.7B --examples 15694 --device t4
    """
    from tooltune.plan.estimate import plan
    from tooltune.plan.request import choose_device, make_request, require_limits
    from tooltune.plan.table import to_text

    limits = {"budget_usd": budget_usd, "deadline_hours": deadline_hours}
    require_limits(**limits)
    request = make_request(
        recipe,
        model=model,
        examples=examples,
        mean_tokens=mean_tokens,
        prefix_tokens=prefix_tokens,
        trainer=trainer,
    )
    made = plan(request, device=choose_device(request, device))
    if dry_run:
        from tooltune.plan.dry_run import refine_plan

        made = refine_plan(made)
    print(to_text(made, as_json=as_json, explain=explain, **limits))


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.TOML", help="Every knob that differs.")],
    *,
    out: Annotated[Path, typer.Option(metavar="RUN", help="Run folder to write.")],
    resume: Annotated[bool, typer.Option(help="Continue from the last checkpoint in RUN.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One knob of the recipe.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Hugging Face id or local folder in place of the recipe's.")
    ] = None,
    stop_on: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="End the run when `diagnose` finds this; repeatable."),
    ] = None,
) -> None:
    """Fine-tune an adapter with the recipe; Ctrl-C saves a checkpoint.

    Exit code 1 if a finding of --stop-on ended the run. Under torchrun the processes work as one:
    torchrun --nproc-per-node 2 -m tooltune train ...

    Example: tooltune train recipe.toml --out runs/mine --set train.epochs=1
    """
    from tooltune.config import apply_settings, load_recipe, require_data
    from tooltune.diagnose.live import require_codes
    from tooltune.heap import restart_with_own_heap

    restart_with_own_heap()
    overrides = [*(settings or []), *([f"model.name={model}"] if model else [])]
    resolved = apply_settings(load_recipe(recipe), overrides)
    codes = require_codes(stop_on or [])
    require_data(resolved)
    # torch takes seconds to load: what is wrong with a recipe is said before.
    from tooltune.launch import run_training

    found = run_training(resolved, out, resume=resume, stop_on=codes)
    raise typer.Exit(1 if found else 0)


@app.command()
def diagnose(
    path: Annotated[
        Path, typer.Argument(metavar="LOG", help="A run folder, or the log of any trainer.")
    ],
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Watch a run that still grows.")] = False,
    as_json: Json = False,
) -> None:
    """Read a training log: what is wrong, why, and what to change.

    Exit code 1 if something needs action.

    Example: tooltune diagnose runs/mine
    """
    from tooltune import terminal
    from tooltune.diagnose.doctor import diagnose
    from tooltune.diagnose.live import watch
    from tooltune.diagnose.text import to_text

    healthy = True
    for diagnosis in watch(path) if follow else [diagnose(path)]:
        if as_json:
            terminal.print_json(diagnosis.to_dict())
        else:
            print(to_text(diagnosis), flush=True)
        healthy = diagnosis.healthy
    raise typer.Exit(0 if healthy else 1)


@app.command()
def evaluate(
    run: Run,
    *,
    config: Annotated[
        Path | None, typer.Option(metavar="MCP.JSON", help="Servers to execute the calls on.")
    ] = None,
    cases: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Held-out cases [test.jsonl beside train].")
    ] = None,
    again: Annotated[bool, typer.Option(help="Run anew though there is a saved result.")] = False,
    as_json: Json = False,
) -> None:
    """Play held-out cases with base and tuned model, executing calls.

    Prints the saved result where there is one.

    Example: tooltune evaluate runs/mine --config mcp.json
    """
    from tooltune import terminal
    from tooltune.rundir import open_run

    folder = open_run(run)
    from tooltune.evaluate.run import read_summary

    summary = None if again else read_summary(folder)
    if summary is None:
        if config is None:
            raise ConfigError(
                f"{run}: not evaluated yet, and no servers to execute calls on. "
                "Add --config MCP.JSON."
            )
        from tooltune.heap import restart_with_own_heap

        restart_with_own_heap()
        from tooltune.wiring import play_cases

        summary = play_cases(folder, config=config, cases=cases)
    if as_json:
        terminal.print_json(summary)
    else:
        terminal.print_evaluation(summary)


@app.command()
def report(run: Run) -> None:
    """Write RUN/report.html: one page that opens offline.

    Example: tooltune report runs/mine
    """
    from tooltune.rundir import open_run

    folder = open_run(run)
    from tooltune.report.page import write_report

    print(write_report(folder))


@app.command()
def agent(run: Run, *, config: Config) -> None:
    """Talk to the tuned model with the servers attached.

    Shows each call, and asks before running what a trusted server does not call read-only.

    Example: tooltune agent runs/mine --config mcp.json
    """
    from tooltune.rundir import open_run

    folder = open_run(run)
    from tooltune.wiring import talk

    talk(folder, config=config)
