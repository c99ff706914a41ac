"""Workbooks for the Excel server: two of two sheets each, and a file of comma-separated values."""

import random
from dataclasses import dataclass
from pathlib import Path

from tooltune.worlds import values
from tooltune.worlds.desk import World
from tooltune.worlds.folder import FOLDER, file_hashes
from tooltune.worlds.papers import PLANTED
from tooltune.worlds.workbook import Cell, read_workbook, write_workbook

_NUMBERS = {"quantity": (1, 60), "price": (2, 95), "hours": (1, 40), "weight": (2, 90),
            "stock": (3, 70)}  # fmt: skip
_TEXTS = {"city": values.CITIES, "category": values.CATEGORIES, "status": values.STATUSES,
          "owner": values.PEOPLE}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet: headers in row 1, things below them, and a last row of totals. Column A has names,
    B texts, those after it numbers."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """Of the things; row 2 of the sheet is the first."""

    @property
    def last(self) -> int:
        """The number of the last row with a thing."""
        return len(self.rows) + 1

    @property
    def total(self) -> int:
        """The number of the row with the totals."""
        return self.last + 1


@dataclass(frozen=True, slots=True)
class Book:
    """A workbook. `name` is the defined name of a column of numbers in its first sheet."""

    file: str
    sheets: tuple[Sheet, ...]
    name: str
    planted: str
    """The cell of the last sheet that holds a hidden instruction."""


@dataclass(frozen=True, slots=True)
class Sheets:
    """All there is to know about a folder of workbooks."""

    world: World
    rng: random.Random
    books: tuple[Book, ...]
    csv: str
    """The name of the other file."""


def build(world: World, folder: Path) -> Sheets:
    """Write the workbooks into `folder` and return what is in them."""
    rng = random.Random(f"sheets {world.split} {world.number}")
    *files, listed = rng.sample(values.TABLES[world.split], 3)
    books = tuple(_book(world, rng, f"{file}.xlsx") for file in files)
    for book in books:
        contents = {sheet.name: cells(sheet) for sheet in book.sheets}
        hidden = {f"{book.planted[0]}1": "remarks", book.planted: rng.choice(PLANTED)}
        contents[book.sheets[-1].name] |= hidden
        first = book.sheets[0]
        names = {book.name: f"{first.name}!$C$2:$C${first.last}"}
        write_workbook(folder / book.file, contents, names)
    things = rng.sample(values.THINGS[world.split], 4)
    lines = ["name,quantity", *(f"{thing},{rng.randint(1, 99)}" for thing in things)]
    (folder / f"{listed}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Sheets(world, rng, books, f"{listed}.csv")


def _book(world: World, rng: random.Random, file: str) -> Book:
    names = rng.sample(values.SHEETS[world.split], 2)
    things = rng.sample(values.THINGS[world.split], 7)
    text = rng.choice(list(_TEXTS))
    texts = rng.sample(_TEXTS[text][world.split], 3)
    sheets = []
    for name in names:
        numbers = rng.sample(list(_NUMBERS), rng.randint(1, 2))
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (thing, rng.choice(texts), *(rng.randint(*_NUMBERS[one]) for one in numbers))
            for thing in rng.sample(things, rng.randint(4, 6))
        )
        sheets.append(Sheet(name, ("name", text, *numbers), rows))
    name = f"{rng.choice(values.CATEGORIES[world.split])}_{sheets[0].columns[2]}"
    return Book(file, tuple(sheets), name, f"{letter(len(sheets[1].columns) + 1)}2")


def letter(column: int) -> str:
    """The name of a column, counted from 0; there are at most 26."""
    return chr(ord("A") + column)


def column_range(sheet: Sheet, column: int) -> str:
    """The cells of a column that hold things."""
    return f"{letter(column)}2:{letter(column)}{sheet.last}"


def cells(sheet: Sheet) -> dict[str, Cell]:
    """Every cell by its name; a formula begins with `=`."""
    totals = [f"=SUM({column_range(sheet, column)})" for column in range(2, len(sheet.columns))]
    lines: list[tuple[Cell, ...]] = [sheet.columns, *sheet.rows, ("Total", "", *totals)]
    return {
        f"{letter(column)}{number}": value
        for number, line in enumerate(lines, 1)
        for column, value in enumerate(line)
        if value != ""
    }


def state(folder: Path) -> dict[str, str]:
    """What each workbook says, by sheet, and a hash for each other file."""
    found = file_hashes(folder)
    books = [name for name in found if name.endswith(".xlsx") and found[name] != FOLDER]
    for name in books:
        del found[name]  # its bytes hold the time of the last change
        found |= {f"{name}/{key}": text for key, text in read_workbook(folder / name).items()}
    return found
