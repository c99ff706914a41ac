"""What may be wrong with a conversation: one function a rule, each with a code that can be searched
for."""

from collections import Counter
from collections.abc import Callable, Iterator

from tooltune.data.schema import check_arguments, check_schema
from tooltune.messages import Conversation, ToolCall

Faults = Iterator[tuple[str, str, str]]
"""(code, message, fix) of one conversation."""


def check_roles(conversation: Conversation) -> Faults:
    """`role-order`: a system turn may come first, then user and assistant take turns; results
    stand between an assistant's calls and its next turn; an assistant ends."""
    fix = "Reorder, merge or remove the turns."
    previous = "start"
    for index, message in enumerate(conversation.messages):
        if message.role not in _FOLLOWERS[previous]:
            yield (
                "role-order",
                f"messages[{index}]: {message.role} after {previous} (expected "
                f"{' or '.join(_FOLLOWERS[previous])})",
                fix,
            )
        previous = message.role
        if previous == "assistant" and message.tool_calls:
            previous = "assistant's calls"
    if previous not in ("assistant", "assistant's calls"):
        last = "nothing" if previous == "start" else f"a {previous} turn"
        yield "role-order", f"ends with {last}, behind which nothing is trained", fix


_FOLLOWERS = {
    "start": ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user",),
    "assistant's calls": ("tool",),
    "tool": ("tool", "assistant"),
}


def check_results(conversation: Conversation) -> Faults:
    """`orphan-result`: a result answers no open call. `unanswered-call`: the conversation goes on
    without a result. Calls in the last turn need none."""
    open_calls: dict[str, ToolCall] = {}
    for index, message in enumerate(conversation.messages):
        if message.role == "tool":
            if open_calls.pop(message.tool_call_id or "", None) is None:
                yield (
                    "orphan-result",
                    f"messages[{index}]: result answers call {message.tool_call_id!r}, but no such "
                    f"call is open (open: {', '.join(open_calls) or 'none'})",
                    "Remove the message or correct its tool_call_id.",
                )
            continue
        for call in open_calls.values():
            yield (
                "unanswered-call",
                f"messages[{index}]: no result for call {call.id!r} of {call.name} came before",
                "Add the tool's result behind the call.",
            )
        open_calls = {call.id: call for call in message.tool_calls}
        if len(open_calls) < len(message.tool_calls):
            ids = ", ".join(call.id for call in message.tool_calls)
            yield (
                "duplicate-call-id",
                f"messages[{index}]: several calls share an id (got {ids})",
                "Give every call of a turn its own id.",
            )


def check_calls(conversation: Conversation) -> Faults:
    """`unknown-tool`, `call-schema`, `unknown-argument`, and `no-tools` where there are calls but
    no tools to check them against."""
    tools = {tool.name: tool for tool in conversation.tools}
    for index, call in calls_of(conversation):
        where = f"messages[{index}]: {call.name}"
        tool = tools.get(call.name)
        if not tools:
            yield "no-tools", f"{where}: the row names no tools, so no call is checked", _ADD_TOOLS
            return
        if tool is None:
            known = ", ".join(tools)
            yield "unknown-tool", f"{where}: not among the row's tools ({known})", _ADD_TOOL
            continue
        for problem in check_arguments(tool, call.arguments):
            yield "call-schema", f"{where}: {problem}", "Correct the arguments or remove the row."
        properties = tool.input_schema.get("properties")
        if isinstance(properties, dict) and "additionalProperties" not in tool.input_schema:
            for name in sorted(call.arguments.keys() - properties.keys()):
                yield (
                    "unknown-argument",
                    f"{where}: the schema knows no argument {name!r}",
                    "Remove the argument, or add it to the tool's schema.",
                )


_ADD_TOOL = "Add the tool to the row's tools, or correct the name."
_ADD_TOOLS = "Add a `tools` list to the rows, as `tools/list` gives it."


def check_tools(conversation: Conversation) -> Faults:
    """`tool-schema`: not a JSON Schema. `duplicate-tool`: two tools with one name."""
    for name, count in Counter(tool.name for tool in conversation.tools).items():
        if count > 1:
            yield "duplicate-tool", f"{count} tools are named {name}", "Rename or remove one."
    for tool in conversation.tools:
        if problem := check_schema(tool.input_schema):
            yield (
                "tool-schema",
                f"{tool.name}: not a JSON Schema ({problem})",
                "Correct the tool's schema.",
            )


def check_supervision(conversation: Conversation) -> Faults:
    """`empty-supervision`: no assistant turn, or one that says nothing."""
    turns = [m for m in conversation.messages if m.role == "assistant"]
    if not turns:
        yield "empty-supervision", "no assistant turn, so no token is trained", "Add the answer."
    for turn in turns:
        if not turn.content.strip() and not turn.tool_calls:
            yield (
                "empty-supervision",
                "an assistant turn without text and calls teaches only to stop",
                "Fill in or remove the turn.",
            )


RULES: tuple[Callable[[Conversation], Faults], ...] = (
    check_roles,
    check_results,
    check_calls,
    check_tools,
    check_supervision,
)


def calls_of(conversation: Conversation) -> Iterator[tuple[int, ToolCall]]:
    """Each call with the place of its message."""
    for index, message in enumerate(conversation.messages):
        for call in message.tool_calls:
            yield index, call
