"""Is this dataset fit to train on? Every row against the rules, against the rows before it, and
against an evaluation set.

Nothing is changed or dropped here: what is wrong is named with its place and its remedy, and
what is there is counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tooltune.data.readers import read_conversations
from tooltune.data.rules import RULES, calls_of
from tooltune.data.schema import canonical
from tooltune.errors import DataError
from tooltune.jsonl import collection_paused
from tooltune.messages import ABILITIES, Conversation

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
    with collection_paused():
        issues, sequences = _check_each(conversations, places, renderer, max_sequence_tokens)
    issues = [*known, *issues]
    counts = _count(conversations, issues)
    if renderer is not None:
        from tooltune.data.lengths import count_tokens

        counts["tokens"] = count_tokens(sequences)
    preflight = None
    if with_preflight:
        preflight = _preflight(conversations, places, sequences, renderer, max_sequence_tokens)
    return Validation(tuple(issues), counts, preflight)


def _check_each(
    conversations: Sequence[Conversation],
    places: Sequence[str],
    renderer: "Renderer | None",
    max_sequence_tokens: int | None,
) -> "tuple[list[Issue], list[list[TokenSequence]]]":
    """What the rules say of each, and its tokens where there is a renderer."""
    issues = []
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
    return issues, sequences


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


def _count(conversations: Sequence[Conversation], issues: Sequence[Issue]) -> dict[str, Any]:
    abilities = Counter(conversation.ability or "unnamed" for conversation in conversations)
    tools = Counter(call.name for c in conversations for _, call in calls_of(c))
    order = [*ABILITIES, *sorted(abilities.keys() - set(ABILITIES))]
    return {
        "conversations": len(conversations),
        "skipped": sum(issue.code == "unreadable-row" for issue in issues),
        "abilities": {name: abilities[name] for name in order if name in abilities},
        "calls": tools.total(),
        "calls_by_tool": dict(tools.most_common()),
        "issues": dict(Counter(issue.code for issue in issues).most_common()),
    }
