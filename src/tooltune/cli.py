"""The command line: each command parses, calls one function and prints what it returned.

The only place where the pieces are wired together. Everything heavy is imported inside the
command that computes with it, so that `tooltune --help` answers at once.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tooltune import __version__
from tooltune.errors import TooltuneError

if TYPE_CHECKING:
    from tooltune.rundir import RunDir

app = typer.Typer(
    name="tooltune",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, not tables.")]
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
    config: Config,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the three splits.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    as_json: Json = False,
) -> None:
    """Write conversations by executing calls on the real servers first.

    Writes train.jsonl, validation.jsonl and test.jsonl into DIR.

    Example: tooltune synth --config mcp.json --out data --seed 7
    """


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Conversations, one JSON a line.")],
    *,
    as_json: Json = False,
) -> None:
    """Check every call against its tool's schema, and the order of roles and results.

    Reads tooltune's, the recipe's, OpenAI's and TRL's format. Exit code 1 if it found something.

    Example: tooltune validate data/train.jsonl
    """


if __name__ == "__main__":
    main()
