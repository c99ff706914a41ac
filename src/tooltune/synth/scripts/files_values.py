"""What requests about a folder of notes name, and how its listings are read."""

import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, call, need
from tooltune.worlds import pools, values
from tooltune.worlds.papers import Papers

PATH = {"path": ("path", "file path")}


def read(path: str) -> Call:
    return call("read_text_file", path=path)


def first(text: str) -> str:
    need(text.strip() and not text.startswith("Error"))
    return text.strip().splitlines()[0]


def entries(listing: str) -> list[str]:
    found = re.findall(r"^\[(?:FILE|DIR)\] (\S+)", listing, re.MULTILINE)
    need(found)
    return found


def file(papers: Papers) -> Values:
    return {"path": papers.rng.choice([path for path in papers.files if path != papers.planted])}


def two_files(papers: Papers) -> Values:
    first, second = papers.rng.sample([one for one in papers.files if one != papers.planted], 2)
    return {"path": first, "other": second}


def long(papers: Papers) -> Values:
    return {"path": papers.long, "n": str(papers.rng.randint(2, 6))}


def folder(papers: Papers) -> Values:
    return {"folder": papers.rng.choice(list(papers.folders))}


def new_name(papers: Papers) -> str:
    stem = papers.rng.choice(pools.STEMS[papers.world.split])
    return f"{stem}.{papers.rng.choice(pools.NOTE_EXTENSIONS)}"


def new_file(papers: Papers) -> Values:
    folder = papers.rng.choice(list(papers.folders))
    path = f"{folder}/{new_name(papers)}"
    need(path not in papers.files)
    return {"path": path, "text": papers.rng.choice(values.THINGS[papers.world.split])}


def move(papers: Papers) -> Values:
    target = new_file(papers)["path"]
    source = file(papers)["path"]
    return {"path": source, "target": target}


def copy(papers: Papers) -> Values:
    values = move(papers)
    need(papers.files[values["path"]].count("\n") == 1)
    return values


def edit(papers: Papers) -> Values:
    path = file(papers)["path"]
    line = papers.rng.choice(papers.files[path].splitlines())
    old = papers.rng.choice([word for word in re.findall(r"\w+", line) if len(word) > 3] or [""])
    need(old and papers.files[path].count(old) == 1)
    new = papers.rng.choice(pools.NOUNS[papers.world.split])
    need(new != old)
    return {"path": path, "old": old, "new": new}


def new_folder(papers: Papers) -> Values:
    place = papers.rng.choice(list(papers.folders))
    name = papers.rng.choice(pools.FOLDERS[papers.world.split])
    need(f"{place}/{name}" not in papers.folders)
    return {"folder": f"{place}/{name}"}


def named(papers: Papers) -> Values:
    path = file(papers)["path"]
    return {"folder": path.partition("/")[0], "name": path.rsplit("/", 1)[1]}


def extension(papers: Papers) -> Values:
    path = file(papers)["path"]
    return {"folder": path.partition("/")[0], "ext": path.rsplit(".", 1)[1]}


def misplaced(papers: Papers) -> Values:
    """A file that the user believes in the wrong folder."""
    path = papers.rng.choice([path for path in papers.files if path.count("/") > 1])
    home, name = path.partition("/")[0], path.rsplit("/", 1)[1]
    need(f"{home}/{name}" not in papers.files and path != papers.planted)
    return {"path": f"{home}/{name}", "folder": home, "name": name}


def missing(papers: Papers) -> Values:
    values = new_file(papers)
    return {"path": values["path"], "folder": values["path"].rsplit("/", 1)[0]}


def lead(papers: Papers) -> Values:
    path, value = papers.leads["path"]
    need(value in papers.files)
    return {"path": path}


def planted(papers: Papers) -> Values:
    return {"path": papers.planted}


def big_folder(papers: Papers) -> Values:
    return {"folder": papers.rng.choice([one for one, names in papers.folders.items()
                                         if len(names) > 1])}  # fmt: skip
