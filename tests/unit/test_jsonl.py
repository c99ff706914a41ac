"""Reading and writing JSON files: the messages, and that a failed write leaves nothing."""

import json
import os
from pathlib import Path

import pytest

from tooltune.errors import DataError
from tooltune.jsonl import dump_json, read_json, read_jsonl, write_json, write_jsonl, write_text


def test_rows_keep_their_key_order_and_readable_unicode(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"z": "Käse 🧀", "a": [1, 2.5, None]}])
    assert path.read_text(encoding="utf-8") == '{"z": "Käse 🧀", "a": [1, 2.5, null]}\n'
    assert list(read_jsonl(path)) == [(1, {"z": "Käse 🧀", "a": [1, 2.5, None]})]


def test_empty_lines_are_skipped_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("1\n\n  \n2\n")
    assert list(read_jsonl(path)) == [(1, 1), (4, 2)]


def test_a_line_separator_inside_a_string_does_not_end_the_line(tmp_path: Path) -> None:
    """str.splitlines would cut here; JSON allows U+2028 in a string."""
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, ["one\u2028two"])
    assert list(read_jsonl(path)) == [(1, "one\u2028two")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{\n  1: 2}", "{path}:2: not valid JSON (Expecting property name enclosed in double "
         "quotes, column 3). Repair the file."),
        (b"\xff{}", "{path}: not UTF-8 text (byte 0). Convert the file."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_with_its_place(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_json(path)
    assert str(error.value) == message.format(path=path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"none\.json: cannot be read \(No such file or directory\)"
    ):
        read_json(tmp_path / "none.json")


def test_writing_makes_the_folders_and_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.json"
    write_json(path, {"first": 1})
    write_json(path, {"second": "ü"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"second": "ü"}
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_a_value_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, ["old"])
    with pytest.raises(TypeError):
        write_jsonl(path, ["new", object()])
    assert path.read_text() == '"old"\n'
    assert os.listdir(tmp_path) == ["rows.jsonl"]  # noqa: PTH208


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError) as error:
        write_text(tmp_path / "file" / "x.txt", "text")
    assert str(error.value) == (
        f"{tmp_path}/file/x.txt: cannot be written (File exists). "
        "Free disk space, or name a folder you may write to."
    )


def test_arguments_are_written_as_the_chat_formats_have_them() -> None:
    assert dump_json({"b": "é", "a": [1, True]}) == '{"b": "é", "a": [1, true]}'
