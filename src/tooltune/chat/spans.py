"""One training conversation as tokens, with those that carry loss marked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tooltune.chat.render import Renderer
from tooltune.messages import Conversation
from tooltune.packing.tree import TokenSequence

FOLD_CHARACTERS = 900
"""A longer stretch without loss (mostly the catalog of tools) is folded to its two ends."""

END_CHARACTERS = 260


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring tokens that are all trained, or all not; `folded` is what one can unfold."""

    head: str
    folded: str
    tail: str
    num_tokens: int
    is_trained: bool


def choose_example(conversations: Sequence[Conversation]) -> Conversation | None:
    """The first chain of calls, because it shows most; else the first conversation."""
    chains = (conversation for conversation in conversations if conversation.ability == "chain")
    return next(chains, conversations[0] if conversations else None)


def mark_trained(conversation: Conversation, renderer: Renderer) -> list[list[Span]]:
    """The spans of each token sequence that the conversation is trained as."""
    return [_to_spans(sequence, renderer.decode) for sequence in renderer.sequences(conversation)]


def _to_spans(sequence: TokenSequence, decode: Callable[[list[int]], str]) -> list[Span]:
    pairs = zip(sequence.tokens.tolist(), sequence.loss_mask, strict=True)
    return [
        _to_span(decode(tokens := [token for token, _ in group]), len(tokens), bool(is_trained))
        for is_trained, group in groupby(pairs, key=lambda pair: pair[1])
    ]


def _to_span(text: str, num_tokens: int, is_trained: bool) -> Span:
    if is_trained or len(text) <= FOLD_CHARACTERS:
        return Span(text, "", "", num_tokens, is_trained)
    end = len(text) - END_CHARACTERS
    return Span(text[:END_CHARACTERS], text[END_CHARACTERS:end], text[end:], num_tokens, is_trained)
