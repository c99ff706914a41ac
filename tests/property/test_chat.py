"""For any text: what is rendered is parsed back, and only the template writes control tokens.

Runs on SmolLM2's and Qwen3's real tokenizers.
"""

import string
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tooltune.chat.defuse import BREAK, Defuser
from tooltune.chat.parse import ParseEnd, parse
from tooltune.chat.render import Renderer
from tooltune.messages import Conversation, Message, Tool, ToolCall

CONTROLS = (
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "</tools>",
    "<think>",
    "</think>",
    "<|im",
    "_end|>",
    "<",
    "\u0004",
    "\u200b",
    "\n",
    '"',
    "\\",
    "{}",
)
anything = st.text(st.characters(codec=None))
hostile = st.lists(st.one_of(st.sampled_from(CONTROLS), anything), max_size=6).map("".join)

# What comes back unchanged: no bytes a vocabulary may lack, no zero-width space (a broken control
# string is mended), no surrounding space, and Qwen3's tokenizer normalises to NFC.
letters = st.characters(
    codec="utf-8", exclude_categories=("Cs", "Cc", "Cn"), exclude_characters=BREAK
)
words = st.lists(
    st.one_of(
        st.sampled_from([c for c in CONTROLS if c not in ("\u0004", BREAK)]), st.text(letters)
    ),
    max_size=5,
).map(lambda parts: unicodedata.normalize("NFC", "".join(parts)))
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
names = st.text(string.ascii_letters + string.digits + "_-./", min_size=1, max_size=20)
calls = st.builds(
    ToolCall,
    id=st.just("c0"),
    name=names,
    arguments=st.dictionaries(words, json_values, max_size=4),
)
turns = st.builds(
    Message,
    role=st.just("assistant"),
    content=words.map(str.strip),
    tool_calls=st.lists(calls, max_size=3).map(tuple),
)

quick = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module", params=["smollm2_folder", "qwen3_tokenizer_folder"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    folder: Path = request.getfixturevalue(request.param)
    return Renderer.from_folder(folder)


def trained_tokens(renderer: Renderer, turn: Message) -> list[int]:
    conversation = Conversation(id="x", messages=(Message(role="user", content="?"), turn))
    (sequence,) = renderer.sequences(conversation)
    return [t for t, m in zip(sequence.tokens, sequence.loss_mask, strict=True) if m]


@given(turn=turns)
@quick
def test_a_rendered_turn_is_parsed_back(renderer: Renderer, turn: Message) -> None:
    parsed = renderer.parse(trained_tokens(renderer, turn))
    assert parsed.end is ParseEnd.STOP
    assert parsed.text == turn.content
    assert [(c.name, c.arguments) for c in parsed.calls] == [
        (c.name, c.arguments) for c in turn.tool_calls
    ]


@given(turn=turns, cut=st.floats(0, 1))
@quick
def test_a_cut_turn_never_gives_a_call_that_was_not_there(
    renderer: Renderer, turn: Message, cut: float
) -> None:
    tokens = trained_tokens(renderer, turn)
    parsed = renderer.parse(tokens[: int(cut * (len(tokens) - 1))])
    assert parsed.end is ParseEnd.LENGTH
    whole = [(c.name, c.arguments) for c in turn.tool_calls]
    assert [(c.name, c.arguments) for c in parsed.calls] == whole[: len(parsed.calls)]


@given(texts=st.lists(hostile, min_size=7, max_size=7), arguments=st.dictionaries(hostile, hostile))
@quick
def test_no_control_token_comes_from_untrusted_text(
    renderer: Renderer, texts: list[str], arguments: dict[str, Any]
) -> None:
    def conversation(texts: list[str], arguments: dict[str, Any]) -> Conversation:
        user, spoken, result, call_id, description, key, answer = texts
        schema = {"type": "object", "properties": {key or "k": {"description": description}}}
        call = ToolCall(id=call_id, name="read", arguments=arguments)
        return Conversation(
            id="x",
            messages=(
                Message(role="user", content=user),
                Message(role="assistant", content=spoken or "-", tool_calls=(call,)),
                Message(role="tool", content=result, tool_call_id=call_id),
                Message(role="assistant", content=answer),
            ),
            tools=(Tool(name="read", description=description, input_schema=schema),),
        )

    controls = set(renderer.tokenizer.get_added_tokens_decoder())

    def control_ids(conversation: Conversation) -> list[list[int]]:
        return [
            [token for token in sequence.tokens if token in controls]
            for sequence in renderer.sequences(conversation)
        ]

    assert control_ids(conversation(texts, arguments)) == control_ids(conversation(["a"] * 7, {}))


@given(text=hostile)
@quick
def test_a_tool_result_never_holds_a_marker_after_the_way_through_the_tokenizer(
    renderer: Renderer, text: str
) -> None:
    """Also where the tokenizer drops bytes its vocabulary lacks."""
    messages = [Message(role="user", content="?"), Message(role="tool", content=text)]
    plain = [Message(role="user", content="?"), Message(role="tool", content="-")]
    decoded = renderer.decode(renderer.prompt(messages))
    expected = renderer.decode(renderer.prompt(plain))
    for marker in ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<tools>"):
        assert decoded.count(marker) == expected.count(marker)


@given(text=hostile)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_breaking_then_mending_gives_the_text_back(text: str) -> None:
    assume(BREAK not in text and text.isprintable())
    defuser = Defuser(CONTROLS)
    broken = defuser.defuse(text)
    assert defuser.mend(broken) == text
    assert defuser.defuse(broken) == broken


@given(text=st.lists(st.one_of(st.sampled_from(CONTROLS), anything, st.just('{"name": "a"}'))))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_text_is_parsed_without_an_exception(text: list[str]) -> None:
    parsed = parse("".join(text))
    assert parsed.end in (ParseEnd.STOP, ParseEnd.MALFORMED)
