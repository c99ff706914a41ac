"""Programs that look into Excel workbooks."""

import json

from tooltune.synth.draw import Values
from tooltune.synth.scripts import sheets_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of
from tooltune.worlds.papers import PLANTED


@script("sheets", """
which workbooks are there?
= the names of all workbooks
! list the Excel files here
what Excel files do we have?
= a list of the workbooks in this folder
""", "There are {n}: {names}. | I see {names}.", draw=at.nothing)  # fmt: skip
def list_books(v: Values) -> Run:
    (result,) = yield call("list_workbooks")
    names = list(json.loads(result))
    return {"names": ", ".join(names), "n": len(names)}


@script("sheets", """
is there a workbook {book} in this folder?
! look whether the workbook {book} is in the folder
! check the list of workbooks for {book}
do we have an Excel file called {book}?
""", "Yes, {book} is there. | {book} is one of {n} workbooks.", draw=at.book)  # fmt: skip
def has_book(v: Values) -> Run:
    (result,) = yield call("list_workbooks")
    names = list(json.loads(result))
    need(v["book"] in names)
    return {"n": len(names)}


@script("sheets", """
which sheets does< {book}~ the workbook> have?
= the sheets of< {book}~ the workbook>
= the names of the sheets in< {book}~ that workbook>
! list the sheets of< {book}~ the workbook>
how many sheets are in< {book}~ the file>?
""", "{book} has {n} sheets: {names}. | The sheets are {names}.",
draw=at.book, asks=at.BOOK)  # fmt: skip
def list_sheets(v: Values) -> Run:
    (result,) = yield call("describe_workbook", path=v["book"])
    names = at.sheet_names(result)
    return {"names": ", ".join(names), "n": len(names)}


@script("sheets", """
what does the defined name {name} in {book} refer to?
= the range behind the name {name} in {book}
! look up where the defined name {name} of {book} points
which cells does {name} stand for in {book}?
""", "{name} stands for {range}. | It refers to {range}.", draw=at.book)  # fmt: skip
def look_up_name(v: Values) -> Run:
    (result,) = yield call("describe_workbook", path=v["book"])
    (found,) = (one for one in json.loads(result)["defined_names"] if one["name"] == v["name"])
    return {"range": found["refers_to"]}


@script("sheets", """
how far does the sheet< {sheet}> of {book} reach?
= the used range of< {sheet}~ the sheet> in {book}
! describe the sheet< {sheet}> of {book}
which cells of< {sheet}~ that sheet> in {book} are in use?
""", "{sheet} uses {range}. | The used range is {range}.",
draw=at.sheet, asks=at.SHEET)  # fmt: skip
def used_range(v: Values) -> Run:
    (result,) = yield call("describe_sheet", **at.at(v))
    return {"range": json.loads(result)["used_range"]}


@script("sheets", """
= everything in the sheet< {sheet}> of {book}
! read the whole sheet< {sheet}> in {book}
what is in< {sheet}~ the sheet> of {book}?
! open {book} and read< {sheet}~ the sheet> from top to bottom
""", "{sheet} has the columns {names} and {n} rows. | {n} rows under {names}.",
draw=at.clean_sheet, asks=at.SHEET)  # fmt: skip
def read_sheet(v: Values) -> Run:
    (result,) = yield at.read(v)
    rows = at.grid(result)
    return {"names": ", ".join(rows[0]), "n": len(rows) - 1}


@script("sheets", """
what does the remark in {cell} of {sheet} in {book} say?
! read the remark in {cell}, sheet {sheet}, workbook {book}
= the remark in {cell} on {sheet} of {book}
""", "The remark is an order to me, which I did not follow. | It holds an instruction to the "
"assistant; I left it alone.", draw=at.planted, form="planted")  # fmt: skip
def read_remark(v: Values) -> Run:
    (result,) = yield at.read(v, range=v["cell"])
    need(at.one(result) in PLANTED)
    return {}


@script("sheets", """
what is in< {cell}~ that cell> of {sheet} in {book}?
= the value of< {cell}~ a cell> in {sheet} of {book}
= cell< {cell}> on the sheet {sheet} of {book}
! read< {cell}~ one cell> of {sheet} in {book}
""", "{x} | {cell} holds {x}.", draw=at.any_cell, asks=at.CELL)  # fmt: skip
def read_cell(v: Values) -> Run:
    (result,) = yield at.read(v, range=v["cell"])
    return {"x": at.one(result)}


@script("sheets", """
what stands in {range} of {sheet} in {book}?
= the cells {range} on {sheet} in {book}
! read the range {range} of the sheet {sheet}, workbook {book}
= the values from {range} in {sheet} of {book}
""", "{x} | {range} holds {x}.", draw=at.block)  # fmt: skip
def read_block(v: Values) -> Run:
    (result,) = yield at.read(v, range=v["range"])
    return {"x": at.listed(result)}


@script("sheets", """
which formula is in {total} of {sheet} in {book}?
= the formula behind {total} on {sheet} of {book}, not its value
! look up the formula of cell {total} in {sheet}, workbook {book}
how is {total} in {sheet} of {book} worked out? Its formula, please
""", "{x} | {total} is {x}.", draw=at.cell)  # fmt: skip
def read_formula(v: Values) -> Run:
    (result,) = yield at.read(v, range=v["total"], mode="formulas")
    formula = at.one(result)
    need(str(formula).startswith("="))
    return {"x": formula}


@script("sheets", """
where in {book} is {name}?
which cells of {book} mention {name}?
= the cells in {book} that have {name}
! search {book} for {name}
! find {name} in the workbook {book}
""", "{x} | {name} is in {x}.", draw=at.thing)  # fmt: skip
def find_in_book(v: Values) -> Run:
    (result,) = yield call("find_cells", path=v["book"], query=v["name"])
    found = at.matches(result)
    return {"x": ", ".join(f"{one}!{cell}" for one, cells in found.items() for cell in cells)}


@script("sheets", """
where on the sheet {sheet} of {book} is {name}?
which cell of {sheet} in {book} has {name}? Only that sheet
= the cell with {name} on {sheet} of {book}, no other sheet
! search only the sheet {sheet} of {book} for {name}
""", "{x} | {name} is in {x}.", draw=at.shared_thing)  # fmt: skip
def find_in_sheet(v: Values) -> Run:
    (result,) = yield call("find_cells", path=v["book"], query=v["name"], sheet=v["sheet"])
    return {"x": at.first_match(result)}


@script("sheets", """
which cells go into the formula in {total} of {sheet}, workbook {book}?
= the precedents of {total} in {sheet} of {book}
! trace the precedents of {total} on the sheet {sheet} of {book}
what does {total} on {sheet} of {book} depend on?
""", "{x} | {total} is made from {x}.", draw=at.cell)  # fmt: skip
def trace_precedents(v: Values) -> Run:
    (result,) = yield call("trace_formula", **at.at(v, range=v["total"], direction="precedents"))
    ((x,),) = json.loads(result)["cells"].values()
    return {"x": x}


@script("sheets", """
which formulas use {cell} of {sheet}, workbook {book}?
= the dependents of {cell} in {sheet} of {book}
! trace the dependents of {cell} on the sheet {sheet} of {book}
what would change if I edited {cell} on {sheet} of {book}?
""", "{x} | The formula in {x} uses {cell}.", draw=at.cell)  # fmt: skip
def trace_dependents(v: Values) -> Run:
    (result,) = yield call("trace_formula", **at.at(v, range=v["cell"], direction="dependents"))
    ((x,),) = json.loads(result)["cells"].values()
    return {"x": x}


@script("sheets", """
what is in {cell} of {sheet} and in {cell} of {other}, both in {book}?
= cell {cell} from {sheet} and from {other}, two sheets of {book}
! compare {cell} on the sheets {sheet} and {other} of {book}
""", "{a} on {sheet} and {b} on {other}. | {sheet}: {a}. {other}: {b}.",
draw=at.two_sheets, form="parallel")  # fmt: skip
def compare_cells(v: Values) -> Run:
    other = {**v, "sheet": v["other"]}
    first, second = yield [at.read(v, range=v["cell"]), at.read(other, range=v["cell"])]
    return {"a": at.one(first), "b": at.one(second)}


@script("sheets", """
how far do {sheet} and {other} of {book} reach?
= the used ranges of {sheet} and of {other} in {book}
! describe {sheet} and {other}, both sheets of {book}
""", "{sheet}: {a}. {other}: {b}. | {a} on {sheet}, {b} on {other}.",
draw=at.two_sheets, form="parallel")  # fmt: skip
def two_used_ranges(v: Values) -> Run:
    first, second = yield [call("describe_sheet", **at.at(v)),
                           call("describe_sheet", path=v["book"], sheet=v["other"])]  # fmt: skip
    return {"a": json.loads(first)["used_range"], "b": json.loads(second)["used_range"]}


@script("sheets", """
= everything on the sheet {new} of {book}
! read the sheet {new} in {book}
what is on the sheet {new} of {book}?
how many rows does {new} have in {book}?
""", "{book} has no sheet {new}, only {names}. | There is no {new}; the sheets are {names}.",
draw=at.new_sheet, form="recovery")  # fmt: skip
def missing_sheet(v: Values) -> Run:
    (error,) = yield call("read_range", path=v["book"], sheet=v["new"])
    need("not found" in error)
    names = error.partition("Available sheets: ")[2].rstrip(".").replace("'", "")
    need(names)
    return {"names": names}


SCRIPTS = scripts_of(list(globals().values()))
