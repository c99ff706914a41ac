"""Strangers: catalogs are few, renaming is consistent, and a dressed call means the same."""

from tooltune.data.schema import check_arguments
from tooltune.messages import Conversation, Message, Tool, ToolCall
from tooltune.synth.catalogs import DRESSES, dress_up, make_catalogs


def _tool(name: str, *parameters: str) -> Tool:
    return Tool(
        name=name,
        description=f"Does {name}. And more, which is long.",
        input_schema={
            "type": "object",
            "properties": {one: {"type": "string", "description": "d"} for one in parameters},
            "required": list(parameters),
        },
    )


TOOLS = {
    "store": (_tool("read_query", "query"), _tool("list_tables")),
    "graph": (_tool("open_nodes", "name", "nodeName"), _tool("read_graph")),
    "web": (_tool("fetch", "url"),),
}


def _row() -> Conversation:
    call = ToolCall(id="call_1", name="open_nodes", arguments={"name": "Ann", "nodeName": "B"})
    messages = (Message(role="user", content="Ann?"), Message(role="assistant", tool_calls=(call,)))
    return Conversation(id="r", messages=messages, meta={"split": "train"})


def test_catalogs_are_few_and_the_same_for_the_same_seed() -> None:
    first, again, other = (make_catalogs(TOOLS, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(first) <= 40
    assert {catalog.dress for catalog in first} == set(DRESSES)


def test_every_catalog_holds_its_own_tools_and_few_others() -> None:
    for catalog in make_catalogs(TOOLS, 1):
        own = {tool.name for tool in TOOLS[catalog.kind]}
        assert catalog.real_names == own
        assert 0 <= len(catalog.tools) - len(own) <= 3
        names = [tool.name for tool in catalog.tools]
        assert len(set(names)) == len(names)


def test_a_tool_with_pages_of_schema_is_nobodys_distractor() -> None:
    charts = _tool("create_chart", *(f"option_{number}" for number in range(60)))
    kinds = {**TOOLS, "sheets": (charts, _tool("read_range", "path"))}
    shown = {
        tool.name
        for catalog in make_catalogs(kinds, 1)
        if catalog.kind == "graph"
        for tool in catalog.tools
        if not catalog.tool_names
    }
    assert "read_range" in shown
    assert "create_chart" not in shown


def test_a_dressed_call_fits_the_shown_schema_and_can_be_named_back() -> None:
    catalogs = [one for one in make_catalogs(TOOLS, 1) if one.kind == "graph"]
    assert any(catalog.tool_names for catalog in catalogs)
    for catalog in catalogs:
        row = dress_up(_row(), catalog)
        (call,) = row.messages[1].tool_calls
        tool = next(tool for tool in row.tools if tool.name == call.name)
        assert check_arguments(tool, call.arguments) == []
        renamed = row.meta["catalog"].get("renamed", {}).get(call.name)
        if renamed is None:
            assert call.name == "open_nodes"
        else:
            back = {renamed["parameters"][key]: value for key, value in call.arguments.items()}
            assert (renamed["tool"], back) == ("open_nodes", {"name": "Ann", "nodeName": "B"})


def test_a_bare_catalog_has_no_description_left() -> None:
    bare = [one for one in make_catalogs(TOOLS, 1) if one.dress == "bare"]
    assert bare
    for catalog in bare:
        assert all(tool.description == "" for tool in catalog.tools)
        assert all(
            "description" not in value
            for tool in catalog.tools
            for value in tool.input_schema["properties"].values()
        )
