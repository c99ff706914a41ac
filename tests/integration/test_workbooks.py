"""The Excel server on its kind of world: confined, honest about errors, and repeatable.

Its environment is not made here (see test_known_servers.py); without it these are skipped.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tooltune.servers.install import is_installed
from tooltune.servers.known import KNOWN
from tooltune.worlds.bench import Bench
from tooltune.worlds.desk import World
from tooltune.worlds.sheets import Book

WORLD = World("train", 3)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if not is_installed(KNOWN["excel"]):
        pytest.skip("not installed: excel")
    with Bench("sheets") as opened:
        yield opened


def _start(bench: Bench) -> tuple[Book, dict[str, Any]]:
    book = bench.reset(WORLD).books[0]
    return book, {"path": book.file, "sheet": book.sheets[0].name}


def test_a_change_is_a_change_of_state_and_a_reset_takes_it_back(bench: Bench) -> None:
    book, place = _start(bench)
    before = bench.snapshot()
    bench.call("write_range", {**place, "at": "C2", "rows": [[4321]]})
    after = bench.snapshot()
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {f"{book.file}/sheet {place['sheet']}"}
    assert "C2 4321" in after[changed.pop()].splitlines()
    _start(bench)
    assert bench.snapshot() == before


def test_a_call_that_writes_what_is_there_already_changes_no_state(bench: Bench) -> None:
    """Though the server writes the whole file anew: such a call is a step too many."""
    book, place = _start(bench)
    before = bench.snapshot()
    value = book.sheets[0].rows[0][2]
    result = bench.call("write_range", {**place, "at": "C2", "rows": [[value]]})
    assert not result.is_error
    assert bench.snapshot() == before


def test_notes_names_and_merged_cells_are_state_and_come_out_alike_twice(bench: Bench) -> None:
    states = []
    for _ in range(2):
        book, place = _start(bench)
        bench.call("set_note", {**place, "cell": "B2", "text": "look again"})
        bench.call("merge_cells", {**place, "range": "A20:C20"})
        bench.call("delete_defined_name", {"path": book.file, "name": book.name})
        states.append(bench.snapshot())
    assert states[0] == states[1]
    text = "\n".join(states[0].values())
    assert "B2 look again" in text
    assert "merged A20:C20" in text
    assert states[0][f"{book.file}/names"] == ""


@pytest.mark.parametrize("path", ["/etc/hostname", "../clock.xlsx", "missing.xlsx"])
def test_paths_outside_the_folder_or_missing_are_errors(bench: Bench, path: str) -> None:
    _, place = _start(bench)
    result = bench.call("read_range", {**place, "path": path})
    assert result.is_error
    assert "outside the allowed" in result.content or "does not exist" in result.content


def test_totals_are_worked_out_by_the_server(bench: Bench) -> None:
    book, place = _start(bench)
    sheet = book.sheets[0]
    result = bench.call("read_range", {**place, "range": f"C{sheet.total}"})
    total = sum(int(row[2]) for row in sheet.rows)
    assert f"[[{total}]]" in result.content
