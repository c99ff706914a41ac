"""Values for JSON Schemas: whatever is drawn fits, for schemas as servers write them."""

import random

import pytest

from tooltune.data.schema import check_arguments
from tooltune.messages import Tool
from tooltune.synth.schema_values import UnusableError, draw_arguments

SCHEMAS = {
    "nested": {"properties": {"who": {"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "age": {"type": "integer", "minimum": 3, "maximum": 9}}}},
        "required": ["who"]},
    "enum and const": {"properties": {"unit": {"enum": ["c", "f"]}, "kind": {"const": "x"}},
                       "required": ["unit", "kind"]},
    "reference": {"$defs": {"Point": {"type": "object", "required": ["x"],
                                      "properties": {"x": {"type": "number", "multipleOf": 0.5}}}},
                  "properties": {"at": {"$ref": "#/$defs/Point"}}, "required": ["at"]},
    "one of": {"properties": {"id": {"oneOf": [{"type": "integer"},
                                               {"type": "string", "maxLength": 4}]}},
               "required": ["id"]},
    "null or": {"properties": {"zone": {"anyOf": [{"type": "null"}, {"type": "string"}]}},
                "required": ["zone"]},
    "all of": {"properties": {"p": {"allOf": [
        {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
        {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}]}},
        "required": ["p"]},
    "lists": {"properties": {"tags": {"type": "array", "minItems": 2, "maxItems": 2,
                                      "items": {"type": "string"}}}, "required": ["tags"]},
    "lengths": {"properties": {"code": {"type": "string", "minLength": 9, "maxLength": 12}},
                "required": ["code"]},
    "formats": {"properties": {"day": {"type": "string", "format": "date"},
                               "mail": {"type": "string", "format": "email"}},
                "required": ["day", "mail"]},
    "exclusive bounds": {"properties": {"n": {"type": "integer", "exclusiveMinimum": 4,
                                              "exclusiveMaximum": 6}}, "required": ["n"]},
    "two types": {"properties": {"n": {"type": ["null", "integer"]}}, "required": ["n"]},
}  # fmt: skip


@pytest.mark.parametrize("name", SCHEMAS)
def test_drawn_arguments_fit_the_schema(name: str) -> None:
    schema = {"type": "object", **SCHEMAS[name]}
    tool = Tool(name="t", input_schema=schema)
    for seed in range(30):
        arguments = draw_arguments(schema, "train", random.Random(seed))
        assert check_arguments(tool, arguments) == []
        assert set(arguments) == set(schema["required"])


def test_optional_arguments_come_sometimes() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    drawn = [draw_arguments(schema, "train", random.Random(seed)) for seed in range(30)]
    assert {} in drawn
    assert any(drawn)


@pytest.mark.parametrize("reference", ["#/$defs/Gone", "#/properties/a"])
def test_a_reference_that_leads_nowhere_is_said(reference: str) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": reference}}, "required": ["a"]}
    with pytest.raises(UnusableError):
        draw_arguments(schema, "train", random.Random(0))
