"""Tidying a listed tool's schema without changing what it means."""

from tooltune.servers.catalog import strip_titles, to_tool


def test_titles_go_wherever_they_are_annotations_and_stay_where_they_are_names_or_values() -> None:
    schema = {
        "title": "BookArguments",
        "type": "object",
        "properties": {
            "title": {"title": "Title", "type": "string"},
            "default": {"title": "Default", "type": "string"},
            "author": {"anyOf": [{"title": "A", "type": "string"}, {"$ref": "#/$defs/Author"}]},
        },
        "default": {"title": "Emma"},
        "dependentRequired": {"title": ["author"]},
        "$defs": {"Author": {"title": "Author", "enum": [{"title": "Dr"}]}},
    }
    assert strip_titles(schema) == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "default": {"type": "string"},
            "author": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Author"}]},
        },
        "default": {"title": "Emma"},
        "dependentRequired": {"title": ["author"]},
        "$defs": {"Author": {"enum": [{"title": "Dr"}]}},
    }


def test_the_order_of_properties_is_the_servers() -> None:
    properties = {name: {"type": "string"} for name in ("z", "a", "m")}
    assert list(strip_titles({"type": "object", "properties": properties})["properties"]) == [
        "z",
        "a",
        "m",
    ]


def test_a_tool_without_parameters_gets_an_empty_list_of_properties() -> None:
    tool = to_tool({"name": "now", "inputSchema": {"type": "object"}, "description": None})
    assert tool.input_schema == {"type": "object", "properties": {}}
    assert tool.description == ""
    assert tool.read_only is None
