"""Programs that change a SQLite database, or take several steps in it."""

from tooltune.synth.draw import Values
from tooltune.synth.scripts import store_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of


@script("store", """
! insert into {table} the name {name} with {column} {n}
! add a row to {table}: name {name}, {column} {n}
{table} needs a new row, name {name} and {column} {n}
""", "Added {name} to {table}. | {table} now has {name}.", draw=at.new_row)  # fmt: skip
def insert_row(v: Values) -> Run:
    yield call("write_query", query=f"INSERT INTO {v['table']} (name, {v['column']}) "
               f"VALUES ('{v['name']}', {v['n']})")  # fmt: skip
    return {}


@script("store", """
! set the {column} of {name} in {table} to {n}
! change {column} to {n} for {name} in {table}
the {column} of {name} in {table} should be {n}, update it
""", "{name} now has the {column} {n}. | Updated {column} to {n}.", draw=at.set_number)  # fmt: skip
def update_cell(v: Values) -> Run:
    yield call("write_query", query=f"UPDATE {v['table']} SET {v['column']} = {v['n']} "
               f"WHERE name = '{v['name']}'")  # fmt: skip
    return {}


@script("store", """
! delete the row with id {id} from {table}
! remove row {id} of {table}
row {id} of {table} is a mistake, take it out
""", "Row {id} is gone from {table}. | Removed row {id}.", draw=at.row)  # fmt: skip
def delete_row(v: Values) -> Run:
    yield call("write_query", query=f"DELETE FROM {v['table']} WHERE id = {v['id']}")
    return {}


@script("store", """
! create a table {table} with the columns name and {column}, both TEXT
! make a new table called {table}: name TEXT, {column} TEXT
I need a table {table} with two TEXT columns, name and {column}
""", "The table {table} is there. | Created {table}.", draw=at.new_table)  # fmt: skip
def create_table(v: Values) -> Run:
    yield call("create_table", query=f"CREATE TABLE {v['table']} (name TEXT, {v['column']} TEXT)")
    return {}


@script("store", """
! add to the memo of insights that {name} {fact}
! keep the business insight that {name} {fact}
! record the insight "{name} {fact}" in the memo
""", "The memo has it now. | Added to the insights.", draw=at.insight)  # fmt: skip
def keep_insight(v: Values) -> Run:
    (result,) = yield call("append_insight", insight=f"{v['name']} {v['fact']}")
    need("added" in result)
    return {}


@script("store", """
I don't know the columns of {table}; look at them, then show me all of the last one
= the values of the last column of {table}, look at its columns first
! find out which columns {table} has and list the values of the last one
""", "The last column is {column}: {values}. | {column} holds {values}.",
draw=at.table, ability="chain")  # fmt: skip
def describe_then_read(v: Values) -> Run:
    (schema,) = yield call("describe_table", table_name=v["table"])
    column = at.rows(schema)[-1]["name"]
    (result,) = yield at.read(f"SELECT {column} FROM {v['table']}")
    values = [str(row[column]) for row in at.rows(result)]
    return {"column": column, "values": ", ".join(values[:5])}


@script("store", """
which columns does the first table have? I don't know its name
! look up which tables there are and describe the first
! find the first table of the database and show me its columns
= the columns of whatever table is listed first
""", "{table} has the columns {names}. | The first table is {table} with {names}.",
draw=at.nothing, ability="chain")  # fmt: skip
def list_then_describe(v: Values) -> Run:
    (tables,) = yield call("list_tables")
    name = at.rows(tables)[0]["name"]
    (result,) = yield call("describe_table", table_name=name)
    return {"table": name, "names": at.names(result)}


@script("store", """
which row of {other} does {name} of {table} belong to?
! find the {other} entry that {name} in {table} refers to by {other}_id
= the name in {other} that {name} of {table} points to with {other}_id
""", "{name} belongs to {x}. | It refers to {x}.", draw=at.child, ability="chain")  # fmt: skip
def follow_reference(v: Values) -> Run:
    column = f"{v['other']}_id"
    (found,) = yield at.read(f"SELECT {column} FROM {v['table']} WHERE name = '{v['name']}'")
    (result,) = yield at.read(f"SELECT name FROM {v['other']} WHERE id = {at.one(found)}")
    return {"x": at.one(result)}


@script("store", """
! look whether {name} is in {table}; if it is not, insert it with {column} {n}
! make sure {table} has a row named {name}, add it with {column} {n} if it is missing
if {table} lacks {name}, add it with {column} {n}, but check first
""", "{name} was missing, so I added it. | Added {name}, which was not there.",
draw=at.missing_row, ability="chain", form="branch")  # fmt: skip
def insert_if_missing(v: Values) -> Run:
    (found,) = yield at.read(f"SELECT id FROM {v['table']} WHERE name = '{v['name']}'")
    need(not at.rows(found))
    yield call("write_query", query=f"INSERT INTO {v['table']} (name, {v['column']}) "
               f"VALUES ('{v['name']}', {v['n']})")  # fmt: skip
    return {}


@script("store", """
! look whether {name} is in {table}; if it is not, insert it, else tell me its id
! check that {table} has a row named {name} and add it only if it is missing
is {name} in {table}? If it is missing, add it
""", "{name} is there already, with the id {id}. | No need: {name} has the id {id}.",
draw=at.row, form="branch")  # fmt: skip
def found_already(v: Values) -> Run:
    (found,) = yield at.read(f"SELECT id FROM {v['table']} WHERE name = '{v['name']}'")
    return {"id": at.one(found)}


@script("store", """
what is the {guess} of {name} in {table}?
= the {guess} of {name} from {table}
! look up {guess} for {name} in {table}
""", "There is no column {guess}; {column} is {x}. | It is called {column} there: {x}.",
draw=at.wrong_column, ability="chain", form="recovery")  # fmt: skip
def wrong_column(v: Values) -> Run:
    (error,) = yield at.read(f"SELECT {v['guess']} FROM {v['table']} WHERE name = '{v['name']}'")
    need("no such column" in error)
    (schema,) = yield call("describe_table", table_name=v["table"])
    column = "owner" if v["guess"] == "person" else "quantity"
    need(column in at.names(schema).split(", "))
    (result,) = yield at.read(f"SELECT {column} FROM {v['table']} WHERE name = '{v['name']}'")
    return {"column": column, "x": at.one(result)}


@script("store", """
how many rows does {table} have?
= the number of rows in {table}
! count the rows of {table}
""", "There is no table {table}; the tables are {names}. | {table} does not exist. I see {names}.",
draw=at.new_table, ability="chain", form="recovery")  # fmt: skip
def missing_table(v: Values) -> Run:
    (error,) = yield at.read(f"SELECT COUNT(*) FROM {v['table']}")
    need("no such table" in error)
    (tables,) = yield call("list_tables")
    return {"names": at.names(tables)}


@script("store", """
! find the highest {column} in {table} and delete the row that has it
! remove the row with the largest {column} from {table}, look up its id first
take the row with the biggest {column} out of {table}; find its id before you delete it
""", "Row {id} is deleted. | I removed the row with id {id}.",
draw=at.number, ability="chain")  # fmt: skip
def find_then_delete(v: Values) -> Run:
    (found,) = yield at.read(f"SELECT id FROM {v['table']} ORDER BY {v['column']} DESC LIMIT 1")
    number = at.one(found)
    yield call("write_query", query=f"DELETE FROM {v['table']} WHERE id = {number}")
    return {"id": number}


@script("store", """
! create a table {table} with name TEXT and {column} TEXT, then list all tables
! make the table {table} (name TEXT, {column} TEXT) and show me which tables there are afterwards
""", "{table} is created; the tables are {names}. | Done. Now there are {names}.",
draw=at.new_table, ability="chain")  # fmt: skip
def create_then_list(v: Values) -> Run:
    yield call("create_table", query=f"CREATE TABLE {v['table']} (name TEXT, {v['column']} TEXT)")
    (tables,) = yield call("list_tables")
    return {"names": at.names(tables)}


@script("store", """
! set {column} of {name} in {table} to {n}, then at.read it back
! change the {column} of {name} in {table} to {n} and show me the whole row afterwards
""", "{name} now has {column} {n}. | The row has {column} {n} now.",
draw=at.set_number, ability="chain")  # fmt: skip
def update_then_read(v: Values) -> Run:
    yield call("write_query", query=f"UPDATE {v['table']} SET {v['column']} = {v['n']} "
               f"WHERE name = '{v['name']}'")  # fmt: skip
    (result,) = yield at.read(f"SELECT * FROM {v['table']} WHERE name = '{v['name']}'")
    return {"row": result}


SCRIPTS = scripts_of(list(globals().values()))
