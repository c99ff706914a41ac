"""Programs over git repositories."""

import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts import desk_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of


@script("desk", """
which branches does< {repo}~ the repository> have?
= the local branches of< {repo}~ the repository>
! list the local branches of< {repo}~ a repository>
""", "{names} | These: {names}.", draw=at.repo, asks=at.REPO)  # fmt: skip
def branches(v: Values) -> Run:
    (text,) = yield at.git("branch", v, branch_type="local")
    return {"names": ", ".join(re.findall(r"^\W*(\S+)", text, re.MULTILINE))}


@script("desk", """
what is changed but not staged in< {repo}~ the repository>?
= the unstaged changes of< {repo}~ the repository>
= the diff of the working tree of< {repo}~ a repository>
! show me what I changed in< {repo}~ my repository> and did not stage
""", "{file} differs. | There is a change in {file}.", draw=at.changed, asks=at.REPO)  # fmt: skip
def diff_unstaged(v: Values) -> Run:
    (text,) = yield at.git("diff_unstaged", v)
    return {"file": at.found(r"^\+\+\+ b/(\S+)", text)}


@script("desk", """
is anything staged in {repo}?
= the staged changes of {repo}
= what is staged for the next commit in {repo}
! show the staged diff of {repo}
""", "Nothing is staged in {repo}. | The staging area of {repo} is empty.",
draw=at.repo)  # fmt: skip
def diff_staged(v: Values) -> Run:
    (text,) = yield at.git("diff_staged", v)
    need("diff --git" not in text)
    return {"n": len(text)}


@script("desk", """
what did the commit {rev} change in {repo}?
= the commit {rev} of {repo}
! show the commit {rev} in {repo}
who made the commit {rev} in {repo}, and why?
""", "{who} wrote: {why}. | {why}, by {who}.", draw=at.revision)  # fmt: skip
def show_revision(v: Values) -> Run:
    (text,) = yield at.git("show", v, revision=v["rev"])
    return {"who": at.found(r"^Author: (.+) <", text), "why": at.found(r"^    (.+)$", text)}


@script("desk", """
! find the newest commit of {repo} and show me what it changed
what did the latest commit of {repo} change? Look its hash up first
= the newest commit of {repo} in full, take its hash from the log
""", "{why} ({hash}). | The newest is {hash}: {why}.", draw=at.repo, ability="chain")  # fmt: skip
def show_newest(v: Values) -> Run:
    (log,) = yield at.git("log", v, max_count=1)
    commit = at.found(r"([0-9a-f]{40})", log)
    (text,) = yield at.git("show", v, revision=commit)
    return {"hash": commit[:7], "why": at.found(r"^    (.+)$", text)}


@script("desk", """
how does {repo} differ from its branch {branch}?
= the diff of {repo} against {branch}
! compare {repo} with the branch {branch}
what separates {repo} from {branch}?
""", "{file} differs. | They differ in {file}.", draw=at.branches)  # fmt: skip
def diff_branch(v: Values) -> Run:
    (text,) = yield at.git("diff", v, target=v["branch"])
    return {"file": at.found(r"^(?:\+\+\+|---) [ab]/(\S+)", text)}


@script("desk", """
! stage {file} in {repo}
! add {file} of {repo} to the staging area
{file} in {repo} should go into the next commit, stage it
""", "{file} is staged. | Staged {file} in {repo}.", draw=at.changed)  # fmt: skip
def stage(v: Values) -> Run:
    yield at.git("add", v, files=[v["file"]])
    return {}


@script("desk", """
! stage {file} in {repo} and commit it as "{message}"
! commit the change of {file} in {repo} with the message "{message}"
{file} of {repo} is ready: stage it, then commit with "{message}"
""", "Committed as '{message}'. | {repo} has the commit '{message}'.",
draw=at.changed, ability="chain")  # fmt: skip
def stage_then_commit(v: Values) -> Run:
    yield at.git("add", v, files=[v["file"]])
    yield at.git("commit", v, message=v["message"])
    return {}


@script("desk", """
! stage {file} in {repo} and show me what is staged then
! add {file} to the staging area of {repo}, then show the staged diff
""", "{file} is staged; the diff adds: {line} | Staged. New in it: {line}",
draw=at.changed, ability="chain")  # fmt: skip
def stage_then_diff(v: Values) -> Run:
    yield at.git("add", v, files=[v["file"]])
    (text,) = yield at.git("diff_staged", v)
    return {"line": at.found(r"^\+([^+].*)", text)}


@script("desk", """
! stage {file} in {repo}, then unstage everything there again
! try it out: stage {file} in {repo}, look at the staged diff, then take it back
""", "It is unstaged again; staged it added: {line} | Taken back. It would have added: {line}",
draw=at.changed, ability="chain")  # fmt: skip
def stage_and_back(v: Values) -> Run:
    yield at.git("add", v, files=[v["file"]])
    (text,) = yield at.git("diff_staged", v)
    yield at.git("reset", v)
    return {"line": at.found(r"^\+([^+].*)", text)}


@script("desk", """
is {repo} clean? If not, show me what changed
! look at the status of {repo}, and if something is modified, show the unstaged diff
! check whether {repo} has changes and, if so, what they are
""", "{file} is modified, new in it: {line} | There is a change in {file}: {line}",
draw=at.changed, ability="chain", form="branch")  # fmt: skip
def status_then_diff(v: Values) -> Run:
    (status,) = yield at.git("status", v)
    need("modified:" in status)
    (text,) = yield at.git("diff_unstaged", v)
    return {"file": at.found(r"modified:\s+(\S+)", status), "line": at.found(r"^\+([^+].*)", text)}


@script("desk", """
is {repo} clean? Show me the changes only if there are any
! look at the status of {repo}; the diff only if something is modified
""", "{repo} is clean, so there is no diff. | Nothing to commit in {repo}.",
draw=at.repo, form="branch")  # fmt: skip
def status_is_clean(v: Values) -> Run:
    (status,) = yield at.git("status", v)
    need("nothing to commit" in status)
    return {"branch": at.found(r"On branch (\S+)", status)}


@script("desk", """
! create the branch {branch} in {repo} and switch to it
! start a branch {branch} in {repo} and check it out
I want to work on a new branch {branch} of {repo}: make it, then switch
""", "{repo} is on the new branch {branch}. | Created {branch} and switched.",
draw=at.new_branch, ability="chain")  # fmt: skip
def create_then_checkout(v: Values) -> Run:
    yield at.git("create_branch", v, branch_name=v["branch"])
    yield at.git("checkout", v, branch_name=v["branch"])
    return {}


@script("desk", """
! switch {repo} to {branch}
! check out {branch} in {repo}
! go to the branch {branch} of {repo}
""", "There is no {branch} in {repo}; it has {names}. | {branch} does not exist. I see {names}.",
draw=at.missing_branch, ability="chain", form="recovery")  # fmt: skip
def checkout_missing(v: Values) -> Run:
    (error,) = yield at.git("checkout", v, branch_name=v["branch"])
    need(v["branch"] in error and not error.startswith("Switched"))
    (text,) = yield at.git("branch", v, branch_type="local")
    return {"names": ", ".join(re.findall(r"^\W*(\S+)", text, re.MULTILINE))}


@script("desk", """
! switch {repo} to {branch} if it has that branch, else create it there
! make sure {repo} has a branch {branch}: list the branches, create it if it is missing
""", "{branch} was missing and is there now. | Created {branch}, it was not there.",
draw=at.new_branch, ability="chain", form="branch")  # fmt: skip
def branch_if_missing(v: Values) -> Run:
    (text,) = yield at.git("branch", v, branch_type="local")
    need(v["branch"] not in text.split())
    yield at.git("create_branch", v, branch_name=v["branch"])
    return {}


@script("desk", """
! save "{text}" as {path}, stage {file} in {repo} and commit it with the message "{text}"
! write "{text}" into {path}; then stage {file} in {repo}, then commit as "{text}"
""", "{path} is written and committed. | Committed the new {file}.",
draw=at.new_file, ability="chain")  # fmt: skip
def write_stage_commit(v: Values) -> Run:
    yield call("write_file", path=v["path"], content=v["text"])
    yield at.git("add", v, files=[v["file"]])
    yield at.git("commit", v, message=v["text"])
    return {}


@script("desk", """
! compare the commit {rev} of {repo} with the working tree
= the diff of {repo} against the commit {rev}
what changed in {repo} since {rev}?
""", "{file} differs. | Since {rev}, {file} has changed.", draw=at.revision)  # fmt: skip
def diff_revision(v: Values) -> Run:
    (text,) = yield at.git("diff", v, target=v["rev"])
    return {"file": at.found(r"^(?:\+\+\+|---) [ab]/(\S+)", text)}


@script("desk", """
which branches of {repo} contain the commit {rev}?
= the local branches in {repo} that contain {rev}
! list local branches of {repo} with {rev} in them
""", "{names} | It is in {names}.", draw=at.revision)  # fmt: skip
def branches_containing(v: Values) -> Run:
    need(not v["rev"].startswith("v"))
    (text,) = yield at.git("branch", v, branch_type="local", contains=v["rev"])
    names = re.findall(r"^\W*(\S+)", text, re.MULTILINE)
    need(names)
    return {"names": ", ".join(names)}


SCRIPTS = scripts_of(list(globals().values()))
