"""Files of training logs -> rows. The format is recognised by content, not by name.

tooltune's metrics.jsonl, transformers' trainer_state.json, console text with the recipe's lines
(`Step 10/245: loss=...`) or printed dictionaries (TRL, Unsloth, Axolotl), CSV, and TensorBoard
event files.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from tooltune.config import load_recipe
from tooltune.diagnose.columns import Part, Rows, build_log
from tooltune.diagnose.events import read_scalars
from tooltune.diagnose.log import TrainingLog
from tooltune.errors import DataError, TooltuneError
from tooltune.jsonl import collection_paused
from tooltune.rundir import RunDir

_STEP = re.compile(r"\bstep\W{0,3}(\d+)(?:\s*/\s*(\d+))?", re.IGNORECASE)
_PAIR = re.compile(
    r"([A-Za-z_][\w/]*)\s*[=:]\s*([-+]?(?:\d[\d.]*(?:,\d[\d.]*)*(?:[eE][-+]?\d+)?|nan|inf\w*))"
)
_RECIPE = re.compile(r"Step (\d+)/(\d+): loss=([-+.\deE]+), learning_rate=([-+.\deE]+)")
_DICT = re.compile(r"\{[^{}]*\}")
_ITEM = re.compile(r"['\"]([\w/]+)['\"]\s*:\s*['\"]?([^,'\"}]+)")
_PART_ROWS = 5_000
_PART_BYTES = 1 << 19
"""Rows of one part are in memory together; more of them are slower, not faster."""
_PROGRESS = re.compile(r"(\d+)/(\d+) \[")


def read_log(path: Path) -> TrainingLog:
    """A log file, a run folder of ours, or a checkpoint folder. Raises DataError."""
    with collection_paused():
        return build_log(_read_folder(path) if path.is_dir() else _read_file(path))


def _read_folder(folder: Path) -> Rows:
    run = RunDir(folder)
    if run.metrics.is_file():
        found = _read_file(run.metrics)
        found.checkpoints = tuple(step for step, _ in run.list_checkpoints())
        found.facts.update(_run_facts(run))
        return found
    states = sorted(folder.rglob("trainer_state.json"), key=lambda file: file.stat().st_mtime)
    if states:
        return _read_file(states[-1])
    events = sorted(folder.glob("**/events.out.tfevents.*"))
    if events:
        return _read_events(events, str(folder))
    raise DataError(
        f"{folder}: no training log (looked for metrics.jsonl, trainer_state.json and TensorBoard "
        "event files). Name the log file itself."
    )


def _run_facts(run: RunDir) -> dict[str, float]:
    """What the run folder says beside its metrics; a damaged file costs only its facts."""
    facts: dict[str, float] = {}
    try:
        facts["max_grad_norm"] = load_recipe(run.recipe).train.max_grad_norm
        started = run.read_run()
    except (TooltuneError, AssertionError):
        return facts
    named = {"vocab": "vocab", "total_steps": "total_steps", "base_loss": "base_validation_loss"}
    for fact, name in named.items():
        if isinstance(started.get(name), int | float):
            facts[fact] = started[name]
    return facts


def _read_file(path: Path) -> Rows:
    if ".tfevents." in path.name:
        return _read_events([path], str(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path.") from None
    start = data[:4096].decode("utf-8", errors="replace").lstrip()
    where = str(path)
    is_state = start.startswith("{") and '"log_history"' in start
    if start.startswith('{"') and not is_state:
        return _read_jsonl(data, where)
    text = data.decode("utf-8", errors="replace")
    if is_state:
        return _read_trainer_state(text, where)
    header = start.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    is_table = separator in header and not _STEP.match(header) and "{" not in header
    if is_table and any("loss" in name.lower() for name in header.split(separator)):
        return _read_csv(text, where, separator)
    return _read_console(text, where)


def _read_trainer_state(text: str, where: str) -> Rows:
    try:
        state = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}:{error.lineno}: not valid JSON ({error.msg}).") from None
    rows = [row for row in state.get("log_history", []) if isinstance(row, dict)]
    found = Rows(where, [Part(rows, range(1, len(rows) + 1))])
    if state.get("max_steps"):
        found.facts["total_steps"] = state["max_steps"]
    return found


def _read_jsonl(data: bytes, where: str) -> Rows:
    found = Rows(where, ())
    found.parts = _jsonl_parts(data, found)
    return found


def _jsonl_parts(data: bytes, found: Rows) -> Iterator[Part]:
    """Megabytes of lines at once where every line is valid; line by line otherwise."""
    line, start, bad = 1, 0, list[int]()
    while start < len(data):
        # Up to the last line end within the part's size, else to the next one, else to the end.
        end = data.rfind(b"\n", start, start + _PART_BYTES) + 1 or data.find(b"\n", start) + 1
        end = end or len(data)
        text = data[start:end].removesuffix(b"\n")
        count = text.count(b"\n") + 1
        rows = _parse_lines(text, count)
        if rows is None:
            part, wrong = _parse_each(text, line)
            bad += wrong
        else:
            part = Part(rows, range(line, line + count))
        yield part
        line, start = line + count, end
    if bad:
        found.unreadable += len(bad)
        found.notes.append(
            f"{found.where}:{bad[0]}: not valid JSON; {len(bad)} such lines left out."
        )


def _parse_lines(text: bytes, count: int) -> list[Any] | None:
    """None unless each of the `count` lines is one JSON object."""
    try:
        rows = from_json(b"[" + text.replace(b"\n", b",") + b"]", cache_strings="keys")
    except ValueError:
        return None
    return rows if len(rows) == count and set(map(type, rows)) == {dict} else None


def _parse_each(text: bytes, first_line: int) -> tuple[Part, list[int]]:
    """The rows that can be read, and the numbers of the lines that cannot."""
    part, bad = Part([], kept := []), []
    for number, line in enumerate(text.split(b"\n"), start=first_line):
        try:
            row = json.loads(line.decode("utf-8", errors="replace")) if line.strip() else None
        except json.JSONDecodeError:
            bad.append(number)
            continue
        if isinstance(row, dict):
            part.rows.append(row)
            kept.append(number)
    return part, bad


def _read_csv(text: str, where: str, separator: str) -> Rows:
    if separator == ";":  # where this separates cells, a comma is usually the decimal sign
        text = text.replace(",", ".")
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    header = next(reader)
    return Rows(where, _csv_parts(reader, header))


def _csv_parts(reader: Iterator[list[str]], header: list[str]) -> Iterator[Part]:
    """Empty cells, and those beyond the header, are not there."""
    line = 2
    while cells := list(itertools.islice(reader, _PART_ROWS)):
        rows: list[dict[str, Any]] = [dict(zip(header, row, strict=False)) for row in cells]
        if any("" in row for row in cells):
            rows = [{name: cell for name, cell in row.items() if cell != ""} for row in rows]
        yield Part(rows, range(line, line + len(rows)))
        line += len(rows)


def _read_console(text: str, where: str) -> Rows:
    """The recipe's lines and printed dictionaries, between whatever else a console shows."""
    found = Rows(where, ())
    found.parts = _console_parts(text, found)
    return found


def _console_parts(text: str, found: Rows) -> Iterator[Part]:
    part, step, has_rows, has_steps = Part([], lines := []), None, False, False
    for number, line in enumerate(text.replace("\r", "\n").split("\n"), start=1):
        if "[" in line and (progress := _PROGRESS.search(line)):
            step, found.facts["total_steps"] = int(progress[1]), int(progress[2])
        row, total = _console_row(line)
        if row is None:
            continue
        if total is not None:
            found.facts["total_steps"] = total
        if step is not None and "step" not in row:
            row["step"] = step
        has_rows, has_steps = True, has_steps or "step" in row
        part.rows.append(row)
        lines.append(number)
        if len(lines) == _PART_ROWS:
            yield part
            part = Part([], lines := [])
    yield part
    if has_rows and not has_steps:
        found.notes.append(f"{found.where}: no step numbers; log lines are counted instead.")


def _console_row(line: str) -> tuple[dict[str, Any] | None, int | None]:
    """What a line says, and of how many steps; nothing where it holds no loss."""
    # The recipe's own line is by far the most common, and one pattern reads it at one go.
    if match := _RECIPE.fullmatch(line):
        number, total, loss, rate = match.groups()
        return {"step": int(number), "loss": loss, "learning_rate": rate}, int(total)
    row = _row_with_loss(line)
    if row is None:
        return None, None
    # Looking for a word before the pattern halves the time of a long log.
    if ("tep" in line or "TEP" in line) and (match := _STEP.search(line)):
        row.setdefault("step", int(match[1]))
        return row, int(match[2]) if match[2] else None
    return row, None


def _row_with_loss(line: str) -> dict[str, Any] | None:
    if "loss" not in line:
        return None
    for match in _DICT.finditer(line) if "{" in line else ():
        if "loss" in match[0]:
            return dict(_ITEM.findall(match[0]))
    pairs: dict[str, Any] = dict(_PAIR.findall(line))
    pairs.pop("Step", None)
    pairs.pop("step", None)
    return pairs if "loss" in pairs or any("loss" in name for name in pairs) else None


def _read_events(files: list[Path], where: str) -> Rows:
    """One row a step; of a value that was logged twice the last one."""
    found = Rows(where, ())
    by_step: dict[int, dict[str, Any]] = {}
    for file in files:
        try:
            for step, tag, value in read_scalars(file.read_bytes()):
                by_step.setdefault(step, {"step": step})[tag] = value
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror}). Check the path.") from None
        except ValueError as error:
            found.notes.append(f"{file}: not an event file to its end ({error}); the rest is read.")
    rows = [by_step[step] for step in sorted(by_step)]
    found.parts = [Part(rows, range(1, len(rows) + 1))]
    return found
