"""docs/commands.md is written from --help; `make docs` (this file as a program) writes it anew."""

from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from tooltune.cli import app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
INTRODUCTION = """\
# Commands

Written from `--help` by `make docs`; a test compares them.
"""


def commands_page() -> str:
    sections = [INTRODUCTION, _section("tooltune", [])]
    for name in get_command(app).commands:
        sections.append(_section(f"tooltune {name}", [name]))
    return "\n".join(sections)


def _section(title: str, arguments: list[str]) -> str:
    done = CliRunner().invoke(
        app, [*arguments, "--help"], prog_name="tooltune", terminal_width=96, max_content_width=96
    )
    assert done.exit_code == 0, done.output
    text = "\n".join(line.rstrip() for line in done.output.splitlines())
    return f"## {title}\n\n```text\n{text}\n```\n"


def test_the_commands_page_is_what_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == commands_page(), "run `make docs`"


if __name__ == "__main__":
    print(commands_page(), end="")
