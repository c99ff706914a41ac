"""What `--help` says and how fast; what each command says is compared in test_commands_page.py."""

import resource
import subprocess
import sys
from collections.abc import Callable

from typer.main import get_command

from tooltune.cli import app

Tooltune = Callable[..., "subprocess.CompletedProcess[str]"]
COMMANDS = list(get_command(app).commands)


def test_help_answers_in_under_half_a_second() -> None:
    """Seconds of processor time: nothing in it waits, and a busy machine must not decide."""

    def used_seconds() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    started = used_seconds()
    done = subprocess.run([sys.executable, "-m", "tooltune", "--help"], capture_output=True)
    assert done.returncode == 0
    assert used_seconds() - started < 0.5


def test_help_imports_nothing_that_computes() -> None:
    program = (
        "import sys; from tooltune.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({'torch', 'numpy', 'transformers', 'mcp', 'matplotlib', 'pydantic'}"
        " & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.split() == []


def test_every_command_shows_an_example_of_itself(tooltune_here: Tooltune) -> None:
    for command in COMMANDS:
        help_text = tooltune_here(command, "--help").stdout
        assert f"Example: tooltune {command} " in help_text


def test_the_version_is_printed(tooltune_here: Tooltune) -> None:
    from tooltune import __version__

    assert tooltune_here("--version").stdout == f"tooltune {__version__}\n"


def test_an_unknown_command_ends_with_exit_code_two(tooltune_here: Tooltune) -> None:
    done = tooltune_here("trian")
    assert done.returncode == 2
    assert "No such command 'trian'" in done.stderr
