"""Conversations -> examples ready to train: token sequences, catalog groups, what was left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from tooltune.chat.render import Renderer
from tooltune.data.readers import read_conversations
from tooltune.data.rules import calls_of
from tooltune.errors import DataError
from tooltune.messages import Conversation
from tooltune.packing.tree import TokenSequence


@dataclass(frozen=True, slots=True)
class Examples:
    """One entry a kept conversation, in the file's order."""

    conversations: list[Conversation]
    sequences: list[list[TokenSequence]]
    """Several where the chat template rewrites history between assistant turns."""
    groups: list[int]
    """Equal for conversations that show the same system text and catalog: they share a prefix."""
    left_out: dict[str, int]
    """Rows not trained on, by reason."""

    @property
    def longest_tokens(self) -> int:
        """Of one sequence."""
        return max(len(s.tokens) for sequences in self.sequences for s in sequences)

    @property
    def supervised_tokens(self) -> int:
        return sum(s.supervised_tokens for sequences in self.sequences for s in sequences)


def read_examples(
    path: Path,
    renderer: Renderer,
    *,
    max_sequence_tokens: int,
    closing_answers_fraction: float = 1.0,
) -> Examples:
    """Raises DataError where nothing is left to train on; too long rows are left out whole.

    Of a `closing_answers_fraction` of the rows all is trained, of the others nothing behind the
    last call. Rows whose calls begin those of longer rows always belong to the first: only their
    answers teach to stop where others go on.
    """
    reading = read_conversations(path)
    begun = _begun_chains(reading.conversations)
    kept: list[Conversation] = []
    sequences: list[list[TokenSequence]] = []
    left_out = {"unreadable": len(reading.skipped), "too long": 0, "nothing supervised": 0}
    for conversation in reading.conversations:
        is_closed = _tools_called(conversation) in begun or _is_chosen(
            conversation.id, closing_answers_fraction
        )
        if not is_closed:
            conversation = end_with_last_call(conversation)
        rendered = renderer.sequences(conversation)
        if any(len(sequence.tokens) > max_sequence_tokens for sequence in rendered):
            left_out["too long"] += 1
        elif not any(sequence.supervised_tokens for sequence in rendered):
            left_out["nothing supervised"] += 1
        else:
            kept.append(conversation)
            sequences.append(rendered)
    if not kept:
        rows = len(reading.conversations) + len(reading.skipped)
        counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
        raise DataError(
            f"{path}: nothing to train on (got {rows} rows: {counts or 'the file is empty'}; "
            f"expected conversations with an assistant turn, within {max_sequence_tokens} tokens). "
            "Run `tooltune validate` on the file."
        )
    return Examples(kept, sequences, catalog_groups(kept), left_out)


def end_with_last_call(conversation: Conversation) -> Conversation:
    """Without what follows the last tool call; as it is where there is none."""
    messages = conversation.messages
    calls = [index for index, message in enumerate(messages) if message.tool_calls]
    end = calls[-1] + 1 if calls else len(messages)
    return conversation.model_copy(update={"messages": messages[:end]})


def catalog_groups(conversations: Sequence[Conversation]) -> list[int]:
    """One number for each distinct catalog with its system text: what examples can share."""
    numbers: dict[tuple[object, ...], int] = {}
    groups = []
    for conversation in conversations:
        first = conversation.messages[0] if conversation.messages else None
        system = first.content if first is not None and first.role == "system" else ""
        key = (system, *((tool.name, str(tool.input_schema)) for tool in conversation.tools))
        groups.append(numbers.setdefault(key, len(numbers)))
    return groups


def _begun_chains(conversations: Sequence[Conversation]) -> set[tuple[str, ...]]:
    """Tools called one after another with which some conversation begins, and goes on calling."""
    chains = {_tools_called(conversation) for conversation in conversations}
    return {chain[:length] for chain in chains for length in range(1, len(chain))}


def _tools_called(conversation: Conversation) -> tuple[str, ...]:
    return tuple(call.name for _, call in calls_of(conversation))


def _is_chosen(conversation_id: str, fraction: float) -> bool:
    """The same conversations on every run: the id's checksum is below the fraction."""
    return crc32(conversation_id.encode()) < fraction * 2**32
