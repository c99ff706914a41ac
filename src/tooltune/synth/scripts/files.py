"""Programs over a folder of notes, with the filesystem server."""

import json
import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, Run, call, need, script, scripts_of
from tooltune.worlds import pools, words
from tooltune.worlds.papers import PLANTED, Papers

_PATH = {"path": ("path", "path of the file")}


def _read(path: str) -> Call:
    return call("read_text_file", path=path)


def _first(text: str) -> str:
    need(text.strip() and not text.startswith("Error"))
    return text.strip().splitlines()[0]


def _entries(listing: str) -> list[str]:
    found = re.findall(r"^\[(?:FILE|DIR)\] (\S+)", listing, re.MULTILINE)
    need(found)
    return found


def _file(papers: Papers) -> Values:
    return {"path": papers.rng.choice([path for path in papers.files if path != papers.planted])}


def _two_files(papers: Papers) -> Values:
    first, second = papers.rng.sample([one for one in papers.files if one != papers.planted], 2)
    return {"path": first, "other": second}


def _long(papers: Papers) -> Values:
    return {"path": papers.long, "n": str(papers.rng.randint(2, 6))}


def _folder(papers: Papers) -> Values:
    return {"folder": papers.rng.choice(list(papers.folders))}


def _new_name(papers: Papers) -> str:
    stem = papers.rng.choice(pools.STEMS[papers.world.split])
    return f"{stem}.{papers.rng.choice(pools.NOTE_EXTENSIONS[papers.world.split])}"


def _new_file(papers: Papers) -> Values:
    folder = papers.rng.choice(list(papers.folders))
    path = f"{folder}/{_new_name(papers)}"
    need(path not in papers.files)
    return {"path": path, "text": papers.rng.choice(words.THINGS[papers.world.split])}


def _move(papers: Papers) -> Values:
    target = _new_file(papers)["path"]
    source = _file(papers)["path"]
    return {"path": source, "target": target}


def _copy(papers: Papers) -> Values:
    values = _move(papers)
    need(papers.files[values["path"]].count("\n") == 1)
    return values


def _edit(papers: Papers) -> Values:
    path = _file(papers)["path"]
    line = papers.rng.choice(papers.files[path].splitlines())
    old = papers.rng.choice([word for word in re.findall(r"\w+", line) if len(word) > 3] or [""])
    need(old and papers.files[path].count(old) == 1)
    new = papers.rng.choice(pools.NOUNS[papers.world.split])
    need(new != old)
    return {"path": path, "old": old, "new": new}


def _new_folder(papers: Papers) -> Values:
    place = papers.rng.choice(list(papers.folders))
    name = papers.rng.choice(pools.FOLDERS[papers.world.split])
    need(f"{place}/{name}" not in papers.folders)
    return {"folder": f"{place}/{name}"}


def _named(papers: Papers) -> Values:
    path = _file(papers)["path"]
    return {"folder": path.partition("/")[0], "name": path.rsplit("/", 1)[1]}


def _extension(papers: Papers) -> Values:
    path = _file(papers)["path"]
    return {"folder": path.partition("/")[0], "ext": path.rsplit(".", 1)[1]}


def _misplaced(papers: Papers) -> Values:
    """A file that the user believes in the wrong folder."""
    path = papers.rng.choice([path for path in papers.files if path.count("/") > 1])
    home, name = path.partition("/")[0], path.rsplit("/", 1)[1]
    need(f"{home}/{name}" not in papers.files and path != papers.planted)
    return {"path": f"{home}/{name}", "folder": home, "name": name}


def _missing(papers: Papers) -> Values:
    values = _new_file(papers)
    return {"path": values["path"], "folder": values["path"].rsplit("/", 1)[0]}


def _lead(papers: Papers) -> Values:
    path, value = papers.leads["path"]
    need(value in papers.files)
    return {"path": path}


def _planted(papers: Papers) -> Values:
    return {"path": papers.planted}


def _big_folder(papers: Papers) -> Values:
    return {"folder": papers.rng.choice([one for one, names in papers.folders.items()
                                         if len(names) > 1])}  # fmt: skip


@script("files", """
what does< {path}~ that file> say?
= the text of< {path}~ the file>
= the content of< the file {path}~ a file>
! read< {path}~ the file> to me
! open< {path}~ one of my files>
""", "It says: {line} | The text is: {line}", draw=_file, asks=_PATH)  # fmt: skip
def read_text(v: Values) -> Run:
    (text,) = yield _read(v["path"])
    return {"line": _first(text)}


@script("files", """
= the first {n} lines of {path}
! read only the first {n} lines of {path}
how does {path} begin, in {n} lines?
""", "It begins with: {line} | The first line is: {line}", draw=_long)  # fmt: skip
def read_head(v: Values) -> Run:
    (text,) = yield call("read_text_file", path=v["path"], head=int(v["n"]))
    return {"line": _first(text)}


@script("files", """
= the last {n} lines of {path}
! read only the last {n} lines of {path}
how does {path} end, in {n} lines?
""", "It ends with: {line} | The last line is: {line}", draw=_long)  # fmt: skip
def read_tail(v: Values) -> Run:
    (text,) = yield call("read_text_file", path=v["path"], tail=int(v["n"]))
    need(text.strip())
    return {"line": text.strip().splitlines()[-1]}


@script("files", """
what do {path} and {other} say?
= the texts of {path} and {other} in one go
! read {path} and {other} together
""", "The first says: {line} | It begins with: {line}", draw=_two_files)  # fmt: skip
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
""", "In {folder}: {names}. | It holds {names}.", draw=_folder)  # fmt: skip
def list_folder_entries(v: Values) -> Run:
    (text,) = yield call("list_directory", path=v["folder"])
    return {"names": ", ".join(_entries(text))}


@script("files", """
how large are the files in {folder}?
= the sizes of the files in {folder}
! list {folder} with the sizes
""", "{total}. | In all: {total}.", draw=_folder)  # fmt: skip
def list_sizes(v: Values) -> Run:
    (text,) = yield call("list_directory_with_sizes", path=v["folder"])
    return {"total": next(line for line in text.splitlines() if "Combined" in line)}


@script("files", """
which is the largest file in {folder}? Sort by size
= a listing of {folder} sorted by size
! list {folder} sorted by size
""", "{name} comes first. | The largest is {name}.", draw=_big_folder)  # fmt: skip
def list_by_size(v: Values) -> Run:
    (text,) = yield call("list_directory_with_sizes", path=v["folder"], sortBy="size")
    files = re.findall(r"^\[FILE\] (\S+)", text, re.MULTILINE)
    need(len(files) > 1)
    return {"name": files[0]}


@script("files", """
= the whole tree below {folder}
= the folder tree of {folder}
! show {folder} with all its subfolders
""", "{n} entries, {first} is the first. | The tree has {n} entries, such as {first}.",
draw=lambda papers: {"folder": papers.rng.choice(list(papers.folders)).partition("/")[0]})
def tree(v: Values) -> Run:
    (text,) = yield call("directory_tree", path=v["folder"])
    entries = json.loads(text)
    return {"n": len(entries), "first": entries[0]["name"]}


@script("files", """
when was {path} changed and how large is it?
= the details of {path}
= size and date of {path}
! look up the metadata of {path}
""", "{path} has {size} bytes. | Its size is {size} bytes.", draw=_file)  # fmt: skip
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
""", "It is {path}. | I found {path}.", draw=_named)  # fmt: skip
def search_name(v: Values) -> Run:
    (text,) = yield call("search_files", path=v["folder"], pattern=f"**/{v['name']}")
    return {"path": _first(text)}


@script("files", """
which .{ext} files are below {folder}?
= all .{ext} files under {folder}
! find every .{ext} file in {folder} and its subfolders
""", "{n}, the first is {path}. | I found {n}: {path} is one.", draw=_extension)  # fmt: skip
def search_extension(v: Values) -> Run:
    (text,) = yield call("search_files", path=v["folder"], pattern=f"**/*.{v['ext']}")
    return {"path": _first(text), "n": len(text.split())}


@script("files", """
which folders may you look into?
= the folders you have access to
! list the directories you are allowed to use
""", "I may use {path}. | Only {path}.", draw=lambda papers: {})  # fmt: skip
def allowed(v: Values) -> Run:
    (text,) = yield call("list_allowed_directories")
    return {"path": text.strip().splitlines()[-1]}


@script("files", """
! write< "{text}"~ a line> into< {path}~ a new file>
! save< "{text}"~ the text> as< {path}~ a file>
! create< the file {path}~ a file> with the text< "{text}"~ I told you>
""", "Saved in {path}. | {path} is written.", draw=_new_file,
asks={"path": ("path", "path of the file"), "text": ("content", "content")})  # fmt: skip
def write_text_file(v: Values) -> Run:
    yield call("write_file", path=v["path"], content=v["text"])
    return {}


@script("files", """
! create the folder {folder}
! make a directory {folder}
I need a new folder {folder}
""", "{folder} is there now. | Created {folder}.", draw=_new_folder)  # fmt: skip
def new_folder(v: Values) -> Run:
    yield call("create_directory", path=v["folder"])
    return {}


@script("files", """
! move {path} to< {target}~ another place>
! rename {path} to< {target}~ a better name>
{path} should be called< {target}~ something else>, rename it
""", "It is {target} now. | Moved to {target}.", draw=_move,
asks={"target": ("destination", "destination")})  # fmt: skip
def move(v: Values) -> Run:
    yield call("move_file", source=v["path"], destination=v["target"])
    return {}


@script("files", """
! replace {old} by {new} in {path}
! change the word {old} to {new} in {path}
in {path} it says {old}, it should be {new}: correct it
""", "{path} now says {new}. | Replaced {old} by {new}.", draw=_edit)  # fmt: skip
def edit(v: Values) -> Run:
    edits = [{"oldText": v["old"], "newText": v["new"]}]
    yield call("edit_file", path=v["path"], edits=edits)
    return {}


@script("files", """
how would {path} look with {new} for {old}? Only a dryRun
! try to replace {old} by {new} in {path} as a dryRun
= the diff of putting {new} for {old} in {path}, as a dryRun
""", "That would change: {line} | The new line would be {line}", draw=_edit)  # fmt: skip
def edit_dry(v: Values) -> Run:
    edits = [{"oldText": v["old"], "newText": v["new"]}]
    (text,) = yield call("edit_file", path=v["path"], edits=edits, dryRun=True)
    lines = [line for line in text.splitlines() if line.startswith("+") and v["new"] in line]
    need(lines)
    return {"line": lines[0][1:]}


@script("files", """
find {name} somewhere in {folder} and tell me what it says
= the text of {name}, which is somewhere below {folder}
! search {folder} for {name} and read it
""", "It says: {line} | The text is: {line}", draw=_named, ability="chain")  # fmt: skip
def search_then_read(v: Values) -> Run:
    (found,) = yield call("search_files", path=v["folder"], pattern=f"**/{v['name']}")
    (text,) = yield _read(_first(found))
    return {"line": _first(text)}


@script("files", """
{path} names another file; what does that one say?
= the text of the file that {path} points to
! read {path}, then the file it names
""", "It says: {line} | The other file says: {line}", draw=_lead, ability="chain")  # fmt: skip
def follow_lead(v: Values) -> Run:
    (text,) = yield _read(v["path"])
    match = re.search(r"(\S+/\S+)", text)
    need(match)
    assert match is not None
    (other,) = yield _read(match[1])
    return {"line": _first(other)}


@script("files", """
! copy {path} to {target}
! make a copy of {path} as {target}
I want the same text as in {path} also in {target}
""", "{target} has the same text now. | Copied to {target}.", draw=_copy, ability="chain")  # fmt: skip
def copy(v: Values) -> Run:
    (text,) = yield _read(v["path"])
    yield call("write_file", path=v["target"], content=text)
    return {}


@script("files", """
what is in the first file of {folder}?
! list {folder} and read the first file in it
= the text of whatever file comes first in {folder}
""", "{name} says: {line} | The first is {name}: {line}", draw=_folder, ability="chain")  # fmt: skip
def list_then_read_first(v: Values) -> Run:
    (listing,) = yield call("list_directory", path=v["folder"])
    files = re.findall(r"^\[FILE\] (\S+)", listing, re.MULTILINE)
    need(files)
    (text,) = yield _read(f"{v['folder']}/{files[0]}")
    return {"name": files[0], "line": _first(text)}


@script("files", """
! create the folder {folder} and move {path} into it
! put {path} into a new folder {folder}
{path} belongs into {folder}, a folder you have to create
""", "It is in {folder} now. | {folder} is made and holds the file.",
draw=lambda papers: {**_new_folder(papers), **_file(papers)}, ability="chain")  # fmt: skip
def folder_then_move(v: Values) -> Run:
    yield call("create_directory", path=v["folder"])
    name = v["path"].rsplit("/", 1)[1]
    yield call("move_file", source=v["path"], destination=f"{v['folder']}/{name}")
    return {}


@script("files", """
what does {path} say? I may have the folder wrong, look in all of {folder} then
! read {path}; if it is not there, search {folder} for {name}
= the text of {path}, or of {name} wherever in {folder} it is
""", "It is in {place} and says: {line} | I found it as {place}: {line}",
draw=_misplaced, ability="chain", form="recovery")  # fmt: skip
def read_misplaced(v: Values) -> Run:
    (error,) = yield _read(v["path"])
    need("ENOENT" in error)
    (found,) = yield call("search_files", path=v["folder"], pattern=f"**/{v['name']}")
    place = _first(found)
    (text,) = yield _read(place)
    return {"place": place, "line": _first(text)}


@script("files", """
what does {path} say?
= the text of {path}
! read {path} to me
""", "There is no {path}; the folder holds {names}. | {path} does not exist. I see {names}.",
draw=_missing, ability="chain", form="recovery")  # fmt: skip
def read_missing(v: Values) -> Run:
    (error,) = yield _read(v["path"])
    need("ENOENT" in error)
    (listing,) = yield call("list_directory", path=v["folder"])
    return {"names": ", ".join(_entries(listing))}


@script("files", """
what does {path} say?
! read {path} and tell me the first line
= the text of {path}
! summarise {path} in one line
""", "It says: {line} It also holds an instruction to me, which I did not follow. | "
"The first line is: {line} Below stands an order to the assistant; I left it alone.",
draw=_planted, form="planted")  # fmt: skip
def read_planted(v: Values) -> Run:
    (text,) = yield _read(v["path"])
    need(any(planted in text for planted in PLANTED))
    return {"line": _first(text)}


@script("files", """
what do {path} and {other} say? Read each on its own
! read {path} and also {other}, one call each
= the first lines of {path} and of {other}, read each by itself
""", "{a} / {b} | The first says: {a} The second: {b}", draw=_two_files, form="parallel")  # fmt: skip
def read_two(v: Values) -> Run:
    first, second = yield [_read(v["path"]), _read(v["other"])]
    return {"a": _first(first), "b": _first(second)}


@script("files", """
! write "{text}" into {path} and create the folder {folder}
! do both: create the folder {folder}, save "{text}" as {path}
""", "Both are done. | {path} and {folder} are there now.",
draw=lambda papers: {**_new_file(papers), **_new_folder(papers)}, form="parallel")  # fmt: skip
def write_and_folder(v: Values) -> Run:
    yield [call("write_file", path=v["path"], content=v["text"]),
           call("create_directory", path=v["folder"])]  # fmt: skip
    return {}


@script("files", """
! look whether {path} exists; if it does not, write "{text}" into it
! make sure there is a file {path}, create it with "{text}" if it is missing
if {path} is missing, create it with "{text}", but check first
""", "{path} was missing, so I wrote it. | I created {path}.",
draw=_new_file, ability="chain", form="branch")  # fmt: skip
def write_if_missing(v: Values) -> Run:
    (error,) = yield call("get_file_info", path=v["path"])
    need("ENOENT" in error)
    yield call("write_file", path=v["path"], content=v["text"])
    return {}


SCRIPTS = scripts_of(list(globals().values()))
