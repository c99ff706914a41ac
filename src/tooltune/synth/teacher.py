"""Requests in a teacher model's words: any OpenAI-compatible chat endpoint, checked word for word.

A rewrite is kept only if it says every value of the request, no other value of the world, no other
number, and is of a sane length. What it then asks for is executed and proved like any other row.
"""

import json
import os
import re
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from http.client import HTTPException
from typing import Any

from tooltune.errors import ConfigError

KEY = "TOOLTUNE_TEACHER_KEY"
"""Environment variable with the endpoint's key; it goes into a header and nowhere else."""
KEPT = "rewritten"
_ORDER = (
    "Rewrite a request to an assistant as another person would say it: other words, another order, "
    "the same meaning. Keep every value listed below it exactly as it is written. Add nothing. "
    "Answer with the rewritten request alone."
)
_GIVE_UP_AFTER = 3
"""Failures in a row after which it is not asked again: each may cost the whole time limit."""
_LONGEST_ANSWER = 1 << 20
_SHORTEST, _LONGEST = 3, 60
"""Characters of a world's text that counts as a value."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Teacher:
    """`rewrite` asks once per request. Raises ConfigError for an address that is none."""

    def __init__(self, url: str, model: str = "default", *, timeout_seconds: float = 30.0) -> None:
        if not re.match(r"https?://[^/]", url):
            raise ConfigError(
                f"--teacher-url: no address (got {url!r}, expected http:// or https://). "
                "Correct it."
            )
        self.model = model
        base = url.rstrip("/").removesuffix("/chat/completions")
        self._url, self._timeout_seconds = f"{base}/chat/completions", timeout_seconds
        self._failures = 0

    def rewrite(self, request: str, values: Iterable[str], world: Any) -> tuple[str, str]:
        """(text, KEPT), or (the request itself, the reason). `values` are all that the script was
        given, `world` is the scene that describes what else there is."""
        if self._failures >= _GIVE_UP_AFTER:
            return request, f"not asked after {_GIVE_UP_AFTER} failures in a row"
        said = sorted({value for value in values if value and _stands_in(value, request)})
        try:
            text = " ".join(self._ask(request, said).split())
        except (OSError, HTTPException, ValueError, LookupError, TypeError):
            self._failures += 1
            return request, "no usable answer"
        self._failures = 0
        others = {*texts_of(world), *values}
        reason = _fault(text, request, said, others)
        return (text, KEPT) if reason is None else (request, reason)

    def _ask(self, request: str, said: list[str]) -> str:
        key = os.environ.get(KEY, "")
        values = "\n".join(f"- {value}" for value in said)
        body = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": _ORDER},
                {"role": "user", "content": f"{request}\n\nValues:\n{values or '(none)'}"},
            ],
        }
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        asked = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        with _OPENER.open(asked, timeout=self._timeout_seconds) as answer:
            found = json.loads(answer.read(_LONGEST_ANSWER))
        text = found["choices"][0]["message"]["content"]
        if not isinstance(text, str) or (key and key in text):
            raise ValueError
        return text


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the named address alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _fault(text: str, request: str, said: list[str], others: Iterable[str]) -> str | None:
    """Why a rewrite cannot be kept."""
    if not len(request) / 3 <= len(text) <= 2 * len(request) + 80:
        return "no sane length"
    if text.casefold() == request.casefold():
        return "nothing rewritten"
    if not all(_stands_in(value, text) for value in said):
        return "a value is gone"
    if set(_NUMBER.findall(text)) - set(_NUMBER.findall(request)):
        return "a number is new"
    if any(_is_new(value, text, request) for value in others):
        return "a value of the world is new"
    return None


def _is_new(value: str, text: str, request: str) -> bool:
    if not _SHORTEST <= len(value) <= _LONGEST or not re.search(r"\w", value):
        return False
    old, new = request.casefold(), text.casefold()
    return value.casefold() in new and _stands_in(value.casefold(), new) and not _stands_in(
        value.casefold(), old
    )  # fmt: skip


def _stands_in(value: str, text: str) -> bool:
    """As whole words, letter for letter."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def texts_of(world: Any) -> Iterator[str]:
    """Every text of a scene: names of tables, files, people, and what they hold."""
    if isinstance(world, str):
        yield world
    elif isinstance(world, dict):
        for key, value in world.items():
            yield from texts_of(key)
            yield from texts_of(value)
    elif isinstance(world, list | tuple | set | frozenset):
        for value in world:
            yield from texts_of(value)
    elif is_dataclass(world):
        for one in fields(world):
            yield from texts_of(getattr(world, one.name))
