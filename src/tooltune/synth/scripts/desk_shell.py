"""Programs with the shell server on a desk, with clocks, and across servers."""

import json

from tooltune.synth.draw import Values
from tooltune.synth.scripts import desk_values as at
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of


@script(
    "desk",
    """
what is the state of {repo} and of {other}?
! check the status of both {repo} and {other}
= the status of {repo} and {other}
""",
    "{repo} is on {a}, {other} on {b}. | On {a} and {b}.",
    draw=at.two_repos,
    form="parallel",
)
def status_of_two(v: Values) -> Run:
    first, second = yield [call("git_status", repo_path=v["repo"]),
                           call("git_status", repo_path=v["other"])]  # fmt: skip
    return {"a": at.found(r"On branch (\S+)", first), "b": at.found(r"On branch (\S+)", second)}


@script(
    "desk",
    """
what was committed last in {repo} and in {other}? One commit each
= the last 1 commit of {repo} and of {other}
! get the newest 1 commit from both {repo} and {other}
""",
    "'{a}' and '{b}'. | In {repo} '{a}', in {other} '{b}'.",
    draw=at.two_repos,
    form="parallel",
)
def log_of_two(v: Values) -> Run:
    first, second = yield [call("git_log", repo_path=v["repo"], max_count=1),
                           call("git_log", repo_path=v["other"], max_count=1)]  # fmt: skip
    return {"a": at.found(r"Message: (.*)", first), "b": at.found(r"Message: (.*)", second)}


@script("desk", """
= the sorted lines of {path}, with sort in the at.shell
! run sort on {path}
! sort the lines of {path} with the sort command
""", "Sorted, it begins with: {line} | First comes: {line}", draw=at.path)  # fmt: skip
def shell_sort(v: Values) -> Run:
    (text,) = yield at.shell("sort", v["path"])
    return {"line": at.found(r"^(.+)", text)}


@script("desk", """
! run wc -l on {path}
! count the lines of {path} with wc -l
= the wc -l count of {path}
""", "{n} | {path} has {n}.", draw=at.path)  # fmt: skip
def shell_count(v: Values) -> Run:
    (text,) = yield at.shell("wc", "-l", v["path"])
    return {"n": text.split()[0]}


@script("desk", """
! run grep -rn {word} {place}
! grep recursively for {word} below {place}, with line numbers
= the grep -rn hits for {word} in {place}
""", "{n}, the first is in {file}. | I found {n}, for instance in {file}.",
draw=at.word)  # fmt: skip
def shell_grep(v: Values) -> Run:
    (text,) = yield at.shell("grep", "-rn", v["word"], v["place"])
    return {"n": len(text.strip().splitlines()), "file": at.found(r"^([^:]+):\d+:", text)}


@script(
    "desk",
    """
! run cat in {folder}, on {name}: the directory of the command is {folder}
= what cat {name} prints when it runs in the directory {folder}
""",
    "It prints: {line} | {line}",
    draw=lambda desk: dict(
        zip(("folder", "name"), at.path(desk)["path"].rsplit("/", 1), strict=True)
    ),
)
def shell_in_folder(v: Values) -> Run:
    (text,) = yield call("shell_execute", command=["cat", v["name"]], directory=v["folder"])
    return {"line": at.found(r"^(.+)", text)}


@script("desk", """
! run tail -n {n} on {path}
= the output of tail -n {n} {path}
! print the end of {path} with tail -n {n}
""", "It ends with: {line} | {line}", draw=at.path_n)  # fmt: skip
def shell_tail(v: Values) -> Run:
    (text,) = yield at.shell("tail", "-n", v["n"], v["path"])
    need(text.strip())
    return {"line": text.strip().splitlines()[-1]}


@script(
    "desk",
    """
! run ls on {folder} and cat on the first file it shows
! list {folder} with ls, then print the first file with cat
""",
    "{name} says: {line} | The first is {name}: {line}",
    draw=at.folder,
    ability="chain",
)
def shell_ls_then_cat(v: Values) -> Run:
    (listing,) = yield at.shell("ls", v["folder"])
    name = at.found(r"^(\S+\.\w+)$", listing)
    (text,) = yield at.shell("cat", f"{v['folder']}/{name}")
    return {"name": name, "line": at.found(r"^(.+)", text)}


@script("desk", """
! run cat on {path}
! print {path} with cat
what does cat {path} print?
""", "There is no {path}; ls shows {names}. | cat found no {path}. The folder has {names}.",
draw=at.missing_path, ability="chain", form="recovery")  # fmt: skip
def shell_cat_missing(v: Values) -> Run:
    (error,) = yield at.shell("cat", v["path"])
    need("No such file" in error)
    (listing,) = yield at.shell("ls", v["folder"])
    need(listing.strip())
    return {"names": ", ".join(listing.split())}


@script(
    "desk",
    """
what time is it in {zone} and in {other}?
= the time in {zone} and in {other}
! check the clocks of {zone} and {other}
""",
    "{a} in {zone}, {b} in {other}. | It is {a} and {b}.",
    draw=at.zones,
    form="parallel",
)
def time_in_two(v: Values) -> Run:
    first, second = yield [call("get_current_time", timezone=v["zone"]),
                           call("get_current_time", timezone=v["other"])]  # fmt: skip
    return {"a": json.loads(first)["datetime"][11:16], "b": json.loads(second)["datetime"][11:16]}


@script("desk", """
what time will it be in {other} when it is now in {zone}? Look at the clock of {zone} first
! take the present time of {zone} and convert it to {other}
""", "{b} in {other}. | It is {b} there.", draw=at.zones, ability="chain")  # fmt: skip
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
draw=lambda desk: {**at.zones(desk), "wrong": desk.rng.choice(
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
draw=lambda desk: {**at.path(desk), **(new := at.new_file(desk)), "target": new["path"],
                   "path": at.path(desk)["path"]}, ability="chain")  # fmt: skip
def copy_then_stage(v: Values) -> Run:
    (text,) = yield call("read_file", path=v["path"])
    yield call("write_file", path=v["target"], content=text)
    yield at.git("add", v, files=[v["file"]])
    return {}


@script("desk", """
! look up the newest 1 commit of {repo} and create the branch {branch} there
! tell me the last 1 commit of {repo} and start the branch {branch}, both at once
""", "The last commit is '{a}'; {branch} is created. | '{a}'. And {branch} exists now.",
draw=at.new_branch, form="parallel")  # fmt: skip
def log_and_branch(v: Values) -> Run:
    first, _ = yield [at.git("log", v, max_count=1), at.git("create_branch", v,
                                                        branch_name=v["branch"])]  # fmt: skip
    return {"a": at.found(r"Message: (.*)", first)}


SCRIPTS = scripts_of(list(globals().values()))
