"""Breaking control strings in text that must not control the model, and mending them again.

A tokenizer turns `<|im_end|>` in a tool's result into the real control token (also
`<tool_call>` where it is an added token, whatever `split_special_tokens` says). A zero-width
space after the first character keeps the text readable and the token out.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

BREAK = "\u200b"

MARKERS = (
    "<tools>",
    "</tools>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
)
"""Strings with a meaning in our template or our parser, whether or not they are added tokens."""

# Some byte-level vocabularies lack bytes and drop them silently (SmolLM2's lacks 21), which would
# glue `<tool`, U+0004 and `_call>` together after every check. These are the C0 controls except
# tab, newline and return, the planes without an assigned character, and lone surrogates.
_UNENCODABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\U00040000-\U000dffff]")


class Defuser:
    """Knows the control strings of one tokenizer."""

    def __init__(self, control_strings: Iterable[str]) -> None:
        # Whitespace-only added tokens (Gemma's runs of newlines) and single characters control
        # nothing, and breaking them would disturb ordinary text.
        strings = {text for text in control_strings if len(text) > 1 and text.strip()}
        longest_first = sorted(strings.union(MARKERS), key=lambda text: (-len(text), text))
        any_string = "|".join(map(re.escape, longest_first))
        any_broken = "|".join(re.escape(text[0] + BREAK + text[1:]) for text in longest_first)
        self._starts = re.compile(f"(?=(?:{any_string}))(.)", re.DOTALL)
        self._broken = re.compile(any_broken)

    def defuse(self, text: str) -> str:
        """Untrusted text as a prompt may hold it."""
        return self._starts.sub(lambda match: match[1] + BREAK, text)

    def defuse_json(self, value: Any) -> Any:
        """The same for every string and key inside a JSON value."""
        return map_strings(value, self.defuse)

    def mend(self, text: str) -> str:
        """Undo the breaks in text the model generated, which it copied or learned as they were."""
        return self._broken.sub(lambda match: match[0].replace(BREAK, "", 1), text)

    def mend_json(self, value: Any) -> Any:
        return map_strings(value, self.mend)


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): map_strings(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [map_strings(item, change) for item in value]
    return value


def replace_unencodable(text: str) -> str:
    """U+FFFD in place of what some tokenizer drops or refuses: control characters (JSON's escapes
    of them stay), unassigned planes, lone surrogates."""
    return _UNENCODABLE.sub("\ufffd", text)
