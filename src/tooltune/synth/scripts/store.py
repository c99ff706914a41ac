"""Programs that look into a SQLite database."""

from tooltune.synth.draw import Values
from tooltune.synth.scripts import store_values as at
from tooltune.synth.scripts.script import Run, call, script, scripts_of


@script("store", """
what tables are there?
which tables does the database have?
= a list of all tables
= the names of the tables in the database
! list the tables
show tables
""", "There are {n} tables: {names}. | The tables are {names}.", draw=at.nothing)  # fmt: skip
def list_tables(v: Values) -> Run:
    (result,) = yield call("list_tables")
    return {"names": at.names(result), "n": len(at.rows(result))}


@script("store", """
which columns does< {table}~ the table> have?
= the columns of< {table}~ the table>
= the schema of< the table {table}~ one table>
! describe< the table {table}~ one of the tables>
what fields are in< {table}~ that table>?
""", "{table} has the columns {names}. | The columns are {names}.",
draw=at.table, asks=at.TABLE)  # fmt: skip
def describe_table(v: Values) -> Run:
    (result,) = yield call("describe_table", table_name=v["table"])
    return {"names": at.names(result)}


@script("store", """
how many rows does {table} have?
how many entries are in {table}?
= the number of rows in {table}
= the row count of {table}
! count the rows of {table}
""", "{table} has {n} rows. | There are {n} rows in {table}.", draw=at.table)  # fmt: skip
def count_rows(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT COUNT(*) FROM {v['table']}")
    return {"n": at.one(result)}


@script("store", """
= everything in {table}
= all rows of {table}
! dump the table {table}
! select all of {table}
what is stored in {table}?
""", "{table} holds {n} rows, the first is {first}. | There are {n} rows; it begins with {first}.",
draw=at.table)  # fmt: skip
def all_rows(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT * FROM {v['table']}")
    return {"n": len(at.rows(result)), "first": at.rows(result)[0]["name"]}


@script("store", """
which {table} rows have the {column} {value}?
what in {table} has {column} {value}?
= the names in {table} whose {column} is {value}
! list the name of each row in {table} where {column} is {value}
! filter {table} by {column} {value}, names only
""", "{names} | With the {column} {value}: {names}.", draw=at.text_cell)  # fmt: skip
def where_equal(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT name FROM {v['table']} WHERE {v['column']} = '{v['value']}'")
    return {"names": at.names(result)}


@script("store", """
which rows of {table} have a {column} above {n}?
what in {table} has more than {n} as {column}?
= the names in {table} with {column} over {n}
! list every name in {table} whose {column} is greater than {n}
""", "{names} | Above {n}: {names}.", draw=at.number)  # fmt: skip
def where_above(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT name FROM {v['table']} WHERE {v['column']} > {v['n']}")
    return {"names": at.names(result)}


@script("store", """
which rows of {table} have a {column} below {n}?
= the names in {table} with {column} under {n}
! list every name in {table} whose {column} is less than {n}
""", "{names} | Below {n}: {names}.", draw=at.number)  # fmt: skip
def where_below(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT name FROM {v['table']} WHERE {v['column']} < {v['n']}")
    return {"names": at.names(result)}


@script("store", """
which name in {table} has the highest {column}?
= the name with the largest {column} in {table}
! find the name with the biggest {column} in {table}
what tops {table} by {column}?
""", "{name} has the highest {column}, {n}. | It is {name} with {n}.", draw=at.number)  # fmt: skip
def highest(v: Values) -> Run:
    (result,) = yield at.read(
        f"SELECT name, {v['column']} FROM {v['table']} ORDER BY {v['column']} DESC LIMIT 1"
    )
    (row,) = at.rows(result)
    return {"name": row["name"], "n": row[v["column"]]}


@script("store", """
= the top {n} names of {table} by {column}
! list the {n} names in {table} with the highest {column}
which {n} names of {table} lead by {column}?
""", "{names} | The top {n} are {names}.", draw=at.top)  # fmt: skip
def top_rows(v: Values) -> Run:
    (result,) = yield at.read(
        f"SELECT name FROM {v['table']} ORDER BY {v['column']} DESC LIMIT {v['n']}"
    )
    return {"names": at.names(result)}


@script("store", """
what is the average {column} in {table}?
= the mean {column} of {table}
= the average {column} over all of {table}
! compute the average of {column} in {table}
""", "The average {column} is {x}. | On average {x}.", draw=at.number)  # fmt: skip
def average(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT AVG({v['column']}) FROM {v['table']}")
    return {"x": round(at.one(result), 2)}


@script("store", """
what is the total {column} in {table}?
= the sum of {column} over {table}
! add up {column} in {table}
! sum the {column} of all {table}
""", "The total is {x}. | {column} adds up to {x}.", draw=at.number)  # fmt: skip
def total(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT SUM({v['column']}) FROM {v['table']}")
    return {"x": at.one(result)}


@script("store", """
which different values of {column} occur in {table}?
= the distinct {column} values of {table}
! list each {column} in {table} once
""", "{names} | These occur: {names}.", draw=at.text_cell)  # fmt: skip
def distinct(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT DISTINCT {v['column']} FROM {v['table']}")
    return {"names": ", ".join(row[v["column"]] for row in at.rows(result))}


@script("store", """
how many rows of {table} are there per {column}?
= the number of {table} by {column}
! count {table} grouped by {column}
""", "{names} | By {column}: {names}.", draw=at.text_cell)  # fmt: skip
def group_count(v: Values) -> Run:
    column = v["column"]
    (result,) = yield at.read(f"SELECT {column}, COUNT(*) FROM {v['table']} GROUP BY {column}")
    return {"names": ", ".join(f"{row[column]} {row['COUNT(*)']}" for row in at.rows(result))}


@script("store", """
= the sum of {number} in {table} where {column} is {value}
! add up {number} for the rows of {table} with {column} {value}
what does {number} total in {table} for {column} {value}?
""", "It adds up to {x}. | For {value} the total is {x}.", draw=at.both)  # fmt: skip
def total_where(v: Values) -> Run:
    (result,) = yield at.read(
        f"SELECT SUM({v['number']}) FROM {v['table']} WHERE {v['column']} = '{v['value']}'"
    )
    return {"x": at.one(result)}


@script("store", """
what is the {column} of {name} in {table}?
= the {column} of {name} from {table}
! look up {column} for {name} in {table}
""", "The {column} of {name} is {x}. | It is {x}.", draw=at.row)  # fmt: skip
def cell(v: Values) -> Run:
    (result,) = yield at.read(f"SELECT {v['column']} FROM {v['table']} WHERE name = '{v['name']}'")
    return {"x": at.one(result)}


@script("store", """
how many rows do {table} and {other} have?
= the row counts of {table} and {other}
! count the rows in both {table} and {other}
""", "{table} has {a} rows and {other} {b}. | {a} in {table}, {b} in {other}.",
draw=at.two_tables, form="parallel")  # fmt: skip
def count_both(v: Values) -> Run:
    first, second = yield [
        at.read(f"SELECT COUNT(*) FROM {v['table']}"),
        at.read(f"SELECT COUNT(*) FROM {v['other']}"),
    ]  # fmt: skip
    return {"a": at.one(first), "b": at.one(second)}


@script("store", """
which columns do {table} and {other} have?
! describe {table} and {other}
= the schemas of {table} and {other}
""", "{table}: {a}. {other}: {b}. | {a} in {table}; {b} in {other}.",
draw=at.two_tables, form="parallel")  # fmt: skip
def describe_both(v: Values) -> Run:
    first, second = yield [call("describe_table", table_name=v["table"]),
                           call("describe_table", table_name=v["other"])]  # fmt: skip
    return {"a": at.names(first), "b": at.names(second)}


SCRIPTS = scripts_of(list(globals().values()))
