"""An example server with invented catalogs: registers of many domains, each with its own tools.

Run it with `python -m tooltune.servers.registers FILE`, where FILE holds the records as JSON. It
speaks the protocol by hand, so it starts at once and lists any JSON Schema.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Records = dict[str, dict[str, dict[str, Any]]]
"""Domain to id to record."""

OPERATIONS = ("create", "get", "find", "set", "cancel")
DEFAULT_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Domain:
    """One register. `fields` maps a parameter to a kind of value: person, thing, city, date,
    `1-9` (a whole number of this range), `yes/no`, `a|b|c` (one of these) or `{city,street}`."""

    name: str
    noun: str
    fields: dict[str, str]
    choice: str
    """The field that `set` changes; one of the `a|b|c` kind."""
    verbs: dict[str, str]
    """Operation to the verb of its tool."""
    style: str = "snake"
    """snake, camel or kebab: how tool names are written."""

    @property
    def plural(self) -> str:
        return f"{self.noun}s"

    @property
    def choices(self) -> list[str]:
        return self.fields[self.choice].split("|")

    @property
    def required(self) -> list[str]:
        """All fields but the last."""
        return list(self.fields)[:-1]

    def tool(self, operation: str) -> str:
        verb = self.verbs.get(operation, operation)
        noun = self.plural if operation == "find" else self.noun
        parts = [verb, noun, *([self.choice] if operation == "set" else [])]
        if self.style == "camel":
            return parts[0] + "".join(part.title() for part in parts[1:])
        return ("-" if self.style == "kebab" else "_").join(parts)

    @property
    def id_name(self) -> str:
        return "id" if self.style == "kebab" else f"{self.noun}_id"


DOMAINS = {
    domain.name: domain
    for domain in (
        Domain("library", "loan", {"member": "person", "title": "thing", "days": "7-60",
               "shelf": "adult|youth|science|poetry", "renewable": "yes/no"}, "shelf", {}),
        Domain("hotel", "booking", {"guest": "person", "nights": "1-14", "arrival": "date",
               "room": "single|double|suite|dorm", "breakfast": "yes/no"}, "room",
               {"find": "search", "set": "change"}),
        Domain("clinic", "appointment", {"patient": "person", "day": "date",
               "urgency": "low|normal|high", "minutes": "10-90"}, "urgency",
               {"create": "schedule"}, "camel"),
        Domain("depot", "parcel", {"sender": "person", "weight": "1-40",
               "address": "{city,street}", "service": "standard|express|freight",
               "insured": "yes/no"}, "service", {"create": "register", "find": "list"}),
        Domain("garage", "repair", {"owner": "person", "vehicle": "thing",
               "stage": "waiting|working|finished", "hours": "1-30"}, "stage",
               {"create": "open", "get": "show", "cancel": "close"}),
        Domain("school", "course", {"teacher": "person", "subject": "thing", "seats": "8-40",
               "level": "beginner|middle|advanced", "online": "yes/no"}, "level",
               {"create": "add", "cancel": "drop"}, "kebab"),
        Domain("helpdesk", "ticket", {"reporter": "person", "subject": "thing",
               "priority": "minor|major|critical", "hours": "1-72"}, "priority",
               {"create": "file", "get": "read", "set": "update"}),
        Domain("ferry", "crossing", {"captain": "person", "harbor": "city", "cars": "2-80",
               "state": "planned|boarding|delayed|arrived", "night": "yes/no"}, "state",
               {"create": "plan", "find": "list"}, "camel"),
        Domain("rental", "bike", {"renter": "person", "model": "thing", "days": "1-30",
               "condition": "new|good|worn", "helmet": "yes/no"}, "condition",
               {"create": "rent", "get": "inspect"}),
        Domain("bakery", "order", {"customer": "person", "cake": "thing", "pieces": "4-48",
               "glaze": "plain|lemon|chocolate", "pickup": "date"}, "glaze",
               {"create": "place", "find": "search"}, "kebab"),
        Domain("theatre", "screening", {"host": "person", "film": "thing", "seats": "20-300",
               "hall": "red|blue|green", "subtitles": "yes/no"}, "hall",
               {"create": "announce", "set": "move"}),
        Domain("museum", "exhibit", {"curator": "person", "item": "thing", "year": "1800-2020",
               "wing": "north|south|garden", "origin": "{city,street}"}, "wing",
               {"create": "record", "get": "view", "set": "assign"}),
        Domain("farm", "harvest", {"farmer": "person", "crop": "thing", "crates": "5-120",
               "grade": "first|second|juice", "cooled": "yes/no"}, "grade",
               {"create": "log", "find": "query"}, "camel"),
        Domain("marina", "berth", {"skipper": "person", "boat": "thing", "meters": "4-30",
               "dock": "east|west|inner", "power": "yes/no"}, "dock",
               {"create": "reserve", "cancel": "release"}),
    )
}  # fmt: skip


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of a field's kind of value."""
    if kind == "yes/no":
        return {"type": "boolean"}
    if kind == "date":
        return {"type": "string", "format": "date"}
    if match := re.fullmatch(r"(\d+)-(\d+)", kind):
        return {"type": "integer", "minimum": int(match[1]), "maximum": int(match[2])}
    if kind.startswith("{"):
        names = kind[1:-1].split(",")
        return {"type": "object", "properties": {name: {"type": "string"} for name in names},
                "required": names}  # fmt: skip
    return {"type": "string", "enum": kind.split("|")} if "|" in kind else {"type": "string"}


def list_tools(domain: Domain) -> list[dict[str, Any]]:
    """What the server lists for one domain."""
    fields = {name: schema_of(kind) for name, kind in domain.fields.items()}
    number = {domain.id_name: {"type": "string", "description": f"Id of the {domain.noun}"}}
    limit = {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT}
    choice = fields[domain.choice]
    first = next(iter(domain.fields))
    shapes: dict[str, tuple[str, dict[str, Any], list[str]]] = {
        "create": (f"Creates a {domain.noun}", fields, domain.required),
        "get": (f"Returns one {domain.noun}", number, [domain.id_name]),
        "find": (f"Lists {domain.plural}, all or by {domain.choice} and {first}",
                 {domain.choice: choice, first: fields[first], "limit": limit}, []),
        "set": (f"Changes the {domain.choice} of a {domain.noun}",
                {**number, domain.choice: choice}, [domain.id_name, domain.choice]),
        "cancel": (f"Ends a {domain.noun}", {**number, "reason": {"type": "string"}},
                   [domain.id_name]),
    }  # fmt: skip
    return [
        {
            "name": domain.tool(operation),
            "description": f"{text} of the {domain.name}.",
            "inputSchema": {"type": "object", "properties": properties, "required": required},
            "annotations": {"readOnlyHint": operation in ("get", "find")},
        }
        for operation, (text, properties, required) in shapes.items()
    ]


def call(records: Records, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """What a tool answers, and whether it failed; changes `records`."""
    found = [
        (domain, operation)
        for domain in DOMAINS.values()
        for operation in OPERATIONS
        if domain.tool(operation) == name
    ]
    if not found:
        return f"unknown tool {name}", True
    domain, operation = found[0]
    rows = records.setdefault(domain.name, {})
    if operation == "find":
        return _find(domain, rows, arguments), False
    if operation == "create":
        number = f"{domain.noun[0].upper()}-{101 + len(rows)}"
        rows[number] = {name: value for name, value in arguments.items() if name in domain.fields}
        return json.dumps({"id": number, **rows[number]}), False
    number = arguments.get(domain.id_name, "")
    if number not in rows:
        return f"There is no {domain.noun} with the id {number}.", True
    if operation == "set":
        rows[number][domain.choice] = arguments.get(domain.choice)
    if operation == "cancel":
        rows[number]["ended"] = arguments.get("reason", True)
    return json.dumps({"id": number, **rows[number]}), False


def _find(domain: Domain, rows: dict[str, dict[str, Any]], arguments: dict[str, Any]) -> str:
    wanted = {name: value for name, value in arguments.items() if name in domain.fields}
    found = [
        {"id": number, **row}
        for number, row in rows.items()
        if all(row.get(name) == value for name, value in wanted.items())
    ]
    return json.dumps(found[: arguments.get("limit", DEFAULT_LIMIT)])


def _answer(file: Path, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        return {
            "protocolVersion": params.get("protocolVersion", "2025-06-18"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "registers", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [tool for domain in DOMAINS.values() for tool in list_tools(domain)]}
    if method != "tools/call":
        return None
    records: Records = json.loads(file.read_text(encoding="utf-8"))
    before = json.dumps(records)
    text, is_error = call(records, params["name"], params.get("arguments") or {})
    if json.dumps(records) != before:
        file.write_text(json.dumps(records), encoding="utf-8")
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def serve(file: Path, write: Callable[[str], Any]) -> None:
    """Answer requests, one JSON a line, until standard input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = _answer(file, request["method"], request.get("params") or {})
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if result is None:
            reply["error"] = {"code": -32601, "message": "Method not found"}
        else:
            reply["result"] = result
        write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.stdout.write)
