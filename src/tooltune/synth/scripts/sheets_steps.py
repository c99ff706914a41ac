"""Programs that change Excel workbooks, or take several steps in them."""

import json

from tooltune.synth.draw import Values
from tooltune.synth.scripts import sheets_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of


@script("sheets", """
! put {n} into< {cell}~ a cell> of {sheet} in {book}
! set< {cell}~ one cell> on {sheet} of {book} to {n}
! write {n} to< {cell}~ the cell> on the sheet {sheet}, workbook {book}
the number in< {cell}~ that cell> of {sheet}, {book}, should be {n}, change it
""", "{cell} is {n} now. | Wrote {n} to {cell}.", draw=at.cell, asks=at.AT)  # fmt: skip
def write_cell(v: Values) -> Run:
    (result,) = yield call("write_range", **at.at(v, at=v["cell"], rows=[[int(v["n"])]]))
    need(at.written(result) == v["cell"])
    return {}


@script("sheets", """
! write the formula =AVERAGE({range}) into {at} of {sheet} in {book}
! put =AVERAGE({range}) in {at} on the sheet {sheet} of {book}
{at} on {sheet} of {book} needs the formula =AVERAGE({range})
""", "{at} has the formula now. | I put the formula into {at}.", draw=at.column)  # fmt: skip
def write_formula(v: Values) -> Run:
    formula = f"=AVERAGE({v['range']})"
    (result,) = yield call("write_range", **at.at(v, at=v["at"], rows=[[formula]]))
    need(at.written(result) == v["at"])
    return {}


@script("sheets", """
! add a sheet< {new}> to {book}
! create an empty sheet< {new}~ with a name of mine> in {book}
{book} needs a new sheet< called {new}>, make it
""", "{book} now has the sheet {new}. | Added {new}.",
draw=at.new_sheet, asks={"new": ("new_name", "name of the sheet")})  # fmt: skip
def add_sheet(v: Values) -> Run:
    yield call("create_sheet", path=v["book"], new_name=v["new"])
    return {}


@script("sheets", """
! rename the sheet {sheet} of {book}< to {new}>
! give the sheet {sheet} in {book} the name< {new}~ I like>
{sheet} in {book} should be called< {new}~ something else>, rename that sheet
""", "{sheet} is called {new} now. | Renamed {sheet} to {new}.",
draw=at.new_sheet, asks={"new": ("new_name", "new name")})  # fmt: skip
def rename_sheet(v: Values) -> Run:
    yield call("rename_sheet", **at.at(v, new_name=v["new"]))
    return {}


@script("sheets", """
! copy the sheet {sheet} of {book} and call the copy {new}
! duplicate {sheet} in {book} as the sheet {new}
I need a second {sheet} in {book}, named {new}
""", "{new} is a copy of {sheet}. | Copied {sheet} to {new}.", draw=at.new_sheet)  # fmt: skip
def copy_sheet(v: Values) -> Run:
    yield call("copy_sheet", **at.at(v, new_name=v["new"]))
    return {}


@script("sheets", """
! delete the sheet {sheet} from {book}
! remove {sheet}, one sheet of {book}
{book} no longer needs its sheet {sheet}, take it out
""", "{sheet} is gone from {book}. | Deleted the sheet {sheet}.", draw=at.sheet)  # fmt: skip
def delete_sheet(v: Values) -> Run:
    yield call("delete_sheet", **at.at(v))
    return {}


@script("sheets", """
! insert {n} empty rows before row {row} of {sheet} in {book}
! make room for {n} rows above row {row} on {sheet}, workbook {book}
I need {n} blank rows in front of row {row}, sheet {sheet} of {book}
""", "There are {n} empty rows before row {row} now. | Inserted {n} rows.",
draw=at.lines)  # fmt: skip
def insert_rows(v: Values) -> Run:
    yield call("insert_rows_or_columns",
               **at.at(v, axis="rows", start=int(v["row"]), count=int(v["n"])))  # fmt: skip
    return {}


@script("sheets", """
! delete row {row} of the sheet {sheet} in {book}
! remove row number {row} from {sheet}, workbook {book}
row {row} of {sheet} in {book} is wrong, delete it
""", "Row {row} is gone. | Deleted row {row} of {sheet}.", draw=at.lines)  # fmt: skip
def delete_line(v: Values) -> Run:
    yield call("delete_rows_or_columns", **at.at(v, axis="rows", start=int(v["row"])))
    return {}


@script("sheets", """
! insert an empty column before column number {column} of {sheet} in {book}
! put a blank column in front of column {column}, sheet {sheet} of {book}
{sheet} in {book} needs one more column before column {column}
""", "There is an empty column before column {column} now. | Inserted a column.",
draw=at.lines)  # fmt: skip
def insert_column(v: Values) -> Run:
    yield call("insert_rows_or_columns", **at.at(v, axis="columns", start=int(v["column"])))
    return {}


@script("sheets", """
! clear {range} of {sheet} in {book}
! empty the cells {range} on the sheet {sheet}, workbook {book}
the values in {range} of {sheet}, {book}, are outdated, clear them
""", "{range} is empty now. | Cleared {range}.", draw=at.block)  # fmt: skip
def clear_block(v: Values) -> Run:
    (result,) = yield call("clear_range", **at.at(v, range=v["range"]))
    need(at.written(result) == v["range"])
    return {}


@script("sheets", """
! copy {range} to {at} on the sheet {sheet} of {book}
! paste the cells {range} once more at {at}, sheet {sheet} of {book}
on {sheet} of {book}, put a copy of {range} at {at}
""", "{range} stands at {x} too. | Copied {range} to {x}.", draw=at.block)  # fmt: skip
def copy_block(v: Values) -> Run:
    (result,) = yield call("copy_range", **at.at(v, range=v["range"], at=v["at"]))
    return {"x": at.written(result)}


@script("sheets", """
! copy {cell} of {sheet} to {at} of {other}, both sheets of {book}
! in {book}, paste {cell} of the sheet {sheet} at {at} on {other}
{other} in {book} should have at {at} what {cell} of {sheet} has, copy it
""", "{cell} is copied to {at} on {other}. | Copied it to {other}.",
draw=at.two_sheets)  # fmt: skip
def copy_across(v: Values) -> Run:
    there = {"at": v["at"], "to_sheet": v["other"]}
    (result,) = yield call("copy_range", **at.at(v, range=v["cell"], **there))
    at.written(result)
    return {}


@script("sheets", """
! sort {range} of {sheet} in {book} by {column}
! sort the rows of {range}, sheet {sheet} of {book}, by the column {column}
{range} on {sheet} of {book} should be in the order of {column}, sort it
""", "{range} is sorted by {column}. | Sorted by {column}.", draw=at.table)  # fmt: skip
def sort_rows(v: Values) -> Run:
    key = {"column": v["column"]}
    (result,) = yield call("sort_range", **at.at(v, range=v["range"], sort_by=[key]))
    need(at.written(result) == v["range"])
    return {}


@script("sheets", """
! sort {range} of {sheet} in {book} by {column}, descending
! sort the rows of {range}, sheet {sheet} of {book}, in descending order of {column}
{range} on {sheet} of {book} by {column}, descending, please sort it so
""", "{range} is sorted, the highest {column} first. | Sorted by {column}, descending.",
draw=at.table)  # fmt: skip
def sort_descending(v: Values) -> Run:
    key = {"column": v["column"], "order": "descending"}
    (result,) = yield call("sort_range", **at.at(v, range=v["range"], sort_by=[key]))
    need(at.written(result) == v["range"])
    return {}


@script("sheets", """
! replace {name} by {new} everywhere in {book}
! change every {name} in the workbook {book} to {new}
{name} has a new name in all of {book}: {new}. Replace it
""", "Done, cells changed: {n}. | {name} is {new} now, number of cells: {n}.",
draw=at.thing)  # fmt: skip
def replace_in_book(v: Values) -> Run:
    (result,) = yield call("replace_cells",
                           path=v["book"], query=v["name"], replacement=v["new"])  # fmt: skip
    return {"n": sum(json.loads(result)["replaced"].values())}


@script("sheets", """
! replace {name} by {new} on the sheet {sheet} of {book} only
! change {name} to {new} in {sheet} of {book}, the other sheets stay
only on {sheet} of {book} should {name} become {new}, replace it there
""", "{name} is {new} on {sheet} now. | Replaced it on {sheet} only.",
draw=at.shared_thing)  # fmt: skip
def replace_in_sheet(v: Values) -> Run:
    (result,) = yield call("replace_cells", path=v["book"], query=v["name"],
                           replacement=v["new"], sheet=v["sheet"])  # fmt: skip
    need(json.loads(result)["replaced"])
    return {}


@script("sheets", """
! merge {range} on the sheet {sheet} of {book}
! make one cell of {range} in {sheet}, workbook {book}
{range} of {sheet} in {book} should be one wide cell, merge it
""", "{range} is one cell now. | Merged {range}.", draw=at.empty_row)  # fmt: skip
def merge_row(v: Values) -> Run:
    (result,) = yield call("merge_cells", **at.at(v, range=v["range"]))
    need(at.written(result) == v["range"])
    return {}


@script("sheets", """
! define the name {name} in {book} for {sheet}!{range}
! give the cells {sheet}!{range} of {book} the name {name}
{sheet}!{range} should be known as {name} in {book}, define that name
""", "{name} stands for {range} now. | Defined {name}.", draw=at.column)  # fmt: skip
def define_name(v: Values) -> Run:
    (result,) = yield call("set_defined_name", path=v["book"], name=v["name"],
                           refers_to=f"{v['sheet']}!{v['range']}")  # fmt: skip
    need(v["name"] in result)
    return {}


@script("sheets", """
! delete the defined name {name} from {book}
! remove the name {name} that is defined in {book}
nobody uses the defined name {name} of {book}, delete it
""", "{name} is no longer defined. | Removed the name {name}.", draw=at.book)  # fmt: skip
def forget_name(v: Values) -> Run:
    yield call("delete_defined_name", path=v["book"], name=v["name"])
    return {}


@script("sheets", """
! add the note "{text}" to {cell} of {sheet} in {book}
! attach a note to {cell} on {sheet}, workbook {book}: {text}
{cell} of {sheet} in {book} should carry a note that says "{text}"
""", "{cell} has the note now. | Added the note to {cell}.", draw=at.cell)  # fmt: skip
def add_note(v: Values) -> Run:
    yield call("set_note", **at.at(v, cell=v["cell"], text=v["text"]))
    return {}


@script("sheets", """
! export the sheet {sheet} of {book} to {csv}
! save {sheet} from {book} as the file {csv}
I need {sheet} of {book} as comma-separated values in {csv}
""", "{sheet} is saved as {csv}. | Wrote {csv}.", draw=at.export)  # fmt: skip
def export_sheet(v: Values) -> Run:
    yield call("export_csv", **at.at(v, csv_path=v["csv"]))
    return {}


@script("sheets", """
! import {csv} into a new sheet {new} of {book}
! load the file {csv} into {book} as the sheet {new}
{book} needs the rows of {csv} on a sheet of their own called {new}, import them
""", "{csv} is on the sheet {new} now, in {x}. | Imported {x}.", draw=at.listing)  # fmt: skip
def import_sheet(v: Values) -> Run:
    (result,) = yield call("import_csv", path=v["book"], csv_path=v["csv"], sheet=v["new"])
    return {"x": at.written(result)}


@script("sheets", """
! import {csv} into the sheet {sheet} of {book}, starting at {at}
! load {csv} into {book}, sheet {sheet}, from cell {at} on
the rows of {csv} belong on {sheet} of {book}, beginning in {at}, import them
""", "{csv} fills {x} now. | Imported it into {x}.", draw=at.listing)  # fmt: skip
def import_at(v: Values) -> Run:
    (result,) = yield call("import_csv", **at.at(v, csv_path=v["csv"], at=v["at"]))
    return {"x": at.written(result)}


@script("sheets", """
! find the value of {cell} that brings {total} to {n}, sheet {sheet} of {book}
! use goal seek on {sheet} of {book}: {total} should become {n} by changing {cell}
what must {cell} be so that {total} is {n} on {sheet} of {book}? Set it
""", "{cell} is {x} now, so that {total} is {n}. | With {x} in {cell} it is {n}.",
draw=at.cell)  # fmt: skip
def seek_goal(v: Values) -> Run:
    (result,) = yield call("goal_seek", **at.at(v, cell=v["total"], target=int(v["n"]),
                                                changing_cell=v["cell"]))  # fmt: skip
    found = json.loads(result)
    need(found["converged"])
    return {"x": round(found["value"])}


@script("sheets", """
! create a workbook {new} with one sheet {sheet}
! make the Excel file {new}, its only sheet is {sheet}
I need a new workbook {new} with a sheet called {sheet}
""", "{new} is there. | Created {new} with the sheet {sheet}.", draw=at.new_book)  # fmt: skip
def create_book(v: Values) -> Run:
    yield call("create_workbook", path=v["new"], sheets=[v["sheet"]])
    return {}


@script("sheets", """
! write {n} to {at} of {sheet} and to {at} of {other}, both in {book}
! put {n} into {at} on two sheets of {book}, {sheet} and {other}
{at} should be {n} on {sheet} and on {other} of {book}, write both
""", "{at} is {n} on both sheets. | Wrote {n} twice.",
draw=at.two_sheets, form="parallel")  # fmt: skip
def write_both(v: Values) -> Run:
    rows = [[int(v["n"])]]
    first, second = yield [
        call("write_range", **at.at(v, at=v["at"], rows=rows)),
        call("write_range", path=v["book"], sheet=v["other"], at=v["at"], rows=rows),
    ]
    need(at.written(first) == at.written(second))
    return {}


SCRIPTS = scripts_of(list(globals().values()))
