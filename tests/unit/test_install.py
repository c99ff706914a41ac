"""Environments of known servers: made once, said why not, nothing half-made is used."""

from pathlib import Path

import pytest

from tooltune.errors import ServerError
from tooltune.servers.install import installed, ready_spec, ready_specs, servers_folder
from tooltune.servers.known import KNOWN, KnownServer
from tooltune.servers.spec import read_specs

SERVER = KnownServer("toy", "npm", "toy-server", "1.2.3", ("{folder}",), env={"FILE": "{folder}/f"})

NPM = """#!/bin/sh
echo "$@" >> {log}
test -e {broken} && echo "npm error: no such package" >&2 && exit 1
mkdir -p "$3/node_modules/toy-server"
echo '{{"bin": {{"toy": "run.js"}}}}' > "$3/node_modules/toy-server/package.json"
"""


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `log`, a line per call of npm, which fails while there is a file `broken`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "node": "#!/bin/sh\n",
        "npm": NPM.format(log=tmp_path / "log", broken=tmp_path / "broken"),
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_an_environment_is_made_once_and_then_used(fake_npm: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        spec = ready_spec(SERVER, Path("/desk"), told.append)
    assert spec.command == "node"
    assert spec.args == (
        str(servers_folder() / "toy-1.2.3" / "node_modules" / "toy-server" / "run.js"), "/desk",
    )  # fmt: skip
    assert spec.env == {"FILE": "/desk/f"}
    (line,) = (fake_npm / "log").read_text().splitlines()
    assert "toy-server@1.2.3" in line
    assert len(told) == 1


def test_a_failed_installation_is_said_and_tried_again(fake_npm: Path) -> None:
    (fake_npm / "broken").touch()
    with pytest.raises(ServerError, match=r"server toy: cannot be installed .npm error: no such"):
        ready_spec(SERVER, Path("/desk"), lambda line: None)
    (fake_npm / "broken").unlink()
    ready_spec(SERVER, Path("/desk"), lambda line: None)
    assert len((fake_npm / "log").read_text().splitlines()) == 2


def test_without_node_its_servers_are_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    servers = [KNOWN["memory"], KNOWN["workspace"]]
    specs, left_out = ready_specs(servers, tmp_path, lambda line: None)
    assert list(specs) == ["workspace"]
    assert "needs Node.js" in left_out["memory"]


def test_an_mcp_json_may_name_a_known_server_instead_of_a_command(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"w": {"package": "registers", "args": ["/x/records.json"]}}}')
    spec = installed(read_specs(path)["w"], tmp_path)
    assert spec.command == "python"
    assert spec.args == ("-m", "tooltune.servers.registers", "/x/records.json")


def test_every_known_server_has_a_version_and_a_licence() -> None:
    assert len(KNOWN) >= 10
    for server in KNOWN.values():
        assert server.licence
        assert server.manager == "ours" or server.version
