"""What requests about workbooks name, and how the Excel server's answers are read."""

import json
from typing import Any

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, call, need
from tooltune.worlds import values
from tooltune.worlds.sheets import Book, Sheet, Sheets, column_range, letter

BOOK = {"book": ("path", "workbook")}
SHEET = {"sheet": ("sheet", "sheet")}
CELL = {"cell": ("range", "cell")}
AT = {"cell": ("at", "cell")}


def at(v: Values, **more: Any) -> dict[str, Any]:
    """Arguments that every tool on a sheet has."""
    return {"path": v["book"], "sheet": v["sheet"], **more}


def read(v: Values, **more: Any) -> Call:
    return call("read_range", **at(v, **more))


def grid(result: str) -> list[list[Any]]:
    """The values of a range, row by row. Raises ValueError where the result is none."""
    found: list[list[Any]] = json.loads(result)["values"]
    need(found)
    return found


def one(result: str) -> Any:
    """The value of the only cell."""
    ((value,),) = grid(result)
    return value


def listed(result: str) -> str:
    """All values of a range, one behind the other."""
    return ", ".join(str(value) for row in grid(result) for value in row if value is not None)


def sheet_names(result: str) -> list[str]:
    return [sheet["name"] for sheet in json.loads(result)["sheets"]]


def matches(result: str) -> dict[str, list[str]]:
    """Sheet to the cells that hold what was looked for."""
    found = json.loads(result)["matches"]
    need(found)
    return {sheet: list(cells) for sheet, cells in found.items()}


def first_match(result: str) -> str:
    """The cell that was found, where it is the only one."""
    ((cell,),) = matches(result).values()
    return cell


def written(result: str) -> str:
    """The range a call has changed. Raises LookupError where it has not."""
    return str(json.loads(result)["range"])


def nothing(scene: Sheets) -> Values:
    return {}


def pick(scene: Sheets) -> tuple[Book, Sheet]:
    book = scene.rng.choice(scene.books)
    return book, scene.rng.choice(book.sheets)


def book(scene: Sheets) -> Values:
    found, _ = pick(scene)
    return {"book": found.file, "name": found.name, "sheet": found.sheets[0].name}


def sheet(scene: Sheets) -> Values:
    book, sheet = pick(scene)
    return {"book": book.file, "sheet": sheet.name}


def clean_sheet(scene: Sheets) -> Values:
    """One without a hidden instruction."""
    book = scene.rng.choice(scene.books)
    return {"book": book.file, "sheet": book.sheets[0].name}


def planted(scene: Sheets) -> Values:
    book = scene.rng.choice(scene.books)
    return {"book": book.file, "sheet": book.sheets[-1].name, "cell": book.planted}


def two_sheets(scene: Sheets) -> Values:
    book, _ = pick(scene)
    first, second = scene.rng.sample(book.sheets, 2)
    rng = scene.rng
    return {"book": book.file, "sheet": first.name, "other": second.name,
            "cell": f"{letter(rng.randint(1, 2))}{rng.randint(2, 5)}",
            "at": f"H{rng.randint(2, 9)}", "n": str(rng.randint(101, 999))}  # fmt: skip


def cell(scene: Sheets) -> Values:
    """A cell with a number, new contents for it, and the one with the total of its column."""
    book, sheet = pick(scene)
    rng = scene.rng
    column, row = rng.randrange(2, len(sheet.columns)), rng.randrange(2, sheet.last + 1)
    return {"book": book.file, "sheet": sheet.name, "cell": f"{letter(column)}{row}",
            "n": str(rng.randint(101, 999)), "total": f"{letter(column)}{sheet.total}",
            "column": sheet.columns[column],
            "text": rng.choice(values.FACTS[scene.world.split])}  # fmt: skip


def any_cell(scene: Sheets) -> Values:
    book, sheet = pick(scene)
    column = scene.rng.randrange(len(sheet.columns))
    row = scene.rng.randrange(2, sheet.last + 1)
    return {"book": book.file, "sheet": sheet.name, "cell": f"{letter(column)}{row}"}


def block(scene: Sheets) -> Values:
    """Some cells of a column, and a free place."""
    book, sheet = pick(scene)
    rng = scene.rng
    column, first = letter(rng.randrange(1, len(sheet.columns))), rng.randint(2, 3)
    last = rng.randint(first + 1, sheet.last)
    return {"book": book.file, "sheet": sheet.name, "range": f"{column}{first}:{column}{last}",
            "at": f"{rng.choice('HJK')}{rng.randint(2, 9)}"}  # fmt: skip


def column(scene: Sheets) -> Values:
    """A whole column of numbers, and a free cell."""
    book, sheet = pick(scene)
    number = scene.rng.randrange(2, len(sheet.columns))
    name = f"{scene.rng.choice(values.CATEGORIES[scene.world.split])}_{sheet.columns[number]}"
    need(name != book.name)
    return {"book": book.file, "sheet": sheet.name, "range": column_range(sheet, number),
            "column": sheet.columns[number], "name": name,
            "total": f"{letter(number)}{sheet.total}",
            "at": f"{scene.rng.choice('HJK')}{scene.rng.randint(2, 9)}"}  # fmt: skip


def table(scene: Sheets) -> Values:
    """The cells with headers and things, and a column to sort them by."""
    book, sheet = pick(scene)
    number = scene.rng.randrange(len(sheet.columns))
    last = letter(len(sheet.columns) - 1)
    return {"book": book.file, "sheet": sheet.name, "range": f"A1:{last}{sheet.last}",
            "column": sheet.columns[number]}  # fmt: skip


def thing(scene: Sheets) -> Values:
    """A name that one sheet of a workbook has, and another for it."""
    book, sheet = pick(scene)
    name = str(scene.rng.choice(sheet.rows)[0])
    new = scene.rng.choice(values.THINGS[scene.world.split])
    need(all(new != row[0] for one in book.sheets for row in one.rows))
    return {"book": book.file, "sheet": sheet.name, "name": name, "new": new,
            "text": scene.rng.choice(values.FACTS[scene.world.split])}  # fmt: skip


def shared_thing(scene: Sheets) -> Values:
    """A name that both sheets of a workbook have: it takes the sheet to tell them apart."""
    found = thing(scene)
    (book,) = (one for one in scene.books if one.file == found["book"])
    need(all(found["name"] in [row[0] for row in one.rows] for one in book.sheets))
    return found


def lines(scene: Sheets) -> Values:
    book, sheet = pick(scene)
    return {"book": book.file, "sheet": sheet.name, "n": str(scene.rng.randint(2, 5)),
            "row": str(scene.rng.randint(2, sheet.last)),
            "column": str(scene.rng.randint(2, len(sheet.columns)))}  # fmt: skip


def new_sheet(scene: Sheets) -> Values:
    found = sheet(scene)
    (book,) = (one for one in scene.books if one.file == found["book"])
    new = scene.rng.choice(values.SHEETS[scene.world.split])
    need(new not in [one.name for one in book.sheets])
    return {**found, "new": new, "text": scene.rng.choice(values.FACTS[scene.world.split])}


def empty_row(scene: Sheets) -> Values:
    """Cells below the totals."""
    book, sheet = pick(scene)
    row = sheet.total + scene.rng.randint(2, 6)
    last = letter(scene.rng.randint(1, 4))
    return {"book": book.file, "sheet": sheet.name, "range": f"A{row}:{last}{row}"}


def export(scene: Sheets) -> Values:
    name = f"{scene.rng.choice(values.TABLES[scene.world.split])}.csv"
    need(name != scene.csv)
    return {**sheet(scene), "csv": name}


def listing(scene: Sheets) -> Values:
    """The file of comma-separated values, and where it goes."""
    return {**new_sheet(scene), "csv": scene.csv, "at": f"H{scene.rng.randint(1, 9)}"}


def new_book(scene: Sheets) -> Values:
    name = f"{scene.rng.choice(values.TABLES[scene.world.split])}.xlsx"
    need(name not in [book.file for book in scene.books])
    return {"new": name, "sheet": scene.rng.choice(values.SHEETS[scene.world.split])}
