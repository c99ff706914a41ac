"""Is this dataset fit to train on? One function a rule, each with a code that can be searched for.

Nothing is changed or dropped here: what is wrong is named with its place and its remedy, and
what is there is counted.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tooltune.data.readers import read_conversations
from tooltune.data.schema import canonical, check_arguments, check_schema
from tooltune.errors import DataError
from tooltune.messages import ABILITIES, Conversation, ToolCall

if TYPE_CHECKING:
    from tooltune.chat.render import Renderer
    from tooltune.packing.tree import TokenSequence


@dataclass(frozen=True, slots=True)
class Issue:
    """`code` is stable; `where` is `FILE:LINE` or the conversation's id."""

    code: str
    where: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Validation:
    """`counts` holds conversations, skipped, abilities, calls, calls_by_tool, issues (by code) and,
    where a renderer was given, tokens (see `lengths.count_tokens`). `preflight` is what
    `data.preflight` says, None where it was not asked for."""

    issues: tuple[Issue, ...]
    counts: dict[str, Any]
    preflight: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        issues = [asdict(issue) for issue in self.issues]
        found = {"counts": self.counts, "issues": issues}
        return found if self.preflight is None else {**found, "preflight": self.preflight}


_Found = Iterator[tuple[str, str, str]]
"""(code, message, fix) of one conversation."""


def validate_file(
    path: Path,
    *,
    renderer: "Renderer | None" = None,
    max_sequence_tokens: int | None = None,
    format: str | None = None,
    against: Path | None = None,
    with_preflight: bool = False,
) -> Validation:
    """Read and check a dataset; rows that cannot be read are issues too. `against` is an evaluation
    set whose requests must not be in it. Raises DataError where a line is not JSON or nothing can
    be read."""
    reading = read_conversations(path, format=format)
    skipped = [
        Issue("unreadable-row", f"{path}:{line}", reason, "Repair or remove the row.")
        for line, reason in reading.skipped
    ]
    if not reading.conversations:
        first = f" The first: {skipped[0].where}: {skipped[0].message}." if skipped else ""
        raise DataError(
            f"{path}: no conversation to train on (got {len(skipped)} rows that cannot be "
            f"read).{first} Name a file with one conversation a line."
        )
    places = [f"{path}:{line}" for line in reading.lines]
    shared = _find_contaminated(reading.conversations, places, against)
    return validate(
        reading.conversations,
        renderer=renderer,
        max_sequence_tokens=max_sequence_tokens,
        places=places,
        known=(*skipped, *shared),
        with_preflight=with_preflight,
    )


def validate(
    conversations: Sequence[Conversation],
    *,
    renderer: "Renderer | None" = None,
    max_sequence_tokens: int | None = None,
    places: Sequence[str] | None = None,
    known: Sequence[Issue] = (),
    with_preflight: bool = False,
) -> Validation:
    """Check and count; lengths only with a renderer. `places` says where each conversation stands,
    `known` are issues found before. Raises DataError where there is none."""
    if not conversations:
        raise DataError("dataset: empty (got 0 conversations, expected at least 1). Add some.")
    places = places or [f"conversation {conversation.id}" for conversation in conversations]
    issues = list(known)
    first_seen: dict[Any, str] = {}
    sequences: list[list[TokenSequence]] = []
    for conversation, place in zip(conversations, places, strict=True):
        found = [fault for rule in RULES for fault in rule(conversation)]
        found += _find_duplicate(conversation, place, first_seen)
        if renderer is not None:
            from tooltune.data.lengths import measure

            rendered, faults = measure(conversation, renderer, max_sequence_tokens)
            sequences.append(rendered)
            found += faults
        issues += [Issue(code, place, message, fix) for code, message, fix in found]
    counts = _count(conversations, issues)
    if renderer is not None:
        from tooltune.data.lengths import count_tokens

        counts["tokens"] = count_tokens(sequences)
    preflight = None
    if with_preflight:
        preflight = _preflight(conversations, places, sequences, renderer, max_sequence_tokens)
    return Validation(tuple(issues), counts, preflight)


def _preflight(
    conversations: Sequence[Conversation],
    places: Sequence[str],
    sequences: "Sequence[list[TokenSequence]]",
    renderer: "Renderer | None",
    max_sequence_tokens: int | None,
) -> dict[str, Any]:
    from tooltune.data.preflight import check_dataset, check_tokens

    found = check_dataset(conversations, places)
    if renderer is None:
        return found
    limit = max_sequence_tokens or max(
        (len(part.tokens) for parts in sequences for part in parts), default=0
    )
    return found | check_tokens(conversations, sequences, renderer, max_sequence_tokens=limit)


def _find_contaminated(
    conversations: Sequence[Conversation], places: Sequence[str], against: Path | None
) -> list[Issue]:
    """`contaminated`: a request is shared with the evaluation set."""
    if against is None:
        return []
    from tooltune.data.duplicates import find_shared, read_requests

    return [
        Issue(
            "contaminated",
            places[index],
            f"a request shares words with {against} ({words})",
            "Remove the row: `tooltune dedupe --against` does.",
        )
        for index, words in find_shared(conversations, read_requests(against))
    ]


def check_roles(conversation: Conversation) -> _Found:
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


def check_results(conversation: Conversation) -> _Found:
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


def check_calls(conversation: Conversation) -> _Found:
    """`unknown-tool`, `call-schema`, `unknown-argument`, and `no-tools` where there are calls but
    no tools to check them against."""
    tools = {tool.name: tool for tool in conversation.tools}
    for index, call in _calls(conversation):
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


def check_tools(conversation: Conversation) -> _Found:
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


def check_supervision(conversation: Conversation) -> _Found:
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


RULES: tuple[Callable[[Conversation], _Found], ...] = (
    check_roles,
    check_results,
    check_calls,
    check_tools,
    check_supervision,
)


def _find_duplicate(
    conversation: Conversation, place: str, first_seen: dict[Any, str]
) -> list[tuple[str, str, str]]:
    """`duplicate`: the same turns with the same tools stand further up; call ids do not count."""
    turns = tuple(
        (m.role, m.content, tuple((c.name, canonical(c.arguments)) for c in m.tool_calls))
        for m in conversation.messages
    )
    key = (turns, tuple(tool.name for tool in conversation.tools))
    if key in first_seen:
        fix = "Remove one of them."
        return [("duplicate", f"the same conversation stands at {first_seen[key]}", fix)]
    first_seen[key] = place
    return []


def _calls(conversation: Conversation) -> Iterator[tuple[int, ToolCall]]:
    for index, message in enumerate(conversation.messages):
        for call in message.tool_calls:
            yield index, call


def _count(conversations: Sequence[Conversation], issues: Sequence[Issue]) -> dict[str, Any]:
    abilities = Counter(conversation.ability or "unnamed" for conversation in conversations)
    tools = Counter(call.name for c in conversations for _, call in _calls(c))
    order = [*ABILITIES, *sorted(abilities.keys() - set(ABILITIES))]
    return {
        "conversations": len(conversations),
        "skipped": sum(issue.code == "unreadable-row" for issue in issues),
        "abilities": {name: abilities[name] for name in order if name in abilities},
        "calls": tools.total(),
        "calls_by_tool": dict(tools.most_common()),
        "issues": dict(Counter(issue.code for issue in issues).most_common()),
    }
