"""Programs that change a folder of notes, or take several steps in it."""

import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts import files_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of


@script("files", """
! write< "{text}"~ a line> into< {path}~ a new file>
! save< "{text}"~ the text> as< {path}~ a file>
! create< the file {path}~ a file> with the text< "{text}"~ I told you>
""", "Saved in {path}. | {path} is written.", draw=at.new_file,
asks={"path": ("path", "file path"), "text": ("content", "content")})  # fmt: skip
def write_text_file(v: Values) -> Run:
    yield call("write_file", path=v["path"], content=v["text"])
    return {}


@script("files", """
! create the folder {folder}
! make a directory {folder}
I need a new folder {folder}
""", "{folder} is there now. | Created {folder}.", draw=at.new_folder)  # fmt: skip
def new_folder(v: Values) -> Run:
    yield call("create_directory", path=v["folder"])
    return {}


@script("files", """
! move {path} to< {target}~ another place>
! rename {path} to< {target}~ a better name>
{path} should be called< {target}~ something else>, rename it
""", "It is {target} now. | Moved to {target}.", draw=at.move,
asks={"target": ("destination", "destination")})  # fmt: skip
def move(v: Values) -> Run:
    yield call("move_file", source=v["path"], destination=v["target"])
    return {}


@script("files", """
! replace {old} by {new} in {path}
! change the word {old} to {new} in {path}
in {path} it says {old}, it should be {new}: correct it
""", "{path} now says {new}. | Replaced {old} by {new}.", draw=at.edit)  # fmt: skip
def edit(v: Values) -> Run:
    edits = [{"oldText": v["old"], "newText": v["new"]}]
    yield call("edit_file", path=v["path"], edits=edits)
    return {}


@script("files", """
how would {path} look with {new} for {old}? Only a dryRun
! try to replace {old} by {new} in {path} as a dryRun
= the diff of putting {new} for {old} in {path}, as a dryRun
""", "That would change: {line} | The new line would be {line}", draw=at.edit)  # fmt: skip
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
""", "It says: {line} | The text is: {line}", draw=at.named, ability="chain")  # fmt: skip
def search_then_read(v: Values) -> Run:
    (found,) = yield call("search_files", path=v["folder"], pattern=f"**/{v['name']}")
    (text,) = yield at.read(at.first(found))
    return {"line": at.first(text)}


@script("files", """
{path} names another file; what does that one say?
= the text of the file that {path} points to
! read {path}, then the file it names
""", "It says: {line} | The other file says: {line}", draw=at.lead, ability="chain")  # fmt: skip
def follow_lead(v: Values) -> Run:
    (text,) = yield at.read(v["path"])
    match = re.search(r"(\S+/\S+)", text)
    need(match)
    assert match is not None
    (other,) = yield at.read(match[1])
    return {"line": at.first(other)}


@script("files", """
! copy {path} to {target}
! make a copy of {path} as {target}
I want the same text as in {path} also in {target}
""", "{target} has the same text now. | Copied to {target}.",
draw=at.copy, ability="chain")  # fmt: skip
def copy(v: Values) -> Run:
    (text,) = yield at.read(v["path"])
    yield call("write_file", path=v["target"], content=text)
    return {}


@script("files", """
what is in the first file of {folder}?
! list {folder} and read the first file in it
= the text of whatever file comes first in {folder}
""", "{name} says: {line} | The first is {name}: {line}",
draw=at.folder, ability="chain")  # fmt: skip
def list_then_read_first(v: Values) -> Run:
    (listing,) = yield call("list_directory", path=v["folder"])
    files = re.findall(r"^\[FILE\] (\S+)", listing, re.MULTILINE)
    need(files)
    (text,) = yield at.read(f"{v['folder']}/{files[0]}")
    return {"name": files[0], "line": at.first(text)}


@script("files", """
! create the folder {folder} and move {path} into it
! put {path} into a new folder {folder}
{path} belongs into {folder}, a folder you have to create
""", "It is in {folder} now. | {folder} is made and holds the file.",
draw=lambda papers: {**at.new_folder(papers), **at.file(papers)}, ability="chain")  # fmt: skip
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
draw=at.misplaced, ability="chain", form="recovery")  # fmt: skip
def read_misplaced(v: Values) -> Run:
    (error,) = yield at.read(v["path"])
    need("ENOENT" in error)
    (found,) = yield call("search_files", path=v["folder"], pattern=f"**/{v['name']}")
    place = at.first(found)
    (text,) = yield at.read(place)
    return {"place": place, "line": at.first(text)}


@script("files", """
what does {path} say?
= the text of {path}
! read {path} to me
""", "There is no {path}; the folder holds {names}. | {path} does not exist. I see {names}.",
draw=at.missing, ability="chain", form="recovery")  # fmt: skip
def read_missing(v: Values) -> Run:
    (error,) = yield at.read(v["path"])
    need("ENOENT" in error)
    (listing,) = yield call("list_directory", path=v["folder"])
    return {"names": ", ".join(at.entries(listing))}


@script("files", """
! write "{text}" into {path} and create the folder {folder}
! do both: create the folder {folder}, save "{text}" as {path}
""", "Both are done. | {path} and {folder} are there now.",
draw=lambda papers: {**at.new_file(papers), **at.new_folder(papers)}, form="parallel")  # fmt: skip
def write_and_folder(v: Values) -> Run:
    yield [call("write_file", path=v["path"], content=v["text"]),
           call("create_directory", path=v["folder"])]  # fmt: skip
    return {}


@script("files", """
! look whether {path} exists; if it does not, write "{text}" into it
! make sure there is a file {path}, create it with "{text}" if it is missing
if {path} is missing, create it with "{text}", but check first
""", "{path} was missing, so I wrote it. | I created {path}.",
draw=at.new_file, ability="chain", form="branch")  # fmt: skip
def write_if_missing(v: Values) -> Run:
    (error,) = yield call("get_file_info", path=v["path"])
    need("ENOENT" in error)
    yield call("write_file", path=v["path"], content=v["text"])
    return {}


SCRIPTS = scripts_of(list(globals().values()))
