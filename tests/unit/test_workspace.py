"""What `shell_exec`, `read_file` and `write_file` do, and every way out of the folder we know."""

import os
from pathlib import Path

import pytest
from mcp.server.mcpserver.exceptions import ToolError

from tooltune.servers import workspace
from tooltune.servers.commands import PROGRAMS, RefusedError, check_command
from tooltune.servers.workspace import read_text, run_command, write_text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace beside a secret, with links that lead out of it."""
    (tmp_path / "secret.txt").write_text("launch code 0000\n")
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "desk"
    (root / "docs").mkdir(parents=True)
    (root / "docs" / "plan.md").write_text("# Plan\nbuy milk\nbuy bread\n")
    (root / "-rf").write_text("odd name\n")
    (root / "b c.txt").write_text("b\na\nb\n")
    (root / "leak").symlink_to(tmp_path / "secret.txt")
    (root / "away").symlink_to(tmp_path / "elsewhere")
    (root / "plan").symlink_to("docs/plan.md")
    return root


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("ls", "-rf\naway\nb c.txt\ndocs\nleak\nplan"),
        ("ls -1 docs", "plan.md"),
        ("cat docs/plan.md", "# Plan\nbuy milk\nbuy bread"),
        ("cat docs/../plan", "# Plan\nbuy milk\nbuy bread"),
        ("cat -- -rf", "odd name"),
        ("head -n 1 docs/plan.md", "# Plan"),
        ("head -1 docs/plan.md", "# Plan"),
        ("tail -n1 docs/plan.md", "buy bread"),
        ("wc -l docs/plan.md", "3 docs/plan.md"),
        ("sort 'b c.txt'", "a\nb\nb"),
        ("sort -r -k 1 'b c.txt'", "b\nb\na"),
        ("uniq -c docs/plan.md", "      1 # Plan\n      1 buy milk\n      1 buy bread"),
        ("grep -n milk docs/plan.md", "2:buy milk"),
        ("grep -rl buy .", "./docs/plan.md"),
        ("grep 'milk|bread' -E docs/plan.md", "buy milk\nbuy bread"),
        ("grep -e milk -e Plan docs/plan.md", "# Plan\nbuy milk"),
        ("grep coffee docs/plan.md", "(no output)"),
        ("find docs -name '*.md'", "docs/plan.md"),
        ("find . ( -name plan.md -o -name b* ) -size -2", "./b c.txt\n./docs/plan.md"),
        ("find -maxdepth 1 -type d", ".\n./docs"),
        ("echo $HOME  `id` 'a  b'", "$HOME `id` a  b"),
        ("stat -c %s docs/plan.md", "26"),
    ],
)
def test_a_read_only_command_prints_what_it_prints(root: Path, command: str, output: str) -> None:
    found = run_command(command, root)
    assert found == output or sorted(found.split("\n")) == sorted(output.split("\n"))


def test_pwd_names_the_workspace(root: Path) -> None:
    assert run_command("pwd", root) == str(root)


@pytest.mark.parametrize(
    "command",
    [
        "cat ../secret.txt",
        "cat /etc/passwd",
        "cat leak",
        "cat docs/../../secret.txt",
        "cat away/../../secret.txt",
        "cat -- ../secret.txt",
        "cat -n -- docs/plan.md /etc/passwd",
        "ls ..",
        "ls -la away",
        "ls away/..",
        "head -n 1 ../secret.txt",
        "tail -n1 leak",
        "wc -c leak",
        "find .. -name secret.txt",
        "find docs /etc -name passwd",
        "find away",
        "grep code ../secret.txt",
        "grep -e code leak",
        "grep -ecode leak",
        "grep -r code ..",
        "grep -h -r code docs away",
        "sort leak",
        "uniq leak",
        "du -a ..",
        "stat ../secret.txt",
        "file leak",
    ],
)
def test_no_path_leads_out_of_the_workspace(root: Path, command: str) -> None:
    with pytest.raises(RefusedError, match="outside the workspace"):
        check_command(command, root)


@pytest.mark.parametrize(
    "command",
    [
        "find . -exec rm {} +",
        "find . -execdir rm {} ;",
        "find . -ok rm {} +",
        "find . -delete",
        "find . -fprint out.txt",
        "find . -fprintf out.txt %p",
        "find . -fls out.txt",
        "find -L . -name secret.txt",
        "find -H away -name x",
        "find . -follow",
        "find . -newer /etc/passwd",
        "find . -samefile leak",
        "find . -files0-from names",
        "find . -lname *",
        "sort -o out.txt docs/plan.md",
        "sort -oout.txt docs/plan.md",
        "sort --output=out.txt docs/plan.md",
        "sort --outp=out.txt docs/plan.md",
        "sort -ro out.txt docs/plan.md",
        "sort --files0-from=names",
        "sort --compress-program=rm docs/plan.md",
        "sort -T away docs/plan.md",
        "sort --random-source=/etc/passwd docs/plan.md",
        "grep -f /etc/passwd docs/plan.md",
        "grep -nf leak docs/plan.md",
        "grep --file=leak docs/plan.md",
        "grep --fil=leak docs/plan.md",
        "grep -R code .",
        "grep --dereference-recursive code .",
        "grep --exclude-from=leak code docs/plan.md",
        "wc --files0-from=leak",
        "du --files0-from=leak",
        "du -L .",
        "du -X leak .",
        "ls -L",
        "ls -H away",
        "file -f leak",
        "file -m leak docs/plan.md",
        "file -C -m docs/plan.md",
        "tail -f docs/plan.md",
        "tail -nf docs/plan.md ../secret.txt",
        "uniq docs/plan.md out.txt",
        "stat -f .",
        "cat --help-me",
        "ls --all=yes",
    ],
)
def test_an_option_that_could_write_run_or_leave_is_refused(root: Path, command: str) -> None:
    with pytest.raises(RefusedError):
        check_command(command, root)


@pytest.mark.parametrize(
    "command",
    ["cat docs/plan.md | wc -l", "echo x > out.txt", "ls; rm plan", "ls && rm plan", "ls &"],
)
def test_shell_operators_are_refused_with_the_reason(root: Path, command: str) -> None:
    with pytest.raises(RefusedError, match="there is no shell"):
        check_command(command, root)


@pytest.mark.parametrize("name", ["rm", "sh", "bash", "env", "xargs", "date", "./cat", "/bin/cat"])
def test_other_programs_are_refused_and_the_allowed_ones_named(root: Path, name: str) -> None:
    with pytest.raises(RefusedError) as caught:
        check_command(f"{name} docs", root)
    assert str(caught.value) == f"{name}: not allowed. Allowed: {', '.join(PROGRAMS)}."


@pytest.mark.parametrize("command", ["", "   ", "cat 'open", "cat a\0b"])
def test_what_is_no_command_is_refused(root: Path, command: str) -> None:
    with pytest.raises(RefusedError):
        check_command(command, root)


def test_what_a_program_complains_about_is_an_error(root: Path) -> None:
    with pytest.raises(ToolError, match="No such file"):
        run_command("cat missing.txt", root)


def test_a_command_that_does_not_end_is_given_up(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "COMMAND_SECONDS", 0.2)
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError) as caught:
        run_command("cat pipe", root)
    assert str(caught.value) == "cat pipe: not done within 0.2 s."


def test_long_output_is_cut_and_says_so(root: Path) -> None:
    (root / "long.txt").write_text("x" * (workspace.OUTPUT_CHARACTERS + 7))
    cut = "x" * workspace.OUTPUT_CHARACTERS + "\n[cut: 7 more characters]"
    assert run_command("cat long.txt", root) == cut
    assert read_text("long.txt", root) == cut


def test_a_file_that_was_written_reads_back(root: Path) -> None:
    assert write_text("new/Größe.txt", "1,5 m²\n", root) == "Wrote 7 characters to new/Größe.txt."
    assert read_text("new/Größe.txt", root) == "1,5 m²\n"
    write_text("plan", "through a link that stays inside", root)
    assert read_text("docs/plan.md", root) == "through a link that stays inside"


@pytest.mark.parametrize(
    "path", ["../out.txt", "/tmp/out.txt", "leak", "away/out.txt", "docs/../.."]
)
def test_files_outside_are_neither_read_nor_written(root: Path, path: str) -> None:
    before = (root.parent / "secret.txt").read_text()
    with pytest.raises(ToolError, match="outside the workspace"):
        write_text(path, "gotcha", root)
    with pytest.raises(ToolError, match="outside the workspace"):
        read_text(path, root)
    assert (root.parent / "secret.txt").read_text() == before
    assert list((root.parent / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    "path", [".git/config", "app/.git/hooks/pre-commit", ".GIT/config", ".git"]
)
def test_gits_own_files_are_not_written_since_git_runs_what_they_say(root: Path, path: str) -> None:
    with pytest.raises(ToolError, match="must be changed through Git"):
        write_text(path, "[core]\n\tfsmonitor = rm -rf .\n", root)
    assert not (root / path).exists()


def test_a_pipe_is_not_written_to(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError) as caught:
        write_text("pipe", "hello", root)
    assert str(caught.value) == "pipe: not a text file."


def test_a_folder_a_missing_file_and_a_binary_file_are_not_text(root: Path) -> None:
    (root / "picture.png").write_bytes(b"\x89PNG\xff")
    (root / "disk.img").touch()
    os.truncate(root / "disk.img", workspace.FILE_BYTES + 1)
    os.mkfifo(root / "pipe")
    for path, message in {
        "docs": "docs: Is a directory.",
        "none.txt": "none.txt: No such file or directory.",
        "picture.png": "picture.png: not a text file.",
        "disk.img": "disk.img: too large to read whole (10000001 bytes); use head or grep.",
        "pipe": "pipe: not a text file.",
    }.items():
        with pytest.raises(ToolError) as caught:
            read_text(path, root)
        assert str(caught.value) == message
