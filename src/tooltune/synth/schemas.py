"""`synth --from-schemas`: conversations for any server, from its tools' schemas alone.

Arguments come from the JSON Schemas, requests from the tools' descriptions, results from the
server. Only tools it calls read-only are executed, unless the user names a folder to write in.
What is learned from such rows is the form of the calls; the wordings are plain.
"""

import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tooltune.data.schema import check_arguments
from tooltune.errors import ConfigError, ServerError
from tooltune.jsonl import write_json, write_jsonl
from tooltune.messages import ABILITIES, Conversation, Message, Tool, ToolCall
from tooltune.servers.client import Servers
from tooltune.servers.spec import ServerSpec, read_specs
from tooltune.synth.maker import SYSTEM_PROMPT
from tooltune.synth.schema_values import UnusableError, draw_arguments
from tooltune.worlds.masks import mask, same_lines
from tooltune.worlds.pools import SPLITS, Pool, Split

ROWS_PER_TOOL: dict[Split, int] = {"train": 24, "validation": 3, "test": 6}
ASK_FRACTION = 0.25
"""Of a tool's rows: a required value is left out and must be asked for."""
_ATTEMPTS = 4
_FAILURES_PER_TOOL = 3
"""Unusable answers after which a tool is left alone."""
_LONGEST_RESULT = 4000
_SHORTEST_SECRET = 6
_LOOKS_FAILED = re.compile(r"^\s*(?:error|exception|traceback|failed|database error)\b", re.I)
"""Some servers report failures without saying so."""

_FRAMES = Pool(
    (
        "{what}, with {values}",
        "please do this: {what}. Use {values}",
        "I need the following: {what} ({values})",
        "can you do this for me: {what}? {values}",
        "{values}. With that: {what}",
        "task: {what}; {values}",
        "use {values} and then {what}",
        "would you {what}? Take {values}",
    ),
    ("one thing: {what}, where {values}",),
    ("could this be done: {what}, given {values}?", "for {values}: {what}"),
)
_QUESTIONS = ("Which {name} should I use?", "Please tell me the {name}.", "What is the {name}?")


@dataclass(slots=True)
class SchemaReport:
    """What was written, and what was thrown away and why."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    """Reason to attempts."""
    left_out: list[str] = field(default_factory=list)
    """Tools that were not executed, with the reason."""


def from_schemas(
    config: Path,
    out: Path,
    *,
    seed: int,
    writes_in: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SchemaReport:
    """Write out/{train,validation,test}.jsonl and out/summary.json for the servers of `config`.

    `writes_in` is the folder in which tools that may change something run; without it they are
    left out. Raises ConfigError, and ServerError where a server does not start.
    """
    if writes_in is not None and not writes_in.is_dir():
        raise ConfigError(f"--allow-writes {writes_in}: no such folder. Create it.")
    specs = read_specs(config)
    report = SchemaReport()
    rejected: Counter[str] = Counter()
    rows: dict[Split, list[Conversation]] = {split: [] for split in SPLITS}
    with tempfile.TemporaryDirectory(prefix="tooltune-") as empty:
        folder = writes_in or Path(empty)
        with Servers(specs.values(), cwd=folder) as servers:
            maker = _Maker(servers, _secrets(specs.values()), seed, rejected)
            tools = [tool for tool in servers.tools if _may_run(tool, writes_in, report)]
            report.left_out += servers.problems
            for done, tool in enumerate(tools):
                for split in SPLITS:
                    rows[split] += maker.make(tool, split)
                progress(done + 1, len(tools))
    for split, made in rows.items():
        random.Random(f"{seed} {split}").shuffle(made)
        write_jsonl(out / f"{split}.jsonl", (row.to_dict() for row in made))
        report.rows[split] = {name: sum(row.ability == name for row in made) for name in ABILITIES}
    report.rejected = dict(sorted(rejected.items()))
    write_json(out / "summary.json", {
        "seed": seed, "rows": report.rows, "rejected": report.rejected,
        "left_out": report.left_out, "made_from": "tool schemas alone; wordings are plain",
    })  # fmt: skip
    return report


def _may_run(tool: Tool, writes_in: Path | None, report: SchemaReport) -> bool:
    if tool.read_only or writes_in is not None:
        return True
    report.left_out.append(f"tool {tool.name}: not called read-only by its server")
    return False


def _secrets(specs: Any) -> list[str]:
    """Values of the servers' own environments: they must not come back in a result."""
    found = [value for spec in specs for value in _env(spec).values()]
    return [value for value in found if len(value) >= _SHORTEST_SECRET]


def _env(spec: ServerSpec) -> dict[str, str]:
    return spec.expanded().env


class _Maker:
    def __init__(
        self, servers: Servers, secrets: list[str], seed: int, rejected: Counter[str]
    ) -> None:
        self.servers, self.secrets, self.seed, self.rejected = servers, secrets, seed, rejected
        self._requests: set[str] = set()
        self._failures: Counter[str] = Counter()

    def make(self, tool: Tool, split: Split) -> list[Conversation]:
        rows: list[Conversation] = []
        count = ROWS_PER_TOOL[split]
        for number in range(count * _ATTEMPTS):
            if len(rows) >= count or self._failures[tool.name] >= _FAILURES_PER_TOOL:
                break
            rng = random.Random(f"{self.seed} {split} {tool.name} {number}")
            row = self._row(tool, split, len(rows), rng)
            if isinstance(row, str):
                self.rejected[row] += 1
            else:
                rows.append(row)
        return rows

    def _row(self, tool: Tool, split: Split, number: int, rng: random.Random) -> Conversation | str:
        """A conversation, or the reason there is none."""
        try:
            arguments = draw_arguments(tool.input_schema, split, rng)
        except UnusableError:
            return "unusable schema"
        if check_arguments(tool, arguments):
            return "breaks the schema"
        required = [name for name in tool.input_schema.get("required", ()) if name in arguments]
        missing = rng.choice(required) if required and rng.random() < ASK_FRACTION else None
        shown = {name: value for name, value in arguments.items() if name != missing}
        frame = rng.choice(_FRAMES[split])
        request = _worded(frame, tool, shown)
        if request in self._requests:
            return "request twice"
        if missing is not None and _spelled(arguments[missing]) in request:
            return "twins do not differ"
        turns = self._turns(tool, arguments, missing, rng)
        if isinstance(turns, str):
            return turns
        self._requests.add(request)
        meta = {
            "split": split, "program": tool.name,
            "phrasing": f"schema:{_FRAMES[split].index(frame)}",
            "values": shown, "seed": self.seed, "servers": [self.servers.server_of[tool.name]],
        }  # fmt: skip
        ability = "single" if missing is None else "ask"
        return Conversation(
            id=f"{split}-{ability}-{tool.name}-{number:04}",
            ability=ability,
            messages=(
                Message(role="system", content=SYSTEM_PROMPT),
                Message(role="user", content=request),
                *turns,
            ),
            tools=self.servers.tools,
            meta=meta | ({} if missing is None else {"missing": missing}),
        )

    def _turns(
        self, tool: Tool, arguments: dict[str, Any], missing: str | None, rng: random.Random
    ) -> list[Message] | str:
        """What follows the request, or the reason there is nothing."""
        if missing is not None:
            reply = rng.choice(_QUESTIONS).format(name=missing.replace("_", " "))
            return [Message(role="assistant", content=reply)]
        result = self._executed(tool, arguments)
        if not isinstance(result, tuple):
            self._failures[tool.name] += 1
            return result
        call = ToolCall(id="call_1", name=tool.name, arguments=arguments)
        return [
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content=result[0], tool_call_id=call.id),
            Message(role="assistant", content=_answer(result[0])),
        ]

    def _executed(self, tool: Tool, arguments: dict[str, Any]) -> tuple[str] | str:
        """(the result,), or the reason to throw the row away; called twice where that is safe."""
        texts = []
        for _ in range(2 if tool.read_only else 1):
            try:
                result = self.servers.call(tool.name, arguments)
            except ServerError:
                return "server failed"
            if any(secret in result.content for secret in self.secrets):
                return "secret in a result"
            if result.is_error or _LOOKS_FAILED.match(result.content):
                return "tool reported a failure"
            if len(result.content) > _LONGEST_RESULT:
                return "result too long"
            texts.append(mask(result.content)[0])
        if not same_lines(texts[0], texts[-1]):
            return "answers differ"
        return (texts[0],)


def _worded(frame: str, tool: Tool, values: dict[str, Any]) -> str:
    first = re.split(r"(?<=[.!?])\s|\n", tool.description.strip())[0].rstrip(".")
    what = first or re.sub(r"[_.-]+", " ", tool.name)
    said = "; ".join(f"{name} {_spelled(value)}" for name, value in values.items())
    text = frame.format(what=what[0].lower() + what[1:], values=said or "nothing else")
    return text[0].upper() + text[1:]


def _spelled(value: Any) -> str:
    """As a request says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_spelled(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " and ".join(map(_spelled, value))
    return str(value)


def _answer(result: str) -> str:
    lines = [line for line in result.splitlines() if line.strip()]
    return f"The answer is: {lines[0][:200]}" if lines else "It came back empty."
