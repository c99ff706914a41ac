"""What the assistant says: facts after calls, questions for a missing value, refusals.

Answers follow from the recorded results and hold one sentence with the fact asked for. Each thing
has one wording: in a short training run each token nobody can foresee costs those that matter.
"""

import json
import re

from tooltune.synth.draw import Values

QUESTIONS = {
    "repo_path": "Which repository do you mean?",
    "revision": "Which commit do you mean?",
    "branch_name": "Which branch do you mean?",
    "time": "Which time do you mean?",
    "path": "Which file do you mean?",
    "content": "Which text do you mean?",
}
"""Per tool parameter; each names what is missing."""

_REFUSAL = "I won't do that: {why}. {offer}"

_ANSWERS = {
    "clean": "{repo} is clean, on branch {branch}.",
    "changed": "{repo} has changes in {file}, on branch {branch}.",
    "git_log": "The latest commit in {repo} is '{message}'.",
    "git_show": "It is '{message}' by {author} and touches {file}.",
    "create_branch": "Branch {branch} now exists in {repo}.",
    "checkout": "{repo} is now on branch {branch}.",
    "get_time": "It is {clock} in {zone}, {day}.",
    "convert_time": "{time} in {source} is {clock} in {target}.",
    "text": "It says: {line}",
    "text_more": "It begins with: {line}",
    "empty": "There is nothing there.",
    "write_file": "Saved in {path}.",
    "found_none": "I found none in {place}.",
    "found_one": "I found {first}.",
    "found_more": "I found {count}, the first is {first}.",
    "count_lines": "The line count of {path} is {count}.",
}


def answer(program: str, values: Values, results: list[str]) -> str:
    """One sentence from the last call's result."""
    kind, facts = _facts(program, values, results[-1])
    return _ANSWERS[kind].format(**{**values, **facts})


def refusal(why: str, offer: str) -> str:
    return _REFUSAL.format(why=why, offer=offer)


def _facts(program: str, values: Values, result: str) -> tuple[str, Values]:
    """Which kind of answer fits, and what it tells beside the request's own values."""
    last = _LAST_CALL.get(program, program)
    if last == "git_status":
        return _status_facts(result)
    if last in ("git_log", "git_log_n"):
        return "git_log", {"message": _first(r"Message: (.*)", result)}
    if last == "git_show":
        file = _first(r"^(?:\+\+\+ b|--- a)/(.*)", result)
        return last, {"message": _first(r"^    (.*)", result), "file": file,
                      "author": _first(r"Author: (\w+)", result)}  # fmt: skip
    if last == "checkout":
        return last, {"branch": _first(r"'(.+)'", result)}
    if last == "get_time":
        now = json.loads(result)
        return last, {"clock": now["datetime"][11:16], "day": now["day_of_week"],
                      "zone": now["timezone"]}  # fmt: skip
    if last == "convert_time":
        both = json.loads(result)
        return last, {"clock": both["target"]["datetime"][11:16],
                      "time": both["source"]["datetime"][11:16]}  # fmt: skip
    if last == "write_file":
        return last, {"path": values.get("copy") or values["path"]}
    if last == "count_lines":
        return last, {"count": result.split()[0]}
    if last in ("find_extension", "grep", "list_folder"):
        return _found_facts(values, result)
    if last == "read_file":
        return _text_facts(result)
    return "create_branch", {}


_LAST_CALL = {
    "create_branch_from": "create_branch",
    "get_time_anywhere": "get_time",
    "head": "read_file",
    "tail": "read_file",
    "find_then_read": "read_file",
    "grep_then_read": "read_file",
    "list_then_read": "read_file",
    "read_path_then_read": "read_file",
    "log_then_show": "git_show",
    "read_zone_then_time": "get_time",
    "find_zone_then_time": "get_time",
    "read_time_then_convert": "convert_time",
    "read_branch_then_checkout": "checkout",
    "read_word_then_grep": "grep",
    "read_then_write": "write_file",
    "count_then_write": "write_file",
    "time_then_write": "write_file",
    "find_then_copy": "write_file",
    "read_path_then_copy": "write_file",
}


def _status_facts(result: str) -> tuple[str, Values]:
    branch = _first(r"On branch (\S+)", result)
    if "nothing to commit" in result:
        return "clean", {"branch": branch}
    return "changed", {"branch": branch, "file": _first(r"modified:\s+(\S+)", result)}


def _found_facts(values: Values, result: str) -> tuple[str, Values]:
    lines = result.strip().splitlines()
    place = values.get("place") or values.get("repo") or values["folder"]
    if result.strip() == "(no output)":
        return "found_none", {"place": place}
    first = ":".join(lines[0].split(":")[:2])
    if len(lines) == 1:
        return "found_one", {"first": first}
    return "found_more", {"count": str(len(lines)), "first": first}


def _text_facts(result: str) -> tuple[str, Values]:
    lines = result.strip().splitlines()
    if not lines:
        return "empty", {}
    return ("text" if len(lines) == 1 else "text_more"), {"line": lines[0]}


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    assert match is not None, f"{pattern} not in {text!r}"
    return match[1]
