"""What requests about a database name, and how its answers are read."""

import ast
from typing import Any

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, call, need
from tooltune.worlds import values
from tooltune.worlds.store import Store, Table

TABLE = {"table": ("table_name", "table")}


def rows(result: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ast.literal_eval(result)
    return found


def one(result: str) -> Any:
    """The only value of the only row."""
    (row,) = rows(result)
    (value,) = row.values()
    need(value is not None)
    return value


def names(result: str) -> str:
    found = [str(row["name"]) for row in rows(result)]
    need(found)
    return ", ".join(found)


def read(query: str) -> Call:
    return call("read_query", query=query)


def nothing(store: Store) -> Values:
    return {}


def table(store: Store) -> Values:
    return {"table": store.rng.choice(store.tables).name}


def two_tables(store: Store) -> Values:
    first, second = store.rng.sample(store.tables, 2)
    return {"table": first.name, "other": second.name}


def pick(store: Store) -> tuple[Table, dict[str, Any]]:
    table = store.rng.choice(store.tables)
    return table, store.rng.choice(table.rows)


def text_cell(store: Store) -> Values:
    table, row = pick(store)
    column = store.rng.choice(table.texts)
    return {"table": table.name, "column": column, "value": row[column]}


def number(store: Store) -> Values:
    table, row = pick(store)
    column = store.rng.choice(table.numbers)
    return {"table": table.name, "column": column, "n": str(row[column])}


def both(store: Store) -> Values:
    table, row = pick(store)
    column, number = store.rng.choice(table.texts), store.rng.choice(table.numbers)
    return {"table": table.name, "column": column, "value": row[column], "number": number}


def row(store: Store) -> Values:
    table, row = pick(store)
    return {"table": table.name, "id": str(row["id"]), "name": row["name"],
            "column": store.rng.choice(table.texts + table.numbers)}  # fmt: skip


def top(store: Store) -> Values:
    return {**number(store), "n": store.rng.choice(["2", "3", "4"])}


def new_row(store: Store) -> Values:
    table, _ = pick(store)
    column = store.rng.choice(table.numbers)
    name = store.rng.choice(values.THINGS[store.world.split])
    need(name not in [one["name"] for one in table.rows])
    return {"table": table.name, "name": name, "column": column,
            "n": str(store.rng.randint(11, 99))}  # fmt: skip


def insight(store: Store) -> Values:
    """Somebody, and what this one does: no table holds it."""
    split = store.world.split
    return {"name": store.rng.choice(values.PEOPLE[split]),
            "fact": store.rng.choice(values.FACTS[split])}  # fmt: skip


def new_table(store: Store) -> Values:
    name = store.rng.choice(values.TABLES[store.world.split])
    need(name not in [table.name for table in store.tables])
    return {"table": name, "column": store.rng.choice(["city", "status", "owner", "rating"])}


def set_number(store: Store) -> Values:
    values = row(store)
    table = next(one for one in store.tables if one.name == values["table"])
    new = store.rng.randint(100, 400)
    return {**values, "column": store.rng.choice(table.numbers), "n": str(new)}


def child(store: Store) -> Values:
    parent = store.child.parent
    assert parent is not None
    row = store.rng.choice(store.child.rows)
    return {"table": store.child.name, "other": parent.name, "name": row["name"]}


def missing_row(store: Store) -> Values:
    values = new_row(store)
    return values


def wrong_column(store: Store) -> Values:
    """A column name people would guess, where the table has another one."""
    table, row = pick(store)
    need("owner" in table.columns or "quantity" in table.columns)
    guess = "person" if "owner" in table.columns else "amount"
    return {"table": table.name, "guess": guess, "name": row["name"]}
