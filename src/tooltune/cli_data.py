"""The commands about datasets: check, convert, mix, thin out, verify, describe.

Part of the command line (see `cli`); apart from it because of its length.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tooltune.errors import ConfigError

if TYPE_CHECKING:
    from tooltune.chat.render import Renderer

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, not tables.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="Conversations, in any known format.")]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")]
Format = Annotated[
    str | None, typer.Option("--format", help="Format of FILE [found out from its rows].")
]
Against = Annotated[
    Path | None,
    typer.Option("--against", metavar="FILE", help="Evaluation set no request may be shared with."),
]


@app.command()
def validate(
    file: File,
    *,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="Show what exactly will be trained.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --preflight: also write a page.")
    ] = None,
    against: Against = None,
    model: Annotated[
        str | None,
        typer.Option(help="Whose tokens to count [--preflight: smollm2-135m]."),
    ] = None,
    max_sequence_tokens: Annotated[
        int, typer.Option(min=8, help="With --model: longer sequences are reported.")
    ] = 2048,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Check calls against their tools' schemas, and the order of turns.

    Reads the formats of docs/data.md. Exit code 1 if it found something.

    Example: tooltune validate data/train.jsonl --preflight
    """
    from tooltune import terminal
    from tooltune.data.validate import validate_file

    if html is not None and not preflight:
        raise ConfigError("--html: only with --preflight. Add --preflight.")
    renderer = _load_renderer(model, is_needed=model is not None) if model or preflight else None
    found = validate_file(
        file,
        renderer=renderer,
        max_sequence_tokens=None if renderer is None else max_sequence_tokens,
        format=format,
        against=against,
        with_preflight=preflight,
    )
    if html is not None:
        from tooltune.report.page import write_preflight

        write_preflight(found, html, name=file.name)
    if as_json:
        terminal.print_json(found.to_dict())
    else:
        terminal.print_validation(found)
    raise typer.Exit(1 if found.issues else 0)


@app.command()
def convert(
    file: File,
    *,
    to: Annotated[
        str,
        typer.Option("--to", help="tooltune, openai, trl, llama-factory or ms-swift."),
    ],
    out: Out,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Write a dataset in another trainer's format.

    Messages and tools are kept. Exit code 1 if a row could not be read or written.

    Example: tooltune convert data/train.jsonl --to llama-factory --out train.json
    """
    from tooltune import terminal
    from tooltune.data.convert import convert

    made = convert(file, out, to=to, format=format)
    if as_json:
        terminal.print_json(made.to_dict())
    else:
        print(f"{made.written} rows of {file} ({made.format}) written to {out} ({to})")
        terminal.print_left_out(str(file), made.left_out)
    raise typer.Exit(1 if made.left_out else 0)


@app.command()
def mix(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE[=WEIGHT]", help="Datasets with their weights.")
    ],
    *,
    out: Out,
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="Rows to write [as many as there are without repeating one]."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    as_json: Json = False,
) -> None:
    """Mix datasets by weight into one, shuffled.

    Weights are shares of the rows written; without one it is 1.

    Example: tooltune mix own.jsonl=3 xlam.json=1 --out train.jsonl
    """
    from tooltune import terminal
    from tooltune.data.convert import mix, parse_weight

    mixture = mix([parse_weight(text) for text in files], out, rows=rows, seed=seed)
    if as_json:
        terminal.print_json(mixture.to_dict())
    else:
        columns = ("rows", "most repeats", "unreadable")
        parts = (mixture.rows, mixture.repeats, mixture.left_out)
        table = [(name, *(part[name] for part in parts)) for name in mixture.rows]
        terminal.print_table(f"{mixture.written} rows in {out}", ("file", *columns), table)


@app.command()
def dedupe(
    file: File,
    *,
    out: Out,
    against: Against = None,
    similarity: Annotated[
        float, typer.Option(min=0.5, max=1.0, help="Jaccard similarity of 3-word sequences.")
    ] = 0.8,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Write a dataset without near-duplicates, and without what an evaluation set holds.

    Of rows that are nearly the same the first stays. With --against, rows go whose user says 13
    words in a row (or a whole shorter request) as the evaluation set does.

    Example: tooltune dedupe train.jsonl --against test.jsonl --out clean.jsonl
    """
    from tooltune import terminal
    from tooltune.data.convert import dedupe

    made = dedupe(file, out, against=against, similarity=similarity, format=format)
    if as_json:
        terminal.print_json(made.to_dict())
    else:
        print(f"{made.written} rows of {file} written to {out}")
        terminal.print_left_out(str(file), made.left_out)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Conversations that synth wrote.")],
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="MCP.JSON", help="Servers to execute on [beside FILE]."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=0, help="Rows that are also executed again, drawn at random.")
    ] = 500,
    seed: Annotated[int, typer.Option(help="Which rows are drawn.")] = 7,
    as_json: Json = False,
) -> None:
    """Check a synthesised dataset again, with none of the code that made it.

    Every row: calls fit their schemas, and every value is grounded. A sample: executed in fresh
    sandboxes with the same results and state; rows of `synth --recipe` bring their servers. Exit
    code 1 if a row failed.

    Example: tooltune verify data/train.jsonl --sample 500 --config mcp.json
    """
    from functools import partial

    from tooltune import terminal
    from tooltune.verify.recheck import verify

    with terminal.progress() as show:
        found = verify(
            file, config=config, sample=sample, seed=seed, progress=partial(show, "replayed")
        )
    if as_json:
        terminal.print_json(found.to_dict())
    else:
        terminal.print_verification(found)
    raise typer.Exit(1 if found.failures else 0)


@app.command()
def card(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with the splits.")],
) -> None:
    """Write DIR/card.md: what the dataset holds and what was checked.

    Put what `tooltune verify --json` prints into DIR/verify.json to have it on the card.

    Example: tooltune card data
    """
    from tooltune.data.card import write_card

    print(write_card(folder))


def _load_renderer(model: str | None, *, is_needed: bool) -> "Renderer | None":
    """Tokenizer and template of a model, by default the demo's. Without torch where its folder is
    at hand; None where it is not and was not asked for."""
    from tooltune.chat.render import Renderer
    from tooltune.plan.dataset import tokenizer_folder

    try:
        return Renderer.from_folder(tokenizer_folder(model or "smollm2-135m"))
    except ConfigError:
        if not is_needed:
            return None
    from tooltune.wiring import load_renderer

    assert model is not None
    return load_renderer(model)
