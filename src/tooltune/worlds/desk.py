"""Seeded content of a sandbox: a desk with a few small projects, each a git repository.

The same world gives the same files and the same commit hashes on every machine: content comes from
a seeded generator, and authors, dates and committers are fixed.
"""

import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tooltune.worlds import pools
from tooltune.worlds.content import Lead, Names, ProjectPlan
from tooltune.worlds.pools import Split

GIT_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@desk.example",
    "GIT_AUTHOR_DATE": "2026-03-02T09:00:00+00:00",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@desk.example",
    "GIT_COMMITTER_DATE": "2026-03-02T09:00:00+00:00",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
"""For every process that may run git: no settings of the machine, no clock in a new commit."""

_FIRST_COMMIT_TIME = 1767600000
_PROJECTS_PER_DESK = 3


@dataclass(frozen=True, slots=True)
class World:
    """Names one desk and the instant its clock stands at."""

    split: Split
    number: int

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "World":
        return cls(split=value["split"], number=value["number"])

    def to_dict(self) -> dict[str, Any]:
        return {"split": self.split, "number": self.number}

    @property
    def clock(self) -> str:
        """ISO time with offset."""
        clocks = pools.CLOCKS[self.split]
        return clocks[self.number % len(clocks)]


class Commit(NamedTuple):
    hash: str
    message: str


@dataclass(frozen=True, slots=True)
class Project:
    """A git repository. Paths start with the project's name, as the desk's root sees them."""

    name: str
    files: dict[str, str]
    """Of the work tree: path to text."""
    commits: tuple[Commit, ...]
    """Newest first."""
    branches: tuple[str, ...]
    """Without the one checked out."""
    tag: str
    unstaged: str | None
    """Path of the one file that differs from the last commit."""

    @property
    def folders(self) -> dict[str, list[str]]:
        """Folder path to the names in it, for folders below the project's root."""
        found: dict[str, list[str]] = {}
        for path in self.files:
            folder, name = path.rsplit("/", 1)
            if "/" in folder:
                found.setdefault(folder, []).append(name)
        return found


@dataclass(frozen=True, slots=True)
class Desk:
    """All there is to know about a world: programs choose their values from it."""

    world: World
    projects: tuple[Project, ...]
    leads: dict[str, tuple[Project, Lead]]
    """By kind: zone, time, branch, word, path."""
    rng: random.Random = field(default_factory=random.Random, compare=False)
    """For drawing values, where the drawer brings no generator of its own."""


def plan_desk(world: World) -> list[ProjectPlan]:
    """Content of a desk before git has seen it."""
    rng = random.Random(f"desk {world.split} {world.number}")
    names = Names(rng, world.split)
    projects = [names.project() for _ in range(_PROJECTS_PER_DESK)]
    projects[rng.randrange(len(projects))].add_risky_file(names)
    for kind in ("zone", "time", "branch", "word", "path"):
        rng.choice(projects).add_lead(kind, names, projects)
    for project in projects:
        project.split_into_commits(rng, names)
    return projects


def build_desk(world: World, folder: Path) -> Desk:
    """Write the desk's projects into `folder` (existing, empty) and return what is in them."""
    plans = plan_desk(world)
    projects = tuple(build_project(plan, folder / plan.name) for plan in plans)
    leads = {
        kind: (project, lead)
        for project, plan in zip(projects, plans, strict=True)
        for kind, lead in plan.leads.items()
    }
    return Desk(world=world, projects=projects, leads=leads)


def build_project(plan: ProjectPlan, folder: Path) -> Project:
    """Write one project as a git repository into `folder`, beside the desk's other projects."""
    git = folder / ".git"
    for name in ("objects", "refs/heads", "refs/tags"):
        (git / name).mkdir(parents=True)
    (git / "HEAD").write_text(f"ref: refs/heads/{plan.head}\n")
    (git / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tlogAllRefUpdates = false\n"
    )
    _git(folder, "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet",
         "--export-marks=.git/marks", stdin=b"".join(_fast_import(plan)))  # fmt: skip
    marks = dict(line.split() for line in (git / "marks").read_text().splitlines())
    (git / "marks").unlink()
    _git(folder, "read-tree", "-u", "--reset", "HEAD")
    files = dict(plan.files)
    if plan.unstaged:
        path, text = plan.unstaged
        files[path] = text
        (folder.parent / path).write_text(text, encoding="utf-8")
    hashes = [marks[f":{number}"] for number in range(1, len(plan.commits) + 1)]
    return Project(
        name=plan.name,
        files=files,
        commits=tuple(
            Commit(hash, message)
            for hash, (message, _) in zip(reversed(hashes), reversed(plan.commits), strict=True)
        ),
        branches=tuple(plan.branches),
        tag=plan.tag,
        unstaged=plan.unstaged[0] if plan.unstaged else None,
    )


def _fast_import(plan: ProjectPlan) -> Iterator[bytes]:
    """The history as a stream for `git fast-import`: one process a repository instead of dozens."""
    for number, (message, files) in enumerate(plan.commits, start=1):
        when = f"Ada <ada@desk.example> {_FIRST_COMMIT_TIME + number * 86_400} +0000\n"
        yield f"commit refs/heads/{plan.head}\nmark :{number}\n".encode()
        yield f"author {when}committer {when}".encode()
        yield _data(message)
        for path, text in files.items():
            yield f"M 100644 inline {path.split('/', 1)[1]}\n".encode() + _data(text)
    last = len(plan.commits)
    for index, branch in enumerate(plan.branches):
        yield f"reset refs/heads/{branch}\nfrom :{max(1, last - index)}\n\n".encode()
    yield f"reset refs/tags/{plan.tag}\nfrom :{last}\n\n".encode()


def _data(text: str) -> bytes:
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> None:
    subprocess.run(
        ["git", *arguments],
        cwd=folder,
        input=stdin,
        env={"PATH": os.environ.get("PATH", ""), **GIT_ENV},
        check=True,
        capture_output=True,
    )
