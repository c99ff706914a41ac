"""Records for the invented catalogs of `servers.registers`."""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooltune.servers.registers import DOMAINS, Domain, Records
from tooltune.worlds import values
from tooltune.worlds.desk import World
from tooltune.worlds.pools import Split

FILE = "records.json"

SPLIT_DOMAINS: dict[Split, tuple[str, ...]] = {
    "train": tuple(DOMAINS)[:10],
    "validation": tuple(DOMAINS)[10:11],
    "test": tuple(DOMAINS)[11:],
}
"""Whole domains are held out: their tools are strangers."""


@dataclass(frozen=True, slots=True)
class Registers:
    """The records of every domain of a split."""

    world: World
    rng: random.Random
    domains: tuple[Domain, ...]
    records: Records


def build(world: World, folder: Path) -> Registers:
    """Write FILE into `folder` and return what is in it."""
    rng = random.Random(f"registers {world.split} {world.number}")
    domains = tuple(DOMAINS[name] for name in SPLIT_DOMAINS[world.split])
    records: Records = {
        domain.name: {
            f"{domain.noun[0].upper()}-{101 + index}": {
                name: draw_value(kind, world.split, rng) for name, kind in domain.fields.items()
            }
            for index in range(rng.randint(4, 8))
        }
        for domain in domains
    }
    (folder / FILE).write_text(json.dumps(records), encoding="utf-8")
    return Registers(world, rng, domains, records)


def draw_value(kind: str, split: Split, rng: random.Random) -> Any:
    """A value of a field's kind, from the split's pools."""
    if kind == "yes/no":
        return rng.random() < 0.5
    if kind == "date":
        return f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    if "|" in kind:
        return rng.choice(kind.split("|"))
    if kind[0].isdigit():
        low, _, high = kind.partition("-")
        return rng.randint(int(low), int(high))
    if kind.startswith("{"):
        street = f"{rng.randint(1, 99)} {rng.choice(values.THINGS[split]).title()} Street"
        return {"city": rng.choice(values.CITIES[split]), "street": street}
    pool = {"person": values.PEOPLE, "thing": values.THINGS, "city": values.CITIES}[kind]
    return rng.choice(pool[split])


def state(folder: Path) -> dict[str, str]:
    records = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return {name: json.dumps(rows, sort_keys=True) for name, rows in records.items()}
