"""Near-duplicates by MinHash, and rows that share long word sequences with an evaluation set.

MinHash (Broder 1997): the share of equal minima of random hash functions over two sets estimates
their Jaccard similarity. Rows whose minima agree in a whole band are compared exactly, so what is
reported is never an estimate; of pairs with similarity 0.8 fewer than 1 in 100 is missed.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tooltune.data.readers import read_conversations
from tooltune.errors import DataError
from tooltune.jsonl import dump_json
from tooltune.messages import Conversation

SHINGLE_WORDS = 3
SIMILARITY = 0.8
"""Jaccard similarity of two rows' shingles from which they count as near-duplicates."""
NGRAM_WORDS = 13
"""Length of a word sequence that only a copy shares (GPT-3's contamination test, arXiv
2005.14165, appendix C)."""

_BANDS, _ROWS_PER_BAND = 12, 5
"""Similar at 0.8: found with 1 - (1 - 0.8^5)^12 = 0.99; at 0.5 a third is compared in vain."""
_MOST_IN_BUCKET = 50
"""Rows are compared with so many first ones of their bucket: pairs would grow as the square."""
_WORD = re.compile(r"\w+")
_Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """Row `index` is nearly row `first`, which stands before it."""

    index: int
    first: int
    similarity: float


def spoken_text(conversation: Conversation) -> str:
    """What user and assistant say, calls included: not the system text, tools and results, which
    many rows share rightly."""
    parts = []
    for message in conversation.messages:
        if message.role in ("user", "assistant"):
            parts.append(message.content)
            parts += [f"{call.name} {dump_json(call.arguments)}" for call in message.tool_calls]
    return "\n".join(parts)


def request_texts(conversation: Conversation) -> list[str]:
    """The user's turns."""
    return [message.content for message in conversation.messages if message.role == "user"]


def find_near_duplicates(
    conversations: Sequence[Conversation], *, similarity: float = SIMILARITY
) -> list[NearDuplicate]:
    """One entry a row that is nearly an earlier one: with the most similar of those found, in the
    file's order. Rows with equal text count too (similarity 1)."""
    if not conversations:
        return []
    hashes, begin_N = _shingles([spoken_text(conversation) for conversation in conversations])
    end_N = np.append(begin_N[1:], len(hashes))
    sets: dict[int, set[int]] = {}

    def shingles_of(row: int) -> set[int]:
        if row not in sets:
            sets[row] = set(hashes[begin_N[row] : end_N[row]].tolist())
        return sets[row]

    best: dict[int, tuple[float, int]] = {}
    compared: set[tuple[int, int]] = set()
    for bucket in _buckets(hashes, begin_N):
        for first, second in _pairs(bucket):
            if (first, second) in compared:
                continue
            compared.add((first, second))
            found = _jaccard(shingles_of(first), shingles_of(second))
            if found >= similarity and (second not in best or found > best[second][0]):
                best[second] = (found, first)
    return [NearDuplicate(index, first, found) for index, (found, first) in sorted(best.items())]


def _pairs(bucket: list[int]) -> Iterator[tuple[int, int]]:
    for place, second in enumerate(bucket):
        for first in bucket[: min(place, _MOST_IN_BUCKET)]:
            yield first, second


def _jaccard(left: set[int], right: set[int]) -> float:
    common = len(left & right)
    return common / (len(left) + len(right) - common)


def read_requests(path: Path) -> list[str]:
    """What the users of an evaluation set say. Raises DataError where none can be read."""
    reading = read_conversations(path)
    requests = [text for one in reading.conversations for text in request_texts(one)]
    if not requests:
        raise DataError(
            f"{path}: no request to compare with (got {len(reading.skipped)} rows that cannot be "
            "read). Name a dataset in a known format."
        )
    return requests


def find_shared(
    conversations: Sequence[Conversation], held_out: Iterable[str]
) -> list[tuple[int, str]]:
    """(row, the shared words) of rows whose user says NGRAM_WORDS words in a row, or a whole
    request that is shorter, as one of the `held_out` requests does. Case and punctuation do not
    count."""
    known: set[tuple[str, ...]] = set()
    for text in held_out:
        known.update(_ngrams(text))
    found = []
    for index, conversation in enumerate(conversations):
        ngrams = (ngram for text in request_texts(conversation) for ngram in _ngrams(text))
        shared = next((ngram for ngram in ngrams if ngram in known), None)
        if shared is not None:
            found.append((index, " ".join(shared)))
    return found


def same_words(*texts: str) -> str:
    """Equal for requests that differ in case and punctuation only."""
    return " ".join(_words(" ".join(texts)))


def diversity(conversations: Sequence[Conversation]) -> dict[str, Any]:
    """Requests that differ (case and punctuation aside) and distinct 4-grams of their words over
    all 4-grams; shares are None where there is nothing to count."""
    requests = [_words(" ".join(request_texts(one))) for one in conversations]
    requests = [words for words in requests if words]
    grams = [tuple(words[i : i + 4]) for words in requests for i in range(len(words) - 3)]
    return {
        "requests": len(requests),
        "distinct_requests_fraction": _share(len(set(map(tuple, requests))), len(requests)),
        "distinct_4grams_fraction": _share(len(set(grams)), len(grams)),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _ngrams(text: str) -> Iterable[tuple[str, ...]]:
    words = _words(text)
    if not words:
        return []
    last = max(len(words) - NGRAM_WORDS, 0)
    return (tuple(words[i : i + NGRAM_WORDS]) for i in range(last + 1))


def _shingles(texts: Sequence[str]) -> tuple[_Hashes, npt.NDArray[np.int64]]:
    """One number a shingle, row after row, and where each row begins. Words are numbered as they
    come, so the same file gives the same numbers."""
    numbers: dict[str, int] = {}
    flat: list[int] = []
    begins: list[int] = []
    for text in texts:
        begins.append(len(flat))
        words = [numbers.setdefault(word, len(numbers) + 1) for word in _words(text)]
        flat += words + [0] * (SHINGLE_WORDS - len(words))
    words_W = np.array(flat, dtype=np.uint64)
    factors = np.random.default_rng(1).integers(1, 2**63, SHINGLE_WORDS).astype(np.uint64)
    count = len(flat) - SHINGLE_WORDS + 1
    hashes_W = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(factors | np.uint64(1)):
        hashes_W += words_W[place : place + count] * factor
    begin_N = np.array(begins)
    length_N = np.diff(begin_N, append=len(flat)) - SHINGLE_WORDS + 1
    row_N = np.repeat(begin_N - np.cumsum(length_N) + length_N, length_N)
    kept = row_N + np.arange(int(length_N.sum()))
    return hashes_W[kept], np.cumsum(length_N) - length_N


def _buckets(hashes: _Hashes, begin_N: npt.NDArray[np.int64]) -> Iterator[list[int]]:
    """Rows whose minima agree in a whole band, band after band."""
    random = np.random.default_rng(2)
    mixed = hashes ^ (hashes >> np.uint64(29))
    for _ in range(_BANDS):
        key_N = np.zeros(len(begin_N), dtype=np.uint64)
        for factor, offset in random.integers(1, 2**63, (_ROWS_PER_BAND, 2)).astype(np.uint64):
            image = (mixed * (factor | np.uint64(1)) + offset) >> np.uint64(32)
            key_N = key_N * np.uint64(1_000_003) + np.minimum.reduceat(image, begin_N)
        order = np.argsort(key_N, kind="stable")
        cuts = np.flatnonzero(np.diff(key_N[order])) + 1
        for rows in np.split(order, cuts):
            if len(rows) > 1:
                yield rows.tolist()
