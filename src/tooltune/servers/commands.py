"""Which commands `shell_exec` runs: read-only programs, options known to be harmless, and paths
that stay inside one folder. What is not listed here is refused.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLLOWS_NO_LINKS = (
    "Recursive options that follow symbolic links (grep -R, ls -L, find -L) stay out."
)


class RefusedError(Exception):
    """Says what was refused and what is allowed instead."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a program may be given. Options outside these lists are refused."""

    letters: str = ""
    """Options of one letter without a value; they may be clustered."""
    value_letters: str = ""
    """Options of one letter with a value (`-n 5`, `-n5`)."""
    long: tuple[str, ...] = ()
    """Long options; one that ends in `=` takes its value after the sign."""
    texts: int = 0
    """How many leading operands are plain text; all later ones are paths."""
    most_operands: int = 1000
    numbers: bool = False
    """Whether `-5` is an option."""


# Nothing here writes, runs a program, reads operands from a file, or follows the symbolic links it
# meets below a folder (as grep -R, ls -L and find -L would).
PROGRAMS = {
    "cat": Program("nbsAET"),
    "du": Program("shacb", "d", ("--max-depth=",)),
    "echo": Program("n", texts=1000),
    "file": Program("b"),
    "find": Program(),
    "grep": Program(
        "nirvclowxEFHhqs", "eABCm", ("--include=", "--exclude=", "--count", "--ignore-case"), 1
    ),
    "head": Program("q", "nc", ("--lines=", "--bytes="), numbers=True),
    "ls": Program("aAlhrtSR1dFip", long=("--all", "--recursive")),
    "pwd": Program(most_operands=0),
    "sort": Program("rnufbhV", "kt", ("--reverse", "--numeric-sort", "--unique")),
    "stat": Program("", "c", ("--format=",)),
    "tail": Program("q", "nc", ("--lines=", "--bytes="), numbers=True),
    # A second operand of uniq is a file it would write to.
    "uniq": Program("cdui", most_operands=1),
    "wc": Program("lwcmL", long=("--lines", "--words", "--chars", "--bytes")),
}
_FIND_FLAGS = ("-empty", "-not", "-a", "-o", "-and", "-or", "!", "(", ")", "-print")
_FIND_VALUES = ("-name", "-iname", "-path", "-ipath", "-type", "-maxdepth", "-mindepth", "-size")
_FIND_TIMES = ("-mtime", "-mmin")
_OPERATORS = frozenset("|&;<>")


def check_command(command: str, root: Path) -> list[str]:
    """The words to run in `root` without a shell. Raises RefusedError."""
    words = _split(command)
    name, rest = words[0], words[1:]
    if name not in PROGRAMS:
        raise RefusedError(f"{name}: not allowed. Allowed: {', '.join(PROGRAMS)}.")
    if name == "find":
        return _check_find(rest, root)
    program = PROGRAMS[name]
    options, operands, texts = _sort_words(name, program, rest)
    if len(operands) > program.most_operands:
        raise RefusedError(
            f"{name}: too many operands (got {len(operands)}, at most {program.most_operands})."
        )
    for path in operands[texts:]:
        confine(path, root)
    # Ours come first, so that no operand can be taken for an option.
    return [name, *options, "--", *operands] if name != "echo" else words


def confine(path: str, root: Path) -> Path:
    """The real path, symbolic links followed. Raises RefusedError where it leaves `root`."""
    try:
        real = (root / path).resolve()
    except (OSError, RuntimeError, ValueError):
        raise RefusedError(f"{path}: not a path.") from None
    if not real.is_relative_to(root.resolve()):
        raise RefusedError(f"{path}: outside the workspace.")
    return real


def _split(command: str) -> list[str]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise RefusedError(f"{command}: cannot be split into words ({error}).") from None
    if not words:
        raise RefusedError("Nothing to run.")
    if operator := next((word for word in words if set(word) <= _OPERATORS and word), None):
        raise RefusedError(
            f"{operator}: there is no shell, so no pipes, redirections or lists. Run one command."
        )
    return words


def _sort_words(
    name: str, program: Program, words: Iterable[str]
) -> tuple[list[str], list[str], int]:
    """(options, operands, how many operands are plain text)."""
    options: list[str] = []
    operands: list[str] = []
    texts = program.texts
    remaining = iter(words)
    for word in remaining:
        if word == "--":
            operands += remaining
        elif not word.startswith("-") or word == "-" or name == "echo":
            operands.append(word)
        elif _is_option(program, word):
            options.append(word)
            if _wants_value(program, word):
                options.append(next(remaining, ""))
            if name == "grep" and _letter_with_value(program, word) == "e":
                texts = 0
        else:
            raise RefusedError(f"{name} {word}: this option is not allowed.")
    return options, operands, texts


def _is_option(program: Program, word: str) -> bool:
    if word.startswith("--"):
        key, equals, _ = word.partition("=")
        return key + equals in program.long
    if program.numbers and word[1:].isdigit():
        return True
    for letter in word[1:]:
        if letter in program.value_letters:
            return True
        if letter not in program.letters:
            return False
    return True


def _letter_with_value(program: Program, word: str) -> str | None:
    """The first letter of a cluster that takes a value: the rest of the word is that value."""
    if word.startswith("--"):
        return None
    return next((letter for letter in word[1:] if letter in program.value_letters), None)


def _wants_value(program: Program, word: str) -> bool:
    letter = _letter_with_value(program, word)
    return letter is not None and word.endswith(letter) and word.index(letter) == len(word) - 1


def _check_find(words: list[str], root: Path) -> list[str]:
    start = next(
        (
            place
            for place, word in enumerate(words)
            if word.startswith("-") or word in ("!", "(", ")")
        ),
        len(words),
    )
    folders = words[:start] or ["."]
    for folder in folders:
        confine(folder, root)
    remaining = iter(words[start:])
    for word in remaining:
        if word in (*_FIND_VALUES, *_FIND_TIMES):
            if next(remaining, None) is None:
                raise RefusedError(f"find {word}: its value is missing.")
        elif word not in _FIND_FLAGS:
            raise RefusedError(
                f"find {word}: not allowed. Allowed: {' '.join((*_FIND_VALUES, *_FIND_FLAGS))}."
            )
    return ["find", *folders, *words[start:]]
