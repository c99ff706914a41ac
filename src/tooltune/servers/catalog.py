"""What a server lists, as the Tools we train on: checks each listed tool and tidies its schema.

One bad tool must not cost its siblings, so each is judged on its own, before the SDK sees it.
"""

import re
from collections.abc import Sequence
from typing import Any

from tooltune.config import nearest
from tooltune.data.schema import check_schema
from tooltune.errors import ConfigError
from tooltune.messages import Tool

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SCHEMAS_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_PLAIN_VALUES = ("default", "const", "enum", "examples")


def why_invalid(listed: Any) -> str | None:
    """The reason a tool cannot be offered, given as the server listed it; None for a good one."""
    if not isinstance(listed, dict) or not isinstance(listed.get("name"), str):
        return "it has no name"
    if not _NAME.fullmatch(listed["name"]):
        return "its name has other characters than A-Z a-z 0-9 _ . - or is over 128 long"
    if not isinstance(listed.get("description", ""), str | None):
        return "its description is not text"
    schema = listed.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "its inputSchema is not a JSON Schema of type object"
    for key in ("inputSchema", "outputSchema"):
        if listed.get(key) is not None and (problem := check_schema(listed[key])):
            return f"its {key} is not a valid JSON Schema: {problem}"
    return None


def to_tool(listed: dict[str, Any]) -> Tool:
    """A tool that `why_invalid` has passed, without the titles that pydantic adds to schemas."""
    schema = strip_titles(listed["inputSchema"])
    return Tool(
        name=listed["name"],
        description=listed.get("description") or "",
        input_schema=schema if "properties" in schema else {**schema, "properties": {}},
        read_only=(listed.get("annotations") or {}).get("readOnlyHint"),
    )


def narrow(tool: Tool, parameters: Sequence[str]) -> Tool:
    """The tool with only some of its parameters. Raises ConfigError where one is unknown, or one
    that the tool requires is missing."""
    schema = tool.input_schema
    known: dict[str, Any] = schema["properties"]
    for name in parameters:
        if name not in known:
            raise ConfigError(
                f"tool {tool.name}: no parameter {name} (named in its server's list of tools). "
                f"{nearest(name, list(known))}"
            )
    if missing := [name for name in schema.get("required", ()) if name not in parameters]:
        raise ConfigError(
            f"tool {tool.name}: requires {', '.join(missing)}, which its server's list of tools "
            "leaves out. Add it there."
        )
    kept = {name: value for name, value in known.items() if name in parameters}
    return tool.model_copy(update={"input_schema": {**schema, "properties": kept}})


def strip_titles(schema: Any) -> Any:
    """A JSON Schema without `title` annotations: they repeat the names and cost tokens in every
    prompt. A property that is called title stays."""
    if isinstance(schema, list):
        return [strip_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    stripped = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in _SCHEMAS_BY_NAME and isinstance(value, dict):
            stripped[key] = {name: strip_titles(item) for name, item in value.items()}
        else:
            stripped[key] = value if key in _PLAIN_VALUES else strip_titles(value)
    return stripped
