"""What will be trained, counted by hand on a few conversations and a tiny tokenizer."""

import json
from pathlib import Path
from typing import Any

import pytest

from tooltune.chat.parity import compare_with_transformers
from tooltune.chat.render import Renderer
from tooltune.chat.spans import mark_trained
from tooltune.data.lengths import measure
from tooltune.data.validate import Validation, validate
from tooltune.messages import Conversation, Message, Tool, ToolCall
from tooltune.report.page import write_preflight

NOW = Tool(
    name="now",
    input_schema={
        "type": "object",
        "properties": {"zone": {"type": "string"}, "form": {"enum": ["12h", "24h"]}},
        "required": ["zone"],
    },
)


def row(number: int, *, ability: str = "single", words: int = 1) -> Conversation:
    call = ToolCall(id="c1", name="now", arguments={"zone": "UTC"})
    return Conversation(
        id=f"{ability}-{number}",
        messages=(
            Message(role="system", content="Help."),
            Message(role="user", content=f"time {number} " + "please " * words),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content="12:00", tool_call_id="c1"),
            Message(role="assistant", content=f"It is noon, {number}."),
        ),
        tools=(NOW,),
        ability=ability,
    )


@pytest.fixture(scope="module")
def renderer(tiny_tokenizer_folder: Path) -> Renderer:
    return Renderer.from_folder(tiny_tokenizer_folder)


ROWS = [row(0), row(1), row(2, ability="chain"), row(3, words=400)]


@pytest.fixture(scope="module")
def found(renderer: Renderer) -> Validation:
    return validate(ROWS, renderer=renderer, max_sequence_tokens=400, with_preflight=True)


def preflight(found: Validation) -> dict[str, Any]:
    assert found.preflight is not None
    return found.preflight


def test_rows_tokens_and_trained_share_are_those_of_the_sequences(
    renderer: Renderer, found: Validation
) -> None:
    training = preflight(found)["training"]
    sequences = [part for one in ROWS[:3] for part in measure(one, renderer, 400)[0]]
    assert (training["rows"], training["rows_over_limit"]) == (3, 1)
    assert training["tokens"] == sum(len(part.tokens) for part in sequences)
    trained = sum(int(part.loss_mask.sum()) for part in sequences)
    assert training["supervised_tokens"] == trained
    assert training["supervised_fraction"] == round(trained / training["tokens"], 4)


def test_the_sharing_ratio_is_of_distinct_prefixes(renderer: Renderer, found: Validation) -> None:
    """All rows fall into one step, so the distinct tokens are the distinct prefixes."""
    tokens = [part.tokens.tolist() for one in ROWS[:3] for part in measure(one, renderer, 400)[0]]
    prefixes = {tuple(one[:end]) for one in tokens for end in range(1, len(one) + 1)}
    training = preflight(found)["training"]
    assert training["distinct_tokens"] == len(prefixes)
    assert training["sharing_ratio"] == round(sum(map(len, tokens)) / len(prefixes), 3)


def test_every_turns_stop_token_is_trained(found: Validation) -> None:
    assert preflight(found)["stop_token"] == {"tokens": ["<|im_end|>"], "turns": 8, "trained": 8}


def test_one_example_an_ability_shows_what_is_trained(
    renderer: Renderer, found: Validation
) -> None:
    examples = preflight(found)["examples"]
    assert [(one["ability"], one["id"]) for one in examples] == [
        ("single", "single-0"),
        ("chain", "chain-2"),
    ]
    trained = [span["head"] for span in examples[0]["sequences"][0] if span["is_trained"]]
    assert trained[-1] == "It is noon, 0.<|im_end|>"
    assert len(trained) == 2
    assert len(mark_trained(ROWS[0], renderer)[0]) == len(examples[0]["sequences"][0])


def test_holes_and_lengths_are_told(found: Validation) -> None:
    coverage = preflight(found)["coverage"]
    assert coverage["never_used"] == ["now form", "now form=12h", "now form=24h"]
    assert sum(found.counts["tokens"]["histogram"].values()) == 4
    assert found.counts["issues"] == {"too-long": 1}


def test_our_rendering_is_transformers_own(
    renderer: Renderer, tiny_tokenizer_folder: Path, found: Validation
) -> None:
    template = preflight(found)["template"]
    assert (template["compared"], template["equal"]) == (8, 8)
    changed = Renderer(
        renderer.tokenizer,
        renderer.template,
        config=renderer.config,
        where=str(tiny_tokenizer_folder),
    )
    changed.prompt = lambda messages, tools=(): [0, *renderer.prompt(messages, tools)]  # type: ignore[method-assign]
    parity = compare_with_transformers(changed, tiny_tokenizer_folder, ROWS[:1])
    assert (parity.compared, parity.equal) == (2, 0)
    assert parity.first_difference is not None
    assert parity.first_difference.startswith("single-0: token 0: ")


def test_a_template_that_shows_no_tools_is_not_compared(
    renderer: Renderer, tiny_tokenizer_folder: Path, tmp_path: Path
) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_tokenizer_folder / name).read_bytes())
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0].content }}")
    parity = compare_with_transformers(renderer, tmp_path, ROWS)
    assert parity.compared == 0
    assert parity.why_not is not None
    assert "shows no tools" in parity.why_not


def test_the_page_shows_the_holes_in_red_and_the_trained_tokens_marked(
    found: Validation, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    write_preflight(found, page, name="train.jsonl")
    text = page.read_text()
    assert '<td class="number hole">0</td>' in text
    assert "<mark>It is noon, 0.&lt;|im_end|&gt;</mark>" in text
    assert "4 conversations, 1 issue" in text
    assert "http" not in text.split("<body>")[1]


def test_without_a_tokenizer_the_rest_is_said() -> None:
    found = validate(ROWS[:2], with_preflight=True).to_dict()
    assert set(found["preflight"]) == {"coverage", "duplicates", "diversity"}
    json.dumps(found)
