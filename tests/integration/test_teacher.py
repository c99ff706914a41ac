"""A teacher rewords requests: a real endpoint that is good, lies, or is silent."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tooltune.errors import ConfigError
from tooltune.synth.recipe import make_recipe
from tooltune.synth.sources import Source, make
from tooltune.synth.teacher import KEPT, Teacher
from tooltune.verify.recheck import verify

REQUEST = "Count the rows of guests_2026, please"
VALUES = ("guests_2026", "24", "")
WORLD = {"tables": ["guests_2026", "spare_loans"], "rows": [("Vera Fuchs", 3)]}


@contextmanager
def endpoint(
    answer: Callable[[str], Any], seen: list[Any] | None = None, *, sends_to: str = ""
) -> Iterator[str]:
    """Speaks the chat protocol; `answer` gets the request and gives the reply's text. It redirects
    all to `sends_to` if that is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if seen is not None:
                seen.append((self.path, self.headers["Authorization"], body))
            asked = body["messages"][-1]["content"].partition("\n\nValues:")[0]
            if sends_to:
                self.send_response(302)
                self.send_header("Location", f"{sends_to}/chat/completions")
                self.end_headers()
                return
            reply = {"choices": [{"message": {"role": "assistant", "content": answer(asked)}}]}
            self.send_response(200)
            self.end_headers()
            with suppress(BrokenPipeError):  # the one who asked was killed, or waits no longer
                self.wfile.write(json.dumps(reply).encode())

        def do_GET(self) -> None:
            assert seen is not None
            seen.append((self.path, self.headers["Authorization"], None))

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def politely(request: str) -> str:
    return f"If you find the time: {request}"


def test_a_good_rewrite_is_kept_and_the_key_goes_into_the_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOOLTUNE_TEACHER_KEY", "planted-canary")
    seen: list[Any] = []
    with endpoint(politely, seen) as url:
        found = Teacher(url, "wise").rewrite(REQUEST, VALUES, WORLD)
    assert found == (politely(REQUEST), KEPT)
    ((path, authorization, body),) = seen
    assert (path, authorization) == ("/v1/chat/completions", "Bearer planted-canary")
    assert body["model"] == "wise"
    assert "- guests_2026" in body["messages"][1]["content"]
    assert "planted-canary" not in json.dumps(body)


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ("How many rows does the guest table have?", "a value is gone"),
        ("How many rows does Guests_2026 have?", "a value is gone"),
        ("How many rows have guests_2026 and spare_loans?", "a value of the world is new"),
        ("How many rows of guests_2026 name vera fuchs?", "a value of the world is new"),
        ("Count the first 50 rows of guests_2026", "a number is new"),
        ("guests_2026", "no sane length"),
        ("Count guests_2026. " * 20, "no sane length"),
        (REQUEST.upper().replace("GUESTS", "guests"), "nothing rewritten"),
        (None, "no usable answer"),
        (["Count guests_2026"], "no usable answer"),
        ("planted-canary: count the rows of guests_2026", "no usable answer"),
    ],
)
def test_a_rewrite_that_lies_is_refused_by_its_reason(
    lie: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLTUNE_TEACHER_KEY", "planted-canary")
    with endpoint(lambda request: lie) as url:
        assert Teacher(url).rewrite(REQUEST, VALUES, WORLD) == (REQUEST, reason)


def test_a_redirect_is_not_followed_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLTUNE_TEACHER_KEY", "planted-canary")
    seen: list[Any] = []
    with endpoint(politely, seen) as other, endpoint(politely, sends_to=other) as url:
        found = Teacher(url).rewrite(REQUEST, VALUES, WORLD)
    assert found == (REQUEST, "no usable answer")
    assert seen == []


def test_a_silent_teacher_costs_three_time_limits_and_no_row() -> None:
    end = threading.Event()

    def wait(request: str) -> str:
        end.wait()
        return request

    asked: list[Any] = []
    with endpoint(wait, asked) as url:
        teacher = Teacher(url, timeout_seconds=0.1)
        outcomes = [teacher.rewrite(REQUEST, VALUES, WORLD) for _ in range(5)]
        end.set()
    assert [reason for _, reason in outcomes[:3]] == ["no usable answer"] * 3
    assert {reason for _, reason in outcomes[3:]} == {"not asked after 3 failures in a row"}
    assert {text for text, _ in outcomes} == {REQUEST}
    assert len(asked) == 3


def test_a_dataset_with_a_teacher_passes_the_re_check_and_says_what_was_reworded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one rewords well, and now and then leaves out what it must keep."""
    monkeypatch.setenv("TOOLTUNE_TEACHER_KEY", "planted-canary")

    def forgetful(request: str) -> str:
        return politely(re.sub(r"\b[A-Z]-\d+5\b", "that one", request))

    with endpoint(forgetful) as url:
        teacher = Teacher(url, "wise")
        report = make_recipe(tmp_path, seed=7, scale=0.001, kinds=("registers",), teacher=teacher)
    assert report.short == {}
    assert report.teacher[KEPT] > 20
    assert report.teacher["a value is gone"] > 0
    assert verify(tmp_path / "train.jsonl").failures == ()
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    retold = [row for row in rows if "rewritten_from" in row["meta"]]
    assert retold
    for row in retold:
        request = row["messages"][1]["content"]
        assert request == politely(row["meta"]["rewritten_from"])
    assert all("rewritten_from" not in row["meta"] for row in rows if row["ability"] == "ask")
    card = (tmp_path / "card.md").read_text()
    assert "wise reworded some of the requests" in card
    assert f"| {KEPT} | {report.teacher[KEPT]} |" in card
    assert all(b"planted-canary" not in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (Source(None, "mcp-agent", teacher_url="ftp://x"), "--teacher-url: no address"),
        (Source(None, "mcp-agent", teacher_model="m"), "--teacher-model: no endpoint"),
        (Source(Path("mcp.json"), teacher_url="http://x"), "--teacher-url: rewords"),
    ],
)
def test_a_teacher_that_cannot_be_asked_is_refused_at_once(
    source: Source, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        make(source, tmp_path, seed=7, progress=lambda done, total: None)
    assert list(tmp_path.iterdir()) == []
