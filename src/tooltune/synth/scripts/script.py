"""A script: a program as a generator that yields calls and is sent their results.

    @script("store", "how many rows does {table} have?\n= the number of rows in {table}",
            "{table} has {n} rows. | There are {n} rows in {table}.", draw=one_table)
    def count_rows(v):
        result = yield call("read_query", query=f"SELECT COUNT(*) FROM {v['table']}")
        return {"n": ...}

It yields one call, or a list of calls for one turn; what it returns fills the answer. Branches on a
result are plain Python. Wordings are families of `synth.grammar`; a line `= the rows` is a noun
phrase and `! list the rows` a task, each put into many frames (`synth.scripts.frames`).
"""

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from tooltune.synth.draw import NothingToDrawError, Values
from tooltune.synth.scripts.frames import expand

Call = tuple[str, dict[str, Any]]
Turn = Call | list[Call]
Facts = dict[str, Any]
Run = Generator[Turn, list[str], Facts]
"""What it is sent is the list of the turn's result texts. `say` among the returned facts replaces
the script's own answers."""


@dataclass(frozen=True, slots=True)
class Script:
    """One program family."""

    name: str
    kind: str
    """Of world (`worlds.kinds`)."""
    families: str
    answers: str
    """Alternatives between ` | `."""
    draw: Callable[[Any], Values]
    run: Callable[[Values], Run]
    ability: str = "single"
    form: str = ""
    """parallel, branch, recovery or planted; empty for the plain ones."""
    asks: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Slots that may be forgotten: slot to tool parameter and the noun to ask for."""


def script(
    kind: str,
    families: str,
    answers: str,
    *,
    draw: Callable[[Any], Values],
    ability: str = "single",
    form: str = "",
    asks: dict[str, tuple[str, str]] | None = None,
) -> Callable[[Callable[[Values], Run]], Script]:
    """Makes a Script of a generator function; its name becomes the program's."""

    def made(run: Callable[[Values], Run]) -> Script:
        return Script(
            name=run.__name__,
            kind=kind,
            families=expand(families),
            answers=answers,
            draw=draw,
            run=run,
            ability=ability,
            form=form,
            asks=asks or {},
        )

    return made


def call(tool: str, **arguments: Any) -> Call:
    return tool, arguments


def scripts_of(names: Iterable[Any]) -> tuple[Script, ...]:
    """The scripts among a module's values."""
    return tuple(one for one in names if isinstance(one, Script))


def need(condition: object) -> None:
    """Where it is not so, this world does not fit; another one will."""
    if not condition:
        raise NothingToDrawError
