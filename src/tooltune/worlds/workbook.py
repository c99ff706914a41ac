"""Workbooks as files: written part by part and read back as text, without a library for them.

Office Open XML, ECMA-376 part 1. Parts are stored and not compressed, so that the same content has
the same bytes everywhere.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZipFile, ZipInfo

Cell = str | int
"""A text that begins with `=` is a formula."""

_WHEN = (2026, 3, 2, 9, 0, 0)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RELATIONS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"


def write_workbook(path: Path, sheets: dict[str, dict[str, Cell]], names: dict[str, str]) -> None:
    """`sheets` is sheet to cell (`B2`) to content, `names` what each defined name refers to."""
    files = [f"worksheets/sheet{number}.xml" for number in range(1, len(sheets) + 1)]
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets, 1)
    )
    defined = "".join(
        f"<definedName name={quoteattr(name)}>{escape(text)}</definedName>"
        for name, text in names.items()
    )
    types = "".join(_override(file, "worksheet") for file in files)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="{_RELATIONS_TYPE}"/>'
        f"{_override('workbook.xml', 'sheet.main')}{types}</Types>",
        "_rels/.rels": _relations("officeDocument", ["xl/workbook.xml"]),
        "xl/_rels/workbook.xml.rels": _relations("worksheet", files),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        f"<sheets>{listed}</sheets><definedNames>{defined}</definedNames></workbook>",
    }
    parts |= {
        f"xl/{file}": _sheet(cells) for file, cells in zip(files, sheets.values(), strict=True)
    }
    with ZipFile(path, "w") as package:
        for name, text in parts.items():
            package.writestr(ZipInfo(name, _WHEN), f'<?xml version="1.0" encoding="UTF-8"?>{text}')


def _override(file: str, kind: str) -> str:
    return f'<Override PartName="/xl/{file}" ContentType="{_TYPE}.{kind}+xml"/>'


def _relations(kind: str, targets: list[str]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, target in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _sheet(cells: dict[str, Cell]) -> str:
    rows: dict[int, str] = {}
    for name, value in sorted(cells.items()):
        number = int(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        rows[number] = rows.get(number, "") + _cell(name, value)
    inner = "".join(f'<row r="{number}">{row}</row>' for number, row in sorted(rows.items()))
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{inner}</sheetData></worksheet>'


def _cell(name: str, value: Cell) -> str:
    if isinstance(value, int):
        return f'<c r="{name}"><v>{value}</v></c>'
    if value.startswith("="):
        return f'<c r="{name}"><f>{escape(value[1:])}</f></c>'
    return f'<c r="{name}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def read_workbook(path: Path) -> dict[str, str]:
    """What the workbook says: each sheet's place, cells and merged ranges, the defined names, and
    the notes. Styles, the values cached for formulas and the time of the last change are left out.
    """
    with ZipFile(path) as package:
        parts = {
            name: ElementTree.fromstring(package.read(name))
            for name in package.namelist()
            if name.endswith((".xml", ".rels"))
        }
    shared = [_text(one) for one in parts.get("xl/sharedStrings.xml", ())]
    book = parts["xl/workbook.xml"]
    targets = {one.get("Id"): one.get("Target", "") for one in parts["xl/_rels/workbook.xml.rels"]}
    found = {
        "names": "\n".join(
            sorted(f"{one.get('name')} {one.text}" for one in _all(book, "definedName"))
        )
    }
    for place, sheet in enumerate(_all(book, "sheet"), 1):
        target = targets[sheet.get(f"{{{_OFFICE}}}id")].removeprefix("/xl/")
        lines = [f"place {place}", *_lines(parts[f"xl/{target}"], shared)]
        found[f"sheet {sheet.get('name')}"] = "\n".join(lines)
    for name, part in parts.items():
        if re.search(r"comment\d*\.xml$|comments\d*\.xml$", name):
            notes = [f"{one.get('ref')} {_text(one)}" for one in _all(part, "comment")]
            found[f"notes {name}"] = "\n".join(notes)
    return found


def _lines(sheet: ElementTree.Element, shared: list[str]) -> Iterator[str]:
    for cell in _all(sheet, "c"):
        formula, value = cell.find(f"{{{_MAIN}}}f"), cell.findtext(f"{{{_MAIN}}}v")
        text = _text(cell) if cell.get("t") == "inlineStr" else value
        if cell.get("t") == "s" and value is not None:
            text = shared[int(value)]
        if formula is not None:
            text = f"={formula.text}"
        if text is not None:
            yield f"{cell.get('r')} {text}"
    yield from (f"merged {one.get('ref')}" for one in _all(sheet, "mergeCell"))


def _all(part: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return part.iter(f"{{{_MAIN}}}{name}")


def _text(part: ElementTree.Element) -> str:
    return "".join(one.text or "" for one in _all(part, "t"))
