"""A dataset's rows as plain values, read here and not by the readers that training uses."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooltune.jsonl import read_jsonl


@dataclass(frozen=True, slots=True)
class Call:
    """As it stands in the row (`name`, `arguments`), and as its server knows it: some rows show
    tools and parameters under other names and record them in `meta.catalog.renamed`."""

    index: int
    """Of the message that holds it."""
    name: str
    arguments: dict[str, Any]
    server_name: str
    server_parameters: dict[str, str]
    """Shown parameter to the server's, where they differ."""
    result: str | None
    """Text of the tool message that answers it; None where none does."""

    @property
    def server_arguments(self) -> dict[str, Any]:
        return {self.server_parameters.get(k, k): v for k, v in self.arguments.items()}


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    id: str
    ability: str | None
    messages: list[dict[str, Any]]
    tools: dict[str, dict[str, Any]]
    """Tool name to its `function` object."""
    meta: dict[str, Any]
    calls: list[Call]

    def known_before(self, index: int) -> str:
        """What system, user and tools said before message `index`."""
        said = (m for m in self.messages[:index] if m["role"] != "assistant")
        return "\n".join(str(m.get("content") or "") for m in said)

    @property
    def requests(self) -> str:
        users = (m for m in self.messages if m["role"] == "user")
        return "\n".join(str(m.get("content") or "") for m in users)


def read_rows(path: Path) -> tuple[list[Row], list[tuple[int, str]]]:
    """Rows, and (line, reason) of those that are not of the form synth writes. Raises DataError
    where a line is not JSON."""
    rows, broken = [], []
    for line, value in read_jsonl(path):
        try:
            rows.append(_read_row(line, value))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            broken.append((line, f"not a row that synth wrote ({type(error).__name__}: {error})"))
    return rows, broken


def _read_row(line: int, value: dict[str, Any]) -> Row:
    tools = {one["function"]["name"]: one["function"] for one in json.loads(value["tools"])}
    meta = value.get("meta") or {}
    messages = value["messages"]
    renamed = (meta.get("catalog") or {}).get("renamed") or {}
    results = {m["tool_call_id"]: m["content"] for m in messages if m["role"] == "tool"}
    calls = []
    for index, message in enumerate(messages):
        for one in message.get("tool_calls") or ():
            function = one["function"]
            names = renamed.get(function["name"], {})
            arguments = json.loads(function["arguments"])
            if not isinstance(arguments, dict):
                raise TypeError(f"arguments of {function['name']} are no object")
            calls.append(
                Call(
                    index=index,
                    name=function["name"],
                    arguments=arguments,
                    server_name=names.get("tool", function["name"]),
                    server_parameters=names.get("parameters", {}),
                    result=results.get(one["id"]),
                )
            )
    return Row(line, value["id"], value.get("ability"), messages, tools, meta, calls)
