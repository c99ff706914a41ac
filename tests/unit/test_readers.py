"""One small file a format, read as a whole; then what a reader has to survive.

Does not test the order or fitness of what was read: that is `validate`'s.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tooltune.data.readers import Reading, read_conversations
from tooltune.errors import DataError
from tooltune.jsonl import write_jsonl
from tooltune.messages import Conversation, Message, Tool, ToolCall

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "since": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["path"],
}
READ = Tool(name="read_file", description="Reads.", input_schema=SCHEMA)
NOW = Tool(name="now", input_schema={"type": "object", "properties": {}})

USER = Message(role="user", content="read a.txt")
CALL = ToolCall(id="c1", name="read_file", arguments={"path": "a.txt"})
TURNS = (
    Message(role="system", content="Help."),
    USER,
    Message(role="assistant", tool_calls=(CALL,)),
    Message(role="tool", content="hello", tool_call_id="c1"),
    Message(role="assistant", content="It says hello."),
)
EXPECTED = Conversation(id="row-1", messages=TURNS, tools=(READ, NOW))

OPENAI_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "read_file", "arguments": '{"path": "a.txt"}'},
}


def read(tmp_path: Path, *rows: Any) -> Reading:
    path = tmp_path / "rows.jsonl"
    write_jsonl(path, rows)
    return read_conversations(path)


def read_one(tmp_path: Path, row: Any) -> Conversation:
    reading = read(tmp_path, row)
    assert reading.skipped == []
    return reading.conversations[0]


def openai_row(**changes: Any) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "read a.txt"},
        {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]},
        {"role": "tool", "content": "hello", "tool_call_id": "c1"},
        {"role": "assistant", "content": "It says hello."},
    ]
    return {"messages": messages, "tools": [READ.to_openai(), NOW.to_openai()]} | changes


def with_call(**function: Any) -> dict[str, Any]:
    call = OPENAI_CALL | {"function": {"name": "read_file"} | function}
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]
    return openai_row(messages=messages)


def test_our_own_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    conversation = Conversation(
        id="chain-7",
        messages=TURNS,
        tools=(READ, NOW),
        ability="chain",
        meta={"split": "train", "values": ["a.txt"], "world": {"seed": 7}},
    )
    assert read_one(tmp_path, conversation.to_dict()) == conversation


def test_openai_rows_are_read(tmp_path: Path) -> None:
    assert read_one(tmp_path, openai_row()) == EXPECTED


def test_openai_text_parts_and_the_developer_role_are_read(tmp_path: Path) -> None:
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "He"}, {"text": "lp."}]},
        *openai_row()["messages"][1:],
    ]
    assert read_one(tmp_path, openai_row(messages=messages)) == EXPECTED


def test_openai_rows_of_the_functions_era_are_read(tmp_path: Path) -> None:
    function = {"name": "read_file", "arguments": '{"path": "a.txt"}'}
    row = {
        "messages": [
            {"role": "user", "content": "read a.txt"},
            {"role": "assistant", "content": None, "function_call": function},
            {"role": "function", "name": "read_file", "content": "hello"},
        ],
        "functions": [READ.to_openai()["function"]],
    }
    assert read_one(tmp_path, row) == Conversation(
        id="row-1",
        messages=(
            USER,
            Message(
                role="assistant",
                tool_calls=(ToolCall(id="call_1", name="read_file", arguments={"path": "a.txt"}),),
            ),
            Message(role="tool", content="hello", tool_call_id="call_1"),
        ),
        tools=(READ,),
    )


@pytest.mark.parametrize("is_text", [True, False], ids=["tools as text", "tools as list"])
def test_trl_rows_are_read_without_the_nulls_of_arrow(tmp_path: Path, is_text: bool) -> None:
    """Arrow gives every struct of a column the keys of all of them."""
    padding = {"tool_calls": None, "name": None, "tool_call_id": None}
    arguments = {"path": "a.txt", "since": None, "repo_path": None}
    call = {"type": "function", "function": {"name": "read_file", "arguments": arguments}}
    padded_schema = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "anyOf": None, "default": None},
            "since": {
                "type": None,
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "default": None,
            },
            "repo_path": None,
        },
        "required": ["path"],
    }
    tools: Any = [
        {
            "type": "function",
            "function": READ.to_openai()["function"] | {"parameters": padded_schema},
        },
        NOW.to_openai(),
    ]
    if is_text:
        tools = json.dumps([READ.to_openai(), NOW.to_openai()])
    messages = [
        {"role": "system", "content": "Help."} | padding,
        {"role": "user", "content": "read a.txt"} | padding,
        {"role": "assistant", "content": None, **padding, "tool_calls": [call]},
        {"role": "tool", "content": "hello", **padding, "name": "read_file"},
        {"role": "assistant", "content": "It says hello."} | padding,
    ]
    kept = ToolCall(id="call_1", name="read_file", arguments={"path": "a.txt", "since": None})
    turns = (
        *TURNS[:2],
        Message(role="assistant", tool_calls=(kept,)),
        Message(role="tool", content="hello", tool_call_id="call_1"),
        TURNS[4],
    )
    row = {"messages": messages, "tools": tools, "id": None}
    assert read_one(tmp_path, row) == EXPECTED.model_copy(update={"messages": turns})


def test_trl_prompt_and_completion_are_one_conversation(tmp_path: Path) -> None:
    messages = openai_row()["messages"]
    row = openai_row(prompt=messages[:2], completion=messages[2:])
    del row["messages"]
    assert read_one(tmp_path, row) == EXPECTED


def test_the_recipes_own_rows_are_read(tmp_path: Path) -> None:
    call = {"tool": "read_file", "arguments": {"path": "a.txt"}}
    row = {
        "messages": [
            {"role": "system", "content": "You are an agent."},
            {"role": "user", "content": "read a.txt"},
            {"role": "assistant", "content": json.dumps(call)},
            {"role": "user", "content": "<tool_response>\nhello\n</tool_response>"},
            {"role": "assistant", "content": "It says hello."},
        ]
    }
    answered = ToolCall(id="call_1", name="read_file", arguments={"path": "a.txt"})
    assert read_one(tmp_path, row) == Conversation(
        id="row-1",
        messages=(
            Message(role="system", content="You are an agent."),
            USER,
            Message(role="assistant", tool_calls=(answered,)),
            Message(role="tool", content="hello", tool_call_id="call_1"),
            Message(role="assistant", content="It says hello."),
        ),
    )


@pytest.mark.parametrize("content", ['{"answer": 4}', '{"tool": "x"}', "{not json}", "[]"])
def test_an_assistant_that_speaks_json_is_not_a_call(tmp_path: Path, content: str) -> None:
    row = {"messages": [{"role": "assistant", "content": content}]}
    assert read_one(tmp_path, row).messages == (Message(role="assistant", content=content),)


def test_mcp_tools_are_read(tmp_path: Path) -> None:
    tools = [{"name": "read_file", "description": "Reads.", "inputSchema": SCHEMA}]
    assert read_one(tmp_path, openai_row(tools=tools)).tools == (READ,)


@pytest.mark.parametrize("tools", [None, [], "", "[]"])
def test_a_row_may_have_no_tools(tmp_path: Path, tools: Any) -> None:
    assert read_one(tmp_path, openai_row(tools=tools)).tools == ()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", {}),
        (" ", {}),
        ("{}", {}),
        (None, {}),
        ("null", {}),
        ('{"path": null}', {"path": None}),
        ('"{\\"path\\": \\"a\\"}"', {"path": "a"}),
    ],
)
def test_arguments_come_in_many_shapes(tmp_path: Path, arguments: Any, expected: Any) -> None:
    conversation = read_one(tmp_path, with_call(arguments=arguments))
    assert conversation.messages[1].tool_calls[0].arguments == expected


def test_results_without_ids_answer_the_calls_in_order_and_by_name(tmp_path: Path) -> None:
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("now", "read_file", "now")]
    messages = [
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "content": "b", "name": "read_file"},
        {"role": "tool", "content": "a"},
        {"role": "tool", "content": "c"},
        {"role": "tool", "content": "d"},
    ]
    conversation = read_one(tmp_path, openai_row(messages=messages))
    answered = [message.tool_call_id for message in conversation.messages[1:]]
    assert answered == ["call_2", "call_1", "call_3", None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (7, "a row must be an object (got int)"),
        ({"text": "x"}, "no list `messages` in the row (its keys: text)"),
        (
            {"messages": [{"role": "bot", "content": "x"}]},
            "messages[0]: unknown role (got 'bot', expected one of system, developer, user, "
            "assistant, tool, function)",
        ),
        ({"messages": ["x"]}, "messages[0]: unknown role (got 'x', expected one of"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0]: a content part is not text (got 'image_url')",
        ),
        (
            {"messages": [{"role": "user", "content": 7}]},
            "messages[0]: content must be text (got 7)",
        ),
        (
            with_call(arguments="{'path': 1}"),
            "messages[1]: the arguments of read_file are not JSON",
        ),
        (with_call(arguments="[1]"), "messages[1]: the arguments of read_file must be an object"),
        (with_call(name=None), "messages[1]: a tool call has no name"),
        (openai_row(tools="[{"), "tools: not JSON"),
        (openai_row(tools={"read_file": {}}), "tools: must be a list"),
        (openai_row(tools=[{"type": "code_interpreter"}]), "tools: a tool has no name"),
        (openai_row(tools=[{"name": "x", "parameters": [1]}]), "tools: the schema of x is not an"),
        (openai_row(ability=7), "ability: Input should be a valid string (got 7)"),
        (
            {"messages": [{"role": "user", "content": "\ud83d"}]},
            "messages[0]: content: half of a surrogate pair",
        ),
        (with_call(arguments={"path": "\ud83d"}), "messages[1]: the arguments of read_file: half"),
        (with_call(arguments='{"path": NaN}'), "messages[1]: the arguments of read_file: NaN"),
    ],
)
def test_a_row_that_cannot_be_read_is_counted_with_line_and_reason(
    tmp_path: Path, row: Any, reason: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        f"{json.dumps(openai_row())}\n\n{json.dumps(row)}\n{json.dumps(openai_row())}\n"
    )
    reading = read_conversations(path)
    assert [conversation.id for conversation in reading.conversations] == ["row-1", "row-4"]
    assert reading.lines == [1, 4]
    ((line, found),) = reading.skipped
    assert line == 3
    assert found.startswith(reason)


def test_a_line_that_is_not_json_stops_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(openai_row())}\n{{'a': 1}}\n")
    with pytest.raises(DataError, match=r"rows\.jsonl:2: not valid JSON .* Repair or remove"):
        read_conversations(path)


def test_rows_with_the_same_catalog_share_their_tools(tmp_path: Path) -> None:
    first, second = read(tmp_path, openai_row(), openai_row()).conversations
    assert first.tools[0] is second.tools[0]
