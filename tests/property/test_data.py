"""For any conversation: writing and reading gives it back, in each format; canonical text is equal
exactly where values count as the same; arguments drawn from a schema fit it."""

import json
import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tooltune.data.foreign import FROM_ROWS
from tooltune.data.readers import detect_format
from tooltune.data.rows import ROLES, UnreadableRowError, read_row
from tooltune.data.schema import canonical, check_arguments
from tooltune.data.sharegpt import FROM_CONVERSATIONS
from tooltune.data.validate import validate
from tooltune.data.writers import WRITERS, UnwritableRowError
from tooltune.jsonl import dump_json
from tooltune.messages import Conversation, Message, Tool, ToolCall

quick = settings(max_examples=150, deadline=None, derandomize=True)

words = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)

LEAVES: dict[str, tuple[dict[str, Any], st.SearchStrategy[Any]]] = {
    "text": ({"type": "string"}, words),
    "count": ({"type": "integer", "minimum": 0, "maximum": 9}, st.integers(0, 9)),
    "ratio": ({"type": "number"}, numbers),
    "flag": ({"type": "boolean"}, st.booleans()),
    "mode": ({"enum": ["r", "w", None]}, st.sampled_from(["r", "w", None])),
    "since": ({"anyOf": [{"type": "string"}, {"type": "null"}]}, st.none() | words),
    "files": ({"type": "array", "items": {"type": "string"}}, st.lists(words, max_size=3)),
    "range": (
        {
            "type": "object",
            "properties": {"first": {"type": "integer"}},
            "required": ["first"],
            "additionalProperties": False,
        },
        st.fixed_dictionaries({"first": st.integers(0, 9)}),
    ),
}


@st.composite
def tools_and_arguments(draw: st.DrawFn) -> tuple[Tool, dict[str, Any]]:
    """A tool and arguments that fit its schema, some optional ones left out."""
    kinds = draw(st.lists(st.sampled_from(sorted(LEAVES)), unique=True, max_size=5))
    required = [kind for kind in kinds if draw(st.booleans())]
    schema = {
        "type": "object",
        "properties": {kind: LEAVES[kind][0] for kind in kinds},
        "required": required,
    }
    given_kinds = [kind for kind in kinds if kind in required or draw(st.booleans())]
    arguments = {kind: draw(LEAVES[kind][1]) for kind in given_kinds}
    return Tool(name=draw(names), description=draw(words), input_schema=schema), arguments


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Any number of rounds, each with calls, results and an answer."""
    catalog = draw(st.lists(tools_and_arguments(), max_size=3, unique_by=lambda x: x[0].name))
    messages = [Message(role="system", content=draw(words))] if draw(st.booleans()) else []
    for round_index in range(draw(st.integers(1, 3))):
        messages.append(Message(role="user", content=draw(words)))
        if catalog and draw(st.booleans()):
            chosen = draw(st.lists(st.sampled_from(catalog), min_size=1, max_size=2))
            calls = tuple(
                ToolCall(id=f"c{round_index}-{i}", name=tool.name, arguments=arguments)
                for i, (tool, arguments) in enumerate(chosen)
            )
            messages.append(Message(role="assistant", content=draw(words), tool_calls=calls))
            messages += [
                Message(role="tool", content=draw(words), tool_call_id=call.id) for call in calls
            ]
        messages.append(Message(role="assistant", content=draw(words.filter(str.strip))))
    return Conversation(
        id=draw(names),
        messages=tuple(messages),
        tools=tuple(tool for tool, _ in catalog),
        ability=draw(st.sampled_from([None, "chain"])),
        meta=draw(st.dictionaries(names, json_values, max_size=2)),
    )


@given(conversation=conversations())
@quick
def test_what_is_written_is_read_back(conversation: Conversation) -> None:
    row = json.loads(dump_json(conversation.to_dict()))
    assert read_row(row, name="row-1") == conversation


@given(conversation=conversations())
@quick
def test_arguments_as_objects_and_tools_as_a_list_are_read_back(conversation: Conversation) -> None:
    """TRL's form, with the nulls Arrow adds at the level of arguments."""
    row = conversation.to_dict()
    row["tools"] = json.loads(row["tools"])
    for message in row["messages"]:
        message["name"] = None
        for call in message.get("tool_calls", []):
            padding = {"another_tools_parameter": None}
            arguments = json.loads(call["function"]["arguments"])
            call["function"]["arguments"] = arguments | padding
    assert read_row(row, name="row-1") == conversation


@given(conversation=conversations())
@quick
def test_a_well_formed_conversation_has_no_issue(conversation: Conversation) -> None:
    assert validate([conversation]).issues == ()


@given(pair=tools_and_arguments())
@quick
def test_arguments_drawn_from_a_schema_fit_it(pair: tuple[Tool, dict[str, Any]]) -> None:
    tool, arguments = pair
    assert check_arguments(tool, arguments) == []


@given(pair=tools_and_arguments(), data=st.data())
@quick
def test_a_required_argument_left_out_is_found(
    pair: tuple[Tool, dict[str, Any]], data: st.DataObject
) -> None:
    tool, arguments = pair
    required = tool.input_schema["required"]
    if required:
        missing = data.draw(st.sampled_from(required))
        rest = {key: value for key, value in arguments.items() if key != missing}
        assert check_arguments(tool, rest) == [f"'{missing}' is a required property"]


@given(left=json_values, right=json_values)
@quick
def test_canonical_text_is_equal_exactly_where_values_count_as_the_same(
    left: Any, right: Any
) -> None:
    assert (canonical(left) == canonical(right)) == same(left, right)
    assert canonical(json.loads(canonical(left))) == canonical(left)
    assert canonical(shuffled(left)) == canonical(left)


def same(left: Any, right: Any) -> bool:
    """The rule in other words, value by value."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def shuffled(value: Any) -> Any:
    """The same value with its keys the other way round and whole numbers as floats."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    if isinstance(value, list):
        return [shuffled(item) for item in value]
    is_exact = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_exact else value


maybe_calls = st.lists(
    st.fixed_dictionaries(
        {
            "function": st.fixed_dictionaries(
                {"name": names | json_values, "arguments": json_values}
            )
        },
        optional={"id": json_values},
    )
)
maybe_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(sorted(ROLES)) | json_values},
        optional={
            "content": json_values,
            "tool_calls": maybe_calls | json_values,
            "function_call": json_values,
            "tool_call_id": json_values,
            "name": json_values,
        },
    ),
    max_size=3,
)
maybe_tools = st.lists(
    st.fixed_dictionaries(
        {"name": names}, optional={"parameters": json_values, "function": json_values}
    )
)
maybe_rows = json_values | st.fixed_dictionaries(
    {"messages": maybe_messages | json_values},
    optional={
        "id": json_values,
        "tools": maybe_tools | json_values,
        "ability": json_values,
        "meta": json_values,
    },
)


@given(row=maybe_rows)
@settings(quick, max_examples=300)
def test_any_json_is_read_or_refused_with_a_reason(row: Any) -> None:
    try:
        conversation = read_row(row, name="x")
    except UnreadableRowError as error:
        reason = str(error)
        assert reason
    else:
        validate([conversation])


@given(conversation=conversations(), name=st.sampled_from(sorted(WRITERS)))
@quick
def test_what_another_trainers_format_can_hold_comes_back(
    conversation: Conversation, name: str
) -> None:
    """Messages and tools as they were, call ids apart: two formats have none."""
    try:
        row = json.loads(dump_json(WRITERS[name](conversation)))
    except UnwritableRowError:
        assert name in ("llama-factory", "ms-swift")
        return
    assert detect_format([row]) in (name, "openai", "tooltune")
    convert = {**FROM_ROWS, **FROM_CONVERSATIONS}.get(name, lambda row: row)
    read = read_row(convert(row), name="x")
    assert numbered(read) == numbered(conversation)


def numbered(conversation: Conversation) -> Any:
    """Turns with calls and results numbered in order, and the tools."""
    numbers: dict[str | None, int] = {}
    turns = []
    for message in conversation.messages:
        calls = [
            (numbers.setdefault(call.id, len(numbers)), call.name, canonical(call.arguments))
            for call in message.tool_calls
        ]
        answered = numbers.get(message.tool_call_id) if message.role == "tool" else None
        turns.append((message.role, message.content, calls, answered))
    system_first = turns if turns[0][:2] != ("system", "") else turns[1:]
    return system_first, [tool.to_openai() for tool in conversation.tools]
