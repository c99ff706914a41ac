"""JSON and JSON-lines files: reading with `path:line` in every error, writing atomically."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tooltune.errors import DataError


def dump_json(value: Any) -> str:
    """One line of JSON as it stands in datasets and prompts: key order kept, unicode readable."""
    return json.dumps(value, ensure_ascii=False)


def read_json(path: Path) -> Any:
    """Whole file as JSON. Raises DataError naming line and column."""
    try:
        return json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}:{error.lineno}: not valid JSON ({error.msg}, column {error.colno}). "
            "Repair the file."
        ) from None


def read_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number from 1, value) per non-empty line. Raises DataError at the first bad line."""
    for number, line in enumerate(_read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}:{number}: not valid JSON ({error.msg}, column {error.colno}; "
                f"the line starts {line[:40]!r}). Repair or remove the line."
            ) from None


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


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start}). Convert the file.") from None
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}). Check the path."
        ) from None
