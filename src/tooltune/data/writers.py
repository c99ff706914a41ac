"""Conversations -> rows of other trainers' formats: messages and tools, nothing else.

A format that cannot say what a conversation says refuses it with the reason: a row that another
trainer would drop or misread in silence is not written.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from tooltune.data.sharegpt import RESULT_SEPARATOR
from tooltune.jsonl import dump_json
from tooltune.messages import Conversation, Message, ToolCall

_OPENAI_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class UnwritableRowError(ValueError):
    """Why a format cannot hold the conversation."""


def to_openai(conversation: Conversation) -> dict[str, Any]:
    """Fine-tuning JSONL: content null beside calls, arguments as JSON text."""
    for name in {tool.name for tool in conversation.tools}:
        if not _OPENAI_NAME.fullmatch(name):
            raise UnwritableRowError(
                f"tool name {name!r} (OpenAI accepts 1 to 64 letters, digits, _ and -)"
            )
    row = conversation.to_dict()
    for message in row["messages"]:
        if message.get("tool_calls") and not message["content"]:
            message["content"] = None
    made: dict[str, Any] = {"messages": row["messages"]}
    if conversation.tools:
        made["tools"] = [tool.to_openai() for tool in conversation.tools]
    return made


def to_trl(conversation: Conversation) -> dict[str, Any]:
    """Arguments as objects, as chat templates want them; `tools` as JSON text, because Arrow would
    pad the schemas with nulls. Arrow still pads arguments: read them with `datasets` 4.7 or newer
    and its `Json` type."""
    names: dict[str, str] = {}
    messages = []
    for message in conversation.messages:
        value: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.tool_calls:
            names = {call.id: call.name for call in message.tool_calls}
            value["tool_calls"] = [_call_object(call) for call in message.tool_calls]
        if message.role == "tool":
            call_id = message.tool_call_id or ""
            value |= {"name": names.get(call_id, ""), "tool_call_id": call_id}
        messages.append(value)
    return {"messages": messages, "tools": conversation.to_dict()["tools"]}


def to_llama_factory(conversation: Conversation) -> dict[str, Any]:
    """`sharegpt` with tools. LLaMA-Factory drops a row whose turns do not alternate."""
    turns: list[dict[str, str]] = []
    for role, part in _rounds(conversation):
        if role == "calls":
            if part[0].content:
                raise UnwritableRowError("words and calls in one turn")
            calls = [_call_value(call) for call in part[0].tool_calls]
            value = dump_json(calls if len(calls) > 1 else calls[0])
            turns.append({"from": "function_call", "value": value})
        elif role == "results":
            contents = [message.content for message in part]
            if len(part) > 1 and any(RESULT_SEPARATOR in content for content in contents):
                raise UnwritableRowError("a result holds the text that separates results")
            turns.append({"from": "observation", "value": RESULT_SEPARATOR.join(contents)})
        elif role != "system":
            name = "human" if role == "user" else "gpt"
            turns.append({"from": name, "value": part[0].content})
    asks = [turn["from"] in ("human", "observation") for turn in turns]
    if not turns or len(turns) % 2 or any(asked == (i % 2 == 1) for i, asked in enumerate(asks)):
        raise UnwritableRowError("user and assistant do not take turns, beginning with the user")
    return {
        "conversations": turns,
        "system": _system_of(conversation),
        "tools": conversation.to_dict()["tools"],
    }


def to_ms_swift(conversation: Conversation) -> dict[str, Any]:
    """Agent format: `tool_call` and `tool_response`, neighbouring calls parallel."""
    messages = []
    for role, part in _rounds(conversation):
        if role == "calls":
            if part[0].content:
                messages.append({"role": "assistant", "content": part[0].content})
            messages += [
                {"role": "tool_call", "content": dump_json(_call_value(call))}
                for call in part[0].tool_calls
            ]
        elif role == "results":
            messages += [{"role": "tool_response", "content": one.content} for one in part]
        else:
            messages.append({"role": role, "content": part[0].content})
    for before, after in pairwise(messages):
        if before["role"] == after["role"] == "assistant" or (
            before["role"] == "tool_call" and after["role"] == "assistant"
        ):
            raise UnwritableRowError("two turns of the assistant without one in between")
    return {"messages": messages, "tools": conversation.to_dict()["tools"]}


def to_tooltune(conversation: Conversation) -> dict[str, Any]:
    return conversation.to_dict()


WRITERS: dict[str, Callable[[Conversation], dict[str, Any]]] = {
    "tooltune": to_tooltune,
    "openai": to_openai,
    "trl": to_trl,
    "llama-factory": to_llama_factory,
    "ms-swift": to_ms_swift,
}


def _rounds(conversation: Conversation) -> Iterator[tuple[str, list[Message]]]:
    """Turns as (system, user, assistant, calls or results, messages), the results of a turn's
    calls together and in the calls' order, which stands for the ids that these formats lack.
    Raises UnwritableRowError where results and calls do not pair up."""
    messages = conversation.messages
    place = 0
    while place < len(messages):
        message = messages[place]
        place += 1
        if message.role == "tool":
            raise UnwritableRowError("a result that answers no call of the turn before it")
        if message.role == "system" and place > 1:
            raise UnwritableRowError("a system turn that is not the first")
        if not message.tool_calls:
            yield message.role, [message]
            continue
        yield "calls", [message]
        end = place
        while end < len(messages) and messages[end].role == "tool":
            end += 1
        results = {one.tool_call_id: one for one in messages[place:end]}
        ids = [call.id for call in message.tool_calls]
        if end > place or end < len(messages):
            if len(results) < end - place or set(results) != set(ids) or len(set(ids)) < len(ids):
                raise UnwritableRowError("calls and results that do not pair one to one")
            yield "results", [results[call_id] for call_id in ids]
        place = end


def _system_of(conversation: Conversation) -> str:
    first = conversation.messages[0]
    return first.content if first.role == "system" else ""


def _call_value(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": call.arguments}


def _call_object(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": _call_value(call)}
