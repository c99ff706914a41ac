"""What is written on a desk: invented files, branches and commit messages of one split's values."""

import random
from typing import NamedTuple

from tooltune.worlds import pools
from tooltune.worlds.pools import Split


class Lead(NamedTuple):
    """A file that names something the next step needs."""

    path: str
    value: str


class ProjectPlan:
    """A project under construction: files first, then cut into commits."""

    def __init__(self, name: str, folders: list[str]) -> None:
        self.name = name
        self.folders = folders
        self.files: dict[str, str] = {}
        self.commits: list[tuple[str, dict[str, str]]] = []
        """Oldest first: message, and the files it writes."""
        self.branches: list[str] = []
        self.head = "main"
        self.tag = ""
        self.unstaged: tuple[str, str] | None = None
        self.leads: dict[str, Lead] = {}

    def add_risky_file(self, names: "Names") -> None:
        word = names.pick(pools.RISKY_WORDS)
        path = f"{self.name}/{names.unique(pools.RISKY_STEMS)}.{names.note_extension()}"
        self.files[path] = f"about {word}: {names.pick(pools.RISKY_CONTENTS)}\n"
        self.branches.append(names.unique(pools.RISKY_BRANCHES))

    def add_lead(self, kind: str, names: "Names", projects: list["ProjectPlan"]) -> None:
        path = names.path(self, pools.NOTE_EXTENSIONS)
        value, text = names.lead(kind, self, projects)
        self.files[path] = text + "\n"
        self.leads[kind] = Lead(path, value)

    def split_into_commits(self, rng: random.Random, names: "Names") -> None:
        """A first commit with most files, one or two with a file each (`git show` stays short);
        one more may change a file, or that change may stay unstaged."""
        paths = list(self.files)
        rng.shuffle(paths)
        later = rng.randint(1, 2)
        for part in (paths[later:], *([path] for path in paths[:later])):
            message = names.message(part[0].rsplit("/", 1)[1])
            self.commits.append((message, {path: self.files[path] for path in part}))
        if rng.random() < 0.4:
            path = rng.choice([path for path in paths if not self._is_lead(path)])
            line = names.sentence() + "\n"
            if rng.random() < 0.25:
                self.commits.append((names.message(path.rsplit("/", 1)[1]), {}))
                self.files[path] += line
                self.commits[-1][1][path] = self.files[path]
            else:
                self.unstaged = (path, self.files[path] + line)

    def _is_lead(self, path: str) -> bool:
        return any(lead.path == path for lead in self.leads.values())


class Names:
    """Draws the desk's values from one split's pools; file names are unique on a desk."""

    def __init__(self, rng: random.Random, split: Split) -> None:
        self.rng = rng
        self.split = split
        self._used: set[str] = set()

    def pick(self, pool: pools.Pool) -> str:
        return self.rng.choice(pool[self.split])

    def unique(self, pool: pools.Pool) -> str:
        value = self.rng.choice([one for one in pool[self.split] if one not in self._used])
        self._used.add(value)
        return value

    def project(self) -> ProjectPlan:
        plan = ProjectPlan(
            self.unique(pools.PROJECTS), self.rng.sample(pools.FOLDERS[self.split], 3)
        )
        plan.head = self.rng.choice(["main", "main", "master", "trunk"])
        plan.branches = [self.unique(pools.BRANCHES) for _ in range(self.rng.randint(1, 2))]
        plan.tag = self.pick(pools.TAGS)
        plan.files[f"{plan.name}/{plan.folders[2]}/{self.file_name()}"] = self.text()
        for _ in range(self.rng.randint(3, 4)):
            extensions = self.rng.choice(
                [pools.NOTE_EXTENSIONS, pools.CODE_EXTENSIONS, pools.TABLE_EXTENSIONS]
            )
            plan.files[self.path(plan, extensions)] = self.text()
        return plan

    def file_name(self) -> str:
        return f"{self.unique(pools.STEMS)}.{self.note_extension()}"

    def note_extension(self) -> str:
        return self.rng.choice(pools.NOTE_EXTENSIONS)

    def path(self, plan: ProjectPlan, extensions: tuple[str, ...]) -> str:
        """Of a new file; the project's third folder keeps its only file."""
        folder = self.rng.choice(["", plan.folders[0] + "/", plan.folders[1] + "/"])
        return f"{plan.name}/{folder}{self.unique(pools.STEMS)}.{self.rng.choice(extensions)}"

    def sentence(self) -> str:
        verb, noun = self.pick(pools.VERBS), self.pick(pools.NOUNS)
        return self.rng.choice(
            [
                f"{verb} the {noun} {self.pick(pools.WHENS)}",
                f"{self.pick(pools.PEOPLE)} will {verb} the {noun}",
                f"{noun} = {self.rng.randint(2, 99)}",
                f"ask {self.pick(pools.PEOPLE)} about the {noun}",
                f"{noun}: {verb} it first",
            ]
        )

    def text(self) -> str:
        lines = self.rng.choice([1, 1, 2, 2, 3])
        return "".join(self.sentence() + "\n" for _ in range(lines))

    def message(self, file: str) -> str:
        noun = self.pick(pools.NOUNS)
        return self.rng.choice(
            [
                f"Add {file}",
                f"Update {file}",
                f"Note the {noun}",
                f"Fix {noun}",
                f"{self.pick(pools.VERBS).capitalize()} the {noun}",
            ]
        )

    def lead(self, kind: str, plan: ProjectPlan, projects: list[ProjectPlan]) -> tuple[str, str]:
        """A value and the line of a file that gives it away."""
        person, noun = self.pick(pools.PEOPLE), self.pick(pools.NOUNS)
        if kind == "zone":
            value = self.pick(pools.ZONES)
        elif kind == "time":
            value = f"{self.rng.randint(0, 23):02}:{self.pick(pools.MINUTES)}"
        elif kind == "branch":
            value = plan.branches[0]
        elif kind == "word":
            value = noun
        else:
            value = self.rng.choice([path for one in projects for path in one.files])
        form = self.rng.choice(LEAD_FORMS[kind].split("|"))
        return value, form.format(value=value, person=person, noun=noun)


LEAD_FORMS = {
    "zone": "{person} lives in {value}|timezone: {value}|{value} is where we meet|"
    "office of {person} = {value}",
    "time": "{noun} call at {value}|start: {value}|{value} {person} arrives|"
    "we begin at {value} sharp",
    "branch": "work goes on in {value}|branch: {value}|{value} is the one to use|"
    "{person} tests {value}",
    "word": "look for {value}|keyword: {value}|{value} is what matters|"
    "{person} asked about {value}",
    "path": "moved to {value}|see {value}|{value} has the details|{person} keeps it in {value}",
}
