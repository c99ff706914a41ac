"""How generated text is read: what is tolerated, what is malformed. Round trips with rendering are
in tests/property/test_chat.py."""

import pytest

from tooltune.chat.parse import ParseEnd, parse

ARGUMENTS = '{"max_count": 3}'
GIT = f'{{"name": "git_log", "arguments": {ARGUMENTS}}}'
NOW = '{"name": "now", "arguments": {}}'


def read(text: str, *, is_stopped: bool = True) -> tuple[str, list[tuple[str, object]], ParseEnd]:
    parsed = parse(text, is_stopped=is_stopped)
    return parsed.text, [(call.name, call.arguments) for call in parsed.calls], parsed.end


@pytest.mark.parametrize(
    ("text", "spoken", "names"),
    [
        ("Hello.", "Hello.", []),
        ("", "", []),
        (f"<tool_call>\n{GIT}\n</tool_call>", "", ["git_log"]),
        (f"<tool_call>{GIT}</tool_call>", "", ["git_log"]),
        (f"  Look:\n<tool_call>\n\n {GIT} \n</tool_call>\n", "Look:", ["git_log"]),
        (
            f"<tool_call>\n{GIT}\n</tool_call>\n<tool_call>\n{NOW}\n</tool_call>",
            "",
            ["git_log", "now"],
        ),
        (f"<tool_call>\n{GIT}\n</tool_call>\nDone.", "Done.", ["git_log"]),
        (f"<tool_call>\n{GIT}", "", ["git_log"]),
        (f"<tool_call>[{GIT}, {NOW}]</tool_call>", "", ["git_log", "now"]),
        ("<tool_call>[]</tool_call>", "", []),
        ('<tool_call>{"name": "now"}</tool_call>', "", ["now"]),
        ('<tool_call>{"arguments": {"a": "</tool_call>"}, "name": "x"}</tool_call>', "", ["x"]),
        (
            f"Look:\n<tool_call>git_log {ARGUMENTS}\n<tool_call>now {{}}",
            "Look:",
            ["git_log", "now"],
        ),
        (f"<tool_call> git_log{ARGUMENTS} </tool_call>\nDone.", "Done.", ["git_log"]),
        (f"<tool_call>git_log {ARGUMENTS}<tool_call>{NOW}</tool_call>", "", ["git_log", "now"]),
        ("1 < 2 and </b> is HTML", "1 < 2 and </b> is HTML", []),
    ],
)
def test_harmless_variants_are_read(text: str, spoken: str, names: list[str]) -> None:
    parsed = parse(text)
    assert parsed.text == spoken
    assert [call.name for call in parsed.calls] == names
    assert parsed.end is ParseEnd.STOP


@pytest.mark.parametrize(
    "block",
    [
        '{"name": "x", "arguments": {}}}',
        '{"name": "x", "arguments": {',
        "{'name': 'x', 'arguments': {}}",
        '{"name": "x", "arguments": "{}"}',
        '{"name": "x", "arguments": null}',
        '{"name": "", "arguments": {}}',
        '{"name": 7, "arguments": {}}',
        '{"tool": "x", "arguments": {}}',
        '{"name": "x", "arguments": {"a": NaN}}',
        '{"name": "x", "arguments": {"a": "\\ud800"}}',
        '{"name": "x", "arguments": {"a": ' + "[" * 100_000 + "}}",
        '{"name": "x", "arguments": {"a": ' + "9" * 5_000 + "}}",
        '["now"]',
        "now()",
        "now {",
        "now {'a': 1}",
        'now {"a": NaN}',
        "now <b> {}",
        "",
    ],
)
def test_a_broken_call_is_malformed(block: str) -> None:
    text = f"Well.\n<tool_call>\n{NOW}\n</tool_call>\n<tool_call>\n{block}\n</tool_call>"
    assert read(text) == ("Well.", [("now", {})], ParseEnd.MALFORMED)


def test_a_call_followed_by_another_without_closing_is_malformed() -> None:
    text = f"<tool_call>\n{GIT}\n<tool_call>\n{NOW}\n</tool_call>"
    assert read(text) == ("", [], ParseEnd.MALFORMED)


def test_a_closing_tag_that_nothing_opened_is_malformed() -> None:
    assert parse(f"{GIT}\n</tool_call>").end is ParseEnd.MALFORMED


def test_a_turn_cut_in_its_text_ends_by_length() -> None:
    assert read("I will now", is_stopped=False) == ("I will now", [], ParseEnd.LENGTH)


@pytest.mark.parametrize("cut", [1, 20, len(GIT)])
def test_a_call_cut_by_the_token_limit_is_dropped(cut: int) -> None:
    text = f"<tool_call>\n{NOW}\n</tool_call>\n<tool_call>\n{GIT[:cut]}"
    assert read(text, is_stopped=False) == ("", [("now", {})], ParseEnd.LENGTH)


@pytest.mark.parametrize("cut", [2, 8, len(ARGUMENTS) + 7])
def test_a_line_cut_by_the_token_limit_is_dropped(cut: int) -> None:
    text = "<tool_call>now {}\n<tool_call>" + f"git_log {ARGUMENTS}"[:cut]
    assert read(text, is_stopped=False) == ("", [("now", {})], ParseEnd.LENGTH)


def test_a_closed_broken_call_is_malformed_even_where_tokens_ran_out() -> None:
    text = "<tool_call>\n{broken}\n</tool_call> and"
    assert parse(text, is_stopped=False).end is ParseEnd.MALFORMED


def test_calls_are_numbered_within_their_turn() -> None:
    text = f"<tool_call>{GIT}</tool_call><tool_call>{NOW}</tool_call>"
    assert [call.id for call in parse(text).calls] == ["call_0", "call_1"]
