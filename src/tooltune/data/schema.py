"""Arguments against a tool's JSON Schema (draft 2020-12), and the one way two calls compare."""

import json
import re
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from tooltune.messages import Tool

_MOST_CACHED = 1024
_LONGEST_MESSAGE = 200

# By identity: conversations with the same catalog hold the same Tool objects. The schema is kept
# beside its validator, so its id cannot be given to another one.
_validators: dict[int, tuple[dict[str, Any], Draft202012Validator | str]] = {}


def check_arguments(tool: Tool, arguments: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, one sentence a fault; empty where they fit the schema.

    A schema that is itself invalid, or refers to something outside itself, is one fault.
    """
    validator = _validator(tool.input_schema)
    if isinstance(validator, str):
        return [f"the schema of {tool.name} is invalid: {validator}"]
    try:
        if validator.is_valid(arguments):
            return []
        return [_describe(error) for error in validator.iter_errors(arguments)]
    except (Unresolvable, re.error, RecursionError) as error:
        return [f"the schema of {tool.name} cannot be applied: {_cut(str(error))}"]


def check_schema(schema: dict[str, Any]) -> str | None:
    """Why this is not a JSON Schema, or None."""
    validator = _validator(schema)
    return validator if isinstance(validator, str) else None


def accepts(schema: Any, value: Any) -> bool:
    """Whether the value fits the schema; an unusable schema accepts nothing."""
    if not isinstance(schema, dict):
        return schema is True
    validator = _validator(schema)
    try:
        return not isinstance(validator, str) and validator.is_valid(value)
    except (Unresolvable, re.error, RecursionError):
        return False


def canonical(arguments: Any) -> str:
    """JSON text that is equal exactly where two values count as the same.

    Keys are sorted; a whole number is the same with and without fraction (1 == 1.0), but never
    the same as true or as text; the order of lists counts; a missing key is not a null.
    """
    return json.dumps(_whole_numbers(arguments), ensure_ascii=False, sort_keys=True)


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(item) for item in value]
    return value


def _validator(schema: dict[str, Any]) -> Draft202012Validator | str:
    known = _validators.get(id(schema))
    if known is not None:
        return known[1]
    if len(_validators) >= _MOST_CACHED:
        _validators.clear()
    validator: Draft202012Validator | str
    try:
        Draft202012Validator.check_schema(schema)
        # An empty registry: a schema from a server must not make us fetch its references.
        validator = Draft202012Validator(schema, registry=Registry())
    except (SchemaError, RecursionError) as error:
        validator = _cut(getattr(error, "message", str(error)))
    _validators[id(schema)] = (schema, validator)
    return validator


def _describe(error: ValidationError) -> str:
    """`path: what is wrong`, with the deepest reason where alternatives failed."""
    deepest = best_match([error]) or error
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in deepest.absolute_path)
    return f"{path.lstrip('.')}: {_cut(deepest.message)}" if path else _cut(deepest.message)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."
