"""The dataset commands as a user runs them: what is printed, written, and the exit code."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tooltune.data.readers import FORMATS, read_conversations
from tooltune.jsonl import write_jsonl

Tooltune = Callable[..., "subprocess.CompletedProcess[str]"]


def row(request: str, answer: str = "Noon.") -> dict[str, Any]:
    messages = [{"role": "user", "content": request}, {"role": "assistant", "content": answer}]
    return {"messages": messages}


def test_a_dataset_is_converted_and_what_is_left_out_is_said(
    tooltune_here: Tooltune, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "a.jsonl", [row("time?"), {"x": 1}])
    done = tooltune_here("convert", "a.jsonl", "--to", "llama-factory", "--out", "b.json")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "1 rows of a.jsonl (openai) written to b.json (llama-factory)",
        "a.jsonl:2: left out: no list `messages` in the row (its keys: x)",
        "1 rows left out",
    ]
    assert read_conversations(tmp_path / "b.json").format == "llama-factory"
    again = tooltune_here("convert", "b.json", "--to", "openai", "--out", "c.jsonl", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["written"] == 1


def test_datasets_are_mixed_by_weight(tooltune_here: Tooltune, tmp_path: Path) -> None:
    for name, count in (("a", 4), ("b", 9)):
        write_jsonl(tmp_path / f"{name}.jsonl", [row(f"{name} {i}?") for i in range(count)])
    done = tooltune_here("mix", "a.jsonl=1", "b.jsonl=2", "--out", "m.jsonl", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["rows"] == {"a.jsonl": 4, "b.jsonl": 8}
    assert len(read_conversations(tmp_path / "m.jsonl").conversations) == 12
    refused = tooltune_here("mix", "a.jsonl=x", "--out", "n.jsonl")
    assert refused.returncode == 2
    assert "not a weight (got 'a.jsonl=x'" in refused.stderr
    assert not (tmp_path / "n.jsonl").exists()


def test_doubles_and_what_an_evaluation_set_holds_are_reported_and_removed(
    tooltune_here: Tooltune, tmp_path: Path
) -> None:
    write_jsonl(tmp_path / "a.jsonl", [row("time in Rome?"), row("Time in Rome"), row("and Bern?")])
    write_jsonl(tmp_path / "test.jsonl", [row("And Bern")])
    found = tooltune_here("validate", "a.jsonl", "--against", "test.jsonl")
    assert found.returncode == 1
    assert found.stdout.startswith("a.jsonl:3: a request shares words with test.jsonl (and bern).")
    done = tooltune_here("dedupe", "a.jsonl", "--against", "test.jsonl", "--out", "b.jsonl")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "1 rows of a.jsonl written to b.jsonl"
    assert tooltune_here("validate", "b.jsonl", "--against", "test.jsonl").returncode == 0


def test_preflight_shows_what_is_trained_and_writes_a_page(
    tooltune_here: Tooltune, tmp_path: Path, tiny_tokenizer_folder: Path
) -> None:
    write_jsonl(tmp_path / "a.jsonl", [row("time?"), row("and now?")])
    arguments = ("a.jsonl", "--preflight", "--model", tiny_tokenizer_folder)
    done = tooltune_here("validate", *arguments, "--html", "p.html")
    assert done.returncode == 0
    assert "⟦Noon.<|im_end|>⟧" in done.stdout
    assert "2 of 2" in done.stdout
    assert "<mark>Noon.&lt;|im_end|&gt;</mark>" in (tmp_path / "p.html").read_text()
    values = json.loads(tooltune_here("validate", *arguments, "--json").stdout)
    assert values["preflight"]["stop_token"]["trained"] == 2
    assert tooltune_here("validate", "a.jsonl", "--html", "p.html").returncode == 2


def test_verify_checks_schema_and_grounding_without_servers(
    tooltune_here: Tooltune, tmp_path: Path
) -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
    call = {"name": "now", "arguments": json.dumps({"zone": "Europe/Rome"})}
    turns = row("time in Rome?")["messages"]
    turns.insert(1, {"role": "assistant", "tool_calls": [{"id": "c", "function": call}]})
    turns.insert(2, {"role": "tool", "content": "12:00", "tool_call_id": "c"})
    made = {"id": "r", "messages": turns, "tools": json.dumps([tool])}
    write_jsonl(tmp_path / "a.jsonl", [made])
    done = tooltune_here("verify", "a.jsonl", "--sample", "0", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["checked"], found["failed"]) == (0, 1)
    assert found["failures"] == [
        {
            "line": 1,
            "id": "r",
            "check": "grounded",
            "reason": "now: zone = 'Europe/Rome' comes from nowhere",
        }
    ]
    refused = tooltune_here("verify", "a.jsonl")
    assert refused.returncode == 2
    assert "no servers to execute calls on (looked for mcp.json)" in refused.stderr


def test_a_card_is_written_beside_the_splits(tooltune_here: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_jsonl(tmp_path / "data/train.jsonl", [row("time?")])
    assert tooltune_here("card", "data").stdout == "data/card.md\n"
    assert (tmp_path / "data/card.md").read_text().startswith("# Dataset card\n")


@pytest.mark.parametrize("command", ["convert", "dedupe"])
def test_a_format_that_is_unknown_is_refused_with_those_that_are(
    tooltune_here: Tooltune, tmp_path: Path, command: str
) -> None:
    write_jsonl(tmp_path / "a.jsonl", [row("time?")])
    to = ("--to", "trl") if command == "convert" else ()
    done = tooltune_here(command, "a.jsonl", *to, "--format", "csv", "--out", "b.jsonl")
    assert done.returncode == 2
    assert f"--format: unknown (got 'csv', expected one of {', '.join(FORMATS)})" in done.stderr
    assert not (tmp_path / "b.jsonl").exists()


def test_what_synth_wrote_passes_the_recheck_and_a_tampered_row_does_not(
    tooltune_here: Tooltune, tmp_path: Path, tiny_data: Path
) -> None:
    rows = [json.loads(line) for line in (tiny_data / "train.jsonl").read_text().splitlines()]
    place = next(i for i, one in enumerate(rows) if one["ability"] == "single")
    result = next(m for m in rows[place]["messages"] if m["role"] == "tool")
    tampered = json.loads(json.dumps(rows[place]))
    next(m for m in tampered["messages"] if m["role"] == "tool")["content"] = "never said"
    assert result["content"] != "never said"
    write_jsonl(tmp_path / "a.jsonl", [*rows, tampered])
    config = Path(__file__).parents[2] / "examples" / "mcp.json"
    done = tooltune_here("verify", "a.jsonl", "--config", config, "--json")
    found = json.loads(done.stdout)
    assert found["checked"] == found["rows"] == len(rows) + 1
    assert [(one["line"], one["check"]) for one in found["failures"]] == [(len(rows) + 1, "replay")]
    assert "recorded is 'never said'" in found["failures"][0]["reason"]
    assert done.returncode == 1
