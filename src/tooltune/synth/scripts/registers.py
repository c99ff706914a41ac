"""Programs over the invented catalogs: one family an operation, whatever the domain."""

import json
from collections.abc import Iterator
from typing import Any

from tooltune.servers.registers import DOMAINS, Domain
from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, Run, call, need, script, scripts_of
from tooltune.worlds.registers import Registers, draw_value


def _call(v: Values, operation: str, **arguments: Any) -> Call:
    domain = DOMAINS[v["domain"]]
    named = {domain.id_name if name == "id" else name: value for name, value in arguments.items()}
    return call(domain.tool(operation), **named)


def _domain(registers: Registers) -> tuple[Domain, Values]:
    domain = registers.rng.choice(registers.domains)
    return domain, {"domain": domain.name, "noun": domain.noun, "plural": domain.plural,
                    "choice": domain.choice, "id_name": domain.id_name}  # fmt: skip


def _spelled(value: Any) -> str:
    """As a request says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)


def _fields(registers: Registers, domain: Domain, names: list[str]) -> dict[str, Any]:
    kinds = domain.fields
    return {name: draw_value(kinds[name], registers.world.split, registers.rng) for name in names}


def _record(registers: Registers) -> Values:
    domain, values = _domain(registers)
    number, row = registers.rng.choice(list(registers.records[domain.name].items()))
    first = next(iter(domain.fields))
    other = registers.rng.choice([one for one in domain.choices if one != row[domain.choice]])
    return {**values, "id": number, "first": first, "who": _spelled(row[first]),
            "value": row[domain.choice], "new": other}  # fmt: skip


def _two_records(registers: Registers) -> Values:
    values = _record(registers)
    others = [number for number in registers.records[values["domain"]] if number != values["id"]]
    return {**values, "other": registers.rng.choice(others)}


def _missing(registers: Registers) -> Values:
    values = _record(registers)
    return {**values, "id": f"{values['id'][0]}-{registers.rng.randint(300, 999)}"}


def _new(registers: Registers) -> Values:
    domain, values = _domain(registers)
    fields = _fields(registers, domain, domain.required)
    return {**values, **_told(fields)}


def _new_full(registers: Registers) -> Values:
    domain, values = _domain(registers)
    return {**values, **_told(_fields(registers, domain, list(domain.fields)))}


def _told(fields: dict[str, Any]) -> Values:
    """What the request says of a new record, and the same as JSON for the call."""
    said = "; ".join(f"{name}: {_spelled(value)}" for name, value in fields.items())
    return {"said": said, "fields": json.dumps(fields)}


def _rows(text: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(text)
    need(rows)
    return rows


def _ids(rows: list[dict[str, Any]]) -> Iterator[str]:
    return (row["id"] for row in rows)


@script("registers", """
what do you have on the {noun}< {id}~ I mean>?
= the {noun}< {id}~ I asked about>
= the details of the {noun}< {id}~ I mentioned>
! look up the {noun}< {id}~ from yesterday>
who is the {first} of the {noun}< {id}~ I spoke of>?
""", "The {first} is {x}, {choice} {y}. | {x}, with the {choice} {y}.", draw=_record,
asks={"id": ("id", "id")})  # fmt: skip
def get_record(v: Values) -> Run:
    (text,) = yield _call(v, "get", id=v["id"])
    row = json.loads(text)
    return {"x": row[v["first"]], "y": row[v["choice"]]}


@script("registers", """
which {plural} have the {choice} {value}?
= all {plural} with the {choice} {value}
! list the {plural} whose {choice} is {value}
""", "{n}: {ids}. | I found {ids}.", draw=_record)  # fmt: skip
def find_by_choice(v: Values) -> Run:
    (text,) = yield _call(v, "find", **{v["choice"]: v["value"]})
    rows = _rows(text)
    return {"n": len(rows), "ids": ", ".join(_ids(rows))}


@script("registers", """
which {plural} are there for the {first} {who}?
= the {plural} of the {first} {who}
! list each of the {plural} with {who} as {first}
""", "{ids} | I found {ids}.", draw=_record)  # fmt: skip
def find_by_first(v: Values) -> Run:
    (text,) = yield _call(v, "find", **{v["first"]: v["who"]})
    return {"ids": ", ".join(_ids(_rows(text)))}


@script(
    "registers",
    """
= up to {n} {plural} with the {choice} {value}
! list at most {n} {plural} whose {choice} is {value}
show {n} {plural} of {choice} {value}, not more
""",
    "{ids} | Here: {ids}.",
    draw=lambda registers: {**_record(registers), "n": "1"},
)
def find_limited(v: Values) -> Run:
    (text,) = yield _call(v, "find", **{v["choice"]: v["value"]}, limit=int(v["n"]))
    return {"ids": ", ".join(_ids(_rows(text)))}


@script(
    "registers",
    """
which {plural} are there?
= all {plural} of the {domain}
! list the {plural} of the {domain}
""",
    "{n}, the first is {first_id}. | There are {n}, such as {first_id}.",
    draw=_record,
)
def find_all(v: Values) -> Run:
    (text,) = yield _call(v, "find")
    rows = _rows(text)
    return {"n": len(rows), "first_id": rows[0]["id"]}


@script("registers", """
! create a {noun}: {said}
! enter a new {noun} with {said}
there is a new {noun} for the {domain}: {said}
""", "The {noun} has the id {id}. | Created as {id}.", draw=_new)  # fmt: skip
def create_record(v: Values) -> Run:
    (text,) = yield _call(v, "create", **json.loads(v["fields"]))
    return {"id": json.loads(text)["id"]}


@script("registers", """
! create a {noun} with all of this: {said}
! enter one more {noun}, complete, with {said}
the {domain} gets another {noun}; {said}
""", "The {noun} has the id {id}. | Created as {id}.", draw=_new_full)  # fmt: skip
def create_full(v: Values) -> Run:
    (text,) = yield _call(v, "create", **json.loads(v["fields"]))
    return {"id": json.loads(text)["id"]}


@script("registers", """
! set the {choice} of the {noun} {id} to< {new}~ something else>
! change the {choice} of {id} to< {new}~ another value>
the {choice} of the {noun} {id} should be< {new}~ different>
""", "{id} now has the {choice} {new}. | Changed to {new}.", draw=_record,
asks={"new": ("choice", "value")})  # fmt: skip
def set_choice(v: Values) -> Run:
    yield _call(v, "set", id=v["id"], **{v["choice"]: v["new"]})
    return {}


@script("registers", """
! end the {noun} {id}
! close the one {noun} {id} of the {domain}
the {noun} {id} is over, end it
""", "{id} is ended. | The {noun} {id} is closed.", draw=_record)  # fmt: skip
def cancel_record(v: Values) -> Run:
    yield _call(v, "cancel", id=v["id"])
    return {}


@script(
    "registers",
    """
! end the {noun} {id}, the reason is "{who} asked"
the {noun} {id} ends because "{who} asked", note that as the reason
""",
    "{id} is ended with that reason. | Ended, the reason is noted.",
    draw=_record,
)
def cancel_with_reason(v: Values) -> Run:
    yield _call(v, "cancel", id=v["id"], reason=f"{v['who']} asked")
    return {}


@script(
    "registers",
    """
what is the {choice} of {id} and of {other}?
= the {plural} {id} and {other}
! look up both {plural} {id} and {other}
""",
    "{a} and {b}. | {id}: {a}, {other}: {b}.",
    draw=_two_records,
    form="parallel",
)
def get_two(v: Values) -> Run:
    first, second = yield [_call(v, "get", id=v["id"]), _call(v, "get", id=v["other"])]
    return {"a": json.loads(first)[v["choice"]], "b": json.loads(second)[v["choice"]]}


@script("registers", """
! find the {noun} of the {first} {who} and set its {choice} to {new}
{who} has a {noun}; its {choice} should be {new}
! change the {choice} to {new} for the {noun} that has the {first} {who}
""", "{id} now has the {choice} {new}. | Changed {id} to {new}.", draw=_record,
ability="chain")  # fmt: skip
def find_then_set(v: Values) -> Run:
    (text,) = yield _call(v, "find", **{v["first"]: v["who"]})
    rows = _rows(text)
    need(len(rows) == 1)
    yield _call(v, "set", id=rows[0]["id"], **{v["choice"]: v["new"]})
    return {"id": rows[0]["id"]}


@script("registers", """
! find the {noun} of the {first} {who} and end it
{who} no longer needs the {noun}: find and end it
""", "{id} is ended. | I ended {id}.", draw=_record, ability="chain")  # fmt: skip
def find_then_cancel(v: Values) -> Run:
    (text,) = yield _call(v, "find", **{v["first"]: v["who"]})
    rows = _rows(text)
    need(len(rows) == 1)
    yield _call(v, "cancel", id=rows[0]["id"])
    return {"id": rows[0]["id"]}


@script("registers", """
! set the {choice} of {id} to {new} if it is {value}; else leave it
! look at the {noun} {id}; only if its {choice} is {value}, make it {new}
""", "It was {value}, now it is {new}. | {id} is changed to {new}.", draw=_record,
ability="chain", form="branch")  # fmt: skip
def set_if(v: Values) -> Run:
    (text,) = yield _call(v, "get", id=v["id"])
    need(json.loads(text)[v["choice"]] == v["value"])
    yield _call(v, "set", id=v["id"], **{v["choice"]: v["new"]})
    return {}


@script("registers", """
! set the {choice} of {id} to {value} if it is {new}; else only tell me what it is
! look at the {noun} {id}; only if its {choice} is {new}, make it {value}
""", "It is {value}, so I left it. | Nothing to do: the {choice} is {value}.", draw=_record,
form="branch")  # fmt: skip
def leave_as_is(v: Values) -> Run:
    (text,) = yield _call(v, "get", id=v["id"])
    need(json.loads(text)[v["choice"]] == v["value"])
    return {"x": json.loads(text)["id"]}


@script("registers", """
! create a {noun} with {said}, then show me all {plural} with that {choice}
! enter the {noun} {said} and list every one of the same {choice} after that
""", "Created as {id}; in all {n} have it. | {id} is there, one of {n}.", draw=_new,
ability="chain")  # fmt: skip
def create_then_find(v: Values) -> Run:
    fields = json.loads(v["fields"])
    need(v["choice"] in fields)
    (made,) = yield _call(v, "create", **fields)
    (text,) = yield _call(v, "find", **{v["choice"]: fields[v["choice"]]})
    return {"id": json.loads(made)["id"], "n": len(_rows(text))}


@script("registers", """
what do you have on the {noun} {id}? It may also be listed under the {first} {who}
! look up the {noun} {id}; if that fails, find it by the {first} {who}
""", "{id} does not exist; {who} has {ids}. | There is no {id}, but I found {ids}.",
draw=_missing, ability="chain", form="recovery")  # fmt: skip
def get_missing(v: Values) -> Run:
    (error,) = yield _call(v, "get", id=v["id"])
    need("There is no" in error)
    (text,) = yield _call(v, "find", **{v["first"]: v["who"]})
    return {"ids": ", ".join(_ids(_rows(text)))}


@script("registers", """
! set the {choice} of the {noun} {id} to {new}
! change {choice} to {new} for {id}
""", "I could not: there is no {noun} {id}. | {id} does not exist, so nothing was changed.",
draw=_missing, form="recovery")  # fmt: skip
def set_missing(v: Values) -> Run:
    (error,) = yield _call(v, "set", id=v["id"], **{v["choice"]: v["new"]})
    need("There is no" in error)
    return {"x": error}


SCRIPTS = scripts_of(list(globals().values()))
