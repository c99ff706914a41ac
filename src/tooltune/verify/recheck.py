"""The independent re-check: schema and grounding of every row, replay of a sample.

Shared with generation are only reading a JSON-lines file, the words `Tool` and `ToolResult`, and
what builds a row's sandbox and calls servers in it (`verify.boxes`). The rows are read, the
schemas applied, the values traced and the results compared by code of this folder alone.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from tooltune.errors import ConfigError, DataError
from tooltune.jsonl import dump_json
from tooltune.verify.grounded import is_said, ungrounded
from tooltune.verify.replay import OpenBox, kind_of, replay_rows
from tooltune.verify.rows import Row, read_rows

_CONFIG = "mcp.json"
"""What rows are counted under that name no kind of world."""


@dataclass(frozen=True, slots=True)
class Failure:
    """`check` is row, schema, grounded, twin or replay."""

    line: int
    id: str
    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """`rows` were checked for schema and grounding, the `checked` ones drawn to be executed too."""

    checked: int
    rows: int
    calls: int
    failures: tuple[Failure, ...]
    executed: dict[str, int] = field(default_factory=dict)
    """Kind of world to rows executed again; the other rows drawn call nothing."""

    @property
    def nothing_to_execute(self) -> int:
        return self.checked - sum(self.executed.values())

    def to_dict(self) -> dict[str, Any]:
        by_check = Counter(failure.check for failure in self.failures)
        return {
            "checked": self.checked,
            "failed": len({failure.line for failure in self.failures}),
            "failures": [asdict(failure) for failure in self.failures],
            "rows": self.rows,
            "calls": self.calls,
            "executed": self.executed,
            "nothing_to_execute": self.nothing_to_execute,
            "by_check": dict(by_check.most_common()),
        }


def verify(
    path: Path,
    *,
    config: Path | None = None,
    sample: int = 500,
    seed: int = 7,
    open_box: OpenBox | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Check a file that synth wrote. `config` names the servers for rows that name no kind of world
    (by default mcp.json beside the file), `open_box` replaces the sandboxes. `sample` 0 executes
    nothing. Raises DataError for an empty file, ConfigError where such rows are to be executed and
    no servers are named. Servers that cannot be had fail the rows that need them."""
    rows, broken = read_rows(path)
    if not rows and not broken:
        raise DataError(f"{path}: no row to check (the file is empty). Name another file.")
    drawn = sorted(
        random.Random(seed).sample(rows, min(sample, len(rows))), key=lambda row: row.line
    )
    calling = [row for row in drawn if row.calls]
    by_id = {row.id: row for row in rows}
    failures = [Failure(line, "", "row", reason) for line, reason in broken]
    failures += [failure for row in rows for failure in check_row(row, by_id)]
    if calling:
        open_box = open_box or _sandboxes(config or path.parent / "mcp.json", calling)
        lines = replay_rows(calling, open_box, progress)
        names = {row.line: row.id for row in calling}
        failures += [Failure(line, names[line], "replay", why) for line, why in lines.items()]
    return Verification(
        checked=len(drawn),
        rows=len(rows) + len(broken),
        calls=sum(len(row.calls) for row in rows),
        failures=tuple(sorted(failures, key=lambda failure: failure.line)),
        executed=dict(sorted(Counter(kind_of(row) or _CONFIG for row in calling).items())),
    )


def check_row(row: Row, by_id: dict[str, Row]) -> Iterator[Failure]:
    """Schema, grounding, and that a twin with a value removed really lacks it."""
    for call in row.calls:
        function = row.tools.get(call.name)
        if function is None:
            yield Failure(row.line, row.id, "schema", f"{call.name}: not among the row's tools")
            continue
        for problem in _schema_problems(function, call.arguments):
            yield Failure(row.line, row.id, "schema", f"{call.name}: {problem}")
        known = row.known_before(call.index)
        for path, value in ungrounded(call.arguments, function, known, call.server_parameters):
            reason = f"{call.name}: {path} = {value!r} comes from nowhere"
            yield Failure(row.line, row.id, "grounded", reason)
    yield from _check_twin(row, by_id)


def _check_twin(row: Row, by_id: dict[str, Row]) -> Iterator[Failure]:
    """A question back asks for a value that its complete twin has and it must not have itself."""
    twin = by_id.get(str(row.meta.get("twin")))
    missing = row.meta.get("missing")
    if row.ability != "ask" or row.calls or twin is None or missing is None:
        return
    for call in twin.calls[:1]:
        value = call.server_arguments.get(missing, call.arguments.get(missing))
        if isinstance(value, str | int | float) and is_said(value, row.requests):
            reason = f"asks for {missing}, but {value!r} stands in the request"
            yield Failure(row.line, row.id, "twin", reason)


def _schema_problems(function: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    validator = _validator(dump_json(function.get("parameters") or {}))
    if isinstance(validator, str):
        return [f"the schema is invalid ({validator})"]
    try:
        found = [error.message[:200] for error in validator.iter_errors(arguments)]
    except Unresolvable as error:
        return [f"the schema cannot be applied ({error})"]
    properties = (function.get("parameters") or {}).get("properties")
    if isinstance(properties, dict):
        unknown = sorted(arguments.keys() - properties.keys())
        found += [f"the schema knows no {name!r}" for name in unknown]
    return found


@lru_cache(maxsize=4096)
def _validator(schema_text: str) -> Draft202012Validator | str:

    schema = json.loads(schema_text)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(error.message)[:200]
    return Draft202012Validator(schema, registry=Registry())


def _sandboxes(config: Path, rows: Sequence[Row]) -> OpenBox:
    if not config.is_file() and any(kind_of(row) is None for row in rows):
        raise ConfigError(
            f"verify: no servers to execute calls on (looked for {config}). Add --config MCP.JSON, "
            "or --sample 0 to check schema and grounding only."
        )
    # It starts processes and knows the MCP SDK: only where something is executed.
    from tooltune.verify.boxes import open_boxes

    return open_boxes(config)
