"""Rows with `conversations` of `from` and `value` -> rows with `messages`.

LLaMA-Factory (also APIGen-MT), Hermes and ToolACE share the shape and differ in how a call is
written. Where the catalog stands in the system text, it is taken out of it: the chat template
shows tools in its own way, and twice would be two formats at once.
"""

import re
from collections.abc import Callable
from typing import Any

from tooltune.data.lenient import find_values, is_pythonic, read_calls, read_pythonic, read_value
from tooltune.data.loose_tools import read_loose_tools
from tooltune.data.rows import UnreadableRowError
from tooltune.jsonl import dump_json

Turn = tuple[str, str]
"""(role, text)."""
Messages = list[dict[str, Any]]

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
    "function_call": "call",
    "observation": "tool",
    "tool": "tool",
    "function": "tool",
    "function_response": "tool",
}
RESULT_SEPARATOR = "\n</tool_response>\n<tool_response>\n"
"""LLaMA-Factory joins the results of parallel calls with it."""
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_RESULT = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)
_CATALOG = re.compile(r"<tools>\s*(.*?)\s*</tools>", re.DOTALL)
_DATED = re.compile(r"[^.\n]*\b(?:19|20)\d\d\b[^.\n]*\.?")


def call_turn(calls: list[dict[str, Any]], text: str = "") -> dict[str, Any]:
    """An assistant's turn; arguments as text, because no table padded them with nulls."""
    written = [{"name": c["name"], "arguments": dump_json(c["arguments"])} for c in calls]
    return {"role": "assistant", "content": text, "tool_calls": written}


def turns_of(row: dict[str, Any], key: str = "conversations") -> list[Turn]:
    """Raises UnreadableRowError where a turn has no text or an unknown role."""
    values = read_value(row.get(key))
    if not isinstance(values, list):
        raise UnreadableRowError(f"no list `{key}` in the row (its keys: {', '.join(sorted(row))})")
    turns = []
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise UnreadableRowError(f"{key}[{index}]: a turn must be an object")
        role = value.get("from", value.get("role"))
        text = value.get("value", value.get("content"))
        if role not in _ROLES:
            known = ", ".join(_ROLES)
            raise UnreadableRowError(
                f"{key}[{index}]: unknown role (got {role!r}, expected one of {known})"
            )
        if text is not None and not isinstance(text, str):
            text = dump_json(text)
        turns.append((_ROLES[role], text or ""))
    return turns


def from_llama_factory(row: dict[str, Any]) -> dict[str, Any]:
    """A `function_call` turn holds one call or a list of parallel ones, `observation` the results;
    `system` and `tools` are columns. Also APIGen-MT."""
    messages: Messages = _system_turn(row)
    num_open = 0
    for role, text in turns_of(row):
        if role == "call":
            messages.append(call_turn(calls := read_calls(text)))
            num_open = len(calls)
        elif role == "tool":
            results = text.split(RESULT_SEPARATOR) if num_open > 1 else [text]
            messages += [{"role": "tool", "content": result} for result in results]
        else:
            messages.append({"role": role, "content": text})
    tools = row.get("tools") or "[]"
    return _row(row, messages, tools if isinstance(tools, str) else dump_json(tools))


def from_hermes(row: dict[str, Any]) -> dict[str, Any]:
    """Calls and results stand in tags inside the text, the catalog in the system text."""
    catalog = row.get("tools") or "[]"
    messages: Messages = []
    for role, text in turns_of(row):
        if role == "system" and (found := _CATALOG.search(text)):
            catalog = _lines_to_list(found[1])
            messages += _keep_facts(_CATALOG.sub("", text))
        elif role == "assistant" and (written := _CALL.findall(text)):
            calls = [call for one in written for call in read_calls(one)]
            messages.append(call_turn(calls, _CALL.sub("", text).strip()))
        elif role == "tool":
            results = _RESULT.findall(text) or [text]
            messages += [{"role": "tool", "content": result} for result in results]
        else:
            messages.append({"role": role, "content": text})
    return _row(row, messages, read_loose_tools(catalog))


def from_toolace(row: dict[str, Any]) -> dict[str, Any]:
    """Calls in Python's form, results as a JSON list, the catalog as JSON in the system's prose."""
    catalog: list[Any] = []
    messages: Messages = []
    num_open = 0
    for role, text in [*_system_turns(row), *turns_of(row)]:
        if role == "system" and (found := _find_catalog(text)):
            catalog = found
            messages += _keep_facts(text)
        elif role == "assistant" and is_pythonic(text.strip()):
            messages.append(call_turn(calls := read_pythonic(text)))
            num_open = len(calls)
        elif role == "tool":
            results = _split_results(text, num_open)
            messages += [{"role": "tool", "content": result} for result in results]
        else:
            messages.append({"role": role, "content": text})
    return _row(row, messages, read_loose_tools(catalog))


FROM_CONVERSATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "llama-factory": from_llama_factory,
    "hermes": from_hermes,
    "toolace": from_toolace,
}


def _row(row: dict[str, Any], messages: Messages, tools: str) -> dict[str, Any]:
    return {"id": row.get("id"), "messages": messages, "tools": tools}


def _system_turns(row: dict[str, Any]) -> list[Turn]:
    system = row.get("system")
    return [("system", system)] if isinstance(system, str) and system else []


def _system_turn(row: dict[str, Any]) -> Messages:
    return [{"role": role, "content": text} for role, text in _system_turns(row)]


def _keep_facts(system: str) -> Messages:
    """Of a system text that shows tools only sentences with a date stay: a call may need it."""
    for value in find_values(system):
        system = system.replace(dump_json(value), "")
    facts = " ".join(sentence.strip() for sentence in _DATED.findall(_without_lists(system)))
    return [{"role": "system", "content": facts}] if facts else []


def _without_lists(text: str) -> str:
    start, end = text.find("[{"), text.rfind("}]")
    return text if start < 0 or end < start else f"{text[:start]}\n{text[end + 2 :]}"


def _find_catalog(system: str) -> list[Any]:
    lists = [value for value in find_values(system) if isinstance(value, list)]
    return next((value for value in lists if value and _is_tool(value[0])), [])


def _is_tool(value: Any) -> bool:
    return isinstance(value, dict) and "name" in value


def _lines_to_list(text: str) -> Any:
    """A list, or tools one behind the other, as Hermes has them too."""
    try:
        return read_value(text)
    except UnreadableRowError:
        return find_values(text)


def _split_results(text: str, num_calls: int) -> list[str]:
    """One text a call, where the list has as many items as there were calls."""
    try:
        value = read_value(text)
    except UnreadableRowError:
        return [text]
    if isinstance(value, list) and len(value) == num_calls > 0:
        return [dump_json(one) for one in value]
    return [text]
