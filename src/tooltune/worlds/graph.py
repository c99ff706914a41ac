"""A small knowledge graph in the format of the memory server: one JSON object a line."""

import json
import random
from dataclasses import dataclass
from pathlib import Path

from tooltune.worlds import values
from tooltune.worlds.desk import World

FILE = "memory.jsonl"


@dataclass(frozen=True, slots=True)
class Entity:
    name: str
    kind: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """All there is to know about a graph. A relation is (from, verb, to)."""

    world: World
    rng: random.Random
    entities: tuple[Entity, ...]
    relations: tuple[tuple[str, str, str], ...]


def build(world: World, folder: Path) -> Graph:
    """Write FILE into `folder` and return what is in it."""
    rng = random.Random(f"graph {world.split} {world.number}")
    split = world.split
    names = [
        *rng.sample(values.PEOPLE[split], 4),
        *(name.title() for name in rng.sample(values.THINGS[split], 3)),
    ]
    kinds = [kind for kind in values.KINDS[split] if kind != "person"]
    entities = tuple(
        Entity(name, "person" if index < 4 else rng.choice(kinds),
               tuple(rng.sample(values.FACTS[split], rng.randint(1, 3))))
        for index, name in enumerate(names)
    )  # fmt: skip
    pairs = rng.sample([(a, b) for a in names for b in names if a != b], 4)
    relations = tuple((a, rng.choice(values.RELATIONS[split]), b) for a, b in pairs)
    lines: list[dict[str, object]] = [
        {"type": "entity", "name": one.name, "entityType": one.kind,
         "observations": list(one.facts)}
        for one in entities
    ]  # fmt: skip
    lines += [{"type": "relation", "from": a, "to": b, "relationType": verb}
              for a, verb, b in relations]  # fmt: skip
    text = "\n".join(json.dumps(line) for line in lines)
    (folder / FILE).write_text(text, encoding="utf-8")
    return Graph(world, rng, entities, relations)


def state(folder: Path) -> dict[str, str]:
    """Every entity and relation, by its own text; their order in the file does not count."""
    lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    return {json.dumps(json.loads(line), sort_keys=True): "" for line in lines if line.strip()}
