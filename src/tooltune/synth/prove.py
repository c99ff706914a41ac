"""What must be true of a scripted conversation before it is kept; each check names its reason.

schema: arguments fit the tool's JSON Schema. grounded: each value in them comes from the request,
an earlier result, or the schema's own defaults and choices. replay: a second fresh sandbox gives
the same results and the same state. minimal: without any one step, or any one optional argument,
the outcome differs.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tooltune.data.schema import check_arguments
from tooltune.errors import ServerError
from tooltune.messages import Tool
from tooltune.synth.draw import NothingToDrawError, Values
from tooltune.synth.maker import RejectedError, state_digest
from tooltune.synth.scripts.script import Call, Facts, Script
from tooltune.worlds.bench import Bench, SecretLeakedError
from tooltune.worlds.desk import World
from tooltune.worlds.masks import same_lines

Turns = list[tuple[list[Call], list[str]]]
"""Each turn's calls and their results."""

_STANDING = frozenset({"1", "UTC", ""})
_LANGUAGES = {
    "query": """select from where and or order by desc asc limit count avg sum min max distinct
    group insert into values update set delete create table text integer primary key null not as
    join on like in""",
    "expression": "sqrt abs round pow",
    "command": "find grep wc head tail ls cat sort uniq cut rn n l c r name type f d i",
}
_KEYWORDS = {name: frozenset(text.split()) for name, text in _LANGUAGES.items()}
_UNREADABLE = (ValueError, LookupError, TypeError, SyntaxError, AttributeError, AssertionError,
               RuntimeError)  # fmt: skip
"""What a script raises that reads facts from a result of another form."""
_EMPTY = ("[]", "{}", "nothing")


def require_valid(tool: Tool, arguments: dict[str, Any], known: str) -> None:
    """Raises RejectedError where the arguments break the schema or come from nowhere."""
    if check_arguments(tool, arguments):
        raise RejectedError("breaks the schema")
    properties = tool.input_schema.get("properties", {})
    for name, value in arguments.items():
        stated = json.dumps(properties.get(name, {})) + known
        if not all(_is_grounded(leaf, part, stated) for leaf, part in _leaves(name, value)):
            raise RejectedError("not grounded")


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(parameter name, plain value) of everything below `value`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(name, item)
    else:
        yield name, value


def _is_grounded(name: str, value: Any, known: str) -> bool:
    if isinstance(value, bool):
        return name.lower() in known.lower()
    text = str(value)
    if text in known or text in _STANDING:
        return True
    words = _KEYWORDS.get(name, frozenset())
    parts = [part.strip(".-") for part in re.split(r"[^\w.-]+", text)]
    return all(
        part in known or part in _STANDING or part.lower() in words or part.upper() in words
        for part in parts
    )


def run_script(
    script: Script, values: Values, request: str, bench: Bench
) -> tuple[Turns, Facts, list[bool]]:
    """Execute; the turns, the facts for the answer, and which results were errors.

    Raises RejectedError and NothingToDrawError."""
    tools = {tool.name: tool for tool in bench.tools}
    known, turns, errors = request, list[tuple[list[Call], list[str]]](), list[bool]()
    run = script.run(values)
    try:
        turn = next(run)
        while True:
            calls = turn if isinstance(turn, list) else [turn]
            results = []
            for name, arguments in calls:
                if name not in tools:
                    raise RejectedError("no such tool")
                require_valid(tools[name], arguments, known)
                result = bench.call(name, arguments)
                results.append(result.content)
                errors.append(result.is_error)
            known = "\n".join([known, *results])
            turns.append((calls, results))
            turn = run.send(results)
    except StopIteration as end:
        return turns, end.value, errors
    except SecretLeakedError:
        raise RejectedError("secret in a result") from None
    except ServerError:
        raise RejectedError("server failed") from None
    except _UNREADABLE:
        raise RejectedError("result not understood") from None


def prove(script: Script, values: Values, turns: Turns, facts: Facts, benches: list[Bench]) -> str:
    """Replay and minimality; `benches` are the one that ran the script and a second one. Returns
    the digest of the state reached, empty where no call may write.

    Raises RejectedError."""
    first, second = benches
    world = first.world
    calls = [(call, result) for made, results in turns for call, result in
             zip(made, results, strict=True)]  # fmt: skip
    tools = {tool.name: tool for tool in second.tools}
    # Servers keep their word about read-only tools; a snapshot of git costs more than the calls.
    writes = any(not tools[name].read_only for (name, _), _ in calls)
    state = first.snapshot() if writes else {}
    replayed = _execute(second, world, [call for call, _ in calls])
    if not all(same_lines(text, result) for text, (_, result) in zip(replayed, calls, strict=True)):
        raise RejectedError("replay gave another result")
    if writes and second.snapshot() != state:
        raise RejectedError("replay left another state")
    for index, ((name, arguments), _) in enumerate(calls):
        changes = not tools[name].read_only and _changes(second, world, calls, index, state)
        if not changes and not _is_read(script, values, turns, facts, index):
            raise RejectedError("a step too many")
        for optional in arguments.keys() - set(tools[name].input_schema.get("required", ())):
            shorter = {key: value for key, value in arguments.items() if key != optional}
            before = [call for call, _ in calls[:index]]
            text = _execute(second, world, [*before, (name, shorter)])[-1]
            if text == calls[index][1] and (
                index + 1 < len(calls) or not writes or second.snapshot() == state
            ):
                raise RejectedError("an argument without effect")
    return state_digest(state) if writes else ""


def _execute(bench: Bench, world: World, calls: list[Call]) -> list[str]:
    bench.reset(world)
    try:
        return [bench.call(name, arguments).content for name, arguments in calls]
    except (ServerError, SecretLeakedError):
        raise RejectedError("server failed in the replay") from None


def _changes(
    bench: Bench, world: World, calls: list[tuple[Call, str]], index: int, state: dict[str, str]
) -> bool:
    """Whether the end state, or another result, differs where one call is left out."""
    others = [one for number, one in enumerate(calls) if number != index]
    texts = _execute(bench, world, [call for call, _ in others])
    return bench.snapshot() != state or texts != [text for _, text in others]


def _is_read(script: Script, values: Values, turns: Turns, facts: Facts, index: int) -> bool:
    """Whether what follows a result depends on it: told an empty one instead, or one that holds
    every value of the request, the script stops, calls something else or answers otherwise."""
    others = (*_EMPTY, " ".join(values.values()))
    return any(_told(script, values, turns, index, other) != (turns, facts) for other in others)


def _told(
    script: Script, values: Values, turns: Turns, index: int, empty: str
) -> tuple[Turns, Facts] | None:
    run, number, told = script.run(values), 0, list[tuple[list[Call], list[str]]]()
    try:
        turn = next(run)
        for _, results in turns:
            calls = turn if isinstance(turn, list) else [turn]
            told.append((calls, results))
            at = index - number
            number += len(results)
            sent = [empty if place == at else text for place, text in enumerate(results)]
            turn = run.send(sent)
    except StopIteration as end:
        return told, end.value
    except (NothingToDrawError, *_UNREADABLE):
        return None
    return None
