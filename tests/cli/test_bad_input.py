"""Bad input as a user meets it: one clear message, exit code 2, no traceback, nothing half-written.

The rules behind the messages have tests of their own beside their modules.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]
Tooltune = Callable[..., Done]
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


def test_a_broken_mcp_json_is_named_with_its_line(tooltune: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text('{"mcpServers": {\n  "git": \n}')
    require_refused(
        synth(tooltune),
        "mcp.json:3: not valid JSON (Expecting value, column 1). Repair the file.",
    )
    assert not (tmp_path / "data").exists()


def test_a_missing_mcp_json_is_named(tooltune: Tooltune) -> None:
    require_refused(
        synth(tooltune), "mcp.json: cannot be read (No such file or directory). Check the path."
    )


def test_a_command_that_is_not_found_is_named(
    tooltune: Tooltune, write_config: Callable[..., None], tmp_path: Path
) -> None:
    write_config("files", "no-such-program")
    require_refused(
        synth(tooltune),
        "server files: command not found (got 'no-such-program', expected a program on PATH). "
        "Install it, or write its full path.",
    )
    assert not (tmp_path / "data").exists()


def test_a_server_that_never_answers_is_given_up(
    tooltune: Tooltune, write_config: Callable[..., None]
) -> None:
    flaky = str(SERVERS / "flaky.py")
    write_config("mute", "python", flaky, "silent", timeout_seconds=1)
    require_refused(
        synth(tooltune),
        "server mute: no answer within 1 s of its start. "
        f"Run it by hand to see why: python {flaky} silent",
    )


def test_a_dataset_line_that_is_not_json_is_named(tooltune: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"messages": []}\n\n{"messages"\n')
    require_refused(
        tooltune("validate", "data.jsonl"),
        "data.jsonl:3: not valid JSON (Expecting ':' delimiter, column 12; "
        "the line starts '{\"messages\"'). Repair or remove the line.",
    )


def test_an_empty_dataset_is_refused(tooltune: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("\n")
    require_refused(
        tooltune("validate", "data.jsonl"),
        "data.jsonl: no conversation to train on (got 0 rows that cannot be read). "
        "Name a file with one conversation a line.",
    )


def test_an_unknown_key_of_a_recipe_gets_the_nearest_name(
    tooltune: Tooltune, tmp_path: Path
) -> None:
    (tmp_path / "recipe.toml").write_text("[train]\nlearning_rat = 1e-3\n")
    require_refused(
        tooltune("train", "recipe.toml", "--out", "run"),
        "recipe.toml: unknown key train.learning_rat. Did you mean train.learning_rate?",
    )
    assert not (tmp_path / "run").exists()


def test_a_value_of_a_recipe_out_of_range_is_named(tooltune: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("")
    require_refused(
        tooltune("train", "recipe.toml", "--out", "run", "--set", "train.epochs=0"),
        "--set: train.epochs: Input should be greater than or equal to 1 (got 0). "
        "Correct the value.",
    )


def test_a_folder_that_is_no_run_is_named(tooltune: Tooltune, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for command in (["report", "run"], ["evaluate", "run"], ["agent", "run", "--config", "m"]):
        require_refused(
            tooltune(*command),
            "run: not a run folder (no recipe.toml). "
            "Name the folder that `tooltune train RECIPE --out RUN` wrote.",
        )


def test_the_traceback_is_there_for_those_who_want_it(tooltune: Tooltune) -> None:
    done = tooltune("report", "run", env={"TOOLTUNE_DEBUG": "1"})
    assert "Traceback" in done.stderr
    assert "DataError: run: not a run folder" in done.stderr
