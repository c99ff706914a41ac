"""Tool lists of public datasets -> OpenAI's form: Python's type words, flat parameters, a
`required` that stands in the wrong place.

Unknown keys of a schema are kept. Python types that have no JSON Schema leave the value free.
"""

import re
from functools import lru_cache
from typing import Any

from tooltune.data.lenient import read_value, split_outside
from tooltune.data.rows import UnreadableRowError
from tooltune.jsonl import dump_json

_TYPES = {
    "str": "string",
    "string": "string",
    "text": "string",
    "int": "integer",
    "integer": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "number": "number",
    "bool": "boolean",
    "boolean": "boolean",
    "dict": "object",
    "object": "object",
    "hashmap": "object",
    "list": "array",
    "array": "array",
    "tuple": "array",
    "set": "array",
    "none": "null",
    "null": "null",
}
_GENERIC = re.compile(r"(\w+)\s*\[(.*)\]$", re.DOTALL)
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_SCHEMAS = ("items", "additionalProperties", "not")
_LISTS = ("anyOf", "oneOf", "allOf")


def read_loose_tools(value: Any) -> str:
    """JSON text of OpenAI's list; `value` is a list or text of one. Raises UnreadableRowError."""
    text = value if isinstance(value, str) else dump_json(value)
    return _read_text(text)


@lru_cache(maxsize=1024)
def _read_text(text: str) -> str:
    """Catalogs repeat from row to row, so each distinct text is read once."""
    values = read_value(text) if text.strip() else []
    if isinstance(values, dict):
        values = [values]
    if not isinstance(values, list):
        raise UnreadableRowError(f"tools: must be a list (got {type(values).__name__})")
    return dump_json([_to_openai(value) for value in values])


def _to_openai(value: Any) -> dict[str, Any]:
    value = read_value(value)
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise UnreadableRowError(f"tools: a tool has no name (got {str(value)[:60]})")
    keys = ("parameters", "arguments", "inputSchema", "input_schema")
    parameters: Any = next((value[key] for key in keys if value.get(key)), {})
    if not isinstance(parameters, dict):
        raise UnreadableRowError(f"tools: the parameters of {value['name']} are no object")
    required = value.get("required")
    if _is_flat(parameters):
        schema = _from_flat(parameters, required)
    else:
        schema = repair_schema(parameters)
        if isinstance(required, list) and "required" not in schema:
            schema["required"] = required
    description = str(value.get("description") or "")
    function = {"name": value["name"], "description": description, "parameters": schema}
    return {"type": "function", "function": function}


def _is_flat(parameters: dict[str, Any]) -> bool:
    """xLAM's: parameter to its description, without a schema around them."""
    is_schema = isinstance(parameters.get("properties"), dict) or isinstance(
        parameters.get("type"), str
    )
    return not is_schema and all(isinstance(one, dict) for one in parameters.values())


def _from_flat(parameters: dict[str, Any], required: Any) -> dict[str, Any]:
    """A parameter without default is required (as NVIDIA's Automodel reads xLAM), unless its type
    says `optional` or it says itself; a list `required` beside them decides where there is one."""
    properties = {name: repair_schema(one) for name, one in parameters.items()}
    if not isinstance(required, list):
        required = [
            name
            for name, one in parameters.items()
            if one.get("required", "default" not in one and not _is_optional(one.get("type")))
        ]
    return {"type": "object", "properties": properties, "required": required}


def repair_schema(schema: Any) -> Any:
    """The schema with JSON Schema's words for types, in depth."""
    if not isinstance(schema, dict):
        return schema
    repaired = dict(schema)
    if isinstance(kind := schema.get("type"), str):
        del repaired["type"]
        repaired = {**_type_schema(kind), **repaired}
    for key in _MAPS:
        if isinstance(inner := repaired.get(key), dict):
            repaired[key] = {name: repair_schema(one) for name, one in inner.items()}
    for key in _SCHEMAS:
        if isinstance(repaired.get(key), dict):
            repaired[key] = repair_schema(repaired[key])
    for key in _LISTS:
        if isinstance(alternatives := repaired.get(key), list):
            repaired[key] = [repair_schema(one) for one in alternatives]
    if "required" in repaired and not isinstance(repaired["required"], list):
        del repaired["required"]
    return repaired


def _is_optional(kind: Any) -> bool:
    return isinstance(kind, str) and "optional" in kind.lower()


def _type_schema(kind: str) -> dict[str, Any]:
    """`List[int]`, `str, optional`, `Union[str, int]`, `Optional[float]`; nothing where the word
    is unknown (`any`, `Callable`)."""
    word = re.sub(r",?\s*\boptional\b\s*$", "", kind.strip(), flags=re.IGNORECASE).strip()
    if word.lower() in _TYPES:
        return {"type": _TYPES[word.lower()]}
    generic = _GENERIC.fullmatch(word)
    if generic is None:
        return {}
    outer, inner = generic[1].lower(), [one.strip() for one in split_outside(generic[2], ",")]
    if outer == "optional":
        return _type_schema(inner[0])
    if outer == "union":
        return {"anyOf": [_type_schema(one) for one in inner]}
    if outer == "literal":
        return {"enum": [read_value(one) for one in inner]}
    schema: dict[str, Any] = {"type": _TYPES[outer]} if outer in _TYPES else {}
    if schema.get("type") == "array" and outer != "tuple" and (items := _type_schema(inner[0])):
        schema["items"] = items
    return schema
