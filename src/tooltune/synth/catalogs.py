"""Which tools a conversation shows, and under which names: strangers, so that it is the pattern
that is learned and not the tools. Few catalogs, so that many conversations share one.

A catalog holds some tools of one kind of world, often beside distractors of another, as their
server lists them or dressed: renamed (tools and parameters, consistently), with descriptions cut
to their first sentence, or without any.
"""

import json
import random
import re
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

from tooltune.messages import Conversation, Message, Tool, ToolCall
from tooltune.servers.registers import DOMAINS
from tooltune.worlds.pools import Split
from tooltune.worlds.registers import SPLIT_DOMAINS

DRESSES = ("plain", "short", "renamed", "bare", "camel")
_GROUPS: dict[str, tuple[str, ...]] = {
    "desk": (
        r"git_.*",
        r"git_.*|read_file|write_file",
        r"git_(?:status|log|branch|checkout|diff).*|git_add|git_create_branch|get_current_time",
        r"shell_execute|read_file|.*_time",
        r"git_(?:log|status|show|create_branch|checkout)|shell_exec|read_file|write_file|.*_time",
        r"git_(?:add|reset|commit|diff_staged|status)|write_file|read_file|shell_execute",
    ),
    "files": (
        r"(?!read_file$|read_media).*",
        r"read_text_file|write_file|search_files|list_directory|get_file_info|read_multiple_files",
        r"(?:list|move|create|directory|write|edit|read_text|search|get)_.*|directory_tree",
    ),
    "sheets": (
        r"list_workbooks|describe_.*|read_range|find_cells|set_note",
        r"list_workbooks|describe_workbook|(?:read|write)_range|(?:create|rename|delete)_sheet",
        r"describe_sheet|(?:read|sort)_range|replace_cells|.*_rows_or_columns",
        r"(?:list|create)_workbooks?|describe_.*|(?:read|write|clear|copy)_range|find_cells|set_note",
        r"(?:list|create)_workbooks?|describe_workbook|copy_sheet|read_range|.*_defined_name",
        r"describe_sheet|(?:read|copy)_range|trace_formula",
        r"describe_workbook|read_range|.*_csv",
        r"(?:read|write|clear)_range|find_cells|set_note",
        r"describe_sheet|read_range|trace_formula|goal_seek|merge_cells|.*_csv",
        r"describe_sheet|(?:sort|clear)_range|merge_cells|.*_rows_or_columns",
        r"list_workbooks|describe_workbook|(?:create|rename|copy|delete)_sheet|.*_defined_name",
        r"(?:read|write)_range|trace_formula|goal_seek|replace_cells",
    ),
}
_COPIES = {
    "store": 5,
    "sheets": 12,
    "graph": 5,
    "web": 3,
    "sums": 3,
    "desk": 8,
    "files": 5,
    "everything": 3,
}
"""Catalogs a kind; the registers have one a domain."""
DISTRACTORS = 3
_LONGEST_DISTRACTOR = 700
"""Characters of its schema: some servers describe every option of a chart in one tool."""
RIVALS = {"desk": {"files", "sums"}, "files": {"desk"}, "sums": {"desk"}, "store": {"sheets"},
          "sheets": {"files", "desk"}}  # fmt: skip
"""Kinds whose tools could do each other's work are no strangers to each other."""

_WORDS = {
    "get": "fetch", "list": "enumerate", "read": "load", "write": "store", "search": "query",
    "create": "make", "delete": "drop", "find": "locate", "file": "document", "query": "statement",
    "directory": "folder", "table": "relation", "entities": "items", "observations": "notes",
    "git": "vcs", "branch": "line", "status": "state", "log": "history", "time": "clock",
    "calculate": "evaluate", "shell": "terminal", "execute": "run", "nodes": "entries",
    "path": "location", "paths": "locations", "name": "label", "id": "key", "text": "string",
    "content": "body", "repo": "project", "timezone": "zone", "expression": "formula",
    "url": "address", "message": "note", "target": "other", "command": "argv", "set": "put",
    "range": "block", "sheet": "tab", "workbook": "spreadsheet", "cells": "fields", "cell": "field",
    "limit": "at_most", "reason": "why", "source": "origin", "destination": "goal",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is shown. `tool_names` maps a server's name to the shown one, `parameters` each
    (server's tool, its parameter) likewise; both only where they differ."""

    name: str
    kind: str
    dress: str
    tools: tuple[Tool, ...]
    real_names: frozenset[str]
    kinds: frozenset[str]
    """Of world, that have one of the tools, distractors included."""
    tool_names: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, dict[str, str]] = field(default_factory=dict)

    def to_meta(self) -> dict[str, Any]:
        """What a replay needs: shown tool to the server's tool and its parameters."""
        renamed = {
            shown: {"tool": real, "parameters": {
                new: old for old, new in self.parameters.get(real, {}).items()}}
            for real, shown in self.tool_names.items()
        }  # fmt: skip
        return {"name": self.name, "dress": self.dress} | ({"renamed": renamed} if renamed else {})


def make_catalogs(tools: dict[str, tuple[Tool, ...]], seed: int) -> list[Catalog]:
    """All catalogs, from every kind's tools; the same for the same seed."""
    made = []
    kinds_of: dict[str, set[str]] = {}
    for kind, listed in tools.items():
        for tool in listed:
            kinds_of.setdefault(tool.name, set()).add(kind)
    for kind in sorted(tools):
        rng = random.Random(f"{seed} catalogs {kind}")
        dresses = cycle(DRESSES)
        for number, own in enumerate(_groups(kind, tools[kind])):
            taken = {tool.name for tool in own}
            others = [
                tool
                for other in sorted(tools.keys() - {kind, "registers", "everything"})
                if other not in RIVALS.get(kind, set())
                for tool in tools[other]
                if tool.name not in taken
                and len(json.dumps(tool.input_schema)) <= _LONGEST_DISTRACTOR
            ]
            # The first of a kind has none: beside it, any other kind's request is out of reach.
            wanted = rng.randint(0, DISTRACTORS) if number else 0
            strange = rng.sample(others, min(wanted, len(others)))
            shown = [*own, *{tool.name: tool for tool in strange}.values()]
            rng.shuffle(shown)
            plain = Catalog(
                name=f"{kind}-{number}",
                kind=kind,
                dress=next(dresses),
                tools=tuple(shown),
                real_names=frozenset(taken),
                kinds=frozenset().union(*(kinds_of[tool.name] for tool in shown)),
            )
            made.append(_dressed(plain))
    return made


def catalogs_for(split: Split, catalogs: list[Catalog]) -> list[Catalog]:
    """Without the invented catalogs of other splits."""
    own = {DOMAINS[name].tool("get") for name in SPLIT_DOMAINS[split]}
    return [one for one in catalogs if one.kind != "registers" or one.real_names & own]


def _groups(kind: str, tools: tuple[Tool, ...]) -> list[list[Tool]]:
    if kind == "registers":
        by_domain: dict[str, list[Tool]] = {}
        for tool in tools:
            by_domain.setdefault(tool.description.rpartition("the ")[2], []).append(tool)
        return list(by_domain.values())
    patterns = cycle(_GROUPS.get(kind, (".*",)))
    found = []
    for _ in range(_COPIES.get(kind, 2)):
        pattern = next(patterns)
        found.append([tool for tool in tools if re.fullmatch(pattern, tool.name)])
    return [one for one in found if one]


def _dressed(catalog: Catalog) -> Catalog:
    dress = catalog.dress
    tool_names: dict[str, str] = {}
    parameters: dict[str, dict[str, str]] = {}
    shown = []
    for tool in catalog.tools:
        if dress in ("renamed", "camel"):
            tool_names[tool.name] = _rename(tool.name, dress, set(tool_names.values()))
            parameters[tool.name] = {}
            for parameter in tool.input_schema.get("properties", {}):
                taken = set(parameters[tool.name].values())
                parameters[tool.name][parameter] = _rename(parameter, dress, taken)
        shown.append(_redescribed(_renamed_tool(tool, tool_names, parameters), dress))
    return replace(catalog, tools=tuple(shown), tool_names=tool_names, parameters=parameters)


def _rename(name: str, dress: str, taken: set[str]) -> str:
    parts: list[str] = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)
    if dress == "camel":
        new = parts[0].lower() + "".join(part.title() for part in parts[1:])
    else:
        new = "_".join(_WORDS.get(part.lower(), part.lower()) for part in parts)
    while new in taken:
        new += "_2"
    return new


def _renamed_tool(tool: Tool, names: dict[str, str], parameters: dict[str, dict[str, str]]) -> Tool:
    if tool.name not in names:
        return tool
    given = parameters[tool.name]
    schema = dict(tool.input_schema)
    schema["properties"] = {given[key]: value for key, value in schema["properties"].items()}
    if "required" in schema:
        schema["required"] = [given[key] for key in schema["required"]]
    return tool.model_copy(update={"name": names[tool.name], "input_schema": schema})


def _redescribed(tool: Tool, dress: str) -> Tool:
    schema = {key: value for key, value in tool.input_schema.items() if key != "$schema"}
    if dress == "bare":
        return tool.model_copy(update={"description": "", "input_schema": _undescribed(schema)})
    first = re.split(r"(?<=[.!?])\s|\n", tool.description.strip())[0]
    # Whole descriptions of some servers are longer than many a conversation.
    long = dress != "plain" or len(tool.description) > 300
    return tool.model_copy(
        update={"description": first if long else tool.description, "input_schema": schema}
    )


def _undescribed(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: _undescribed(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [_undescribed(item) for item in schema] if isinstance(schema, list) else schema


def dress_up(row: Conversation, catalog: Catalog) -> Conversation:
    """The conversation as it reads with the catalog's tools and names."""

    def renamed(call: ToolCall) -> ToolCall:
        names = catalog.parameters.get(call.name, {})
        arguments = {names.get(key, key): value for key, value in call.arguments.items()}
        shown = catalog.tool_names.get(call.name, call.name)
        return ToolCall(id=call.id, name=shown, arguments=arguments)

    def dressed(message: Message) -> Message:
        calls = tuple(renamed(call) for call in message.tool_calls)
        return message.model_copy(update={"tool_calls": calls})

    return row.model_copy(
        update={
            "tools": catalog.tools,
            "messages": tuple(dressed(message) for message in row.messages),
            "meta": {**row.meta, "catalog": catalog.to_meta()},
        }
    )
