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
from tooltune.errors import DataError, ModelError
from tooltune.messages import ABILITIES, Conversation, ToolCall

if TYPE_CHECKING:
    from tooltune.chat.render import Renderer

HISTOGRAM_STEP_TOKENS = 256


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
    where a renderer was given, tokens (see `_count_tokens`)."""

    issues: tuple[Issue, ...]
    counts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {"counts": self.counts, "issues": [asdict(issue) for issue in self.issues]}


_Found = Iterator[tuple[str, str, str]]
"""(code, message, fix) of one conversation."""


def validate_file(
    path: Path, *, renderer: "Renderer | None" = None, max_sequence_tokens: int | None = None
) -> Validation:
    """Read and check a dataset; rows that cannot be read are issues too. Raises DataError where a
    line is not JSON or nothing can be read."""
    reading = read_conversations(path)
    skipped = tuple(
        Issue("unreadable-row", f"{path}:{line}", reason, "Repair or remove the row.")
        for line, reason in reading.skipped
    )
    if not reading.conversations:
        first = f" The first: {skipped[0].where}: {skipped[0].message}." if skipped else ""
        raise DataError(
            f"{path}: no conversation to train on (got {len(skipped)} rows that cannot be "
            f"read).{first} Name a file with one conversation a line."
        )
    found = validate(
        reading.conversations,
        renderer=renderer,
        max_sequence_tokens=max_sequence_tokens,
        places=[f"{path}:{line}" for line in reading.lines],
    )
    return _with_skipped(found, skipped)


def validate(
    conversations: Sequence[Conversation],
    *,
    renderer: "Renderer | None" = None,
    max_sequence_tokens: int | None = None,
    places: Sequence[str] | None = None,
) -> Validation:
    """Check and count; lengths only with a renderer. `places` says where each conversation stands.
    Raises DataError where there is none."""
    if not conversations:
        raise DataError("dataset: empty (got 0 conversations, expected at least 1). Add some.")
    places = places or [f"conversation {conversation.id}" for conversation in conversations]
    issues: list[Issue] = []
    first_seen: dict[Any, str] = {}
    lengths: list[int] = []
    supervised_tokens = 0
    for conversation, place in zip(conversations, places, strict=True):
        found = [fault for rule in RULES for fault in rule(conversation)]
        found += _find_duplicate(conversation, place, first_seen)
        if renderer is not None:
            lengths_here, supervised, faults = _measure(conversation, renderer, max_sequence_tokens)
            lengths += lengths_here
            supervised_tokens += supervised
            found += faults
        issues += [Issue(code, place, message, fix) for code, message, fix in found]
    counts = _count(conversations, issues)
    if renderer is not None:
        counts["tokens"] = _count_tokens(lengths, supervised_tokens)
    return Validation(tuple(issues), counts)


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


def _measure(
    conversation: Conversation, renderer: "Renderer", max_sequence_tokens: int | None
) -> tuple[list[int], int, list[tuple[str, str, str]]]:
    """Lengths of the sequences, supervised tokens among them, and the faults `too-long` and
    `not-renderable`."""
    try:
        sequences = renderer.sequences(conversation)
    except ModelError as error:
        return [], 0, [("not-renderable", str(error), "Change the conversation.")]
    lengths = [len(sequence.tokens) for sequence in sequences]
    supervised = sum(int(sequence.loss_mask.sum()) for sequence in sequences)
    longest = max(lengths, default=0)
    if max_sequence_tokens is None or longest <= max_sequence_tokens:
        return lengths, supervised, []
    message = f"{longest} tokens (expected at most {max_sequence_tokens}); training leaves it out"
    fix = "Raise data.max_sequence_tokens, offer fewer tools, or shorten the results."
    return lengths, supervised, [("too-long", message, fix)]


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
        "skipped": 0,
        "abilities": {name: abilities[name] for name in order if name in abilities},
        "calls": tools.total(),
        "calls_by_tool": dict(tools.most_common()),
        "issues": dict(Counter(issue.code for issue in issues).most_common()),
    }


def _count_tokens(lengths: list[int], supervised_tokens: int) -> dict[str, Any]:
    """`median` and `p95` are lengths that sequences really have; `histogram` maps the lower bound
    of each bin of HISTOGRAM_STEP_TOKENS to how many sequences fall into it. None where there is
    no sequence."""
    ordered = sorted(lengths)
    bins = Counter(length // HISTOGRAM_STEP_TOKENS for length in ordered)

    def quantile(fraction: float) -> int | None:
        return ordered[min(int(fraction * len(ordered)), len(ordered) - 1)] if ordered else None

    return {
        "sequences": len(ordered),
        "total": sum(ordered),
        "supervised": supervised_tokens,
        "median": quantile(0.5),
        "p95": quantile(0.95),
        "max": quantile(1.0),
        "histogram": {index * HISTOGRAM_STEP_TOKENS: bins[index] for index in sorted(bins)},
    }


def _with_skipped(found: Validation, skipped: tuple[Issue, ...]) -> Validation:
    if not skipped:
        return found
    issues = {"unreadable-row": len(skipped), **found.counts["issues"]}
    counts = {**found.counts, "skipped": len(skipped), "issues": issues}
    return Validation((*skipped, *found.issues), counts)
