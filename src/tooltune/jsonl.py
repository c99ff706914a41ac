"""JSON and JSON-lines files: reading with `path:line` in every error, writing atomically."""

import gc
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tooltune.errors import DataError


def dump_json(value: Any) -> str:
    """One line of JSON as it stands in datasets and prompts: key order kept, unicode readable."""
    return json.dumps(value, ensure_ascii=False)


def read_text(path: Path) -> str:
    """Raises DataError where the file is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}). Convert the file.") from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}). Check the path."
        ) from None


def read_json(path: Path) -> Any:
    """Whole file as JSON. Raises DataError naming line and column."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: not valid JSON ({error.msg}, column {error.colno}). "
            "Repair the file."
        ) from None


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number from 1, value) per non-empty line. Raises DataError at the first bad line."""
    yield from parse_jsonl(read_text(path), path)


def parse_jsonl(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """`read_jsonl` of text that was read from `path` already."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{number}: not valid JSON ({error.msg}, column {error.colno}; "
                f"the line starts {line[:40]!r}). Repair or remove the line."
            ) from None


@contextmanager
def collection_paused() -> Iterator[None]:
    """Inside, cyclic garbage stays: for reading many rows. Rows are kept and hold no cycles, and
    walking all of them again and again takes two fifths of the time of a large file."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parse_array(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    """(line it begins in, item) of a file that is one JSON list. Raises DataError where it is
    not."""
    decoder = json.JSONDecoder()
    place, line = _skip_space(text, text.index("[") + 1), 1
    counted = 0
    while not text.startswith("]", place):
        line += text.count("\n", counted, place)
        counted = place
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{error.lineno}: not valid JSON ({error.msg}, column {error.colno}; in the "
                f"item that begins in line {line}). Repair the file."
            ) from None
        yield line, value
        place = _skip_space(text, place)
        if text.startswith(",", place):
            place = _skip_space(text, place + 1)
        elif not text.startswith("]", place):
            raise DataError(
                f"{path}:{line}: the list does not end (got {text[place : place + 20]!r} "
                "behind an item, expected , or ]). Repair the file."
            )


def _skip_space(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def write_text(path: Path, text: str) -> None:
    """Replace `path` in one step: a crash leaves the old file or the new one, never half."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_jsonl(path: Path, values: Iterable[Any]) -> None:
    write_text(path, "".join(dump_json(value) + "\n" for value in values))


def unwritable(path: Path, error: OSError) -> DataError:
    """The one message for a full disk, a read-only folder, or a file where a folder should be."""
    return DataError(
        f"{path}: cannot be written ({error.strerror or error}). "
        "Free disk space, or name a folder you may write to."
    )
