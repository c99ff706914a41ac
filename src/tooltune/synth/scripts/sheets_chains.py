"""Programs of several steps in Excel workbooks: what one answers, the next one needs."""

import json

from tooltune.synth.draw import Values
from tooltune.synth.scripts import sheets_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of


@script("sheets", """
what is on the last sheet of {book}? I don't know its name
! find out what the last sheet of {book} is called and read it
= the contents of the last sheet of {book}, look up its name first
""", "The last sheet is {sheet}, with the columns {names}. | {sheet}: {names}.",
draw=at.book, ability="chain")  # fmt: skip
def read_last_sheet(v: Values) -> Run:
    (result,) = yield call("describe_workbook", path=v["book"])
    sheet = at.sheet_names(result)[-1]
    (found,) = yield call("read_range", path=v["book"], sheet=sheet)
    return {"sheet": sheet, "names": ", ".join(str(one) for one in at.grid(found)[0] if one)}


@script("sheets", """
which sheets does the first workbook in the folder have? I don't know its name
! look up which workbooks there are and list the sheets of the first
= the sheets of whatever workbook is listed first
""", "{book} has {names}. | The first workbook is {book}, with {names}.",
draw=at.nothing, ability="chain")  # fmt: skip
def first_book(v: Values) -> Run:
    (books,) = yield call("list_workbooks")
    book = next(iter(json.loads(books)))
    (result,) = yield call("describe_workbook", path=book)
    return {"book": book, "names": ", ".join(at.sheet_names(result))}


@script("sheets", """
! look up where {name} stands on the sheet {sheet} of {book} and write {new} over it
! find the cell with {name} in {sheet} of {book}, then put {new} there
{name} on {sheet} of {book} is now called {new}: find its cell and overwrite it
""", "{cell} says {new} now. | {name} was in {cell}; I wrote {new} there.",
draw=at.shared_thing, ability="chain")  # fmt: skip
def find_then_write(v: Values) -> Run:
    (found,) = yield call("find_cells", path=v["book"], query=v["name"], sheet=v["sheet"])
    cell = at.first_match(found)
    (result,) = yield call("write_range", **at.at(v, at=cell, rows=[[v["new"]]]))
    need(at.written(result) == cell)
    return {"cell": cell}


@script("sheets", """
! find {name} on {sheet} of {book} and attach the note "{text}" to its cell
! look up the cell of {name}, sheet {sheet} of {book}, and note there: {text}
the cell with {name} on {sheet} of {book} needs the note "{text}", find it first
""", "{cell} has the note now. | {name} is in {cell}, which carries the note.",
draw=at.shared_thing, ability="chain")  # fmt: skip
def find_then_note(v: Values) -> Run:
    (found,) = yield call("find_cells", path=v["book"], query=v["name"], sheet=v["sheet"])
    cell = at.first_match(found)
    yield call("set_note", **at.at(v, cell=cell, text=v["text"]))
    return {"cell": cell}


@script("sheets", """
! find the cell with {name} on {sheet} of {book} and clear it
! look up where {name} is in {sheet} of {book}, then empty that cell
{name} should vanish from {sheet} of {book}: find its cell, clear it
""", "{cell} is empty now. | {name} was in {cell}; I cleared it.",
draw=at.shared_thing, ability="chain")  # fmt: skip
def find_then_clear(v: Values) -> Run:
    (found,) = yield call("find_cells", path=v["book"], query=v["name"], sheet=v["sheet"])
    cell = at.first_match(found)
    (result,) = yield call("clear_range", **at.at(v, range=cell))
    need(at.written(result) == cell)
    return {"cell": cell}


@script("sheets", """
! find out which cells {total} on {sheet} of {book} adds up and read them
which numbers go into {total} of {sheet}, workbook {book}? Trace it, then read them
= the values behind the total in {total}, sheet {sheet} of {book}, trace it first
""", "{range} goes into it: {x}. | {x}, from {range}.", draw=at.cell, ability="chain")  # fmt: skip
def trace_then_read(v: Values) -> Run:
    (found,) = yield call("trace_formula", **at.at(v, range=v["total"], direction="precedents"))
    ((cells,),) = json.loads(found)["cells"].values()
    (result,) = yield at.read(v, range=cells)
    return {"range": cells, "x": at.listed(result)}


@script("sheets", """
! set {cell} of {sheet} in {book} to {n}, then tell me what {total} comes to
! write {n} into {cell}, sheet {sheet} of {book}, and read {total} afterwards
what does {total} become if {cell} on {sheet} of {book} is {n}? Write it and look
""", "{total} is {x} now. | With {n} in {cell} it comes to {x}.",
draw=at.cell, ability="chain")  # fmt: skip
def write_then_total(v: Values) -> Run:
    (result,) = yield call("write_range", **at.at(v, at=v["cell"], rows=[[int(v["n"])]]))
    need(at.written(result) == v["cell"])
    (found,) = yield at.read(v, range=v["total"])
    return {"x": at.one(found)}


@script("sheets", """
! sort {range} of {sheet} in {book} by {column}, descending, and tell me what {top} says then
! put {range} on {sheet} of {book} in descending order of {column}, then read {top}
what is in {top} once {range} of {sheet}, {book}, is sorted by {column}, descending? Do it
""", "{x} is on top now. | {top} says {x}.",
draw=lambda scene: {**at.table(scene), "top": "A2"}, ability="chain")  # fmt: skip
def sort_then_read(v: Values) -> Run:
    key = {"column": v["column"], "order": "descending"}
    (result,) = yield call("sort_range", **at.at(v, range=v["range"], sort_by=[key]))
    need(at.written(result) == v["range"])
    (found,) = yield at.read(v, range=v["top"])
    return {"x": at.one(found)}


@script("sheets", """
! add a sheet {new} to {book} and write "{text}" into its cell A1
! create the sheet {new} in {book}, with "{text}" in A1
{book} needs a sheet {new} that says "{text}" in A1
""", "{new} is there and says it in A1. | Added {new} with the text.",
draw=at.new_sheet, ability="chain")  # fmt: skip
def add_then_write(v: Values) -> Run:
    yield call("create_sheet", path=v["book"], new_name=v["new"])
    (result,) = yield call("write_range", path=v["book"], sheet=v["new"], at="A1",
                           rows=[[v["text"]]])  # fmt: skip
    need(at.written(result) == "A1")
    return {}


@script("sheets", """
! import {csv} into {book} as the sheet {new} and read that sheet to me
! load {csv} into a new sheet {new} of {book}, then show me what it holds
what does {csv} look like as the sheet {new} of {book}? Import and read it
""", "{new} holds {n} rows: {x}. | {n} rows came in: {x}.",
draw=at.listing, ability="chain")  # fmt: skip
def import_then_read(v: Values) -> Run:
    yield call("import_csv", path=v["book"], csv_path=v["csv"], sheet=v["new"])
    (result,) = yield call("read_range", path=v["book"], sheet=v["new"])
    rows = at.grid(result)[1:]
    return {"n": len(rows), "x": ", ".join(str(row[0]) for row in rows)}


@script("sheets", """
! look up which cells {sheet} of {book} uses and copy them all to {at}
! find the used range of {sheet} in {book}, then paste a copy of it at {at}
copy all that {sheet} of {book} holds to {at}, but find out how far it reaches first
""", "{range} is copied to {x}. | A copy of {range} stands at {x}.",
draw=lambda scene: {**at.clean_sheet(scene), "at": f"K{scene.rng.randint(1, 40)}"},
ability="chain")  # fmt: skip
def copy_all_cells(v: Values) -> Run:
    (found,) = yield call("describe_sheet", **at.at(v))
    cells = json.loads(found)["used_range"]
    (result,) = yield call("copy_range", **at.at(v, range=cells, at=v["at"]))
    return {"range": cells, "x": at.written(result)}


@script("sheets", """
! look whether {book} has a sheet {new}; if it has none, add it
! make sure {book} has the sheet {new}, add it if it is missing
if {book} lacks a sheet {new}, add one, but check first
""", "{new} was missing, so I added it. | Added {new}, which {book} did not have.",
draw=at.new_sheet, ability="chain", form="branch")  # fmt: skip
def add_if_missing(v: Values) -> Run:
    (found,) = yield call("describe_workbook", path=v["book"])
    need(v["new"] not in at.sheet_names(found))
    yield call("create_sheet", path=v["book"], new_name=v["new"])
    return {}


@script("sheets", """
! look whether {book} has a sheet {sheet}; add it only if it has none
! check that {book} has the sheet {sheet} and add it if it is missing
is there a sheet {sheet} in {book}? If not, add it
""", "{sheet} is there already. | No need: {book} has {sheet}.",
draw=at.sheet, form="branch")  # fmt: skip
def sheet_is_there(v: Values) -> Run:
    (found,) = yield call("describe_workbook", path=v["book"])
    need(v["sheet"] in at.sheet_names(found))
    return {}


@script("sheets", """
which sheets does {new} have?
= the sheets of the workbook {new}
! list the sheets in {new}
how many sheets are in the file {new}?
""", "There is no {new}; the workbooks are {names}. | {new} does not exist. I see {names}.",
draw=at.new_book, ability="chain", form="recovery")  # fmt: skip
def missing_book(v: Values) -> Run:
    (error,) = yield call("describe_workbook", path=v["new"])
    need("does not exist" in error)
    (books,) = yield call("list_workbooks")
    return {"names": ", ".join(json.loads(books))}


@script("sheets", """
which sheets does the workbook {stem} have?
= the sheets of {stem}, an Excel file
! list the sheets in the Excel file {stem}
how many sheets are in the Excel workbook {stem}?
""", "The file is called {book}; it has {names}. | {book} has the sheets {names}.",
draw=lambda scene: {"stem": at.book(scene)["book"].removesuffix(".xlsx")},
ability="chain", form="recovery")  # fmt: skip
def name_without_ending(v: Values) -> Run:
    (error,) = yield call("describe_workbook", path=v["stem"])
    need("must point to an Excel file" in error)
    (books,) = yield call("list_workbooks")
    (book,) = (one for one in json.loads(books) if one.removesuffix(".xlsx") == v["stem"])
    (result,) = yield call("describe_workbook", path=book)
    return {"book": book, "names": ", ".join(at.sheet_names(result))}


@script("sheets", """
! rename the sheet {sheet} of {book} to {new} and tell me which sheets there are then
! give {sheet} in {book} the name {new}, then list all sheets
""", "The sheets are {names} now. | Renamed; there are {names}.",
draw=at.new_sheet, ability="chain")  # fmt: skip
def rename_then_list(v: Values) -> Run:
    yield call("rename_sheet", **at.at(v, new_name=v["new"]))
    (result,) = yield call("describe_workbook", path=v["book"])
    return {"names": ", ".join(at.sheet_names(result))}


SCRIPTS = scripts_of(list(globals().values()))
