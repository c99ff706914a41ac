"""Values for any JSON Schema: what a call's arguments could be, drawn from a split's pools.

Nested objects and arrays, enums, constants, defaults, formats, bounds, `$ref` inside the document,
`oneOf`, `anyOf` and `allOf`. A schema that asks for more (a pattern, say) may get a value that
does not fit it; the caller checks, and throws away what does not.
"""

import random
from typing import Any

from tooltune.worlds import pools, values
from tooltune.worlds.pools import Split

_DEEPEST = 6
_MOST_ITEMS = 3

_FORMATS = {
    "date": lambda rng: f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
    "time": lambda rng: f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00",
    "date-time": lambda rng: (
        f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randint(0, 23):02}:30:00Z"
    ),
    "email": lambda rng: f"{rng.choice('abcdefgh')}{rng.randint(10, 99)}@mail.example",
    "uri": lambda rng: f"http://site{rng.randint(10, 99)}.example/page",
    "url": lambda rng: f"http://site{rng.randint(10, 99)}.example/page",
    "uuid": lambda rng: f"{rng.getrandbits(32):08x}-0000-4000-8000-{rng.getrandbits(48):012x}",
    "ipv4": lambda rng: f"192.0.2.{rng.randint(1, 254)}",
    "hostname": lambda rng: f"host{rng.randint(10, 99)}.example",
}


class UnusableError(Exception):
    """No value for this schema: a reference that leads nowhere, or nesting without end."""


def draw_arguments(
    schema: dict[str, Any], split: Split, rng: random.Random, *, optional_fraction: float = 0.4
) -> dict[str, Any]:
    """Arguments for a tool's input schema: the required ones, and each other with this chance.

    Raises UnusableError."""
    return _Drawer(schema, split, rng, optional_fraction).object(schema, 0)


class _Drawer:
    def __init__(
        self, root: dict[str, Any], split: Split, rng: random.Random, optional_fraction: float
    ) -> None:
        self.root, self.split, self.rng = root, split, rng
        self.optional_fraction = optional_fraction

    def object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self.value(part, name, depth + 1)
            for name, part in schema.get("properties", {}).items()
            if name in required or (depth < 2 and self.rng.random() < self.optional_fraction)
        }

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise UnusableError("nested too deeply")
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if enum := [one for one in schema.get("enum", ()) if one is not None]:
            return self.rng.choice(enum)
        if examples := schema.get("examples"):
            return self.rng.choice(examples)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind == "object" or "properties" in schema:
            return self.object(schema, depth)
        if kind == "array":
            count = self.rng.randint(max(1, schema.get("minItems", 1)),
                                     max(schema.get("minItems", 1), _MOST_ITEMS))  # fmt: skip
            count = min(count, schema.get("maxItems", count))
            return [self.value(schema.get("items", {}), name, depth + 1) for _ in range(count)]
        if kind in ("integer", "number"):
            return self._number(schema, is_whole=kind == "integer")
        if kind == "boolean":
            return not schema.get("default", self.rng.random() < 0.5)
        return None if kind == "null" else self._text(schema, name)

    def _resolved(self, given: Any) -> dict[str, Any]:
        """Without references and alternatives: the first alternative that is not null."""
        schema: dict[str, Any] = given if isinstance(given, dict) else {}
        for _ in range(_DEEPEST):
            if "$ref" in schema:
                schema = {
                    **self._referred(schema["$ref"]),
                    **{key: value for key, value in schema.items() if key != "$ref"},
                }
            elif options := schema.get("oneOf") or schema.get("anyOf"):
                real = [one for one in options
                        if not isinstance(one, dict) or one.get("type") != "null"]  # fmt: skip
                rest = {key: value for key, value in schema.items()
                        if key not in ("oneOf", "anyOf")}  # fmt: skip
                schema = {**rest, **(self.rng.choice(real or [{}]))}
            elif parts := schema.get("allOf"):
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                schema = _merged([rest, *map(self._resolved, parts)])
            else:
                return schema
        raise UnusableError("refers to itself")

    def _referred(self, reference: str) -> dict[str, Any]:
        found: Any = self.root
        for part in reference.removeprefix("#").strip("/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise UnusableError(f"{reference} leads nowhere")
            found = found[key]
        return found if isinstance(found, dict) else {}

    def _number(self, schema: dict[str, Any], *, is_whole: bool) -> int | float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 41) - 1)
        step = schema.get("multipleOf", 1)
        value = self.rng.randint(int(low // step), max(int(low // step), int(high // step))) * step
        return int(value) if is_whole else value

    def _text(self, schema: dict[str, Any], name: str) -> str:
        if (form := schema.get("format")) in _FORMATS:
            return str(_FORMATS[form](self.rng))
        lower = name.lower()
        pool = values.THINGS
        for key, one in (("city", values.CITIES), ("location", values.CITIES),
                         ("zone", pools.ZONES), ("user", values.PEOPLE), ("person", values.PEOPLE),
                         ("author", values.PEOPLE), ("status", values.STATUSES)):  # fmt: skip
            if key in lower:
                pool = one
                break
        text = self.rng.choice(pool[self.split])
        if "url" in lower or "uri" in lower:
            text = f"http://{self.rng.choice(values.SITES[self.split])}/"
        elif "file" in lower or "path" in lower:
            text = f"{self.rng.choice(pools.STEMS[self.split])}.txt"
        longest = schema.get("maxLength", len(text))
        return text[:longest].ljust(schema.get("minLength", 0), "x")


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*merged.get("required", ()), *part.get("required", ())]
        merged |= part
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged
