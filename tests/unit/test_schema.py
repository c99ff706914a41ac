"""Arguments against schemas, and when two calls count as the same. Generated schemas are tried in
tests/property/test_data.py."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tooltune.data.schema import accepts, canonical, check_arguments, check_schema
from tooltune.messages import Tool

LOG = Tool(
    name="git_log",
    input_schema={
        "type": "object",
        "properties": {
            "repo_path": {"type": "string"},
            "max_count": {"type": "integer", "minimum": 1},
            "since": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "files": {"type": "array", "items": {"$ref": "#/$defs/file"}},
        },
        "required": ["repo_path"],
        "$defs": {"file": {"type": "object", "properties": {"path": {"type": "string"}}}},
    },
)


@pytest.mark.parametrize(
    "arguments",
    [
        {"repo_path": "."},
        {"repo_path": ".", "max_count": 3.0, "since": None},
        {"repo_path": ".", "files": [{"path": "a"}], "unknown": 1},
    ],
)
def test_arguments_that_fit_have_no_problem(arguments: dict[str, Any]) -> None:
    assert check_arguments(LOG, arguments) == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "'repo_path' is a required property"),
        ({"repo_path": 7}, "repo_path: 7 is not of type 'string'"),
        ({"repo_path": ".", "max_count": 0}, "max_count: 0 is less than the minimum of 1"),
        ({"repo_path": ".", "max_count": True}, "max_count: True is not of type 'integer'"),
        ({"repo_path": ".", "files": [{"path": 1}]}, "files[0].path: 1 is not of type 'string'"),
    ],
)
def test_a_fault_is_named_with_its_place(arguments: dict[str, Any], problem: str) -> None:
    assert check_arguments(LOG, arguments) == [problem]


def test_every_fault_is_named() -> None:
    assert len(check_arguments(LOG, {"repo_path": 7, "max_count": "x"})) == 2


def test_a_long_value_does_not_fill_the_message() -> None:
    (problem,) = check_arguments(LOG, {"repo_path": ["x" * 10_000]})
    assert len(problem) < 250


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "strnig"}, "is not valid under any of the given schemas"),
        ({"properties": []}, "is not of type 'object'"),
    ],
)
def test_an_invalid_schema_is_one_fault(schema: dict[str, Any], problem: str) -> None:
    assert problem in (check_schema(schema) or "")
    (fault,) = check_arguments(Tool(name="x", input_schema=schema), {})
    assert fault.startswith("the schema of x is invalid: ")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/missing"},
        {"properties": {"a": {"pattern": "("}}},
    ],
)
def test_a_schema_that_cannot_be_applied_is_one_fault(
    schema: dict[str, Any],
) -> None:
    (fault,) = check_arguments(Tool(name="x", input_schema=schema), {"a": "b"})
    assert fault.startswith("the schema of x ")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_schema_cannot_make_us_fetch_an_address() -> None:
    asked: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            schema = {"$ref": f"http://127.0.0.1:{server.server_port}/schema.json"}
            (fault,) = check_arguments(Tool(name="x", input_schema=schema), {})
        finally:
            server.shutdown()
            thread.join()
    assert fault.startswith("the schema of x cannot be applied: ")
    assert asked == []


def test_a_good_schema_is_no_fault() -> None:
    assert check_schema(LOG.input_schema) is None


def test_a_property_accepts_null_only_where_its_schema_says_so() -> None:
    assert accepts(LOG.input_schema["properties"]["since"], None)
    assert not accepts(LOG.input_schema["properties"]["repo_path"], None)
    assert accepts(True, None)
    assert not accepts(None, None)
    assert not accepts({"$ref": "#/nowhere"}, None)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": [{"x": -0.0, "y": 1e3}]}, {"a": [{"y": 1000, "x": 0}]}),
    ],
)
def test_values_that_count_as_the_same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert canonical(left) == canonical(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.5}),
        ({"a": None}, {}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"a": "x"}, {"a": "x "}),
    ],
)
def test_values_that_differ(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert canonical(left) != canonical(right)
