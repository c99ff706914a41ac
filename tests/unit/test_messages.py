"""Conversations to disk and back, in a form that OpenAI's and TRL's readers accept."""

import json

import pytest
from pydantic import ValidationError

from tooltune.messages import Conversation, Message, Tool, ToolCall

TOOL = Tool(
    name="read_file",
    description="Read a file.",
    input_schema={"type": "object", "properties": {"path": {"type": "string"}}},
)
CALL = ToolCall(id="c1", name="read_file", arguments={"path": "Käse.txt", "deep": {"n": [1, None]}})
CONVERSATION = Conversation(
    id="row-1",
    ability="single",
    tools=(TOOL,),
    messages=(
        Message(role="system", content="Use tools."),
        Message(role="user", content="Read it."),
        Message(role="assistant", tool_calls=(CALL,)),
        Message(role="tool", content="cheese", tool_call_id="c1"),
        Message(role="assistant", content="It says cheese."),
    ),
    meta={"split": "train", "values": {"path": "Käse.txt"}},
)


def test_a_conversation_comes_back_from_disk_unchanged() -> None:
    assert Conversation.from_dict(json.loads(json.dumps(CONVERSATION.to_dict()))) == CONVERSATION


def test_the_form_on_disk_is_openais_with_the_catalog_as_text() -> None:
    row = CONVERSATION.to_dict()
    assert row["messages"][2] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {
                    "name": "read_file",
                    "arguments": '{"path": "Käse.txt", "deep": {"n": [1, null]}}',
                },
            }
        ],
    }
    assert row["messages"][3] == {"role": "tool", "content": "cheese", "tool_call_id": "c1"}
    assert json.loads(row["tools"]) == [TOOL.to_openai()]


def test_whether_a_tool_is_read_only_is_not_shown_to_the_model() -> None:
    marked = TOOL.model_copy(update={"read_only": True})
    assert marked.to_openai() == TOOL.to_openai()


def test_a_word_can_not_be_changed_or_given_unknown_fields() -> None:
    with pytest.raises(ValidationError):
        CALL.name = "other"
    with pytest.raises(ValidationError):
        ToolCall(id="c", name="n", arguments={}, function={})
