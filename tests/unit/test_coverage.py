"""The ledger against a dataset small enough to count by hand."""

from typing import Any

from tooltune.data.coverage import cover, parts_of
from tooltune.messages import Conversation, Message, Tool, ToolCall

EDIT = Tool(
    name="edit",
    input_schema={
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "mode": {"enum": ["append", "replace"]},
            "edits": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"old": {"type": "string"}, "new": {"$ref": "#/$defs/new"}},
                },
            },
        },
        "required": ["path"],
        "$defs": {
            "new": {"anyOf": [{"type": "null"}, {"properties": {"text": {"type": "string"}}}]}
        },
    },
)


def row(ability: str, *calls: dict[str, Any], **more: Any) -> Conversation:
    made = tuple(ToolCall(id=f"c{i}", name="edit", arguments=one) for i, one in enumerate(calls))
    message = Message(role="assistant", content="", tool_calls=made)
    return Conversation(
        id=more.pop("id", "x"), messages=(message,), tools=(EDIT,), ability=ability, meta=more
    )


def test_the_parts_of_a_tool_are_named_in_depth() -> None:
    assert parts_of(EDIT) == {
        "path": "required",
        "mode": "optional",
        "mode=append": "enum",
        "mode=replace": "enum",
        "edits": "optional",
        "edits[].old": "nested",
        "edits[].new": "nested",
        "edits[].new.text": "nested",
    }


def test_uses_are_counted_by_ability_and_what_is_never_used_is_named() -> None:
    ledger = cover(
        [
            row("single", {"path": "a", "mode": "append"}, id="s"),
            row("chain", {"path": "a"}, {"path": "b", "edits": [{"old": "x"}, {"old": "y"}]}),
            row("ask", missing="path", twin="s"),
        ]
    )
    assert ledger.abilities == ("single", "chain", "ask")
    counts = {row.part: tuple(row.counts.values()) for row in ledger.rows}
    assert counts == {
        "": (1, 2, None),
        "path": (1, 2, 1),
        "mode": (1, 0, None),
        "mode=append": (1, 0, None),
        "mode=replace": (0, 0, None),
        "edits": (0, 1, None),
        "edits[].old": (0, 1, None),
        "edits[].new": (0, 0, None),
        "edits[].new.text": (0, 0, None),
    }
    found = ledger.to_dict()
    assert found["never_used"] == ["edit mode=replace", "edit edits[].new", "edit edits[].new.text"]
    assert found["holes"] == 7


def test_imported_rows_without_an_ability_have_a_column_of_their_own() -> None:
    conversation = row("single", {"path": "a"}).model_copy(update={"ability": None})
    assert cover([conversation]).abilities == ("ask", "unnamed")


def test_a_tool_under_another_name_counts_as_the_servers() -> None:
    schema = {"type": "object", "properties": {"where": {"enum": ["a", "b"]}}}
    shown = Tool(name="change", input_schema=schema)
    call = ToolCall(id="c", name="change", arguments={"where": "a"})
    renamed = {"change": {"tool": "edit", "parameters": {"where": "mode"}}}
    dressed = Conversation(
        id="y",
        messages=(Message(role="assistant", tool_calls=(call,)),),
        tools=(shown,),
        ability="single",
        meta={"catalog": {"renamed": renamed}},
    )
    ledger = cover([dressed])
    assert [(row.tool, row.part, row.counts["single"]) for row in ledger.rows] == [
        ("edit", "", 1),
        ("edit", "mode", 1),
        ("edit", "mode=a", 1),
        ("edit", "mode=b", 0),
    ]
