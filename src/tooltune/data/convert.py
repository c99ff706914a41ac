"""Dataset files -> one dataset file: in another format, or several mixed by weight."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tooltune.data.readers import Reading, read_conversations
from tooltune.data.writers import WRITERS, UnwritableRowError
from tooltune.errors import ConfigError, DataError
from tooltune.jsonl import write_jsonl
from tooltune.messages import Conversation


@dataclass(frozen=True, slots=True)
class Conversion:
    """`left_out` holds (line, reason) of every row of the file that was not written."""

    format: str
    written: int
    left_out: list[tuple[int, str]]

    def to_dict(self) -> dict[str, Any]:
        reasons = Counter(reason for _, reason in self.left_out)
        return {
            "format": self.format,
            "written": self.written,
            "left_out": len(self.left_out),
            "reasons": dict(reasons.most_common()),
            "rows": [{"line": line, "reason": reason} for line, reason in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class Mixture:
    """`rows` maps each file to how many of its rows were written, `repeats` to how often its most
    used row occurs, `left_out` to its unreadable rows."""

    rows: dict[str, int] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def written(self) -> int:
        return sum(self.rows.values())

    def to_dict(self) -> dict[str, Any]:
        return {"written": self.written, **asdict(self)}


def convert(path: Path, out: Path, *, to: str, format: str | None = None) -> Conversion:
    """Write `path` to `out` in the format `to`, one of WRITERS. Raises ConfigError for an unknown
    format, DataError where nothing could be written."""
    if to not in WRITERS:
        raise ConfigError(
            f"--to: unknown (got {to!r}, expected one of {', '.join(WRITERS)}). Correct it."
        )
    reading = read_conversations(path, format=format)
    rows, left_out = [], list(reading.skipped)
    for line, conversation in zip(reading.lines, reading.conversations, strict=True):
        try:
            rows.append(WRITERS[to](conversation))
        except UnwritableRowError as error:
            left_out.append((line, f"{to} cannot hold it: {error}"))
    left_out.sort()
    if not rows:
        first = f" The first: line {left_out[0][0]}: {left_out[0][1]}." if left_out else ""
        raise DataError(
            f"{path}: nothing to write (got {len(left_out)} rows that cannot be read or written)."
            f"{first} Name a file with conversations, or its --format."
        )
    write_jsonl(out, rows)
    return Conversion(reading.format, len(rows), left_out)


def mix(
    files: Sequence[tuple[Path, float]], out: Path, *, rows: int | None = None, seed: int = 7
) -> Mixture:
    """Write rows of several files to `out`, shuffled, each file's share by its weight.

    Without `rows` as many as there are without repeating one. With it, a file that has too few is
    gone through again, each row once before any comes again. Ids get their file's name in front.
    Raises ConfigError for weights that are not above 0 or a file named twice, DataError for a file
    without conversations.
    """
    _require_sound(files, rows)
    readings = {path: read_conversations(path) for path, _ in files}
    for path, reading in readings.items():
        if not reading.conversations:
            raise DataError(f"{path}: no conversation to mix. Name another file.")
    shares = _shares(dict(files), readings, rows)
    rng = random.Random(seed)
    made: list[Conversation] = []
    mixture = Mixture()
    for path, wanted in shares.items():
        available = readings[path].conversations
        for number in range(wanted):
            turn, place = divmod(number, len(available))
            if place == 0:
                order = rng.sample(range(len(available)), len(available))
            made.append(_renamed(available[order[place]], path, turn))
        mixture.rows[str(path)] = wanted
        mixture.repeats[str(path)] = -(-wanted // len(available))
        mixture.left_out[str(path)] = len(readings[path].skipped)
    rng.shuffle(made)
    write_jsonl(out, (conversation.to_dict() for conversation in made))
    return mixture


def dedupe(
    path: Path,
    out: Path,
    *,
    against: Path | None = None,
    similarity: float = 0.8,
    format: str | None = None,
) -> Conversion:
    """Write `path` to `out` in our format without near-duplicates (the first stays), and without
    rows whose requests the evaluation set `against` holds. Raises DataError if nothing is left."""
    from tooltune.data.duplicates import find_near_duplicates, find_shared, read_requests

    reading = read_conversations(path, format=format)
    lines, conversations = reading.lines, reading.conversations
    reasons = {
        one.index: f"nearly line {lines[one.first]} (similarity {one.similarity:.2f})"
        for one in find_near_duplicates(conversations, similarity=similarity)
    }
    if against is not None:
        shared = find_shared(conversations, read_requests(against))
        reasons |= {index: f"shares words with {against}: {words}" for index, words in shared}
    rows = [one.to_dict() for index, one in enumerate(conversations) if index not in reasons]
    if not rows:
        raise DataError(f"{path}: nothing is left to write. Name another file.")
    left_out = sorted(
        [*reading.skipped, *((lines[index], reason) for index, reason in reasons.items())]
    )
    write_jsonl(out, rows)
    return Conversion(reading.format, len(rows), left_out)


def parse_weight(text: str) -> tuple[Path, float]:
    """`FILE=WEIGHT`, or `FILE` alone for weight 1. Raises ConfigError."""
    name, equals, weight = text.rpartition("=")
    if not equals:
        return Path(text), 1.0
    try:
        return Path(name), float(weight)
    except ValueError:
        raise ConfigError(
            f"mix: not a weight (got {text!r}, expected FILE=NUMBER). Write own.jsonl=3, say."
        ) from None


def _require_sound(files: Sequence[tuple[Path, float]], rows: int | None) -> None:
    for path, weight in files:
        if not 0 < weight < float("inf"):
            raise ConfigError(f"{path}: weight {weight} (expected above 0). Correct it.")
    if len({path for path, _ in files}) < len(files):
        raise ConfigError("mix: a file is named twice. Name it once, with the sum of its weights.")
    if rows is not None and rows < 1:
        raise ConfigError(f"--rows: {rows} (expected at least 1). Correct it.")


def _shares(
    weights: dict[Path, float], readings: dict[Path, Reading], rows: int | None
) -> dict[Path, int]:
    """Rows of each file, by largest remainder so that they sum up."""
    total = sum(weights.values())
    if rows is None:
        limit = min(
            len(readings[path].conversations) * total / weight for path, weight in weights.items()
        )
        return {path: int(limit * weight / total + 1e-9) for path, weight in weights.items()}
    exact = {path: rows * weight / total for path, weight in weights.items()}
    shares = {path: int(share) for path, share in exact.items()}
    by_remainder = sorted(exact, key=lambda path: shares[path] - exact[path])
    for path in by_remainder[: rows - sum(shares.values())]:
        shares[path] += 1
    return shares


def _renamed(conversation: Conversation, path: Path, turn: int) -> Conversation:
    again = f"#{turn + 1}" if turn else ""
    return conversation.model_copy(update={"id": f"{path.stem}/{conversation.id}{again}"})
