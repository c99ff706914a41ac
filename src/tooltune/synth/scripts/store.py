"""Programs over a SQLite database: look, count, change, repair a wrong query."""

import ast
from typing import Any

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, Run, call, need, script, scripts_of
from tooltune.worlds import words
from tooltune.worlds.store import Store, Table

_TABLE = {"table": ("table_name", "table")}


def _rows(result: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ast.literal_eval(result)
    return found


def _one(result: str) -> Any:
    """The only value of the only row."""
    (row,) = _rows(result)
    (value,) = row.values()
    need(value is not None)
    return value


def _names(result: str) -> str:
    found = [str(row["name"]) for row in _rows(result)]
    need(found)
    return ", ".join(found)


def read(query: str) -> Call:
    return call("read_query", query=query)


def _nothing(store: Store) -> Values:
    return {}


def _table(store: Store) -> Values:
    return {"table": store.rng.choice(store.tables).name}


def _two_tables(store: Store) -> Values:
    first, second = store.rng.sample(store.tables, 2)
    return {"table": first.name, "other": second.name}


def _pick(store: Store) -> tuple[Table, dict[str, Any]]:
    table = store.rng.choice(store.tables)
    return table, store.rng.choice(table.rows)


def _text_cell(store: Store) -> Values:
    table, row = _pick(store)
    column = store.rng.choice(table.texts)
    return {"table": table.name, "column": column, "value": row[column]}


def _number(store: Store) -> Values:
    table, row = _pick(store)
    column = store.rng.choice(table.numbers)
    return {"table": table.name, "column": column, "n": str(row[column])}


def _both(store: Store) -> Values:
    table, row = _pick(store)
    column, number = store.rng.choice(table.texts), store.rng.choice(table.numbers)
    return {"table": table.name, "column": column, "value": row[column], "number": number}


def _row(store: Store) -> Values:
    table, row = _pick(store)
    return {"table": table.name, "id": str(row["id"]), "name": row["name"],
            "column": store.rng.choice(table.texts + table.numbers)}  # fmt: skip


def _top(store: Store) -> Values:
    return {**_number(store), "n": store.rng.choice(["2", "3", "4"])}


def _new_row(store: Store) -> Values:
    table, row = _pick(store)
    column = store.rng.choice(table.numbers)
    name = store.rng.choice(words.THINGS[store.world.split])
    need(name not in [one["name"] for one in table.rows])
    return {"table": table.name, "name": name, "column": column,
            "n": str(store.rng.randint(11, 99))}  # fmt: skip


def _new_table(store: Store) -> Values:
    name = store.rng.choice(words.TABLES[store.world.split])
    need(name not in [table.name for table in store.tables])
    return {"table": name, "column": store.rng.choice(["city", "status", "owner", "rating"])}


def _set_number(store: Store) -> Values:
    values = _row(store)
    table = next(one for one in store.tables if one.name == values["table"])
    new = store.rng.randint(100, 400)
    return {**values, "column": store.rng.choice(table.numbers), "n": str(new)}


def _child(store: Store) -> Values:
    parent = store.child.parent
    assert parent is not None
    row = store.rng.choice(store.child.rows)
    return {"table": store.child.name, "other": parent.name, "name": row["name"]}


def _missing_row(store: Store) -> Values:
    values = _new_row(store)
    return values


def _wrong_column(store: Store) -> Values:
    """A column name people would guess, where the table has another one."""
    table, row = _pick(store)
    need("owner" in table.columns or "quantity" in table.columns)
    real, guess = ("owner", "person") if "owner" in table.columns else ("quantity", "amount")
    return {"table": table.name, "guess": guess, "name": row["name"]}


@script("store", """
what tables are there?
which tables does the database have?
= a list of all tables
= the names of the tables in the database
! list the tables
show tables
""", "There are {n} tables: {names}. | The tables are {names}.", draw=_nothing)  # fmt: skip
def list_tables(v: Values) -> Run:
    (result,) = yield call("list_tables")
    return {"names": _names(result), "n": len(_rows(result))}


@script("store", """
which columns does< {table}~ the table> have?
= the columns of< {table}~ the table>
= the schema of< the table {table}~ one table>
! describe< the table {table}~ one of the tables>
what fields are in< {table}~ that table>?
""", "{table} has the columns {names}. | The columns are {names}.", draw=_table, asks=_TABLE)  # fmt: skip
def describe_table(v: Values) -> Run:
    (result,) = yield call("describe_table", table_name=v["table"])
    return {"names": _names(result)}


@script("store", """
how many rows does {table} have?
how many entries are in {table}?
= the number of rows in {table}
= the row count of {table}
! count the rows of {table}
""", "{table} has {n} rows. | There are {n} rows in {table}.", draw=_table)  # fmt: skip
def count_rows(v: Values) -> Run:
    (result,) = yield read(f"SELECT COUNT(*) FROM {v['table']}")
    return {"n": _one(result)}


@script("store", """
= everything in {table}
= all rows of {table}
! dump the table {table}
! select all of {table}
what is stored in {table}?
""", "{table} holds {n} rows, the first is {first}. | There are {n} rows; it begins with {first}.",
draw=_table)  # fmt: skip
def all_rows(v: Values) -> Run:
    (result,) = yield read(f"SELECT * FROM {v['table']}")
    return {"n": len(_rows(result)), "first": _rows(result)[0]["name"]}


@script("store", """
which {table} rows have the {column} {value}?
what in {table} has {column} {value}?
= the names in {table} whose {column} is {value}
! list the name of each row in {table} where {column} is {value}
! filter {table} by {column} {value}, names only
""", "{names} | With the {column} {value}: {names}.", draw=_text_cell)  # fmt: skip
def where_equal(v: Values) -> Run:
    (result,) = yield read(f"SELECT name FROM {v['table']} WHERE {v['column']} = '{v['value']}'")
    return {"names": _names(result)}


@script("store", """
which rows of {table} have a {column} above {n}?
what in {table} has more than {n} as {column}?
= the names in {table} with {column} over {n}
! list every name in {table} whose {column} is greater than {n}
""", "{names} | Above {n}: {names}.", draw=_number)  # fmt: skip
def where_above(v: Values) -> Run:
    (result,) = yield read(f"SELECT name FROM {v['table']} WHERE {v['column']} > {v['n']}")
    return {"names": _names(result)}


@script("store", """
which rows of {table} have a {column} below {n}?
= the names in {table} with {column} under {n}
! list every name in {table} whose {column} is less than {n}
""", "{names} | Below {n}: {names}.", draw=_number)  # fmt: skip
def where_below(v: Values) -> Run:
    (result,) = yield read(f"SELECT name FROM {v['table']} WHERE {v['column']} < {v['n']}")
    return {"names": _names(result)}


@script("store", """
which name in {table} has the highest {column}?
= the name with the largest {column} in {table}
! find the name with the biggest {column} in {table}
what tops {table} by {column}?
""", "{name} has the highest {column}, {n}. | It is {name} with {n}.", draw=_number)  # fmt: skip
def highest(v: Values) -> Run:
    (result,) = yield read(
        f"SELECT name, {v['column']} FROM {v['table']} ORDER BY {v['column']} DESC LIMIT 1"
    )
    (row,) = _rows(result)
    return {"name": row["name"], "n": row[v["column"]]}


@script("store", """
= the top {n} names of {table} by {column}
! list the {n} names in {table} with the highest {column}
which {n} names of {table} lead by {column}?
""", "{names} | The top {n} are {names}.", draw=_top)  # fmt: skip
def top_rows(v: Values) -> Run:
    (result,) = yield read(
        f"SELECT name FROM {v['table']} ORDER BY {v['column']} DESC LIMIT {v['n']}"
    )
    return {"names": _names(result)}


@script("store", """
what is the average {column} in {table}?
= the mean {column} of {table}
= the average {column} over all of {table}
! compute the average of {column} in {table}
""", "The average {column} is {x}. | On average {x}.", draw=_number)  # fmt: skip
def average(v: Values) -> Run:
    (result,) = yield read(f"SELECT AVG({v['column']}) FROM {v['table']}")
    return {"x": round(_one(result), 2)}


@script("store", """
what is the total {column} in {table}?
= the sum of {column} over {table}
! add up {column} in {table}
! sum the {column} of all {table}
""", "The total is {x}. | {column} adds up to {x}.", draw=_number)  # fmt: skip
def total(v: Values) -> Run:
    (result,) = yield read(f"SELECT SUM({v['column']}) FROM {v['table']}")
    return {"x": _one(result)}


@script("store", """
which different values of {column} occur in {table}?
= the distinct {column} values of {table}
! list each {column} in {table} once
""", "{names} | These occur: {names}.", draw=_text_cell)  # fmt: skip
def distinct(v: Values) -> Run:
    (result,) = yield read(f"SELECT DISTINCT {v['column']} FROM {v['table']}")
    return {"names": ", ".join(row[v["column"]] for row in _rows(result))}


@script("store", """
how many rows of {table} are there per {column}?
= the number of {table} by {column}
! count {table} grouped by {column}
""", "{names} | By {column}: {names}.", draw=_text_cell)  # fmt: skip
def group_count(v: Values) -> Run:
    column = v["column"]
    (result,) = yield read(f"SELECT {column}, COUNT(*) FROM {v['table']} GROUP BY {column}")
    return {"names": ", ".join(f"{row[column]} {row['COUNT(*)']}" for row in _rows(result))}


@script("store", """
= the sum of {number} in {table} where {column} is {value}
! add up {number} for the rows of {table} with {column} {value}
what does {number} total in {table} for {column} {value}?
""", "It adds up to {x}. | For {value} the total is {x}.", draw=_both)  # fmt: skip
def total_where(v: Values) -> Run:
    (result,) = yield read(
        f"SELECT SUM({v['number']}) FROM {v['table']} WHERE {v['column']} = '{v['value']}'"
    )
    return {"x": _one(result)}


@script("store", """
what is the {column} of {name} in {table}?
= the {column} of {name} from {table}
! look up {column} for {name} in {table}
""", "The {column} of {name} is {x}. | It is {x}.", draw=_row)  # fmt: skip
def cell(v: Values) -> Run:
    (result,) = yield read(f"SELECT {v['column']} FROM {v['table']} WHERE name = '{v['name']}'")
    return {"x": _one(result)}


@script("store", """
! insert into {table} the name {name} with {column} {n}
! add a row to {table}: name {name}, {column} {n}
{table} needs a new row, name {name} and {column} {n}
""", "Added {name} to {table}. | {table} now has {name}.", draw=_new_row)  # fmt: skip
def insert_row(v: Values) -> Run:
    yield call("write_query", query=f"INSERT INTO {v['table']} (name, {v['column']}) "
               f"VALUES ('{v['name']}', {v['n']})")  # fmt: skip
    return {}


@script("store", """
! set the {column} of {name} in {table} to {n}
! change {column} to {n} for {name} in {table}
the {column} of {name} in {table} should be {n}, update it
""", "{name} now has the {column} {n}. | Updated {column} to {n}.", draw=_set_number)  # fmt: skip
def update_cell(v: Values) -> Run:
    yield call("write_query", query=f"UPDATE {v['table']} SET {v['column']} = {v['n']} "
               f"WHERE name = '{v['name']}'")  # fmt: skip
    return {}


@script("store", """
! delete the row with id {id} from {table}
! remove row {id} of {table}
row {id} of {table} is a mistake, take it out
""", "Row {id} is gone from {table}. | Removed row {id}.", draw=_row)  # fmt: skip
def delete_row(v: Values) -> Run:
    yield call("write_query", query=f"DELETE FROM {v['table']} WHERE id = {v['id']}")
    return {}


@script("store", """
! create a table {table} with the columns name and {column}, both TEXT
! make a new table called {table}: name TEXT, {column} TEXT
I need a table {table} with two TEXT columns, name and {column}
""", "The table {table} is there. | Created {table}.", draw=_new_table)  # fmt: skip
def create_table(v: Values) -> Run:
    yield call("create_table", query=f"CREATE TABLE {v['table']} (name TEXT, {v['column']} TEXT)")
    return {}


@script("store", """
how many rows do {table} and {other} have?
= the row counts of {table} and {other}
! count the rows in both {table} and {other}
""", "{table} has {a} rows and {other} {b}. | {a} in {table}, {b} in {other}.",
draw=_two_tables, form="parallel")  # fmt: skip
def count_both(v: Values) -> Run:
    first, second = yield [
        read(f"SELECT COUNT(*) FROM {v['table']}"), read(f"SELECT COUNT(*) FROM {v['other']}"),
    ]  # fmt: skip
    return {"a": _one(first), "b": _one(second)}


@script("store", """
which columns do {table} and {other} have?
! describe {table} and {other}
= the schemas of {table} and {other}
""", "{table}: {a}. {other}: {b}. | {a} in {table}; {b} in {other}.",
draw=_two_tables, form="parallel")  # fmt: skip
def describe_both(v: Values) -> Run:
    first, second = yield [call("describe_table", table_name=v["table"]),
                           call("describe_table", table_name=v["other"])]  # fmt: skip
    return {"a": _names(first), "b": _names(second)}


@script("store", """
I don't know the columns of {table}; look at them, then show me all of the last one
= the values of the last column of {table}, look at its columns first
! find out which columns {table} has and list the values of the last one
""", "The last column is {column}: {values}. | {column} holds {values}.",
draw=_table, ability="chain")  # fmt: skip
def describe_then_read(v: Values) -> Run:
    (schema,) = yield call("describe_table", table_name=v["table"])
    column = _rows(schema)[-1]["name"]
    (result,) = yield read(f"SELECT {column} FROM {v['table']}")
    values = [str(row[column]) for row in _rows(result)]
    return {"column": column, "values": ", ".join(values[:5])}


@script("store", """
which columns does the first table have? I don't know its name
! look up which tables there are and describe the first
! find the first table of the database and show me its columns
= the columns of whatever table is listed first
""", "{table} has the columns {names}. | The first table is {table} with {names}.",
draw=_nothing, ability="chain")  # fmt: skip
def list_then_describe(v: Values) -> Run:
    (tables,) = yield call("list_tables")
    name = _rows(tables)[0]["name"]
    (result,) = yield call("describe_table", table_name=name)
    return {"table": name, "names": _names(result)}


@script("store", """
which row of {other} does {name} of {table} belong to?
! find the {other} entry that {name} in {table} refers to by {other}_id
= the name in {other} that {name} of {table} points to with {other}_id
""", "{name} belongs to {x}. | It refers to {x}.", draw=_child, ability="chain")  # fmt: skip
def follow_reference(v: Values) -> Run:
    column = f"{v['other']}_id"
    (found,) = yield read(f"SELECT {column} FROM {v['table']} WHERE name = '{v['name']}'")
    (result,) = yield read(f"SELECT name FROM {v['other']} WHERE id = {_one(found)}")
    return {"x": _one(result)}


@script("store", """
! look whether {name} is in {table}; if it is not, insert it with {column} {n}
! make sure {table} has a row named {name}, add it with {column} {n} if it is missing
if {table} lacks {name}, add it with {column} {n}, but check first
""", "{name} was missing, so I added it. | Added {name}, which was not there.",
draw=_missing_row, ability="chain", form="branch")  # fmt: skip
def insert_if_missing(v: Values) -> Run:
    (found,) = yield read(f"SELECT id FROM {v['table']} WHERE name = '{v['name']}'")
    need(not _rows(found))
    yield call("write_query", query=f"INSERT INTO {v['table']} (name, {v['column']}) "
               f"VALUES ('{v['name']}', {v['n']})")  # fmt: skip
    return {}


@script("store", """
! look whether {name} is in {table}; if it is not, insert it, else tell me its id
! check that {table} has a row named {name} and add it only if it is missing
is {name} in {table}? If it is missing, add it
""", "{name} is there already, with the id {id}. | No need: {name} has the id {id}.",
draw=_row, form="branch")  # fmt: skip
def found_already(v: Values) -> Run:
    (found,) = yield read(f"SELECT id FROM {v['table']} WHERE name = '{v['name']}'")
    return {"id": _one(found)}


@script("store", """
what is the {guess} of {name} in {table}?
= the {guess} of {name} from {table}
! look up {guess} for {name} in {table}
""", "There is no column {guess}; {column} is {x}. | It is called {column} there: {x}.",
draw=_wrong_column, ability="chain", form="recovery")  # fmt: skip
def wrong_column(v: Values) -> Run:
    (error,) = yield read(f"SELECT {v['guess']} FROM {v['table']} WHERE name = '{v['name']}'")
    need("no such column" in error)
    (schema,) = yield call("describe_table", table_name=v["table"])
    column = "owner" if v["guess"] == "person" else "quantity"
    need(column in _names(schema).split(", "))
    (result,) = yield read(f"SELECT {column} FROM {v['table']} WHERE name = '{v['name']}'")
    return {"column": column, "x": _one(result)}


@script("store", """
how many rows does {table} have?
= the number of rows in {table}
! count the rows of {table}
""", "There is no table {table}; the tables are {names}. | {table} does not exist. I see {names}.",
draw=_new_table, ability="chain", form="recovery")  # fmt: skip
def missing_table(v: Values) -> Run:
    (error,) = yield read(f"SELECT COUNT(*) FROM {v['table']}")
    need("no such table" in error)
    (tables,) = yield call("list_tables")
    return {"names": _names(tables)}


@script("store", """
! find the highest {column} in {table} and delete the row that has it
! remove the row with the largest {column} from {table}, look up its id first
take the row with the biggest {column} out of {table}; find its id before you delete it
""", "Row {id} is deleted. | I removed the row with id {id}.",
draw=_number, ability="chain")  # fmt: skip
def find_then_delete(v: Values) -> Run:
    (found,) = yield read(f"SELECT id FROM {v['table']} ORDER BY {v['column']} DESC LIMIT 1")
    number = _one(found)
    yield call("write_query", query=f"DELETE FROM {v['table']} WHERE id = {number}")
    return {"id": number}


@script("store", """
! create a table {table} with name TEXT and {column} TEXT, then list all tables
! make the table {table} (name TEXT, {column} TEXT) and show me which tables there are afterwards
""", "{table} is created; the tables are {names}. | Done. Now there are {names}.",
draw=_new_table, ability="chain")  # fmt: skip
def create_then_list(v: Values) -> Run:
    yield call("create_table", query=f"CREATE TABLE {v['table']} (name TEXT, {v['column']} TEXT)")
    (tables,) = yield call("list_tables")
    return {"names": _names(tables)}


@script("store", """
! set {column} of {name} in {table} to {n}, then read it back
! change the {column} of {name} in {table} to {n} and show me the whole row afterwards
""", "{name} now has {column} {n}. | The row has {column} {n} now.",
draw=_set_number, ability="chain")  # fmt: skip
def update_then_read(v: Values) -> Run:
    yield call("write_query", query=f"UPDATE {v['table']} SET {v['column']} = {v['n']} "
               f"WHERE name = '{v['name']}'")  # fmt: skip
    (result,) = yield read(f"SELECT * FROM {v['table']} WHERE name = '{v['name']}'")
    return {"row": result}


SCRIPTS = scripts_of(list(globals().values()))
