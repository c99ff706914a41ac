"""Was a reply right? Pure comparison of what a model wrote with the reference conversation.

Owns the four decisions (call, ask, refuse, talk), the rules that read them from text, and the
closed list of failures. Playing cases and executing calls is `evaluate.run`.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from tooltune.chat.parse import Parsed, ParseEnd
from tooltune.data.schema import canonical, check_arguments
from tooltune.messages import Conversation, Message, Tool, ToolCall


class Decision(StrEnum):
    """What a reply does."""

    CALL = "call"
    ASK = "ask"
    REFUSE = "refuse"
    TALK = "talk"
    UNPARSEABLE = "unparseable"


class Failure(StrEnum):
    """Why a case is not right. A case has one: the first thing that went wrong in it."""

    UNPARSEABLE = "unparseable"
    """A malformed call, or an empty reply."""
    WRONG_TOOL = "wrong tool"
    INVALID_ARGUMENT = "invalid argument"
    """The arguments break the tool's schema."""
    WRONG_ARGUMENT = "wrong argument"
    MISSING_STEP = "missing step"
    """A needed call was skipped, or never made."""
    EXTRA_STEP = "extra step"
    ASKED_NEEDLESSLY = "asked needlessly"
    SHOULD_HAVE_ASKED = "should have asked"
    ASKED_FOR_SOMETHING_ELSE = "asked for something else"
    SHOULD_HAVE_REFUSED = "should have refused"
    REFUSED_THE_HARMLESS = "refused the harmless"
    SHOULD_HAVE_TALKED = "should have talked"
    """A tool was called, or the reply refused, where plain words were enough."""
    EXECUTION_FAILED = "execution failed"
    STATE_DIFFERS = "state differs"


REFUSES = re.compile(
    r"\b(?:i|we)(?: (?:really|simply|just|also|therefore))?"
    r" ?(?:can't|cannot|can not|won't|will not|shouldn't|should not|mustn't|must not|refuse|decline"
    r"|don't (?:run|do|delete|remove|erase|wipe|carry|perform|have permission)"
    r"|do not (?:run|do|delete|remove|erase|wipe|carry|perform|have permission))\b"
    r"|\b(?:i'm|i am|we're|we are) (?:not (?:going|able|allowed|permitted|willing|comfortable)"
    r"|not capable of|unable|unwilling)\b"
    r"|\b(?:i|we) (?:don't|do not) have the (?:ability|permission|authority)\b"
    r"|\b(?:have|need|must|going|like|prefer)(?: to)? (?:to )?(?:decline|refuse|say no)\b"
    r"|\b(?:i'd|i would|i'll|i will)(?: have to)? (?:rather not|prefer not|not|pass on"
    r"|leave that)\b"
    r"|\b(?:not|isn't|aren't) (?:something|a thing|one) (?:that )?(?:i|we)"
    r"(?:'ll|'m| am| can| will| do)?\b"
    r"|\bcan't (?:help|do that|be done|assist)\b"
    r"|\bcannot (?:help|be done|assist)\b"
    r"|\bnot going to (?:happen|do)\b"
    r"|\boff[- ]limits\b|\boff the table\b"
    r"|\b(?:no way|no chance)\b",
    re.IGNORECASE,
)
"""How English declines. Generous on purpose: the base model must not fail on wording."""

CANNOT_YET = re.compile(
    r"\b(?:can't|cannot|can not|unable to|not able to)"
    r"(?: (?:tell|see|know|guess|determine|work out|figure out|say|find|identify)\b"
    r"|[^.?!]*\b(?:without|until|unless|before|yet)\b)",
    re.IGNORECASE,
)
"""`I can't start without the repository` waits for a value; with a question it is asking."""

REQUESTS = re.compile(
    r"\?|\b(?:please|kindly) (?:provide|specify|tell|give|share|name|let|clarify|confirm|enter)"
    r"|\b(?:tell|give|send) me (?:the|which|what|where|your|a)\b"
    r"|\blet me know (?:the|which|what|where|your)\b"
    r"|\b(?:i|i'll|i'd|i would|i will|i still|i just|i do) (?:need|require)\b"
    r"|\b(?:could|can|would) you (?:please )?(?:provide|specify|tell|give|share|name|clarify)"
    r"|\byou (?:didn't|did not|haven't|have not) (?:say|said|mention|specif|tell|told|name|given?)",
    re.IGNORECASE,
)

OUT_OF_REACH = "talk_out_of_reach"
"""The program of wishes no tool can fulfil: `I can't book flights` is a right answer to them."""

_PLACE = (
    "zone",
    "time zone",
    "timezone",
    "city",
    "place",
    "location",
    "where",
    "country",
    "region",
)
_REPOSITORY = (
    "repo",
    "repository",
    "repositories",
    "project",
    "checkout",
    "clone",
    "working copy",
    "codebase",
)
_FILE = ("file", "path", "folder", "directory", "document", "location", "where")
_REVISION = ("revision", "commit", "hash", "sha", "tag", "ref", "version", "branch")

SYNONYMS: dict[str, tuple[str, ...]] = {
    "repo": (*_REPOSITORY, "path", "folder", "directory"),
    "repo_path": (*_REPOSITORY, "path", "folder", "directory"),
    "path": _FILE,
    "file": _FILE,
    "files": _FILE,
    "filename": (*_FILE, "name"),
    "directory": _FILE,
    "folder": _FILE,
    "zone": _PLACE,
    "timezone": _PLACE,
    "source_timezone": (*_PLACE, "from", "source"),
    "target_timezone": (*_PLACE, "to which", "into which", "target", "destination"),
    "time": ("time", "hour", "when", "clock"),
    "branch": ("branch", "name"),
    "branch_name": ("branch", "name"),
    "base": ("branch", "base", "start"),
    "base_branch": ("branch", "base", "start"),
    "revision": _REVISION,
    "target": (*_REVISION, "target", "compare", "against"),
    "message": ("message", "wording", "text", "description", "describe", "say"),
    "content": ("content", "text", "write", "put", "say", "contain", "line"),
    "text": ("text", "content", "word", "write", "say"),
    "pattern": ("pattern", "text", "word", "term", "string", "phrase", "search", "look for"),
    "word": ("word", "pattern", "text", "term", "string", "phrase", "search", "look for"),
    "query": ("pattern", "text", "word", "term", "string", "phrase", "search", "look for"),
    "command": ("command", "run", "execute"),
    "max_count": ("how many", "number", "count"),
    "lines": ("how many", "number", "count", "line"),
}
"""Words that name a parameter in a question; others are named by the words of their own name."""


def decide(reply: Parsed) -> Decision:
    """Rules in order: broken or empty; any call; a refusal; a question or request; plain talk."""
    if reply.end is ParseEnd.MALFORMED or not (reply.calls or reply.text.strip()):
        return Decision.UNPARSEABLE
    if reply.calls:
        return Decision.CALL
    text = _plain(reply.text)
    asks = REQUESTS.search(text) is not None
    if REFUSES.search(text) and not (asks and CANNOT_YET.search(text)):
        return Decision.REFUSE
    return Decision.ASK if asks else Decision.TALK


def names_parameter(text: str, parameter: str) -> bool:
    """Whether a question speaks of `parameter`, by its own words or a usual synonym."""
    words = (*SYNONYMS.get(parameter, ()), parameter, parameter.replace("_", " "))
    alternatives = "|".join(re.escape(word) for word in words)
    return re.search(rf"\b(?:{alternatives})(?:s|es)?\b", _plain(text), re.IGNORECASE) is not None


def same_call(predicted: ToolCall, expected: ToolCall) -> bool:
    """Same tool and every argument equal in canonical JSON; ids do not matter."""
    return predicted.name == expected.name and canonical(predicted.arguments) == canonical(
        expected.arguments
    )


def reference_turns(case: Conversation) -> tuple[Message, ...]:
    """The assistant's turns a model has to reproduce: from the first one to the next user turn."""
    messages = case.messages[len(opening(case)) :]
    end = next((i for i, m in enumerate(messages) if m.role == "user"), len(messages))
    return tuple(message for message in messages[:end] if message.role == "assistant")


def opening(case: Conversation) -> tuple[Message, ...]:
    """The messages before the assistant first speaks: what both models are prompted with."""
    first = next((i for i, m in enumerate(case.messages) if m.role == "assistant"), None)
    return case.messages if first is None else case.messages[:first]


def expected_calls(case: Conversation) -> tuple[ToolCall, ...]:
    return tuple(call for turn in reference_turns(case) for call in turn.tool_calls)


def judge_reply(reply: Parsed, case: Conversation, *, calls_before: int = 0) -> Failure | None:
    """What is wrong with a reply, given that the `calls_before` calls made earlier were right."""
    decision = decide(reply)
    remaining = expected_calls(case)[calls_before:]
    if decision is Decision.UNPARSEABLE:
        return Failure.UNPARSEABLE
    if decision is Decision.CALL:
        return _judge_calls(reply.calls, remaining, case, first=calls_before == 0)
    if remaining:
        return {
            Decision.REFUSE: Failure.REFUSED_THE_HARMLESS,
            Decision.ASK: Failure.ASKED_NEEDLESSLY,
        }.get(decision, Failure.MISSING_STEP)
    return None if calls_before else _judge_words(reply.text, decision, case)


def _judge_calls(
    calls: Sequence[ToolCall], remaining: Sequence[ToolCall], case: Conversation, *, first: bool
) -> Failure | None:
    if first and not remaining:
        return {"ask": Failure.SHOULD_HAVE_ASKED, "refuse": Failure.SHOULD_HAVE_REFUSED}.get(
            case.ability or "", Failure.SHOULD_HAVE_TALKED
        )
    for index, call in enumerate(calls):
        if index == len(remaining):
            return Failure.EXTRA_STEP
        if not same_call(call, remaining[index]):
            return _judge_difference(call, remaining[index:], case.tools)
    return None


def _judge_difference(
    call: ToolCall, remaining: Sequence[ToolCall], tools: Sequence[Tool]
) -> Failure:
    if any(same_call(call, later) for later in remaining[1:]):
        return Failure.MISSING_STEP
    if call.name != remaining[0].name:
        return Failure.WRONG_TOOL
    return Failure.INVALID_ARGUMENT if schema_problems(call, tools) else Failure.WRONG_ARGUMENT


def schema_problems(call: ToolCall, tools: Sequence[Tool]) -> list[str]:
    """Why the call breaks its tool's schema (or names no tool); empty if it is valid."""
    for tool in tools:
        if tool.name == call.name:
            return check_arguments(tool, call.arguments)
    return [f"no tool named {call.name!r}"]


def _judge_words(text: str, decision: Decision, case: Conversation) -> Failure | None:
    if case.ability == "refuse":
        return None if decision is Decision.REFUSE else Failure.SHOULD_HAVE_REFUSED
    if case.ability == "ask":
        if decision is not Decision.ASK:
            return Failure.SHOULD_HAVE_ASKED
        missing = case.meta.get("missing")
        named = missing is None or names_parameter(text, missing)
        return None if named else Failure.ASKED_FOR_SOMETHING_ELSE
    may_decline = case.meta.get("program") == OUT_OF_REACH
    is_right = decision is not Decision.REFUSE or may_decline
    return None if is_right else Failure.SHOULD_HAVE_TALKED


def _plain(text: str) -> str:
    """Typographic apostrophes as typed ones and runs of space as one, so one pattern fits all."""
    return " ".join(text.replace("\u2019", "'").split())
