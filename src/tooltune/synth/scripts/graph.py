"""Programs over the memory server's knowledge graph."""

import json
from typing import Any

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, Run, call, need, script, scripts_of
from tooltune.worlds import values
from tooltune.worlds.graph import Graph

_WHO = {"who": ("names", "entity name")}
_FACT = {"fact": ("contents", "observation")}


def _entity(name: str, kind: str, *facts: str) -> dict[str, Any]:
    return {"name": name, "entityType": kind, "observations": list(facts)}


def _add(name: str, *facts: str) -> Call:
    return call("add_observations", observations=[{"entityName": name, "contents": list(facts)}])


def _relate(first: str, verb: str, second: str) -> Call:
    return call("create_relations", relations=[{"from": first, "to": second, "relationType": verb}])


def _found(result: str) -> list[dict[str, Any]]:
    entities: list[dict[str, Any]] = json.loads(result)["entities"]
    need(entities)
    return entities


def _known(graph: Graph) -> Values:
    one = graph.rng.choice(graph.entities)
    fact = graph.rng.choice(values.FACTS[graph.world.split])
    need(fact not in one.facts)
    return {"who": one.name, "kind": one.kind, "fact": fact, "old": graph.rng.choice(one.facts)}


def _unknown(graph: Graph) -> Values:
    split = graph.world.split
    name = graph.rng.choice(values.PEOPLE[split])
    need(name not in [one.name for one in graph.entities])
    return {"who": name, "kind": graph.rng.choice(values.KINDS[split]),
            "fact": graph.rng.choice(values.FACTS[split])}  # fmt: skip


def _two_new(graph: Graph) -> Values:
    first, second = _unknown(graph), _unknown(graph)
    need(first["who"] != second["who"])
    return {**first, "other": second["who"], "fact2": second["fact"]}


def _pair(graph: Graph) -> Values:
    first, second = graph.rng.sample(graph.entities, 2)
    verb = graph.rng.choice(values.RELATIONS[graph.world.split])
    need((first.name, verb, second.name) not in graph.relations)
    return {"who": first.name, "verb": verb, "other": second.name}


def _related(graph: Graph) -> Values:
    first, verb, second = graph.rng.choice(graph.relations)
    return {"who": first, "verb": verb, "other": second}


def _newcomer(graph: Graph) -> Values:
    return {**_unknown(graph), "other": graph.rng.choice(graph.entities).name,
            "verb": graph.rng.choice(values.RELATIONS[graph.world.split])}  # fmt: skip


@script("graph", """
what do you know about< {who}~ that entity>?
= everything you remember about< {who}~ one of the entities>
= the entry of< {who}~ an entity> in your memory
! open the node< {who}>
""", "{who} is a {kind}: {facts}. | {kind}: {facts}.", draw=_known, asks=_WHO)  # fmt: skip
def open_node(v: Values) -> Run:
    (result,) = yield call("open_nodes", names=[v["who"]])
    (one,) = _found(result)
    return {"facts": ", ".join(one["observations"]), "kind": one["entityType"]}


@script("graph", """
who {old} according to your memory?
which entity in the graph {old}?
! search the graph for "{old}"
! search your memory for "{old}"
= the entities that "{old}" is noted for
""", "{names} | I found {names}.", draw=_known)  # fmt: skip
def search(v: Values) -> Run:
    (result,) = yield call("search_nodes", query=v["old"])
    return {"names": ", ".join(one["name"] for one in _found(result))}


@script("graph", """
which entities of the type {kind} are there?
= all entities of type {kind}
! search the graph for the type {kind}
""", "{names} | Of type {kind}: {names}.", draw=_known)  # fmt: skip
def search_kind(v: Values) -> Run:
    (result,) = yield call("search_nodes", query=v["kind"])
    names = [one["name"] for one in _found(result) if one["entityType"] == v["kind"]]
    return {"names": ", ".join(names)}


@script("graph", """
what is in the knowledge graph altogether?
= the whole knowledge graph
= everything you have in memory
! read the entire graph
how many entities do you remember?
""", "There are {n} entities and {m} relations. | {n} entities, {m} relations; {first} is one.",
draw=lambda graph: {})  # fmt: skip
def whole_graph(v: Values) -> Run:
    (result,) = yield call("read_graph")
    entities = _found(result)
    return {"n": len(entities), "m": len(json.loads(result)["relations"]),
            "first": entities[0]["name"]}  # fmt: skip


@script("graph", """
! remember that {who}< {fact}~ does something>
! note that {who}< {fact}~ has a new habit>
! add to {who} the observation< "{fact}">
{who}< {fact}~ has news>, keep that in mind
""", "Noted: {who} {fact}. | I added it to {who}.", draw=_known, asks=_FACT)  # fmt: skip
def add_fact(v: Values) -> Run:
    yield _add(v["who"], v["fact"])
    return {}


@script("graph", """
! create an entity {who} of type {kind} that {fact}
! add a new {kind} called {who} with the observation "{fact}"
there is a new {kind}, {who}, who {fact}; put that into the graph
""", "{who} is in the graph now. | Added {who}, a {kind}.", draw=_unknown)  # fmt: skip
def create_entity(v: Values) -> Run:
    yield call("create_entities", entities=[_entity(v["who"], v["kind"], v["fact"])])
    return {}


@script("graph", """
! create two entities of type {kind}: {who}, who {fact}, and {other}, who {fact2}
! add {who} ({fact}) and {other} ({fact2}), both of type {kind}
""", "{who} and {other} are in the graph. | Both are added.", draw=_two_new)  # fmt: skip
def create_two(v: Values) -> Run:
    second = _entity(v["other"], v["kind"], v["fact2"])
    yield call("create_entities", entities=[_entity(v["who"], v["kind"], v["fact"]), second])
    return {}


@script("graph", """
! note that {who} {verb} {other}
! create the relation {who} {verb} {other}
! connect {who} to {other} with {verb}
{who} {verb} {other}, add that to the graph
""", "{who} {verb} {other}, noted. | The relation is there.", draw=_pair)  # fmt: skip
def create_relation(v: Values) -> Run:
    yield _relate(v["who"], v["verb"], v["other"])
    return {}


@script("graph", """
! take back that {who} {old}
! remove the observation "{old}" from {who}
it is wrong that {who} {old}, delete that observation
""", "Removed it from {who}. | {who} no longer has that note.", draw=_known)  # fmt: skip
def delete_fact(v: Values) -> Run:
    yield call("delete_observations",
               deletions=[{"entityName": v["who"], "observations": [v["old"]]}])  # fmt: skip
    return {}


@script("graph", """
! delete the relation {who} {verb} {other}
it is no longer so that {who} {verb} {other}, remove that relation
! remove from the graph that {who} {verb} {other}
""", "The relation is gone. | Removed: {who} {verb} {other}.", draw=_related)  # fmt: skip
def delete_relation(v: Values) -> Run:
    yield call("delete_relations", relations=[
        {"from": v["who"], "to": v["other"], "relationType": v["verb"]}])  # fmt: skip
    return {}


@script("graph", """
! delete the entity< {who}~ I named> from the graph
! forget the entry of< {who}~ that one>
< {who}~ someone> has left us, remove this one entity
""", "{who} is removed. | The entry of {who} is gone.", draw=_known,
asks={"who": ("entityNames", "entity name")})  # fmt: skip
def delete_entity(v: Values) -> Run:
    yield call("delete_entities", entityNames=[v["who"]])
    return {}


@script("graph", """
! find who {old} and note that this one also {fact}
! look up the entity that {old}, then add to it that it {fact}
someone in the graph {old}; add to that entry "{fact}"
""", "{name} now also {fact}. | I added it to {name}.", draw=_known, ability="chain")  # fmt: skip
def search_then_add(v: Values) -> Run:
    (result,) = yield call("search_nodes", query=v["old"])
    name = _found(result)[0]["name"]
    yield _add(name, v["fact"])
    return {"name": name}


@script("graph", """
! look whether {who} is in the graph; if not, create {who} as a {kind} that {fact}
! make sure there is a {kind} {who}, create it with "{fact}" if it is missing
is {who} in your memory? If not, add a {kind} of that name who {fact}
""", "{who} was missing and is there now. | I created {who}.",
draw=_unknown, ability="chain", form="branch")  # fmt: skip
def create_if_missing(v: Values) -> Run:
    (result,) = yield call("search_nodes", query=v["who"])
    need(not json.loads(result)["entities"])
    yield call("create_entities", entities=[_entity(v["who"], v["kind"], v["fact"])])
    return {}


@script("graph", """
is {who} in the graph? If not, create it as a {kind}
! look whether {who} is known already; if not, add {who} as a {kind}
! check that the graph has {who}, and create a {kind} only if it is missing
""", "{who} is there already: {facts}. | No need, I know {who}: {facts}.",
draw=_known, form="branch")  # fmt: skip
def known_already(v: Values) -> Run:
    (result,) = yield call("search_nodes", query=v["who"])
    one = next(one for one in _found(result) if one["name"] == v["who"])
    return {"facts": ", ".join(one["observations"])}


@script("graph", """
! add the new {kind} {who}, who {fact}, and note that {who} {verb} {other}
there is a new {kind} called {who} who {fact} and {verb} {other}: create the entity, then relate it
""", "{who} is added and {verb} {other}. | Both are noted for {who}.",
draw=_newcomer, ability="chain")  # fmt: skip
def create_then_relate(v: Values) -> Run:
    yield call("create_entities", entities=[_entity(v["who"], v["kind"], v["fact"])])
    yield _relate(v["who"], v["verb"], v["other"])
    return {}


@script("graph", """
! remember that the person {who} {fact}
! note for the person {who}: {fact}
! add to {who} that this person {fact}
""", "{who} was new, so I created an entry for it. | I had to create {who} first; it is noted now.",
draw=_unknown, ability="chain", form="recovery")  # fmt: skip
def add_to_unknown(v: Values) -> Run:
    (error,) = yield _add(v["who"], v["fact"])
    need("not found" in error)
    yield call("create_entities", entities=[_entity(v["who"], "person", v["fact"])])
    return {}


@script("graph", """
what do you know about {who} and about {other}?
= the entries of {who} and {other}
! open the nodes {who} and {other}
""", "{who}: {a}. {other}: {b}. | {a} for {who}, {b} for {other}.", draw=_pair)  # fmt: skip
def open_two(v: Values) -> Run:
    (result,) = yield call("open_nodes", names=[v["who"], v["other"]])
    notes = {one["name"]: ", ".join(one["observations"]) for one in _found(result)}
    return {"a": notes[v["who"]], "b": notes[v["other"]]}


@script("graph", """
! note that {who} {verb} {other} and, separately, that {who} {fact}
! add two things at once: the relation {who} {verb} {other}, and for {who} the fact "{fact}"
""", "Both are noted. | {who} {verb} {other} and {fact}, noted.",
draw=lambda graph: {**_pair(graph), "fact": graph.rng.choice(values.FACTS[graph.world.split])},
form="parallel")  # fmt: skip
def relate_and_add(v: Values) -> Run:
    yield [_relate(v["who"], v["verb"], v["other"]), _add(v["who"], v["fact"])]
    return {}


@script("graph", """
whom does {who} {verb} and what do you know about that one? The relation is in the graph
! find what {who} {verb} in the graph, then open that node
= the notes on whatever {who} {verb}
""", "{name}: {facts}. | It is {name}: {facts}.", draw=_related, ability="chain")  # fmt: skip
def follow_relation(v: Values) -> Run:
    (result,) = yield call("search_nodes", query=v["who"])
    name = next(one["to"] for one in json.loads(result)["relations"]
                if (one["from"], one["relationType"]) == (v["who"], v["verb"]))  # fmt: skip
    (opened,) = yield call("open_nodes", names=[name])
    return {"name": name, "facts": ", ".join(_found(opened)[0]["observations"])}


SCRIPTS = scripts_of(list(globals().values()))
