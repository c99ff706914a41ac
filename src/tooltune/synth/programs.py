"""What can be done on a desk: each program draws values from a world and makes one to three calls.

A step is a function of the values and the results so far, so a later argument can come from an
earlier result. Arguments follow one rule each: copied as the request has them, optional ones only
where the request states them, one shell command per intent.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tooltune.synth.phrasings import chains, files, git, time
from tooltune.worlds import pools
from tooltune.worlds.desk import Desk, Project
from tooltune.worlds.pools import Pool

Values = dict[str, str]
Step = Callable[[Values, list[str]], tuple[str, dict[str, Any]]]

HASH_CHARACTERS = 7
"""Commits are named by the first characters of their hash, as git itself abbreviates them."""
DEFAULT_ZONE = "UTC"
"""What the time server's own descriptions tell to use where the user names no zone."""


class NothingToDraw(Exception):
    """This desk has no value for the program; another one will."""


@dataclass(frozen=True, slots=True)
class Program:
    """One intent: how its request is worded, what values it takes, which calls it makes."""

    name: str
    draw: Callable[["Draw"], Values]
    steps: tuple[Step, ...]
    tools: tuple[str, ...]
    """Names of the tools it calls."""
    families: str
    """Phrasing families, one a line."""
    asks: dict[str, str] = field(default_factory=dict)
    """Slots that may be forgotten and must then be asked for: slot to tool parameter."""
    weight: float = 1.0
    """Share among the programs of its ability."""


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
        extension = self.pick(self.rng.choice([pools.NOTE_EXTENSIONS, pools.TABLE_EXTENSIONS]))
        stem = self.pick(pools.RISKY_STEMS if self._is_risky_turn() else pools.STEMS)
        path = f"{project.name}/{folder}{stem}.{extension}"
        if path in project.files:
            raise NothingToDraw
        return path

    def folder(self) -> str:
        return self.rng.choice([one for project in self.desk.projects for one in project.folders])

    def place(self) -> str:
        """Where to search: a whole project, or one of its folders."""
        return self.project().name if self.rng.random() < 0.7 else self.folder()

    def extension(self) -> str:
        pool = self.rng.choice(
            [pools.NOTE_EXTENSIONS, pools.CODE_EXTENSIONS, pools.TABLE_EXTENSIONS]
        )
        return self.pick(pool)

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
            raise NothingToDraw
        return branch

    def revision(self, project: Project) -> str:
        if self.rng.random() < 0.25:
            return project.tag
        return self.rng.choice(project.commits).hash[:HASH_CHARACTERS]

    def time(self) -> str:
        return f"{self.rng.randint(0, 23):02}:{self.pick(pools.MINUTES)}"

    def two_zones(self) -> tuple[str, str]:
        first, second = self.rng.sample(pools.ZONES[self.desk.world.split], 2)
        return first, second

    def lead(self, kind: str) -> tuple[Project, str]:
        project, lead = self.desk.leads[kind]
        return project, lead.path

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


def _repo(draw: Draw) -> Values:
    return {"repo": draw.project().name}


def _repo_n(draw: Draw) -> Values:
    return {"repo": draw.project().name, "n": draw.pick(pools.NUMBERS)}


def _repo_revision(draw: Draw) -> Values:
    project = draw.project()
    return {"repo": project.name, "rev": draw.revision(project)}


def _new_branch(draw: Draw) -> Values:
    project = draw.project()
    return {"repo": project.name, "branch": draw.new_branch(project)}


def _new_branch_from(draw: Draw) -> Values:
    project = draw.project()
    base = draw.existing_branch(project)
    return {"repo": project.name, "branch": draw.new_branch(project), "base": base}


def _existing_branch(draw: Draw) -> Values:
    project = draw.project()
    return {"repo": project.name, "branch": draw.existing_branch(project)}


def _zone(draw: Draw) -> Values:
    return {"zone": draw.pick(pools.ZONES)}


def _conversion(draw: Draw) -> Values:
    source, target = draw.two_zones()
    return {"time": draw.time(), "source": source, "target": target}


def _path(draw: Draw) -> Values:
    return {"path": draw.path()}


def _path_n(draw: Draw) -> Values:
    return {"path": draw.path(), "n": draw.pick(pools.NUMBERS)}


def _new_text(draw: Draw) -> Values:
    return {"path": draw.new_path(), "content": draw.content()}


def _extension(draw: Draw) -> Values:
    return {"place": draw.place(), "ext": draw.extension()}


def _word(draw: Draw) -> Values:
    place = draw.place()
    return {"place": place, "word": draw.word(place)}


def _folder(draw: Draw) -> Values:
    return {"folder": draw.folder()}


def _named_file(draw: Draw) -> Values:
    project, path = draw.named_file()
    return {"repo": project.name, "name": path.rsplit("/", 1)[1]}


def _named_file_copy(draw: Draw) -> Values:
    return {**_named_file(draw), "copy": draw.new_path()}


def _rare_word(draw: Draw) -> Values:
    """A word that exactly one line of the project has."""
    project = draw.project()
    lines = [line for text in project.files.values() for line in text.splitlines()]
    words = [
        noun
        for noun in pools.NOUNS[draw.desk.world.split]
        if sum(noun in line for line in lines) == 1
    ]
    if not words:
        raise NothingToDraw
    return {"repo": project.name, "word": draw.rng.choice(words)}


def _lead_zone(draw: Draw) -> Values:
    return {"path": draw.lead("zone")[1]}


def _lead_time(draw: Draw) -> Values:
    source, target = draw.two_zones()
    return {"path": draw.lead("time")[1], "source": source, "target": target}


def _lead_branch(draw: Draw) -> Values:
    project, path = draw.lead("branch")
    return {"repo": project.name, "path": path}


def _lead_word(draw: Draw) -> Values:
    return {"repo": draw.project().name, "path": draw.lead("word")[1]}


def _lead_path(draw: Draw) -> Values:
    return {"path": draw.lead("path")[1]}


def _lead_zone_name(draw: Draw) -> Values:
    project, path = draw.lead("zone")
    return {"repo": project.name, "name": path.rsplit("/", 1)[1]}


def _lonely_folder(draw: Draw) -> Values:
    lonely = [
        folder
        for project in draw.desk.projects
        for folder, names in project.folders.items()
        if len(names) == 1
    ]
    return {"folder": draw.rng.choice(lonely)}


def _short_path_copy(draw: Draw) -> Values:
    short = [
        path
        for project in draw.desk.projects
        for path, text in project.files.items()
        if text.count("\n") == 1
    ]
    if not short:
        raise NothingToDraw
    return {"path": draw.rng.choice(short), "copy": draw.new_path()}


def _path_copy(draw: Draw) -> Values:
    return {"path": draw.path(), "copy": draw.new_path()}


def _zone_copy(draw: Draw) -> Values:
    return {"zone": draw.pick(pools.ZONES), "copy": draw.new_path()}


def _shell(template: str) -> Step:
    return lambda values, _: ("shell_exec", {"command": template.format(**values)})


def _call(tool: str, **arguments: str) -> Step:
    """A call whose arguments are slots, written as parameter=slot."""
    return lambda values, _: (tool, {name: values[slot] for name, slot in arguments.items()})


def _find_by_name(values: Values, _: list[str]) -> tuple[str, dict[str, Any]]:
    return "shell_exec", {"command": f"find {values['repo']} -name '{values['name']}'"}


def _log_n(values: Values, _: list[str]) -> tuple[str, dict[str, Any]]:
    return "git_log", {"repo_path": values["repo"], "max_count": int(values["n"])}


def _log_one(values: Values, _: list[str]) -> tuple[str, dict[str, Any]]:
    return "git_log", {"repo_path": values["repo"], "max_count": 1}


def _show_logged(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    hash = _found(r"Commit: (\w+)", results[0])
    return "git_show", {"repo_path": values["repo"], "revision": hash[:HASH_CHARACTERS]}


def _read_found(_: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "read_file", {"path": results[0].strip().splitlines()[0]}


def _read_matched(_: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "read_file", {"path": _found(r"^([^:\n]+):\d+:", results[0])}


def _read_listed(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "read_file", {"path": f"{values['folder']}/{results[0].strip()}"}


def _read_pointed(_: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "read_file", {"path": _found(r"(\S+/\S+)", results[0])}


def _time_in_read_zone(_: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "get_current_time", {"timezone": _found(r"\b([A-Z]\w+/[\w/]+|UTC)\b", results[-1])}


def _convert_read_time(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "convert_time", {
        "source_timezone": values["source"],
        "time": _found(r"(\d\d:\d\d)", results[0]),
        "target_timezone": values["target"],
    }


def _checkout_read_branch(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    every = [name for pool in (pools.BRANCHES,) for split in pools.SPLITS for name in pool[split]]
    branch = next(word for word in results[0].split() if word in every)
    return "git_checkout", {"repo_path": values["repo"], "branch_name": branch}


def _grep_read_word(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    every = [noun for split in pools.SPLITS for noun in pools.NOUNS[split]]
    word = next(word for word in results[0].split() if word in every)
    return "shell_exec", {"command": f"grep -rn '{word}' {values['repo']}"}


def _write_last_text(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "write_file", {"path": values["copy"], "content": results[-1]}


def _write_count(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "write_file", {"path": values["copy"], "content": results[0].split()[0]}


def _write_time(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "write_file", {"path": values["copy"], "content": json.loads(results[0])["datetime"]}


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise NothingToDraw
    return match[1]


_READ = _call("read_file", path="path")
_TIME = _call("get_current_time", timezone="zone")
_GREP = "grep -rn '{word}' {place}"

SINGLE_PROGRAMS = (
    Program("git_status", _repo, (_call("git_status", repo_path="repo"),), ("git_status",),
            git.GIT_STATUS, {"repo": "repo_path"}),
    Program("git_log", _repo, (_call("git_log", repo_path="repo"),), ("git_log",),
            git.GIT_LOG, {"repo": "repo_path"}, 0.8),
    Program("git_log_n", _repo_n, (_log_n,), ("git_log",),
            git.GIT_LOG_N, {"repo": "repo_path"}),
    Program("git_show", _repo_revision,
            (_call("git_show", repo_path="repo", revision="rev"),), ("git_show",),
            f"{git.GIT_SHOW}\n{git.GIT_SHOW_REV_MISSING}",
            {"repo": "repo_path", "rev": "revision"}, 1.1),
    Program("create_branch", _new_branch,
            (_call("git_create_branch", repo_path="repo", branch_name="branch"),),
            ("git_create_branch",),
            f"{git.GIT_CREATE_BRANCH}\n{git.GIT_CREATE_BRANCH_NAME_MISSING}",
            {"repo": "repo_path", "branch": "branch_name"}, 1.1),
    Program("create_branch_from", _new_branch_from,
            (_call("git_create_branch", repo_path="repo", branch_name="branch",
                   base_branch="base"),),
            ("git_create_branch",), git.GIT_CREATE_BRANCH_FROM, {"repo": "repo_path"}, 0.7),
    Program("checkout", _existing_branch,
            (_call("git_checkout", repo_path="repo", branch_name="branch"),), ("git_checkout",),
            f"{git.GIT_CHECKOUT}\n{git.GIT_CHECKOUT_BRANCH_MISSING}",
            {"repo": "repo_path", "branch": "branch_name"}, 1.1),
    Program("get_time", _zone, (_TIME,), ("get_current_time",), time.GET_CURRENT_TIME),
    Program("convert_time", _conversion,
            (_call("convert_time", source_timezone="source", time="time",
                   target_timezone="target"),),
            ("convert_time",),
            f"{time.CONVERT_TIME}\n{time.CONVERT_TIME_TIME_MISSING}", {"time": "time"}),
    Program("read_file", _path, (_READ,), ("read_file",),
            f"{files.READ_FILE}\n{files.READ_FILE_PATH_MISSING}", {"path": "path"}, 1.2),
    Program("write_file", _new_text,
            (_call("write_file", path="path", content="content"),), ("write_file",),
            f"{files.WRITE_FILE}\n{files.WRITE_FILE_CONTENT_MISSING}\n"
            f"{files.WRITE_FILE_PATH_MISSING}",
            {"path": "path", "content": "content"}, 1.3),
    Program("find_extension", _extension, (_shell("find {place} -name '*.{ext}'"),),
            ("shell_exec",), files.FIND_EXTENSION),
    Program("grep", _word, (_shell(_GREP),), ("shell_exec",), files.GREP, {}, 1.1),
    Program("count_lines", _path, (_shell("wc -l {path}"),), ("shell_exec",), files.COUNT_LINES,
            {}, 0.8),
    Program("list_folder", _folder, (_shell("ls {folder}"),), ("shell_exec",), files.LIST_FOLDER),
    Program("head", _path_n, (_shell("head -n {n} {path}"),), ("shell_exec",), files.HEAD, {}, 0.8),
    Program("tail", _path_n, (_shell("tail -n {n} {path}"),), ("shell_exec",), files.TAIL, {}, 0.8),
)  # fmt: skip

CHAIN_PROGRAMS = (
    Program("find_then_read", _named_file, (_find_by_name, _read_found),
            ("shell_exec", "read_file"), chains.FIND_THEN_READ),
    Program("grep_then_read", _rare_word, (_shell("grep -rn '{word}' {repo}"), _read_matched),
            ("shell_exec", "read_file"), chains.GREP_THEN_READ),
    Program("log_then_show", _repo, (_log_one, _show_logged), ("git_log", "git_show"),
            chains.LOG_THEN_SHOW),
    Program("read_zone_then_time", _lead_zone, (_READ, _time_in_read_zone),
            ("read_file", "get_current_time"), chains.READ_ZONE_THEN_TIME),
    Program("read_time_then_convert", _lead_time, (_READ, _convert_read_time),
            ("read_file", "convert_time"), chains.READ_TIME_THEN_CONVERT),
    Program("read_then_write", _short_path_copy, (_READ, _write_last_text),
            ("read_file", "write_file"), chains.READ_THEN_WRITE),
    Program("read_branch_then_checkout", _lead_branch, (_READ, _checkout_read_branch),
            ("read_file", "git_checkout"), chains.READ_BRANCH_THEN_CHECKOUT),
    Program("list_then_read", _lonely_folder, (_shell("ls {folder}"), _read_listed),
            ("shell_exec", "read_file"), chains.LIST_THEN_READ),
    Program("read_word_then_grep", _lead_word, (_READ, _grep_read_word),
            ("read_file", "shell_exec"), chains.READ_WORD_THEN_GREP),
    Program("read_path_then_read", _lead_path, (_READ, _read_pointed),
            ("read_file",), chains.READ_PATH_THEN_READ),
    Program("count_then_write", _path_copy, (_shell("wc -l {path}"), _write_count),
            ("shell_exec", "write_file"), chains.COUNT_THEN_WRITE),
    Program("time_then_write", _zone_copy, (_TIME, _write_time),
            ("get_current_time", "write_file"), chains.TIME_THEN_WRITE, {}, 0.7),
    Program("find_then_copy", _named_file_copy, (_find_by_name, _read_found, _write_last_text),
            ("shell_exec", "read_file", "write_file"), chains.FIND_THEN_COPY, {}, 0.8),
    Program("find_zone_then_time", _lead_zone_name,
            (_find_by_name, _read_found, _time_in_read_zone),
            ("shell_exec", "read_file", "get_current_time"), chains.FIND_ZONE_THEN_TIME, {}, 0.8),
)  # fmt: skip

PROGRAMS = {program.name: program for program in (*SINGLE_PROGRAMS, *CHAIN_PROGRAMS)}
