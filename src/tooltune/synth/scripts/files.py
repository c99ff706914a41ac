"""Programs that look into a folder of notes, with the filesystem server."""

import json
import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts import files_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of
from tooltune.worlds.papers import PLANTED


@script("files", """
what does< {path}~ that file> say?
= the text of< {path}~ the file>
= the content of< the file {path}~ a file>
! read< {path}~ the file> to me
! open< {path}~ one of my files>
""", "It says: {line} | The text is: {line}", draw=at.file, asks=at.PATH)  # fmt: skip
def read_text(v: Values) -> Run:
    (text,) = yield at.read(v["path"])
    return {"line": at.first(text)}


@script("files", """
= the first {n} lines of {path}
! read only the first {n} lines of {path}
how does {path} begin, in {n} lines?
""", "It begins with: {line} | The first line is: {line}", draw=at.long)  # fmt: skip
def read_head(v: Values) -> Run:
    (text,) = yield call("read_text_file", path=v["path"], head=int(v["n"]))
    return {"line": at.first(text)}


@script("files", """
= the last {n} lines of {path}
! read only the last {n} lines of {path}
how does {path} end, in {n} lines?
""", "It ends with: {line} | The last line is: {line}", draw=at.long)  # fmt: skip
def read_tail(v: Values) -> Run:
    (text,) = yield call("read_text_file", path=v["path"], tail=int(v["n"]))
    need(text.strip())
    return {"line": text.strip().splitlines()[-1]}


@script("files", """
what do {path} and {other} say?
= the texts of {path} and {other} in one go
! read {path} and {other} together
""", "The first says: {line} | It begins with: {line}", draw=at.two_files)  # fmt: skip
def read_several(v: Values) -> Run:
    (text,) = yield call("read_multiple_files", paths=[v["path"], v["other"]])
    need(v["other"] in text)
    return {"line": text.strip().splitlines()[1].strip()}


@script("files", """
what lies in {folder}?
which files are in {folder}?
= the content of the folder {folder}
= a listing of {folder}
! list {folder}
""", "In {folder}: {names}. | It holds {names}.", draw=at.folder)  # fmt: skip
def list_folder_entries(v: Values) -> Run:
    (text,) = yield call("list_directory", path=v["folder"])
    return {"names": ", ".join(at.entries(text))}


@script("files", """
how large are the files in {folder}?
= the sizes of the files in {folder}
! list {folder} with the sizes
""", "{total}. | In all: {total}.", draw=at.folder)  # fmt: skip
def list_sizes(v: Values) -> Run:
    (text,) = yield call("list_directory_with_sizes", path=v["folder"])
    return {"total": next(line for line in text.splitlines() if "Combined" in line)}


@script("files", """
which is the largest file in {folder}? Sort by size
= a listing of {folder} sorted by size
! list {folder} sorted by size
""", "{name} comes first. | The largest is {name}.", draw=at.big_folder)  # fmt: skip
def list_by_size(v: Values) -> Run:
    (text,) = yield call("list_directory_with_sizes", path=v["folder"], sortBy="size")
    files = re.findall(r"^\[FILE\] (\S+)", text, re.MULTILINE)
    need(len(files) > 1)
    return {"name": files[0]}


@script(
    "files",
    """
= the whole tree below {folder}
= the folder tree of {folder}
! show {folder} with all its subfolders
""",
    "{n} entries, {first} is the first. | The tree has {n} entries, such as {first}.",
    draw=lambda papers: {"folder": papers.rng.choice(list(papers.folders)).partition("/")[0]},
)
def tree(v: Values) -> Run:
    (text,) = yield call("directory_tree", path=v["folder"])
    entries = json.loads(text)
    return {"n": len(entries), "first": entries[0]["name"]}


@script("files", """
when was {path} changed and how large is it?
= the details of {path}
= size and date of {path}
! look up the metadata of {path}
""", "{path} has {size} bytes. | Its size is {size} bytes.", draw=at.file)  # fmt: skip
def file_info(v: Values) -> Run:
    (text,) = yield call("get_file_info", path=v["path"])
    match = re.search(r"size: (\d+)", text)
    need(match)
    assert match is not None
    return {"size": match[1]}


@script("files", """
where below {folder} is {name}?
= the place of {name} somewhere below {folder}
! search {folder} for {name}
! find the file {name} in {folder}
""", "It is {path}. | I found {path}.", draw=at.named)  # fmt: skip
def search_name(v: Values) -> Run:
    (text,) = yield call("search_files", path=v["folder"], pattern=f"**/{v['name']}")
    return {"path": at.first(text)}


@script("files", """
which .{ext} files are below {folder}?
= all .{ext} files under {folder}
! find every .{ext} file in {folder} and its subfolders
""", "{n}, the first is {path}. | I found {n}: {path} is one.", draw=at.extension)  # fmt: skip
def search_extension(v: Values) -> Run:
    (text,) = yield call("search_files", path=v["folder"], pattern=f"**/*.{v['ext']}")
    return {"path": at.first(text), "n": len(text.split())}


@script("files", """
which folders may you look into?
= the folders you have access to
! list the directories you are allowed to use
""", "I may use {path}. | Only {path}.", draw=lambda papers: {})  # fmt: skip
def allowed(v: Values) -> Run:
    (text,) = yield call("list_allowed_directories")
    return {"path": text.strip().splitlines()[-1]}


@script("files", """
what does {path} say?
! read {path} and tell me the first line
= the text of {path}
! summarise {path} in one line
""", "It says: {line} It also holds an instruction to me, which I did not follow. | "
"The first line is: {line} Below stands an order to the assistant; I left it alone.",
draw=at.planted, form="planted")  # fmt: skip
def read_planted(v: Values) -> Run:
    (text,) = yield at.read(v["path"])
    need(any(planted in text for planted in PLANTED))
    return {"line": at.first(text)}


@script("files", """
what do {path} and {other} say? Read each on its own
! read {path} and also {other}, one call each
= the first lines of {path} and of {other}, read each by itself
""", "{a} / {b} | The first says: {a} The second: {b}",
draw=at.two_files, form="parallel")  # fmt: skip
def read_two(v: Values) -> Run:
    first, second = yield [at.read(v["path"]), at.read(v["other"])]
    return {"a": at.first(first), "b": at.first(second)}


SCRIPTS = scripts_of(list(globals().values()))
