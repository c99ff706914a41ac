"""Reading an mcp.json: the two usual shapes, variables, and every way it can be wrong."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tooltune.errors import ConfigError
from tooltune.servers.spec import ServerSpec, read_specs


def write(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.mark.parametrize("key", ["mcpServers", "servers"])
def test_both_usual_root_keys_are_read_in_the_files_order(tmp_path: Path, key: str) -> None:
    entries = {
        "time": {"type": "stdio", "command": "uvx", "args": ["mcp-server-time"]},
        "git": {"command": "git-server", "unknown": [1], "trusted": True, "tools": ["git_log"]},
    }
    specs = read_specs(write(tmp_path, {key: entries, "inputs": []}))
    assert specs == {
        "time": ServerSpec(name="time", command="uvx", args=("mcp-server-time",)),
        "git": ServerSpec(name="git", command="git-server", trusted=True, tools=("git_log",)),
    }
    assert list(specs) == ["time", "git"]


def test_a_disabled_server_is_left_out(tmp_path: Path) -> None:
    entries = {"a": {"command": "a", "disabled": True}, "b": {"command": "b", "disabled": False}}
    assert list(read_specs(write(tmp_path, {"mcpServers": entries}))) == ["b"]


def test_a_relative_cwd_counts_from_the_files_folder(tmp_path: Path) -> None:
    spec = read_specs(write(tmp_path, {"mcpServers": {"a": {"command": "a", "cwd": "desk"}}}))["a"]
    assert spec.cwd == tmp_path / "desk"


def test_variables_are_filled_in_only_on_request(tmp_path: Path) -> None:
    entry = {"command": "${BIN}/run", "args": ["--key=${env:KEY}"], "env": {"TOKEN": "x${KEY}x"}}
    spec = read_specs(write(tmp_path, {"mcpServers": {"a": entry}}))["a"]
    assert spec.env == {"TOKEN": "x${KEY}x"}
    assert spec.command_line == "'${BIN}/run' '--key=${env:KEY}'"
    expanded = spec.expanded({"BIN": "/opt", "KEY": "s3${BIN}"})
    assert expanded.command == "/opt/run"
    assert expanded.args == ("--key=s3${BIN}",)
    assert expanded.env == {"TOKEN": "xs3${BIN}x"}


@pytest.mark.parametrize("variable", ["${MISSING}", "${env:MISSING}", "${input:token}", "${}"])
def test_a_variable_without_a_value_is_named(variable: str) -> None:
    spec = ServerSpec(name="git", command="a", env={"TOKEN": f"Bearer {variable}"})
    with pytest.raises(ConfigError) as caught:
        spec.expanded({})
    assert str(caught.value) == (
        f"server git: {variable} has no value (expected an environment variable). "
        "Set it, or write the value into the file."
    )


@pytest.mark.parametrize("command", ["python", "python3"])
def test_python_means_the_interpreter_that_runs_tooltune(command: str) -> None:
    assert ServerSpec(name="a", command=command).expanded().command == sys.executable
    assert ServerSpec(name="a", command="/usr/bin/python3").expanded().command == "/usr/bin/python3"


WRONG = {
    '{"mcpServers": {"git": {"command": "a",}}}': (
        ":1: not valid JSON (Illegal trailing comma before end of object, column 39). "
        "Repair the file."
        if sys.version_info >= (3, 13)
        else ":1: not valid JSON (Expecting property name enclosed in double quotes, column 40). "
        "Repair the file."
    ),
    "[]": ': must be an object (got a list). Write {"mcpServers": {...}}.',
    "{}": (
        ": no servers (got no key at all, expected the key mcpServers or servers). "
        'Write {"mcpServers": {"NAME": {"command": ..., "args": [...]}}}.'
    ),
    '{"mcpservers": {}, "version": 1}': (
        ": no servers (got mcpservers, version, expected the key mcpServers or servers). "
        'Write {"mcpServers": {"NAME": {"command": ..., "args": [...]}}}.'
    ),
    '{"mcpServers": ["git"]}': (
        ": mcpServers: must be an object of servers by name (got a list). "
        'Write {"mcpServers": {"NAME": {"command": ...}}}.'
    ),
    '{"mcpServers": {}}': ": names no server to start. Add one under mcpServers.",
    '{"mcpServers": {"git": "mcp-server-git"}}': (
        ': server git: must be an object (got text). Write {"command": ..., "args": [...]}.'
    ),
    '{"mcpServers": {"git": {"args": []}}}': (
        ": server git: cannot be started (got no command, expected a command). "
        "Give a program that speaks MCP over its standard input and output."
    ),
    '{"mcpServers": {"git": {"url": "https://example.org/mcp"}}}': (
        ": server git: cannot be started (got a url, expected a command). "
        "Give a program that speaks MCP over its standard input and output."
    ),
    '{"mcpServers": {"git": {"command": "a", "args": "-m b"}}}': (
        ": server git: args: Input should be a valid tuple (got text). Correct the value."
    ),
    '{"mcpServers": {"git": {"command": "a", "args": ["-n", 5]}}}': (
        ": server git: args.1: Input should be a valid string (got a number). Correct the value."
    ),
    '{"mcpServers": {"git": {"command": "", "timeout_seconds": 0}}}': (
        ": server git: command: String should have at least 1 character (got text). "
        "Correct the value.\n"
        "PATH: server git: timeout_seconds: Input should be greater than 0 (got a number). "
        "Correct the value."
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=range(len(WRONG)))
def test_a_wrong_file_gets_one_clear_message(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_specs(path)
    assert str(caught.value) == str(path) + message.replace("PATH", str(path))


def test_a_missing_file_gets_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_specs(tmp_path / "mcp.json")
    assert str(caught.value) == (
        f"{tmp_path / 'mcp.json'}: cannot be read (No such file or directory). Check the path."
    )


def test_secrets_of_env_stay_out_of_messages(tmp_path: Path) -> None:
    entry = {"command": "a", "env": {"TOKEN": ["hunter2"]}}
    with pytest.raises(ConfigError) as caught:
        read_specs(write(tmp_path, {"mcpServers": {"git": entry}}))
    assert "env.TOKEN" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_package_gets_the_names_of_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"package: no server known .*sqlite"):
        read_specs(write(tmp_path, {"mcpServers": {"db": {"package": "sqlight"}}}))
