"""What can be done on a desk: each program draws values from a world and makes one to three calls.

A step is a function of the values and the results so far, so a later argument can come from an
earlier result. Arguments follow one rule each: copied as the request has them, optional ones only
where the request states them, one shell command per intent.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tooltune.synth import draw
from tooltune.synth.draw import HASH_CHARACTERS, Draw, NothingToDrawError, Values
from tooltune.synth.phrasings import chains, files, git, time
from tooltune.worlds import pools

Step = Callable[[Values, list[str]], tuple[str, dict[str, Any]]]

DEFAULT_ZONE = "UTC"
"""What the time server's own descriptions tell to use where the user names no zone."""


@dataclass(frozen=True, slots=True)
class Program:
    """One intent: how its request is worded, what values it takes, which calls it makes."""

    name: str
    draw: Callable[[Draw], Values]
    steps: tuple[Step, ...]
    tools: tuple[str, ...]
    """Names of the tools it calls."""
    families: str
    """Phrasing families, one a line."""
    asks: dict[str, str] = field(default_factory=dict)
    """Slots that may be forgotten and must then be asked for: slot to tool parameter."""
    weight: float = 1.0
    """Share among the programs of its ability."""


def _shell(template: str) -> Step:
    return lambda values, _: ("shell_exec", {"command": template.format(**values)})


def _call(tool: str, **arguments: str) -> Step:
    """A call whose arguments are slots, written as parameter=slot."""
    return lambda values, _: (tool, {name: values[slot] for name, slot in arguments.items()})


def _time_by_default(_: Values, __: list[str]) -> tuple[str, dict[str, Any]]:
    return "get_current_time", {"timezone": DEFAULT_ZONE}


def _find_by_name(values: Values, _: list[str]) -> tuple[str, dict[str, Any]]:
    return "shell_exec", {"command": f"find {values['repo']} -name {values['name']}"}


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
    return "shell_exec", {"command": f"grep -rn {word} {values['repo']}"}


def _write_last_text(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "write_file", {"path": values["copy"], "content": results[-1]}


def _write_count(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "write_file", {"path": values["copy"], "content": results[0].split()[0]}


def _write_time(values: Values, results: list[str]) -> tuple[str, dict[str, Any]]:
    return "write_file", {"path": values["copy"], "content": json.loads(results[0])["datetime"]}


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise NothingToDrawError
    return match[1]


_READ = _call("read_file", path="path")
_TIME = _call("get_current_time", timezone="zone")
_GREP = "grep -rn {word} {place}"

SINGLE_PROGRAMS = (
    Program("git_status", draw.repo, (_call("git_status", repo_path="repo"),), ("git_status",),
            git.GIT_STATUS, {"repo": "repo_path"}),
    Program("git_log", draw.repo, (_call("git_log", repo_path="repo"),), ("git_log",),
            git.GIT_LOG, {"repo": "repo_path"}, 0.8),
    Program("git_log_n", draw.repo_n, (_log_n,), ("git_log",),
            git.GIT_LOG_N, {"repo": "repo_path"}),
    Program("git_show", draw.repo_revision,
            (_call("git_show", repo_path="repo", revision="rev"),), ("git_show",),
            f"{git.GIT_SHOW}\n{git.GIT_SHOW_REV_MISSING}",
            {"repo": "repo_path", "rev": "revision"}, 1.1),
    Program("create_branch", draw.new_branch,
            (_call("git_create_branch", repo_path="repo", branch_name="branch"),),
            ("git_create_branch",),
            f"{git.GIT_CREATE_BRANCH}\n{git.GIT_CREATE_BRANCH_NAME_MISSING}",
            {"repo": "repo_path", "branch": "branch_name"}, 1.1),
    Program("create_branch_from", draw.new_branch_from,
            (_call("git_create_branch", repo_path="repo", branch_name="branch",
                   base_branch="base"),),
            ("git_create_branch",), git.GIT_CREATE_BRANCH_FROM, {"repo": "repo_path"}, 0.7),
    Program("checkout", draw.existing_branch,
            (_call("git_checkout", repo_path="repo", branch_name="branch"),), ("git_checkout",),
            f"{git.GIT_CHECKOUT}\n{git.GIT_CHECKOUT_BRANCH_MISSING}",
            {"repo": "repo_path", "branch": "branch_name"}, 1.1),
    Program("get_time", draw.zone, (_TIME,), ("get_current_time",), time.GET_CURRENT_TIME),
    Program("get_time_anywhere", draw.nothing, (_time_by_default,), ("get_current_time",),
            time.GET_TIME_ANYWHERE, {}, 0.4),
    Program("convert_time", draw.conversion,
            (_call("convert_time", source_timezone="source", time="time",
                   target_timezone="target"),),
            ("convert_time",),
            f"{time.CONVERT_TIME}\n{time.CONVERT_TIME_TIME_MISSING}", {"time": "time"}, 0.8),
    Program("read_file", draw.path, (_READ,), ("read_file",),
            f"{files.READ_FILE}\n{files.READ_FILE_PATH_MISSING}", {"path": "path"}, 1.2),
    Program("write_file", draw.new_text,
            (_call("write_file", path="path", content="content"),), ("write_file",),
            f"{files.WRITE_FILE}\n{files.WRITE_FILE_CONTENT_MISSING}\n"
            f"{files.WRITE_FILE_PATH_MISSING}",
            {"path": "path", "content": "content"}, 1.2),
    Program("find_extension", draw.extension, (_shell("find {place} -name '*.{ext}'"),),
            ("shell_exec",), files.FIND_EXTENSION),
    Program("grep", draw.word, (_shell(_GREP),), ("shell_exec",), files.GREP, {}, 1.1),
    Program("count_lines", draw.path, (_shell("wc -l {path}"),), ("shell_exec",),
            files.COUNT_LINES, {}, 0.8),
    Program("list_folder", draw.folder, (_shell("ls {folder}"),), ("shell_exec",),
            files.LIST_FOLDER),
    Program("head", draw.path_n, (_shell("head -n {n} {path}"),), ("shell_exec",),
            files.HEAD, {}, 0.8),
    Program("tail", draw.path_n, (_shell("tail -n {n} {path}"),), ("shell_exec",),
            files.TAIL, {}, 0.8),
)  # fmt: skip

CHAIN_PROGRAMS = (
    Program("find_then_read", draw.named_file, (_find_by_name, _read_found),
            ("shell_exec", "read_file"), chains.FIND_THEN_READ),
    Program("grep_then_read", draw.rare_word, (_shell("grep -rn {word} {repo}"), _read_matched),
            ("shell_exec", "read_file"), chains.GREP_THEN_READ),
    Program("log_then_show", draw.repo, (_log_one, _show_logged), ("git_log", "git_show"),
            chains.LOG_THEN_SHOW),
    Program("read_zone_then_time", draw.lead_zone, (_READ, _time_in_read_zone),
            ("read_file", "get_current_time"), chains.READ_ZONE_THEN_TIME),
    Program("read_time_then_convert", draw.lead_time, (_READ, _convert_read_time),
            ("read_file", "convert_time"), chains.READ_TIME_THEN_CONVERT),
    Program("read_then_write", draw.short_path_copy, (_READ, _write_last_text),
            ("read_file", "write_file"), chains.READ_THEN_WRITE),
    Program("read_branch_then_checkout", draw.lead_branch, (_READ, _checkout_read_branch),
            ("read_file", "git_checkout"), chains.READ_BRANCH_THEN_CHECKOUT),
    Program("list_then_read", draw.lonely_folder, (_shell("ls {folder}"), _read_listed),
            ("shell_exec", "read_file"), chains.LIST_THEN_READ),
    Program("read_word_then_grep", draw.lead_word, (_READ, _grep_read_word),
            ("read_file", "shell_exec"), chains.READ_WORD_THEN_GREP),
    Program("read_path_then_read", draw.lead_path, (_READ, _read_pointed),
            ("read_file",), chains.READ_PATH_THEN_READ),
    Program("read_path_then_copy", draw.lead_path_copy,
            (_READ, _read_pointed, _write_last_text),
            ("read_file", "write_file"), chains.READ_PATH_THEN_COPY, {}, 0.6),
    Program("count_then_write", draw.path_copy, (_shell("wc -l {path}"), _write_count),
            ("shell_exec", "write_file"), chains.COUNT_THEN_WRITE),
    Program("time_then_write", draw.zone_copy, (_TIME, _write_time),
            ("get_current_time", "write_file"), chains.TIME_THEN_WRITE, {}, 0.5),
    Program("find_then_copy", draw.named_file_copy, (_find_by_name, _read_found, _write_last_text),
            ("shell_exec", "read_file", "write_file"), chains.FIND_THEN_COPY, {}, 0.5),
    Program("find_zone_then_time", draw.lead_zone_name,
            (_find_by_name, _read_found, _time_in_read_zone),
            ("shell_exec", "read_file", "get_current_time"), chains.FIND_ZONE_THEN_TIME, {}, 0.8),
)  # fmt: skip

PROGRAMS = {program.name: program for program in (*SINGLE_PROGRAMS, *CHAIN_PROGRAMS)}

CORE = (
    "git_status",
    "git_log_n",
    "create_branch",
    "checkout",
    "get_time",
    "read_file",
    "write_file",
    "grep",
    "list_folder",
    "read_zone_then_time",
    "read_then_write",
    "read_branch_then_checkout",
    "read_word_then_grep",
    "read_path_then_read",
    "read_path_then_copy",
)
"""Made unless others are asked for: as many intents as a base of 135M parameters learns well from
the rows a quarter of an hour has room for (docs/decisions.md)."""
