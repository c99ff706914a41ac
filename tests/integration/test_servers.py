"""Real tool servers over stdio, good and hostile: what starts, what is offered, what goes wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tooltune.errors import ConfigError, ServerError
from tooltune.servers.client import Servers
from tooltune.servers.connection import RESULT_CHARACTERS
from tooltune.servers.spec import ServerSpec, read_specs

ROOT = Path(__file__).parents[2]
SERVERS = ROOT / "tests" / "servers"
FROZEN_CLOCK = ROOT / "src" / "tooltune" / "servers" / "frozen_clock"

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="looks for processes in Linux's /proc"
)


def flaky(mode: str = "well", *, timeout_seconds: float = 20, **keys: object) -> ServerSpec:
    return ServerSpec.model_validate(
        {
            "name": "flaky",
            "command": "python",
            "args": (str(SERVERS / "flaky.py"), mode),
            "timeout_seconds": timeout_seconds,
            **keys,
        }
    )


def by_hand(spec: ServerSpec) -> str:
    return f"Run it by hand to see why: {spec.command_line}"


def children(process_id: int | str = "self") -> set[str]:
    """Process ids of the direct children that are alive or not yet reaped."""
    threads = Path(f"/proc/{process_id}/task").glob("*/children")
    return {pid for file in threads for pid in file.read_text().split()}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file and one commit."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "notes.txt").write_text("milk\nbread\n")
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@desk.example"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Shopping"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def examples(desk: Path):
    """The three servers of examples/mcp.json at work in the desk, at a frozen time."""
    env = {
        "PYTHONPATH": str(FROZEN_CLOCK),
        "TOOLTUNE_FROZEN_CLOCK": "2026-03-02T09:00:00+00:00",
    }
    specs = read_specs(ROOT / "examples" / "mcp.json").values()
    with Servers(specs, cwd=desk, env=env) as servers:
        yield servers


def test_the_example_config_offers_a_small_catalog_of_three_real_servers(examples: Servers) -> None:
    assert set(examples.server_of.values()) == {"git", "time", "workspace"}
    assert [tool.name for tool in examples.tools] == list(examples.server_of)
    assert len(examples.tools) == 8
    assert examples.problems == []
    read_only = {tool.name: tool.read_only for tool in examples.tools}
    assert read_only["git_status"] is True
    assert read_only["git_checkout"] is False
    assert read_only["shell_exec"] is True
    assert read_only["write_file"] is False


def test_schemas_come_without_the_titles_that_pydantic_adds(examples: Servers) -> None:
    schema = next(tool.input_schema for tool in examples.tools if tool.name == "read_file")
    assert schema == {
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
    }


def test_servers_run_in_the_given_folder_and_answer_with_text(examples: Servers) -> None:
    status = examples.call("git_status", {"repo_path": "."})
    assert not status.is_error
    assert "On branch main" in status.content
    assert examples.call("shell_exec", {"command": "wc -l notes.txt"}).content == "2 notes.txt"
    assert examples.call("read_file", {"path": "notes.txt"}).content == "milk\nbread\n"


def test_a_frozen_clock_stands_still_and_calls_still_time_out(examples: Servers) -> None:
    first = examples.call("get_current_time", {"timezone": "Asia/Tokyo"})
    assert "2026-03-02T18:00:00+09:00" in first.content
    assert examples.call("get_current_time", {"timezone": "Asia/Tokyo"}) == first


def test_a_frozen_clock_leaves_durations_running() -> None:
    program = "import time; a = time.monotonic(); time.sleep(0.01); print(time.monotonic() > a)"
    env = {"PYTHONPATH": str(FROZEN_CLOCK), "TOOLTUNE_FROZEN_CLOCK": "2026-03-02T09:00:00+00:00"}
    done = subprocess.run(
        [sys.executable, "-c", program + "; print(int(time.time()))"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "1772442000"]


def test_arguments_a_tool_rejects_come_back_as_an_error_result(examples: Servers) -> None:
    result = examples.call("git_status", {})
    assert result.is_error
    assert "repo_path" in result.content


def test_an_unknown_tool_is_an_error_result(examples: Servers) -> None:
    result = examples.call("git_push", {})
    assert result.is_error
    assert result.content == "Unknown tool: git_push"


def test_one_bad_schema_does_not_hide_its_good_siblings() -> None:
    spec = ServerSpec(name="bad", command="python", args=(str(SERVERS / "bad_schema.py"),))
    with Servers([spec]) as servers:
        assert [tool.name for tool in servers.tools] == ["first", "last"]
        assert servers.tools[0].input_schema["properties"] == {"title": {}}
        assert servers.call("last", {}).content == "last ran"
    assert servers.problems == [
        f"server bad: tool {name} is left out: {reason}."
        for name, reason in {
            "no_schema": "its inputSchema is not a JSON Schema of type object",
            "list_schema": "its inputSchema is not a JSON Schema of type object",
            "wrong_type": "its inputSchema is not a valid JSON Schema: "
            "'integr' is not valid under any of the given schemas",
            "wrong_output": "its outputSchema is not a valid JSON Schema: "
            "'all' is not of type 'array'",
            "has space": "its name has other characters than A-Z a-z 0-9 _ . - or is over 128 long",
            "wrong_hints": "it breaks the protocol: Input should be a valid boolean",
            "without a name": "it has no name",
        }.items()
    ]


def test_asking_for_a_broken_tool_by_name_says_what_is_wrong_with_it() -> None:
    spec = ServerSpec(
        name="bad", command="python", args=(str(SERVERS / "bad_schema.py"),), tools=("no_schema",)
    )
    with pytest.raises(ServerError) as caught, Servers([spec]):
        pass
    assert str(caught.value) == (
        "server bad: tool no_schema cannot be offered: its inputSchema is not a JSON Schema of "
        f"type object. {by_hand(spec)}"
    )


def test_an_allow_list_keeps_only_its_tools_in_the_servers_order() -> None:
    with Servers([flaky(tools=("wait", "echo"))]) as servers:
        assert [tool.name for tool in servers.tools] == ["echo", "wait"]
        assert servers.call("count", {}).is_error


def test_an_allow_list_with_a_wrong_name_suggests_the_right_one() -> None:
    with pytest.raises(ConfigError) as caught, Servers([flaky(tools=("ecko",))]):
        pass
    assert str(caught.value) == (
        "server flaky: no tool ecko (got it in its list of tools). Did you mean echo?"
    )


def test_two_servers_with_one_tool_name_are_refused() -> None:
    twin = flaky().model_copy(update={"name": "twin"})
    with pytest.raises(ConfigError) as caught, Servers([flaky(), twin]):
        pass
    assert str(caught.value) == (
        "servers flaky and twin: both offer a tool echo. "
        'Leave it out of one of them: list the names to offer in its "tools".'
    )


@pytest.mark.parametrize("mode", ["exits-on-discover", "silent-on-discover", "chatty"])
def test_a_server_that_does_not_survive_the_first_question_is_asked_the_old_way(mode: str) -> None:
    # Silence is waited for as long as a start may take.
    limit = 1.0 if mode == "silent-on-discover" else 20
    with Servers([flaky(mode, timeout_seconds=limit)]) as servers:
        assert servers.call("echo", {"text": "hello"}).content == "hello"


def test_a_command_that_does_not_exist_is_named() -> None:
    spec = ServerSpec(name="git", command="no-such-program", args=("--now",))
    with pytest.raises(ServerError) as caught, Servers([spec]):
        pass
    assert str(caught.value) == (
        "server git: command not found (got 'no-such-program', expected a program on PATH). "
        "Install it, or write its full path."
    )


def test_a_file_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_text("not a program")
    spec = ServerSpec(name="git", command=str(program))
    with pytest.raises(ServerError) as caught, Servers([spec]):
        pass
    assert str(caught.value) == (
        f"server git: cannot run '{program}' (Permission denied). {by_hand(spec)}"
    )


def test_a_server_that_never_answers_is_given_up_after_its_timeout() -> None:
    spec = flaky("silent", timeout_seconds=0.5)
    with pytest.raises(ServerError) as caught, Servers([spec]):
        pass
    assert str(caught.value) == (
        f"server flaky: no answer within 0.5 s of its start. {by_hand(spec)}"
    )


def test_a_server_that_ends_at_its_start_is_quoted() -> None:
    spec = ServerSpec(name="git", command="python", args=("-m", "no_such_module"))
    with pytest.raises(ServerError) as caught, Servers([spec]):
        pass
    assert str(caught.value) == (
        "server git: ended while starting (Connection closed); its last words: "
        f"{sys.executable}: No module named no_such_module. {by_hand(spec)}"
    )


def test_a_folder_to_run_in_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught, Servers([flaky()], cwd=tmp_path / "nowhere"):
        pass
    assert str(caught.value) == (
        f"server flaky: no folder {tmp_path / 'nowhere'} to run in. Create it."
    )


def test_a_listing_without_end_is_given_up() -> None:
    spec = flaky("endless")
    with pytest.raises(ServerError) as caught, Servers([spec]):
        pass
    assert str(caught.value) == (
        f"server flaky: cannot list its tools (more than 50 pages). {by_hand(spec)}"
    )


def test_a_listing_that_goes_in_circles_is_read_once() -> None:
    with Servers([flaky("circular")]) as servers:
        assert len(servers.tools) == 7
        assert servers.call("count", {}).content == "1"


def test_a_server_that_dies_during_a_call_is_named_and_starts_again_at_the_next() -> None:
    with Servers([flaky()]) as servers:
        assert servers.call("count", {}).content == "1"
        assert servers.call("count", {}).content == "2"
        with pytest.raises(ServerError) as caught:
            servers.call("die", {})
        assert str(caught.value) == (
            "server flaky: ended without answering a call of die; its last words: out of luck. "
            "The next call starts it again."
        )
        assert servers.call("count", {}).content == "1"


def test_a_call_that_takes_too_long_is_given_up_and_the_server_started_again() -> None:
    with Servers([flaky()]) as servers:
        with pytest.raises(ServerError) as caught:
            servers.call("wait", {"seconds": 60}, timeout_seconds=0.2)
        assert str(caught.value) == (
            "server flaky: no answer to a call of wait within 0.2 s. "
            "The next call starts it again; raise timeout_seconds if it needs longer."
        )
        assert servers.call("count", {}).content == "1"


def test_an_error_of_the_protocol_is_an_error_result() -> None:
    with Servers([flaky()]) as servers:
        result = servers.call("refuse", {})
        assert result.is_error
        assert result.content == "Error: not today"


def test_an_answer_that_breaks_its_own_schema_is_an_error_result() -> None:
    with Servers([flaky()]) as servers:
        result = servers.call("lie", {})
        assert result.is_error
        assert result.content == (
            "Error: Invalid structured content returned by tool lie: "
            "'maybe' is not of type 'boolean'"
        )


def test_an_answer_of_any_size_is_cut_and_says_so() -> None:
    with Servers([flaky()]) as servers:
        result = servers.call("shout", {"characters": RESULT_CHARACTERS + 5})
        assert result.content == "A" * RESULT_CHARACTERS + "\n[cut: 5 more characters]"


@needs_proc
def test_no_process_is_left_after_leaving_even_of_a_server_that_will_not_go() -> None:
    before = children()
    with Servers([flaky("stubborn")]) as servers:
        assert len(children() - before) == 1
        servers.call("echo", {"text": "hello"})
    assert children() <= before


@needs_proc
def test_ctrl_c_while_a_server_starts_ends_it_at_once() -> None:
    program = (
        "from tooltune.servers.client import Servers\n"
        "from tooltune.servers.spec import ServerSpec\n"
        "print('starting', flush=True)\n"
        f"spec = ServerSpec(name='s', command='python', args=({str(SERVERS / 'flaky.py')!r}, "
        "'silent'), timeout_seconds=60)\n"
        "with Servers([spec]): pass\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        while not (found := children(process.pid)):
            pass
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert time.monotonic() - started < 15
    assert process.returncode in (1, -signal.SIGINT, 130)
    with pytest.raises(ProcessLookupError):
        os.kill(int(found.pop()), 0)


def test_what_a_server_prints_does_not_reach_the_terminal() -> None:
    # In a program of its own: pytest catches the log messages that would be printed.
    program = (
        "from tooltune.servers.client import Servers\n"
        "from tooltune.servers.spec import ServerSpec\n"
        f"spec = ServerSpec(name='s', command='python', args=({str(SERVERS / 'flaky.py')!r}, "
        "'chatty'))\n"
        "with Servers([spec]) as servers: print(servers.call('echo', {'text': 'hello'}).content)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "hello\n"
    assert done.stderr == ""
