"""The coverage ledger: how often each tool, each of its parameters, each enum value and each nested
field is used by the conversations of each ability. What is never used cannot be learned."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tooltune.messages import ABILITIES, Conversation, Tool

ASK = "ask"
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """`part` is empty for the tool itself, else a path such as `edits[].mode=append`; `kind` is
    tool, required, optional, enum or nested. A count is None where the ability cannot use the part:
    only a required parameter can be missing and asked for."""

    tool: str
    part: str
    kind: str
    counts: dict[str, int | None]

    @property
    def never_used(self) -> bool:
        return not any(self.counts.values())


@dataclass(frozen=True, slots=True)
class Ledger:
    """Columns are the abilities that make calls, and `ask`, which counts the rows that ask for the
    parameter."""

    abilities: tuple[str, ...]
    rows: tuple[LedgerRow, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "abilities": list(self.abilities),
            "rows": [
                {"tool": row.tool, "part": row.part, "kind": row.kind, "counts": row.counts}
                for row in self.rows
            ],
            "holes": sum(0 in row.counts.values() for row in self.rows),
            "never_used": [f"{row.tool} {row.part}".strip() for row in self.rows if row.never_used],
        }


def cover(conversations: Sequence[Conversation]) -> Ledger:
    """Tools are told apart by name; a tool has the parts of all its schemas. A tool or parameter
    shown under another name (`meta.catalog.renamed`) counts under its server's."""
    parts: dict[str, dict[str, str]] = {}
    seen: set[int] = set()
    for conversation in conversations:
        for tool in conversation.tools:
            if id(tool) not in seen:
                seen.add(id(tool))
                name, parameters = _server_names(conversation, tool.name)
                found = {_renamed(part, parameters): kind for part, kind in parts_of(tool).items()}
                parts.setdefault(name, {"": "tool"}).update(found)
    uses = _count_uses(conversations, parts)
    callers = {ability for _, _, ability in uses}
    order = [*ABILITIES, *sorted(callers - set(ABILITIES))]
    abilities = tuple(name for name in order if name in callers or name == ASK)
    rows = [
        LedgerRow(
            tool,
            part,
            kind,
            {
                name: None if name == ASK and kind != "required" else uses[tool, part, name]
                for name in abilities
            },
        )
        for tool, kinds in parts.items()
        for part, kind in kinds.items()
    ]
    return Ledger(abilities, tuple(rows))


def parts_of(tool: Tool) -> dict[str, str]:
    """Path -> kind of everything a call of the tool can hold, in the schema's order."""
    return dict(_parts(tool.input_schema, "", tool.input_schema, 0))


def _parts(schema: Any, path: str, root: dict[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    schema = _resolve(schema, root)
    if depth > _DEEPEST or not isinstance(schema, dict):
        return
    for value in schema.get("enum") or ():
        if path:
            yield f"{path}={value}", "enum"
    for alternative in _alternatives(schema):
        yield from _parts(alternative, path, root, depth + 1)
    properties = schema.get("properties")
    required = schema.get("required") or ()
    for name, inner in (properties if isinstance(properties, dict) else {}).items():
        inner_path = f"{path}.{name}" if path else name
        kind = "nested" if path else ("required" if name in required else "optional")
        yield inner_path, kind
        yield from _parts(inner, inner_path, root, depth + 1)
    if "items" in schema:
        yield from _parts(schema["items"], f"{path}[]", root, depth + 1)


def _alternatives(schema: dict[str, Any]) -> list[Any]:
    lists = (schema.get(key) for key in ("anyOf", "oneOf", "allOf"))
    return [one for alternatives in lists if isinstance(alternatives, list) for one in alternatives]


def _resolve(schema: Any, root: dict[str, Any]) -> Any:
    """A reference within the schema."""
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: Any = root
    for key in reference[2:].split("/"):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _count_uses(
    conversations: Sequence[Conversation], parts: dict[str, dict[str, str]]
) -> Counter[tuple[str, str, str]]:
    uses: Counter[tuple[str, str, str]] = Counter()
    first_tool = {
        conversation.id: _server_names(conversation, call.name)[0]
        for conversation in conversations
        for message in conversation.messages
        for call in message.tool_calls[:1]
    }
    for conversation in conversations:
        ability = conversation.ability or "unnamed"
        for message in conversation.messages:
            for call in message.tool_calls:
                name, parameters = _server_names(conversation, call.name)
                known = parts.get(name, {})
                used = {"", *(_renamed(one, parameters) for one in _used(call.arguments, ""))}
                uses.update((name, part, ability) for part in used if part in known)
        missing, twin = conversation.meta.get("missing"), conversation.meta.get("twin")
        if ability == ASK and isinstance(missing, str):
            tool = conversation.meta.get("tool") or first_tool.get(str(twin), "")
            uses[str(tool), missing, ASK] += 1
    return uses


def _server_names(conversation: Conversation, shown: str) -> tuple[str, dict[str, str]]:
    """The tool's name at its server, and shown parameter -> the server's."""
    catalog = conversation.meta.get("catalog")
    renamed = catalog.get("renamed") if isinstance(catalog, dict) else None
    names = renamed.get(shown) if isinstance(renamed, dict) else None
    if not isinstance(names, dict):
        return shown, {}
    return str(names.get("tool", shown)), dict(names.get("parameters") or {})


def _renamed(part: str, parameters: dict[str, str]) -> str:
    """The part with its first name, which is the parameter's, exchanged."""
    if not parameters:
        return part
    end = min((part.find(sign) for sign in ".[=" if sign in part), default=len(part))
    return parameters.get(part[:end], part[:end]) + part[end:]


def _used(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else key
            yield inner
            yield from _used(item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _used(item, f"{path}[]")
    else:
        yield f"{path}={value}"
