"""Workbooks written and read back without a library: what counts as state and what does not."""

import zipfile
from pathlib import Path

from tooltune.worlds.desk import World
from tooltune.worlds.sheets import build, cells, state
from tooltune.worlds.workbook import read_workbook, write_workbook

NAMES = {"prices": "Garden & Co!$B$2:$B$3"}


def _write(path: Path) -> Path:
    sheet = {"A1": "name", "B10": 7, "B2": "=SUM(A1:A2)&\"<\"", "AA3": "a < b"}  # fmt: skip
    write_workbook(path, {"Garden & Co": dict(sheet), "Empty": {}}, NAMES)
    return path


def _put(path: Path, part: str, text: str) -> None:
    """Puts `text` in the place of a part, as another program would write it."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w") as package:
        for name, content in (parts | {part: text.encode()}).items():
            package.writestr(name, content)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    found = read_workbook(_write(tmp_path / "a.xlsx"))
    assert found["names"] == "prices Garden & Co!$B$2:$B$3"
    assert found["sheet Empty"] == "place 2"
    lines = found["sheet Garden & Co"].splitlines()
    assert lines[0] == "place 1"
    assert set(lines[1:]) == {"A1 name", "B10 7", 'B2 =SUM(A1:A2)&"<"', "AA3 a < b"}


def test_the_same_content_has_the_same_bytes(tmp_path: Path) -> None:
    first, second = _write(tmp_path / "a.xlsx"), _write(tmp_path / "b.xlsx")
    assert first.read_bytes() == second.read_bytes()


def test_times_and_cached_values_are_no_state_but_formulas_are(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.xlsx")
    before = state(tmp_path)
    _put(path, "docProps/core.xml", "<when>now</when>")
    with zipfile.ZipFile(path) as package:
        sheet = package.read("xl/worksheets/sheet1.xml").decode()
    _put(path, "xl/worksheets/sheet1.xml", sheet.replace("</f>", "</f><v>9</v>"))
    assert state(tmp_path) == before
    _put(path, "xl/worksheets/sheet1.xml", sheet.replace("SUM", "MAX"))
    assert state(tmp_path) != before


def test_a_described_workbook_is_what_lies_on_disk(tmp_path: Path) -> None:
    scene = build(World("test", 2), tmp_path)
    for book in scene.books:
        found = read_workbook(tmp_path / book.file)
        for sheet in book.sheets:
            lines = found[f"sheet {sheet.name}"].splitlines()
            assert {f"{name} {value}" for name, value in cells(sheet).items()} <= set(lines)
            assert len({row[0] for row in sheet.rows}) == len(sheet.rows)
    assert (tmp_path / scene.csv).read_text(encoding="utf-8").startswith("name,quantity\n")
