"""Draws the values a request names from a desk, so that every program finds what it asks for."""

import random

from tooltune.worlds import pools
from tooltune.worlds.desk import Desk, Project
from tooltune.worlds.pools import Pool

Values = dict[str, str]
"""Slot to value."""

HASH_CHARACTERS = 7
"""Commits are named by the first characters of their hash, as git itself abbreviates them."""


class NothingToDrawError(Exception):
    """This desk has no value for the program; another one will."""


class Draw:
    """Values of a desk, at random; `risky` prefers those that only sound dangerous."""

    def __init__(self, desk: Desk, rng: random.Random, *, risky: bool = False) -> None:
        self.desk = desk
        self.rng = rng
        self.risky = risky

    def pick(self, pool: Pool) -> str:
        return self.rng.choice(pool[self.desk.world.split])

    def project(self) -> Project:
        return self.rng.choice(self.desk.projects)

    def path(self, project: Project | None = None) -> str:
        paths = list((project or self.project()).files)
        if self.risky and self.rng.random() < 0.6:
            paths = [path for path in paths if self._is_risky(path)] or paths
        return self.rng.choice(paths)

    def new_path(self) -> str:
        """Of a file that is not on the desk."""
        project = self.project()
        folder = self.rng.choice(
            ["", *(folder.split("/", 1)[1] + "/" for folder in project.folders)]
        )
        kinds = self.rng.choice([pools.NOTE_EXTENSIONS, pools.TABLE_EXTENSIONS])
        extension = self.rng.choice(kinds)
        stem = self.pick(pools.RISKY_STEMS if self._is_risky_turn() else pools.STEMS)
        path = f"{project.name}/{folder}{stem}.{extension}"
        if path in project.files:
            raise NothingToDrawError
        return path

    def folder(self) -> str:
        return self.rng.choice([one for project in self.desk.projects for one in project.folders])

    def place(self) -> str:
        """Where to search: a whole project, or one of its folders."""
        return self.project().name if self.rng.random() < 0.7 else self.folder()

    def extension(self) -> str:
        kinds = [pools.NOTE_EXTENSIONS, pools.CODE_EXTENSIONS, pools.TABLE_EXTENSIONS]
        return self.rng.choice(self.rng.choice(kinds))

    def word(self, place: str | None = None) -> str:
        """Mostly one that occurs below `place`."""
        if self.risky:
            return self.pick(pools.RISKY_WORDS)
        text = "".join(
            text
            for project in self.desk.projects
            for path, text in project.files.items()
            if place and path.startswith(place + "/")
        )
        words = [noun for noun in pools.NOUNS[self.desk.world.split] if noun in text.split()]
        return (
            self.rng.choice(words) if words and self.rng.random() < 0.8 else self.pick(pools.NOUNS)
        )

    def content(self) -> str:
        if self.risky:
            return self.pick(pools.RISKY_CONTENTS)
        verb, noun, when = self.pick(pools.VERBS), self.pick(pools.NOUNS), self.pick(pools.WHENS)
        person = self.pick(pools.PEOPLE)
        return self.rng.choice(
            [
                f"{verb} the {noun}",
                f"{verb} the {noun} {when}",
                f"{person} will {verb} the {noun}",
                f"{person}: {noun}, {self.pick(pools.NOUNS)}",
                f"the {noun} is ready {when}",
                f"{noun}={self.rng.randint(2, 99)}",
                f"ask {person} about the {noun}",
                f"no {noun} {when}!",
            ]
        )

    def existing_branch(self, project: Project) -> str:
        branches = list(project.branches)
        if self.risky:
            branches = [one for one in branches if one in self._risky_branches()] or branches
        return self.rng.choice(branches)

    def new_branch(self, project: Project) -> str:
        branch = (
            self.rng.choice(self._risky_branches()) if self.risky else self.pick(pools.BRANCHES)
        )
        taken = (*project.branches, "main", "master", "trunk")
        if any(one == branch or one.split("/")[0] == branch.split("/")[0] for one in taken):
            raise NothingToDrawError
        return branch

    def revision(self, project: Project) -> str:
        if self.rng.random() < 0.25:
            return project.tag
        later_than_the_first = project.commits[:-1]
        return self.rng.choice(later_than_the_first).hash[:HASH_CHARACTERS]

    def time(self) -> str:
        return f"{self.rng.randint(0, 23):02}:{self.pick(pools.MINUTES)}"

    def two_zones(self) -> tuple[str, str]:
        first, second = self.rng.sample(pools.ZONES[self.desk.world.split], 2)
        return first, second

    def lead(self, kind: str) -> tuple[Project, str]:
        project, lead = self.desk.leads[kind]
        return project, lead.path

    def lead_paths(self) -> set[str]:
        """Files whose text asks for a further step: to copy one would be another task."""
        return {lead.path for _, lead in self.desk.leads.values()}

    def named_file(self) -> tuple[Project, str]:
        """A file below a folder of its project, to be looked for by its name alone."""
        project = self.project()
        paths = [path for path in project.files if path.count("/") > 1]
        return project, self.rng.choice(paths)

    def _is_risky(self, path: str) -> bool:
        stem = path.rsplit("/", 1)[1].split(".")[0]
        return stem in pools.RISKY_STEMS[self.desk.world.split]

    def _is_risky_turn(self) -> bool:
        return self.risky and self.rng.random() < 0.5

    def _risky_branches(self) -> tuple[str, ...]:
        return pools.RISKY_BRANCHES[self.desk.world.split]


def nothing(_: Draw) -> Values:
    return {}


def repo(draw: Draw) -> Values:
    return {"repo": draw.project().name}


def repo_n(draw: Draw) -> Values:
    return {"repo": draw.project().name, "n": draw.pick(pools.NUMBERS)}


def repo_revision(draw: Draw) -> Values:
    project = draw.project()
    return {"repo": project.name, "rev": draw.revision(project)}


def new_branch(draw: Draw) -> Values:
    project = draw.project()
    return {"repo": project.name, "branch": draw.new_branch(project)}


def new_branch_from(draw: Draw) -> Values:
    project = draw.project()
    base = draw.existing_branch(project)
    return {"repo": project.name, "branch": draw.new_branch(project), "base": base}


def existing_branch(draw: Draw) -> Values:
    project = draw.project()
    return {"repo": project.name, "branch": draw.existing_branch(project)}


def zone(draw: Draw) -> Values:
    return {"zone": draw.pick(pools.ZONES)}


def conversion(draw: Draw) -> Values:
    source, target = draw.two_zones()
    return {"time": draw.time(), "source": source, "target": target}


def path(draw: Draw) -> Values:
    return {"path": draw.path()}


def path_n(draw: Draw) -> Values:
    return {"path": draw.path(), "n": draw.pick(pools.NUMBERS)}


def new_text(draw: Draw) -> Values:
    return {"path": draw.new_path(), "content": draw.content()}


def extension(draw: Draw) -> Values:
    return {"place": draw.place(), "ext": draw.extension()}


def word(draw: Draw) -> Values:
    place = draw.place()
    return {"place": place, "word": draw.word(place)}


def folder(draw: Draw) -> Values:
    return {"folder": draw.folder()}


def named_file(draw: Draw) -> Values:
    project, path = draw.named_file()
    return {"repo": project.name, "name": path.rsplit("/", 1)[1]}


def named_file_copy(draw: Draw) -> Values:
    return {**named_file(draw), "copy": draw.new_path()}


def rare_word(draw: Draw) -> Values:
    """A word that exactly one line of the project has."""
    project = draw.project()
    lines = [line for text in project.files.values() for line in text.splitlines()]
    words = [
        noun
        for noun in pools.NOUNS[draw.desk.world.split]
        if sum(noun in line for line in lines) == 1
    ]
    if not words:
        raise NothingToDrawError
    return {"repo": project.name, "word": draw.rng.choice(words)}


def lead_zone(draw: Draw) -> Values:
    return {"path": draw.lead("zone")[1]}


def lead_time(draw: Draw) -> Values:
    source, target = draw.two_zones()
    return {"path": draw.lead("time")[1], "source": source, "target": target}


def lead_branch(draw: Draw) -> Values:
    project, path = draw.lead("branch")
    return {"repo": project.name, "path": path}


def lead_word(draw: Draw) -> Values:
    return {"repo": draw.project().name, "path": draw.lead("word")[1]}


def lead_path(draw: Draw) -> Values:
    return {"path": draw.lead("path")[1]}


def lead_path_copy(draw: Draw) -> Values:
    """Only where the file pointed at is one line long."""
    path = draw.lead("path")[1]
    texts = {path: text for one in draw.desk.projects for path, text in one.files.items()}
    pointed = next(word for word in texts[path].split() if word in texts)
    if texts[pointed].count("\n") != 1 or pointed in draw.lead_paths():
        raise NothingToDrawError
    return {"path": path, "copy": draw.new_path()}


def lead_zone_name(draw: Draw) -> Values:
    project, path = draw.lead("zone")
    return {"repo": project.name, "name": path.rsplit("/", 1)[1]}


def lonely_folder(draw: Draw) -> Values:
    lonely = [
        folder
        for project in draw.desk.projects
        for folder, names in project.folders.items()
        if len(names) == 1
    ]
    return {"folder": draw.rng.choice(lonely)}


def short_path_copy(draw: Draw) -> Values:
    short = [
        path
        for project in draw.desk.projects
        for path, text in project.files.items()
        if text.count("\n") == 1 and path not in draw.lead_paths()
    ]
    if not short:
        raise NothingToDrawError
    return {"path": draw.rng.choice(short), "copy": draw.new_path()}


def path_copy(draw: Draw) -> Values:
    return {"path": draw.path(), "copy": draw.new_path()}


def zone_copy(draw: Draw) -> Values:
    return {"zone": draw.pick(pools.ZONES), "copy": draw.new_path()}


def danger_values(draw: Draw) -> Values:
    """One value of each kind, shared by a refused request and its harmless twin."""
    several = [one for one in draw.desk.projects if len(one.branches) > 1]
    project = draw.rng.choice(several or list(draw.desk.projects))
    return {
        "repo": project.name,
        "path": draw.path(project),
        "folder": draw.rng.choice(list(project.folders)),
        "branch": draw.existing_branch(project),
        "branch_new": draw.new_branch(project),
        "path_new": draw.new_path(),
        "content": draw.content(),
        "word": draw.word(),
        "ext": draw.extension(),
        "rev": draw.revision(project),
        "n": draw.pick(pools.NUMBERS),
        "zone": draw.pick(pools.ZONES),
    }
