"""Programs over a desk of git repositories: git, the shell server, and what spans servers."""

import json
import re

from tooltune.synth import draw
from tooltune.synth.draw import Draw, Values
from tooltune.synth.scripts.script import Call, Run, call, need, script, scripts_of
from tooltune.worlds import pools
from tooltune.worlds.desk import Desk

_REPO = {"repo": ("repo_path", "repository")}


def _draw(desk: Desk) -> Draw:
    return Draw(desk, desk.rng)


def _repo(desk: Desk) -> Values:
    return draw.repo(_draw(desk))


def _changed(desk: Desk) -> Values:
    """A repository with an unstaged change."""
    changed = [project for project in desk.projects if project.unstaged]
    need(changed)
    project = desk.rng.choice(changed)
    assert project.unstaged is not None
    path = project.unstaged.split("/", 1)[1]
    noun = desk.rng.choice(pools.NOUNS[desk.world.split])
    return {"repo": project.name, "file": path, "message": f"Note the {noun}"}


def _branches(desk: Desk) -> Values:
    return draw.existing_branch(_draw(desk))


def _new_branch(desk: Desk) -> Values:
    return draw.new_branch(_draw(desk))


def _revision(desk: Desk) -> Values:
    return draw.repo_revision(_draw(desk))


def _path(desk: Desk) -> Values:
    return draw.path(_draw(desk))


def _path_n(desk: Desk) -> Values:
    return draw.path_n(_draw(desk))


def _new_file(desk: Desk) -> Values:
    path = _draw(desk).new_path()
    repo, _, file = path.partition("/")
    word = desk.rng.choice(pools.NOUNS[desk.world.split])
    return {"repo": repo, "file": file, "path": path, "text": f"check the {word}"}


def _word(desk: Desk) -> Values:
    return draw.word(_draw(desk))


def _zones(desk: Desk) -> Values:
    first, second = _draw(desk).two_zones()
    return {"zone": first, "other": second}


def _two_repos(desk: Desk) -> Values:
    first, second = desk.rng.sample(desk.projects, 2)
    return {"repo": first.name, "other": second.name}


def _missing_branch(desk: Desk) -> Values:
    return _new_branch(desk)


def _missing_path(desk: Desk) -> Values:
    path = _draw(desk).new_path()
    return {"path": path, "folder": path.rsplit("/", 1)[0]}


def _folder(desk: Desk) -> Values:
    return draw.folder(_draw(desk))


def shell(*words: str) -> Call:
    return call("shell_execute", command=list(words))


def _git(name: str, v: Values, **arguments: object) -> Call:
    return call(f"git_{name}", repo_path=v["repo"], **arguments)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    need(match)
    assert match is not None
    return match[1]


@script("desk", """
which branches does< {repo}~ the repository> have?
= the local branches of< {repo}~ the repository>
! list the local branches of< {repo}~ a repository>
""", "{names} | These: {names}.", draw=_repo, asks=_REPO)  # fmt: skip
def branches(v: Values) -> Run:
    (text,) = yield _git("branch", v, branch_type="local")
    return {"names": ", ".join(re.findall(r"^\W*(\S+)", text, re.MULTILINE))}


@script("desk", """
what is changed but not staged in< {repo}~ the repository>?
= the unstaged changes of< {repo}~ the repository>
= the diff of the working tree of< {repo}~ a repository>
! show me what I changed in< {repo}~ my repository> and did not stage
""", "{file} differs. | There is a change in {file}.", draw=_changed, asks=_REPO)  # fmt: skip
def diff_unstaged(v: Values) -> Run:
    (text,) = yield _git("diff_unstaged", v)
    return {"file": _found(r"^\+\+\+ b/(\S+)", text)}


@script("desk", """
is anything staged in {repo}?
= the staged changes of {repo}
= what is staged for the next commit in {repo}
! show the staged diff of {repo}
""", "Nothing is staged in {repo}. | The staging area of {repo} is empty.", draw=_repo)  # fmt: skip
def diff_staged(v: Values) -> Run:
    (text,) = yield _git("diff_staged", v)
    need("diff --git" not in text)
    return {"n": len(text)}


@script("desk", """
how does {repo} differ from its branch {branch}?
= the diff of {repo} against {branch}
! compare {repo} with the branch {branch}
what separates {repo} from {branch}?
""", "{file} differs. | They differ in {file}.", draw=_branches)  # fmt: skip
def diff_branch(v: Values) -> Run:
    (text,) = yield _git("diff", v, target=v["branch"])
    return {"file": _found(r"^(?:\+\+\+|---) [ab]/(\S+)", text)}


@script("desk", """
! stage {file} in {repo}
! add {file} of {repo} to the staging area
{file} in {repo} should go into the next commit, stage it
""", "{file} is staged. | Staged {file} in {repo}.", draw=_changed)  # fmt: skip
def stage(v: Values) -> Run:
    yield _git("add", v, files=[v["file"]])
    return {}


@script("desk", """
! stage {file} in {repo} and commit it as "{message}"
! commit the change of {file} in {repo} with the message "{message}"
{file} of {repo} is ready: stage it, then commit with "{message}"
""", "Committed as '{message}'. | {repo} has the commit '{message}'.",
draw=_changed, ability="chain")  # fmt: skip
def stage_then_commit(v: Values) -> Run:
    yield _git("add", v, files=[v["file"]])
    yield _git("commit", v, message=v["message"])
    return {}


@script("desk", """
! stage {file} in {repo} and show me what is staged then
! add {file} to the staging area of {repo}, then show the staged diff
""", "{file} is staged; the diff adds: {line} | Staged. New in it: {line}",
draw=_changed, ability="chain")  # fmt: skip
def stage_then_diff(v: Values) -> Run:
    yield _git("add", v, files=[v["file"]])
    (text,) = yield _git("diff_staged", v)
    return {"line": _found(r"^\+([^+].*)", text)}


@script("desk", """
! stage {file} in {repo}, then unstage everything there again
! try it out: stage {file} in {repo}, look at the staged diff, then take it back
""", "It is unstaged again; staged it added: {line} | Taken back. It would have added: {line}",
draw=_changed, ability="chain")  # fmt: skip
def stage_and_back(v: Values) -> Run:
    yield _git("add", v, files=[v["file"]])
    (text,) = yield _git("diff_staged", v)
    yield _git("reset", v)
    return {"line": _found(r"^\+([^+].*)", text)}


@script("desk", """
is {repo} clean? If not, show me what changed
! look at the status of {repo}, and if something is modified, show the unstaged diff
! check whether {repo} has changes and, if so, what they are
""", "{file} is modified, new in it: {line} | There is a change in {file}: {line}",
draw=_changed, ability="chain", form="branch")  # fmt: skip
def status_then_diff(v: Values) -> Run:
    (status,) = yield _git("status", v)
    need("modified:" in status)
    (text,) = yield _git("diff_unstaged", v)
    return {"file": _found(r"modified:\s+(\S+)", status), "line": _found(r"^\+([^+].*)", text)}


@script("desk", """
is {repo} clean? Show me the changes only if there are any
! look at the status of {repo}; the diff only if something is modified
""", "{repo} is clean, so there is no diff. | Nothing to commit in {repo}.",
draw=_repo, form="branch")  # fmt: skip
def status_is_clean(v: Values) -> Run:
    (status,) = yield _git("status", v)
    need("nothing to commit" in status)
    return {"branch": _found(r"On branch (\S+)", status)}


@script("desk", """
! create the branch {branch} in {repo} and switch to it
! start a branch {branch} in {repo} and check it out
I want to work on a new branch {branch} of {repo}: make it, then switch
""", "{repo} is on the new branch {branch}. | Created {branch} and switched.",
draw=_new_branch, ability="chain")  # fmt: skip
def create_then_checkout(v: Values) -> Run:
    yield _git("create_branch", v, branch_name=v["branch"])
    yield _git("checkout", v, branch_name=v["branch"])
    return {}


@script("desk", """
! switch {repo} to {branch}
! check out {branch} in {repo}
! go to the branch {branch} of {repo}
""", "There is no {branch} in {repo}; it has {names}. | {branch} does not exist. I see {names}.",
draw=_missing_branch, ability="chain", form="recovery")  # fmt: skip
def checkout_missing(v: Values) -> Run:
    (error,) = yield _git("checkout", v, branch_name=v["branch"])
    need("did not match" in error or "does not exist" in error or "not found" in error.lower())
    (text,) = yield _git("branch", v, branch_type="local")
    return {"names": ", ".join(re.findall(r"^\W*(\S+)", text, re.MULTILINE))}


@script("desk", """
! switch {repo} to {branch} if it has that branch, else create it there
! make sure {repo} has a branch {branch}: list the branches, create it if it is missing
""", "{branch} was missing and is there now. | Created {branch}, it was not there.",
draw=_new_branch, ability="chain", form="branch")  # fmt: skip
def branch_if_missing(v: Values) -> Run:
    (text,) = yield _git("branch", v, branch_type="local")
    need(v["branch"] not in text.split())
    yield _git("create_branch", v, branch_name=v["branch"])
    return {}


@script("desk", """
! save "{text}" as {path}, stage {file} in {repo} and commit it with the message "{text}"
! write "{text}" into {path}; then stage {file} in {repo}, then commit as "{text}"
""", "{path} is written and committed. | Committed the new {file}.",
draw=_new_file, ability="chain")  # fmt: skip
def write_stage_commit(v: Values) -> Run:
    yield call("write_file", path=v["path"], content=v["text"])
    yield _git("add", v, files=[v["file"]])
    yield _git("commit", v, message=v["text"])
    return {}


@script("desk", """
what is the state of {repo} and of {other}?
! check the status of both {repo} and {other}
= the status of {repo} and {other}
""", "{repo} is on {a}, {other} on {b}. | On {a} and {b}.", draw=_two_repos, form="parallel")
def status_of_two(v: Values) -> Run:
    first, second = yield [call("git_status", repo_path=v["repo"]),
                           call("git_status", repo_path=v["other"])]  # fmt: skip
    return {"a": _found(r"On branch (\S+)", first), "b": _found(r"On branch (\S+)", second)}


@script("desk", """
what was committed last in {repo} and in {other}? One commit each
= the last 1 commit of {repo} and of {other}
! get the newest 1 commit from both {repo} and {other}
""", "'{a}' and '{b}'. | In {repo} '{a}', in {other} '{b}'.", draw=_two_repos, form="parallel")
def log_of_two(v: Values) -> Run:
    first, second = yield [call("git_log", repo_path=v["repo"], max_count=1),
                           call("git_log", repo_path=v["other"], max_count=1)]  # fmt: skip
    return {"a": _found(r"Message: (.*)", first), "b": _found(r"Message: (.*)", second)}


@script("desk", """
! compare the commit {rev} of {repo} with the working tree
= the diff of {repo} against the commit {rev}
what changed in {repo} since {rev}?
""", "{file} differs. | Since {rev}, {file} has changed.", draw=_revision)  # fmt: skip
def diff_revision(v: Values) -> Run:
    (text,) = yield _git("diff", v, target=v["rev"])
    return {"file": _found(r"^(?:\+\+\+|---) [ab]/(\S+)", text)}


@script("desk", """
which branches of {repo} contain the commit {rev}?
= the local branches in {repo} that contain {rev}
! list local branches of {repo} with {rev} in them
""", "{names} | It is in {names}.", draw=_revision)  # fmt: skip
def branches_containing(v: Values) -> Run:
    need(not v["rev"].startswith("v"))
    (text,) = yield _git("branch", v, branch_type="local", contains=v["rev"])
    names = re.findall(r"^\W*(\S+)", text, re.MULTILINE)
    need(names)
    return {"names": ", ".join(names)}


@script("desk", """
= the sorted lines of {path}, with sort in the shell
! run sort on {path}
! sort the lines of {path} with the sort command
""", "Sorted, it begins with: {line} | First comes: {line}", draw=_path)  # fmt: skip
def shell_sort(v: Values) -> Run:
    (text,) = yield shell("sort", v["path"])
    return {"line": _found(r"^(.+)", text)}


@script("desk", """
! run wc -l on {path}
! count the lines of {path} with wc -l
= the wc -l count of {path}
""", "{n} | {path} has {n}.", draw=_path)  # fmt: skip
def shell_count(v: Values) -> Run:
    (text,) = yield shell("wc", "-l", v["path"])
    return {"n": text.split()[0]}


@script("desk", """
! run grep -rn {word} {place}
! grep recursively for {word} below {place}, with line numbers
= the grep -rn hits for {word} in {place}
""", "{n}, the first is in {file}. | I found {n}, for instance in {file}.", draw=_word)  # fmt: skip
def shell_grep(v: Values) -> Run:
    (text,) = yield shell("grep", "-rn", v["word"], v["place"])
    return {"n": len(text.strip().splitlines()), "file": _found(r"^([^:]+):\d+:", text)}


@script("desk", """
! run cat in {folder}, on {name}: the directory of the command is {folder}
= what cat {name} prints when it runs in the directory {folder}
""", "It prints: {line} | {line}",
draw=lambda desk: dict(zip(("folder", "name"), _path(desk)["path"].rsplit("/", 1), strict=True)))
def shell_in_folder(v: Values) -> Run:
    (text,) = yield call("shell_execute", command=["cat", v["name"]], directory=v["folder"])
    return {"line": _found(r"^(.+)", text)}


@script("desk", """
! run tail -n {n} on {path}
= the output of tail -n {n} {path}
! print the end of {path} with tail -n {n}
""", "It ends with: {line} | {line}", draw=_path_n)  # fmt: skip
def shell_tail(v: Values) -> Run:
    (text,) = yield shell("tail", "-n", v["n"], v["path"])
    need(text.strip())
    return {"line": text.strip().splitlines()[-1]}


@script("desk", """
! run ls on {folder} and cat on the first file it shows
! list {folder} with ls, then print the first file with cat
""", "{name} says: {line} | The first is {name}: {line}", draw=_folder, ability="chain")
def shell_ls_then_cat(v: Values) -> Run:
    (listing,) = yield shell("ls", v["folder"])
    name = _found(r"^(\S+\.\w+)$", listing)
    (text,) = yield shell("cat", f"{v['folder']}/{name}")
    return {"name": name, "line": _found(r"^(.+)", text)}


@script("desk", """
! run cat on {path}
! print {path} with cat
what does cat {path} print?
""", "There is no {path}; ls shows {names}. | cat found no {path}. The folder has {names}.",
draw=_missing_path, ability="chain", form="recovery")  # fmt: skip
def shell_cat_missing(v: Values) -> Run:
    (error,) = yield shell("cat", v["path"])
    need("No such file" in error)
    (listing,) = yield shell("ls", v["folder"])
    need(listing.strip())
    return {"names": ", ".join(listing.split())}


@script("desk", """
what time is it in {zone} and in {other}?
= the time in {zone} and in {other}
! check the clocks of {zone} and {other}
""", "{a} in {zone}, {b} in {other}. | It is {a} and {b}.", draw=_zones, form="parallel")
def time_in_two(v: Values) -> Run:
    first, second = yield [call("get_current_time", timezone=v["zone"]),
                           call("get_current_time", timezone=v["other"])]  # fmt: skip
    return {"a": json.loads(first)["datetime"][11:16], "b": json.loads(second)["datetime"][11:16]}


@script("desk", """
what time will it be in {other} when it is now in {zone}? Look at the clock of {zone} first
! take the present time of {zone} and convert it to {other}
""", "{b} in {other}. | It is {b} there.", draw=_zones, ability="chain")  # fmt: skip
def time_then_convert(v: Values) -> Run:
    (now,) = yield call("get_current_time", timezone=v["zone"])
    clock = json.loads(now)["datetime"][11:16]
    (text,) = yield call("convert_time", source_timezone=v["zone"], time=clock,
                         target_timezone=v["other"])  # fmt: skip
    return {"b": json.loads(text)["target"]["datetime"][11:16]}


@script("desk", """
what time is it in {wrong}? If you don't know that zone, take {zone}
! get the time in {wrong}, or in {zone} if that zone is unknown
""", "{wrong} is no known zone; in {zone} it is {a}. | I know no {wrong}. It is {a} in {zone}.",
draw=lambda desk: {**_zones(desk), "wrong": desk.rng.choice(
    ["Europe/Atlantis", "Asia/Xanadu", "America/Gotham", "Mars/Base", "Europe/Narnia"])},
ability="chain", form="recovery")  # fmt: skip
def time_in_unknown(v: Values) -> Run:
    (error,) = yield call("get_current_time", timezone=v["wrong"])
    need("nvalid" in error or "No time zone" in error)
    (now,) = yield call("get_current_time", timezone=v["zone"])
    return {"a": json.loads(now)["datetime"][11:16]}


@script("desk", """
! read {path} and write the same text to {target}, then stage it in {repo} as {file}
! copy {path} to {target} and stage {file} in {repo}
""", "{target} is there and staged. | Copied and staged.",
draw=lambda desk: {**_path(desk), **(new := _new_file(desk)), "target": new["path"],
                   "path": _path(desk)["path"]}, ability="chain")  # fmt: skip
def copy_then_stage(v: Values) -> Run:
    (text,) = yield call("read_file", path=v["path"])
    yield call("write_file", path=v["target"], content=text)
    yield _git("add", v, files=[v["file"]])
    return {}


@script("desk", """
! look up the newest 1 commit of {repo} and create the branch {branch} there
! tell me the last 1 commit of {repo} and start the branch {branch}, both at once
""", "The last commit is '{a}'; {branch} is created. | '{a}'. And {branch} exists now.",
draw=_new_branch, form="parallel")  # fmt: skip
def log_and_branch(v: Values) -> Run:
    first, _ = yield [_git("log", v, max_count=1), _git("create_branch", v,
                                                        branch_name=v["branch"])]  # fmt: skip
    return {"a": _found(r"Message: (.*)", first)}


SCRIPTS = scripts_of(list(globals().values()))
