"""Near-duplicates are what an exact comparison says; shared word sequences are found where they
stand; cover and diversity are counts one can redo by hand."""

import random
from pathlib import Path

import pytest

from tooltune.data.duplicates import (
    NGRAM_WORDS,
    diversity,
    find_near_duplicates,
    find_shared,
    read_requests,
    spoken_text,
)
from tooltune.errors import DataError
from tooltune.jsonl import write_jsonl
from tooltune.messages import Conversation, Message, ToolCall


def talk(request: str, answer: str = "Yes.") -> Conversation:
    turns = (Message(role="user", content=request), Message(role="assistant", content=answer))
    return Conversation(id="x", messages=turns)


def similarity(left: str, right: str) -> float:
    """Jaccard of word triples, written down once more."""

    def triples(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}

    a, b = triples(left), triples(right)
    return len(a & b) / len(a | b)


def test_near_duplicates_are_those_an_exact_comparison_of_all_pairs_finds() -> None:
    rng = random.Random(7)
    vocabulary = [f"w{number}" for number in range(400)]
    rows = []
    for _ in range(60):
        words = rng.choices(vocabulary, k=40)
        rows.append(talk(" ".join(words)))
        for _ in range(rng.randint(0, 3)):
            words[rng.randrange(40)] = "changed"
            rows.append(talk(" ".join(words)))
    texts = [spoken_text(row) for row in rows]
    wanted = {
        index
        for index in range(len(rows))
        if any(similarity(texts[index], texts[first]) >= 0.8 for first in range(index))
    }
    found = find_near_duplicates(rows)
    assert {one.index for one in found} == wanted
    assert len(wanted) > 30
    for one in found:
        exact = similarity(texts[one.first], texts[one.index])
        assert one.similarity == pytest.approx(exact)
        assert one.first < one.index


def test_all_copies_of_a_row_are_found_however_many_there_are() -> None:
    rows = [talk("the same words again and again")] * 130
    found = find_near_duplicates(rows)
    assert [one.index for one in found] == list(range(1, 130))
    assert {one.first for one in found} == {0}


def test_case_and_punctuation_hide_no_duplicate_but_an_answer_tells_rows_apart() -> None:
    rows = [talk("Show me the log!"), talk("show me  the LOG"), talk("Show me the log!", "No way.")]
    assert [(one.index, one.first, one.similarity) for one in find_near_duplicates(rows)] == [
        (1, 0, 1.0)
    ]


def test_calls_count_and_results_do_not() -> None:
    def row(value: str, result: str) -> Conversation:
        call = ToolCall(id="c", name="read", arguments={"path": value})
        turns = (
            Message(role="user", content="read it for me now please"),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content=result, tool_call_id="c"),
        )
        return Conversation(id="x", messages=turns)

    assert find_near_duplicates([row("a", "one"), row("b", "one")]) == []
    assert len(find_near_duplicates([row("a", "one"), row("a", "two")])) == 1


def test_very_short_and_empty_rows_are_compared_too() -> None:
    rows = [talk("hi", ""), talk("", ""), talk("hi", ""), talk("", "")]
    assert [one.index for one in find_near_duplicates(rows)] == [2, 3]
    assert find_near_duplicates([]) == []


def test_a_row_that_shares_thirteen_words_is_found_and_twelve_are_not_enough() -> None:
    words = [f"w{number}" for number in range(30)]
    held_out = [" ".join(words)]
    long_enough = talk("Please: " + " ".join(words[5 : 5 + NGRAM_WORDS]).upper() + " !")
    too_short = talk("Please: " + " ".join(words[5 : 4 + NGRAM_WORDS]) + " and so on")
    found = find_shared([too_short, long_enough], held_out)
    assert found == [(1, " ".join(words[5 : 5 + NGRAM_WORDS]))]


def test_a_whole_short_request_is_found_and_the_assistants_words_are_not() -> None:
    held_out = ["What time is it?"]
    rows = [
        talk("what time is it"),
        talk("tell me", "What time is it?"),
        talk("what time is it now"),
    ]
    assert find_shared(rows, held_out) == [(0, "what time is it")]


def test_an_evaluation_set_may_be_the_berkeley_leaderboards(tmp_path: Path) -> None:
    path = tmp_path / "BFCL_v4_simple.json"
    write_jsonl(
        path, [{"id": "s0", "question": [[{"role": "user", "content": "Area?"}]], "function": []}]
    )
    assert read_requests(path) == ["Area?"]


def test_an_evaluation_set_without_requests_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    write_jsonl(path, [{"a": 1}])
    with pytest.raises(DataError, match="no request to compare with"):
        read_requests(path)


def test_diversity_counts_requests_and_four_word_sequences() -> None:
    rows = [talk("a b c d e"), talk("A b c d, e!"), talk("a b c d f")]
    assert diversity(rows) == {
        "requests": 3,
        "distinct_requests_fraction": round(2 / 3, 4),
        "distinct_4grams_fraction": round(3 / 6, 4),
    }
    assert diversity([talk("")])["distinct_4grams_fraction"] is None
