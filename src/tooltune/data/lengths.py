"""How long conversations are as tokens, and how many of the tokens are trained."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tooltune.chat.render import Renderer
from tooltune.errors import ModelError
from tooltune.messages import Conversation
from tooltune.packing.tree import TokenSequence

HISTOGRAM_STEP_TOKENS = 256


def measure(
    conversation: Conversation, renderer: Renderer, max_sequence_tokens: int | None
) -> tuple[list[TokenSequence], list[tuple[str, str, str]]]:
    """The token sequences, and the faults `too-long` and `not-renderable`."""
    try:
        sequences = renderer.sequences(conversation)
    except ModelError as error:
        return [], [("not-renderable", str(error), "Change the conversation.")]
    longest = max((len(sequence.tokens) for sequence in sequences), default=0)
    if max_sequence_tokens is None or longest <= max_sequence_tokens:
        return sequences, []
    message = f"{longest} tokens (expected at most {max_sequence_tokens}); training leaves it out"
    fix = "Raise data.max_sequence_tokens, offer fewer tools, or shorten the results."
    return sequences, [("too-long", message, fix)]


def count_tokens(sequences: Sequence[list[TokenSequence]]) -> dict[str, Any]:
    """`median` and `p95` are lengths that sequences really have; `histogram` maps the lower bound
    of each bin of HISTOGRAM_STEP_TOKENS to how many sequences fall into it. None where there is
    no sequence."""
    parts = [part for several in sequences for part in several]
    ordered = sorted(len(part.tokens) for part in parts)
    bins = Counter(length // HISTOGRAM_STEP_TOKENS for length in ordered)

    def quantile(fraction: float) -> int | None:
        return ordered[min(int(fraction * len(ordered)), len(ordered) - 1)] if ordered else None

    return {
        "sequences": len(ordered),
        "total": sum(ordered),
        "supervised": sum(int(part.loss_mask.sum()) for part in parts),
        "median": quantile(0.5),
        "p95": quantile(0.95),
        "max": quantile(1.0),
        "histogram": {index * HISTOGRAM_STEP_TOKENS: bins[index] for index in sorted(bins)},
    }
