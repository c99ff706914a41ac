"""Small files in the formats of public datasets and other trainers, with the quirks each is known
for; what cannot be read is counted with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tooltune.data.readers import FORMATS, Reading, read_conversations
from tooltune.errors import ConfigError, DataError
from tooltune.jsonl import write_jsonl
from tooltune.messages import Conversation

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
TOOL = {"name": "get weather/v2.now", "description": "Weather.", "parameters": WEATHER}


def read(tmp_path: Path, *rows: Any, format: str | None = None) -> Reading:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, rows)
    return read_conversations(path, format=format)


def read_as(tmp_path: Path, expected: str, *rows: Any) -> Conversation:
    """The first row's conversation; the file must be recognised and read whole."""
    reading = read(tmp_path, *rows)
    assert reading.skipped == []
    assert reading.format == expected
    return reading.conversations[0]


def turns(conversation: Conversation) -> list[Any]:
    """Role with text or calls, in short."""
    return [
        (m.role, m.content, [(c.name, c.arguments) for c in m.tool_calls])
        if m.tool_calls
        else (m.role, m.content)
        for m in conversation.messages
    ]


def schema_of(conversation: Conversation) -> dict[str, Any]:
    return conversation.tools[0].input_schema


def test_xlam_has_flat_parameters_and_json_in_text(tmp_path: Path) -> None:
    parameters = {
        "city": {"type": "str", "description": "Where."},
        "days": {"type": "List[int], optional", "description": "Which."},
        "unit": {"type": "str", "default": "C"},
        "any": {"type": "Callable[[int], str]", "default": ""},
    }
    row = {
        "id": 4,
        "query": "Weather in Bern and Rome?",
        "tools": json.dumps([{"name": "weather", "description": "", "parameters": parameters}]),
        "answers": json.dumps(
            [{"name": "weather", "arguments": {"city": city}} for city in ("Bern", "Rome")]
        ),
    }
    conversation = read_as(tmp_path, "xlam", row)
    assert conversation.id == "4"
    assert turns(conversation) == [
        ("user", "Weather in Bern and Rome?"),
        ("assistant", "", [("weather", {"city": "Bern"}), ("weather", {"city": "Rome"})]),
    ]
    assert schema_of(conversation) == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where."},
            "days": {"type": "array", "items": {"type": "integer"}, "description": "Which."},
            "unit": {"type": "string", "default": "C"},
            "any": {"default": ""},
        },
        "required": ["city"],
    }


def test_an_xlam_row_without_a_call_is_counted(tmp_path: Path) -> None:
    good = {"query": "x", "tools": "[]", "answers": '[{"name": "f", "arguments": {}}]'}
    reading = read(tmp_path, good, good | {"answers": "[]"})
    assert len(reading.conversations) == 1
    assert reading.skipped == [(2, "answers: no call, and no words in place of one")]


TOOLACE_SYSTEM = (
    "You are an expert in composing functions. Today is 2024-03-26, Tuesday. Here is a list of "
    "functions in JSON format that you can invoke:\n"
    + json.dumps([TOOL | {"parameters": WEATHER | {"type": "dict"}, "required": None}])
    + ".\nShould you decide to return the function call(s). Put it in the format of "
    "[func1(params_name=params_value, params_name2=params_value2...), func2(params)]\n"
)


def test_toolace_writes_calls_in_pythons_form_and_tools_in_prose(tmp_path: Path) -> None:
    call = '[get weather/v2.now(city="Ber(n), [CH]", days=3), get weather/v2.now(city="Rome")]'
    row = {
        "system": TOOLACE_SYSTEM,
        "conversations": [
            {"from": "user", "value": "Weather?"},
            {"from": "assistant", "value": call},
            {"from": "tool", "value": '[{"name": "a", "results": 1}, {"name": "a", "results": 2}]'},
            {"from": "assistant", "value": "Fine, don't worry."},
        ],
    }
    conversation = read_as(tmp_path, "toolace", row)
    name = "get weather/v2.now"
    assert turns(conversation) == [
        ("system", "Today is 2024-03-26, Tuesday."),
        ("user", "Weather?"),
        (
            "assistant",
            "",
            [(name, {"city": "Ber(n), [CH]", "days": 3}), (name, {"city": "Rome"})],
        ),
        ("tool", '{"name": "a", "results": 1}'),
        ("tool", '{"name": "a", "results": 2}'),
        ("assistant", "Fine, don't worry."),
    ]
    assert schema_of(conversation) == WEATHER


def test_toolace_is_known_by_its_calls_alone(tmp_path: Path) -> None:
    turns_of_row = [
        {"from": "user", "value": "Weather?"},
        {"from": "assistant", "value": "[weather(city='Bern')]"},
    ]
    conversation = read_as(tmp_path, "toolace", {"conversations": turns_of_row})
    assert turns(conversation)[-1] == ("assistant", "", [("weather", {"city": "Bern"})])


def test_hermes_tags_calls_and_results_and_quotes_as_python_does(tmp_path: Path) -> None:
    system = f"You are a function calling AI model. <tools>{[{'function': TOOL}]}</tools> Go."
    row = {
        "id": "h1",
        "conversations": [
            {"from": "system", "value": system},
            {"from": "human", "value": "Weather in Bern?"},
            {
                "from": "gpt",
                "value": "Sure.\n<tool_call>\n{'arguments': {'city': 'Bern'}, 'name': 'w'}\n"
                '</tool_call>\n<tool_call>\n{"name": "w", "arguments": "{}"}\n</tool_call>',
            },
            {
                "from": "tool",
                "value": "<tool_response>\n{'t': 3}\n</tool_response>\n"
                "<tool_response>\n4\n</tool_response>",
            },
            {"from": "gpt", "value": "3 degrees."},
        ],
        "category": "Weather",
    }
    conversation = read_as(tmp_path, "hermes", row)
    assert turns(conversation) == [
        ("user", "Weather in Bern?"),
        ("assistant", "Sure.", [("w", {"city": "Bern"}), ("w", {})]),
        ("tool", "{'t': 3}"),
        ("tool", "4"),
        ("assistant", "3 degrees."),
    ]
    assert schema_of(conversation) == WEATHER


def test_hermes_rows_that_answer_in_json_are_no_calls(tmp_path: Path) -> None:
    call_row = {
        "conversations": [
            {"from": "human", "value": "x"},
            {"from": "gpt", "value": '<tool_call>{"name": "f", "arguments": {}}</tool_call>'},
        ]
    }
    json_row = {
        "conversations": [
            {"from": "system", "value": "Answer in JSON."},
            {"from": "human", "value": "x"},
            {"from": "gpt", "value": '{"name": "f"}'},
        ]
    }
    reading = read(tmp_path, json_row, call_row)
    assert reading.format == "hermes"
    assert turns(reading.conversations[0])[-1] == ("assistant", '{"name": "f"}')


def test_glaive_is_one_text_with_json_in_single_quotes(tmp_path: Path) -> None:
    tools = json.dumps(TOOL, indent=4)
    row = {
        "system": "SYSTEM: You are a helpful assistant with access to the following functions. "
        f"Use them if required -\n{tools}\n\n{tools}\n",
        "chat": 'USER: Weather in L\'Aquila?\n\n\nASSISTANT: <functioncall> {"name": "w", '
        '"arguments": \'{"city": "L\'Aquila"}\'} <|endoftext|>\n\n\n'
        'FUNCTION RESPONSE: {"t": 3}\n\n\nASSISTANT: 3 degrees.\nNOTE: cold. <|endoftext|>\n\n\n',
    }
    plain = {"system": "SYSTEM: No functions.", "chat": "USER: Hi\n\n\nASSISTANT: Hello."}
    conversation = read_as(tmp_path, "glaive", row, plain)
    assert turns(conversation) == [
        ("user", "Weather in L'Aquila?"),
        ("assistant", "", [("w", {"city": "L'Aquila"})]),
        ("tool", '{"t": 3}'),
        ("assistant", "3 degrees.\nNOTE: cold."),
    ]
    assert len(conversation.tools) == 2
    second = read(tmp_path, row, plain).conversations[1]
    assert turns(second)[0] == ("system", "No functions.")


def test_toucan_is_text_in_every_column_some_of_it_pythons(tmp_path: Path) -> None:
    declared = "<|im_system|>tool_declare<|im_middle|>[]<|im_end|>"
    messages = [
        {"role": "system", "content": declared},
        {"role": "user", "content": "Weather in Bern?"},
        {
            "role": "assistant",
            "content": "",
            "function_call": {"name": "met-weather", "arguments": '{"city": "Bern"}'},
        },
        {"role": "function", "name": "met-weather", "content": "3"},
        {"role": "assistant", "content": "3 degrees."},
    ]
    row = {
        "uuid": "u1",
        "subset_name": "single-turn-original",
        "question": "Weather in Bern?",
        "target_tools": "met-weather",
        "available_tools": json.dumps([{"type": "function", "function": TOOL}]),
        "messages": json.dumps(messages),
    }
    expected = [
        ("user", "Weather in Bern?"),
        ("assistant", "", [("met-weather", {"city": "Bern"})]),
        ("tool", "3"),
        ("assistant", "3 degrees."),
    ]
    conversation = read_as(tmp_path, "toucan", row)
    assert conversation.id == "u1"
    assert turns(conversation) == expected
    assert schema_of(conversation) == WEATHER
    call = str({"name": "met-weather", "arguments": '{"city": "Bern"}'})
    sft_messages = [
        messages[1],
        {"role": "tool_call", "content": call},
        {"role": "tool_response", "content": "3"},
        messages[4],
    ]
    sft = {"uuid": "u2", "target_tools": "", "tools": str([TOOL]), "messages": str(sft_messages)}
    assert turns(read_as(tmp_path, "toucan", sft)) == expected


def test_when2call_has_inline_calls_and_required_outside(tmp_path: Path) -> None:
    loose = {
        "name": "w",
        "description": "",
        "parameters": {"type": "dict", "properties": {"city": {"type": "str"}}},
        "required": ["city"],
    }
    call = '<TOOLCALL>[{"name": "w", "arguments": {"city": "Bern"}}]</TOOLCALL>'
    user = {"role": "user", "content": "Weather?"}
    row = {
        "tools": [json.dumps(loose)],
        "messages": [user, {"role": "assistant", "content": call}],
    }
    conversation = read_as(tmp_path, "when2call", row)
    assert turns(conversation) == [
        ("user", "Weather?"),
        ("assistant", "", [("w", {"city": "Bern"})]),
    ]
    assert schema_of(conversation) == {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    pair = {
        "tools": [loose],
        "messages": [user],
        "chosen_response": {"role": "assistant", "content": "Where?"},
        "rejected_response": {"role": "assistant", "content": call},
    }
    assert turns(read_as(tmp_path, "when2call", pair))[-1] == ("assistant", "Where?")
    test_row = {"question": "x", "correct_answer": "direct", "tools": []}
    assert read(tmp_path, pair, test_row).skipped == [
        (2, "a multiple-choice test row, no conversation to train on")
    ]


def test_llama_factory_has_columns_and_parallel_calls_in_one_turn(tmp_path: Path) -> None:
    calls = [{"name": "w", "arguments": {"city": city}} for city in ("Bern", "Rome")]
    row = {
        "system": "Help.",
        "tools": json.dumps([TOOL]),
        "conversations": [
            {"from": "human", "value": "Weather?"},
            {"from": "function_call", "value": json.dumps(calls)},
            {"from": "observation", "value": "3\n</tool_response>\n<tool_response>\n4"},
            {"from": "function_call", "value": json.dumps(calls[0])},
            {"from": "observation", "value": ""},
            {"from": "gpt", "value": "Cold."},
        ],
    }
    conversation = read_as(tmp_path, "llama-factory", row)
    bern, rome = ("w", {"city": "Bern"}), ("w", {"city": "Rome"})
    assert turns(conversation) == [
        ("system", "Help."),
        ("user", "Weather?"),
        ("assistant", "", [bern, rome]),
        ("tool", "3"),
        ("tool", "4"),
        ("assistant", "", [bern]),
        ("tool", ""),
        ("assistant", "Cold."),
    ]
    assert schema_of(conversation) == WEATHER


def test_ms_swift_has_roles_for_calls_and_neighbours_are_parallel(tmp_path: Path) -> None:
    call = json.dumps({"name": "w", "arguments": {}})
    row = {
        "tools": json.dumps([TOOL]),
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": "One moment."},
            {"role": "tool_call", "content": call},
            {"role": "tool_call", "content": call},
            {"role": "tool_response", "content": "3"},
            {"role": "tool", "content": "4"},
            {"role": "assistant", "content": "Cold."},
        ],
    }
    assert turns(read_as(tmp_path, "ms-swift", row)) == [
        ("user", "Weather?"),
        ("assistant", "One moment.", [("w", {}), ("w", {})]),
        ("tool", "3"),
        ("tool", "4"),
        ("assistant", "Cold."),
    ]


DESKTOP_LOG = """\
2026-01-02T10:00:00.1Z [info] [git] Initializing server...
2026-01-02T10:00:00.2Z [git] [info] Message from client: {"jsonrpc": "2.0", "id": 0, \
"method": "initialize", "params": {}} { metadata: undefined }
2026-01-02T10:00:00.3Z [git] [info] Message from server: {"jsonrpc": "2.0", "id": 0, "result": {}}
2026-01-02T10:00:00.4Z [git] [info] Message from client: {"jsonrpc": "2.0", "id": 1, \
"method": "tools/list"} { metadata: undefined }
2026-01-02T10:00:00.5Z [git] [info] Message from server: {"jsonrpc": "2.0", "id": 1, "result": \
{"tools": [{"name": "log", "inputSchema": {"type": "object", "properties": {}}}]}}
2026-01-02T10:00:01Z [git] [info] Message from client: {"jsonrpc": "2.0", "id": 2, "method": \
"tools/call", "params": {"name": "log", "arguments": {"n": 1}}} { metadata: undefined }
2026-01-02T10:00:02Z [git] [info] Message from server: {"jsonrpc": "2.0", "id": 2, "result": \
{"content": [{"type": "text", "text": "a1"}], "isError": true}} { metadata: undefined }
2026-01-02T10:00:03Z [git] [info] Message from client: {"jsonrpc": "2.0", "id": 3, "method": \
"tools/call", "params": {"name": "log"}} { metadata: undefined }
2026-01-02T10:00:04Z [git] [info] Message from server: {"jsonrpc": "2.0", "id": 3 ... \
[14696 chars truncated] ...
"""


def test_a_session_log_gives_calls_and_results_but_no_request(tmp_path: Path) -> None:
    path = tmp_path / "mcp-server-git.log"
    path.write_text(DESKTOP_LOG)
    reading = read_conversations(path)
    assert reading.format == "mcp-log"
    assert reading.lines == [6]
    conversation = reading.conversations[0]
    assert turns(conversation) == [("assistant", "", [("log", {"n": 1})]), ("tool", "a1")]
    assert conversation.meta == {"server": "git", "is_error": True, "source": "mcp-log"}
    assert [tool.name for tool in conversation.tools] == ["log"]
    assert reading.skipped == [
        (8, "the call of 'log' was never answered"),
        (9, "the message was cut when it was logged"),
    ]


def test_bare_json_rpc_lines_are_a_session_log_too(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    lines = [
        {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "f"}},
        {"jsonrpc": "2.0", "id": "a", "error": {"code": -32602, "message": "no such tool"}},
    ]
    write_jsonl(path, lines)
    reading = read_conversations(path)
    assert turns(reading.conversations[0]) == [
        ("assistant", "", [("f", {})]),
        ("tool", "no such tool"),
    ]


def test_a_file_that_is_one_list_is_read_with_the_lines_of_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    good = {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]}
    bad = {"conversations": [{"from": "nobody", "value": "x"}]}
    path.write_text(json.dumps([good, bad, good], indent=2))
    reading = read_conversations(path)
    assert reading.lines == [2, 22]
    ((line, reason),) = reading.skipped
    assert line == 14
    assert "unknown role (got 'nobody'" in reason


def test_lines_that_are_lists_are_rows_and_none_is_a_file(tmp_path: Path) -> None:
    assert [line for line, _ in read(tmp_path, [1], [2]).skipped] == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1},\n{"b": }]', ":2: not valid JSON"),
        ('[\n{"a": 1}\n{"b": 1}]', ":2: the list does not end"),
    ],
)
def test_a_broken_list_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_conversations(path)
    assert message in str(error.value)


def test_a_row_that_fits_no_reader_is_counted_with_its_reason(tmp_path: Path) -> None:
    good = {"query": "x", "tools": "[]", "answers": '[{"name": "f", "arguments": {}}]'}
    rows = [good, {"query": "x"}, 3, good | {"answers": "[f("}, good | {"answers": '[{"a": 1}]'}]
    assert read(tmp_path, *rows).skipped == [
        (2, "no 'answers' in the row (its keys: query)"),
        (3, "a row must be an object (got int)"),
        (4, "neither JSON nor a Python literal (Expecting value; got '[f(')"),
        (5, "a call has no name (got {'a': 1})"),
    ]


def test_a_named_format_is_taken_at_its_word(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}
    assert read(tmp_path, row, format="toucan").format == "toucan"
    with pytest.raises(ConfigError, match=r"--format: unknown \(got 'parquet'"):
        read(tmp_path, row, format="parquet")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("row", [None, [], {}, {"messages": 3}, {"conversations": [3]}])
def test_no_reader_breaks_on_a_row_of_another_shape(tmp_path: Path, name: str, row: Any) -> None:
    reading = read(tmp_path, {"x": row}, row, format=name)
    if name != "mcp-log":
        assert len(reading.skipped) == 2
