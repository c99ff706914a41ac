"""What commands print from files that are there: exit codes, tables, and `--json`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tooltune.jsonl import write_jsonl

Tooltune = Callable[..., "subprocess.CompletedProcess[str]"]

READ = {
    "type": "function",
    "function": {
        "name": "read_file",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
        },
    },
}


def row(arguments: dict[str, Any]) -> dict[str, Any]:
    """A conversation in OpenAI's format with one call of read_file."""
    function = {"name": "read_file", "arguments": json.dumps(arguments)}
    return {
        "messages": [
            {"role": "user", "content": f"Show {arguments}."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "milk"},
            {"role": "assistant", "content": "It says milk."},
        ],
        "tools": [READ],
    }


def test_a_sound_dataset_validates_with_exit_code_zero(
    tooltune_here: Tooltune, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "data.jsonl", [row({"path": "a.txt"}), row({"path": "b.txt"})])
    done = tooltune_here("validate", "data.jsonl")
    assert done.returncode == 0
    assert done.stdout.endswith("2 conversations, 0 issues\n")


def test_a_call_that_violates_its_schema_is_found_with_exit_code_one(
    tooltune_here: Tooltune, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "data.jsonl", [row({"path": "a.txt"}), row({"path": 3}), row({})])
    done = tooltune_here("validate", "data.jsonl")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()[:2]
    remedy = "Correct the arguments or remove the row. [call-schema]"
    assert first == (
        f"data.jsonl:2: messages[1]: read_file: path: 3 is not of type 'string'. {remedy}"
    )
    assert second == (
        f"data.jsonl:3: messages[1]: read_file: 'path' is a required property. {remedy}"
    )


def test_validate_prints_its_issues_as_json(tooltune_here: Tooltune, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "data.jsonl", [row({"path": 3})])
    done = tooltune_here("validate", "data.jsonl", "--json")
    found = json.loads(done.stdout)
    assert [issue["code"] for issue in found["issues"]] == ["call-schema"]
    assert found["counts"]["calls_by_tool"] == {"read_file": 1}


def test_evaluate_prints_the_saved_result_without_running_again(
    tooltune_here: Tooltune, finished_run: Path
) -> None:
    done = tooltune_here("evaluate", finished_run, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads(
        (finished_run / "evaluate/summary.json").read_text()
    )


def test_the_evaluation_table_shows_base_beside_tuned(
    tooltune_here: Tooltune, finished_run: Path
) -> None:
    lines = tooltune_here("evaluate", finished_run).stdout.splitlines()
    single = next(line for line in lines if line.startswith("single"))
    assert single.split("   ")[0] == "single"
    assert single.count("%") == 2
    assert any(line.startswith("unparseable") for line in lines)


def test_report_prints_the_path_of_its_page(tooltune_here: Tooltune, finished_run: Path) -> None:
    done = tooltune_here("report", finished_run)
    assert done.stdout == f"{finished_run}/report.html\n"
    assert Path(done.stdout.strip()).read_text().startswith("<!DOCTYPE html>")


def test_evaluate_without_a_saved_result_asks_for_servers(
    tooltune_here: Tooltune, tiny_run: Path
) -> None:
    done = tooltune_here("evaluate", tiny_run)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {tiny_run}: not evaluated yet, and no servers to execute calls on. "
        "Add --config MCP.JSON.\n"
    )


@pytest.mark.parametrize(
    "command", ["synth", "validate", "convert", "mix", "dedupe", "verify", "evaluate"]
)
def test_list_like_commands_offer_json(tooltune_here: Tooltune, command: str) -> None:
    assert "--json" in tooltune_here(command, "--help").stdout
