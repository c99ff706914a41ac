"""What requests about a desk of git repositories name, and how git's answers are read."""

import re

from tooltune.synth import draw
from tooltune.synth.draw import Draw, Values
from tooltune.synth.scripts.script import Call, call, need
from tooltune.worlds import pools
from tooltune.worlds.desk import Desk

REPO = {"repo": ("repo_path", "repository")}


def drawer(desk: Desk) -> Draw:
    return Draw(desk, desk.rng)


def repo(desk: Desk) -> Values:
    return draw.repo(drawer(desk))


def changed(desk: Desk) -> Values:
    """A repository with an unstaged change."""
    changed = [project for project in desk.projects if project.unstaged]
    need(changed)
    project = desk.rng.choice(changed)
    assert project.unstaged is not None
    path = project.unstaged.split("/", 1)[1]
    noun = desk.rng.choice(pools.NOUNS[desk.world.split])
    return {"repo": project.name, "file": path, "message": f"Note the {noun}"}


def branches(desk: Desk) -> Values:
    return draw.existing_branch(drawer(desk))


def new_branch(desk: Desk) -> Values:
    return draw.new_branch(drawer(desk))


def revision(desk: Desk) -> Values:
    return draw.repo_revision(drawer(desk))


def path(desk: Desk) -> Values:
    return draw.path(drawer(desk))


def path_n(desk: Desk) -> Values:
    return draw.path_n(drawer(desk))


def new_file(desk: Desk) -> Values:
    path = drawer(desk).new_path()
    repo, _, file = path.partition("/")
    word = desk.rng.choice(pools.NOUNS[desk.world.split])
    return {"repo": repo, "file": file, "path": path, "text": f"check the {word}"}


def word(desk: Desk) -> Values:
    return draw.word(drawer(desk))


def zones(desk: Desk) -> Values:
    first, second = drawer(desk).two_zones()
    return {"zone": first, "other": second}


def two_repos(desk: Desk) -> Values:
    first, second = desk.rng.sample(desk.projects, 2)
    return {"repo": first.name, "other": second.name}


def missing_branch(desk: Desk) -> Values:
    return new_branch(desk)


def missing_path(desk: Desk) -> Values:
    path = drawer(desk).new_path()
    return {"path": path, "folder": path.rsplit("/", 1)[0]}


def folder(desk: Desk) -> Values:
    return draw.folder(drawer(desk))


def shell(*words: str) -> Call:
    return call("shell_execute", command=list(words))


def git(name: str, v: Values, **arguments: object) -> Call:
    return call(f"git_{name}", repo_path=v["repo"], **arguments)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    need(match)
    assert match is not None
    return match[1]
