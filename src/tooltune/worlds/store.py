"""A small database: three tables, the second of which refers to the first."""

import random
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tooltune.worlds import values
from tooltune.worlds.desk import World

FILE = "store.db"

_NUMBERS = {"quantity": (1, 60), "rating": (1, 10), "year": (1990, 2025), "weight": (2, 90)}
_TEXTS = {"city": values.CITIES, "category": values.CATEGORIES, "status": values.STATUSES,
          "owner": values.PEOPLE}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its rows, `id` counting from 1."""

    name: str
    columns: dict[str, str]
    """Name to SQL type; `id` and `name` come first."""
    rows: list[dict[str, Any]]
    parent: "Table | None" = None

    @property
    def numbers(self) -> list[str]:
        return [name for name in self.columns if name in _NUMBERS]

    @property
    def texts(self) -> list[str]:
        return [name for name in self.columns if name in _TEXTS]


@dataclass(frozen=True, slots=True)
class Store:
    """All there is to know about a database."""

    world: World
    rng: random.Random
    tables: list[Table]

    @property
    def child(self) -> Table:
        """The table that refers to another one."""
        return self.tables[1]


def build(world: World, folder: Path) -> Store:
    """Write FILE into `folder` and return what is in it."""
    rng = random.Random(f"store {world.split} {world.number}")
    names = rng.sample(values.TABLES[world.split], 3)
    first = _table(world, rng, names[0])
    second = _table(world, rng, names[1], parent=first)
    tables = [first, second, _table(world, rng, names[2])]
    with closing(sqlite3.connect(folder / FILE)) as database, database:
        for table in tables:
            columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
            database.execute(f"CREATE TABLE {table.name} ({columns})")
            marks = ", ".join("?" * len(table.columns))
            rows = [tuple(row.values()) for row in table.rows]
            database.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)
    return Store(world, rng, tables)


def _table(world: World, rng: random.Random, name: str, parent: Table | None = None) -> Table:
    numbers = rng.sample(list(_NUMBERS), rng.randint(1, 2))
    texts = rng.sample(list(_TEXTS), rng.randint(1, 2))
    columns = {"id": "INTEGER PRIMARY KEY", "name": "TEXT NOT NULL"}
    columns |= dict.fromkeys(texts, "TEXT") | dict.fromkeys(numbers, "INTEGER")
    if parent is not None:
        columns[f"{parent.name}_id"] = "INTEGER"
    pools = {one: rng.sample(_TEXTS[one][world.split], 3) for one in texts}
    rows = []
    for number, thing in enumerate(rng.sample(values.THINGS[world.split], rng.randint(5, 9)), 1):
        row: dict[str, Any] = {"id": number, "name": thing}
        row |= {one: rng.choice(pools[one]) for one in texts}
        row |= {one: rng.randint(*_NUMBERS[one]) for one in numbers}
        if parent is not None:
            row[f"{parent.name}_id"] = rng.randint(1, len(parent.rows))
        rows.append(row)
    return Table(name, columns, rows, parent)


def state(folder: Path) -> dict[str, str]:
    """Each table's definition and rows, in order."""
    with closing(sqlite3.connect(folder / FILE)) as database:
        found = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        tables = found.fetchall()
        rows = {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for name, _ in tables}
        return {name: f"{sql}\n{rows[name]}" for name, sql in tables}
