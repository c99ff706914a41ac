"""Conversation -> tokens and loss mask, through the model's own chat template, without torch.

A sequence is what inference feeds, `prompt()` of the messages before, followed by the turn as the
model has to generate it, its stop token included. Nothing is ever cut.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tooltune.chat.defuse import Defuser
from tooltune.chat.folder import TokenizerFiles, read_files, special_tokens, write_files
from tooltune.chat.parse import Parsed, parse
from tooltune.chat.template import (
    PROBE_RESULT,
    PROBE_TEXT,
    PROBE_TOOLS,
    PROBE_TURNS,
    QUESTION,
    ChatTemplate,
)
from tooltune.errors import ModelError
from tooltune.messages import Conversation, Message, Tool, ToolCall
from tooltune.packing.tree import TokenSequence

TEMPLATE_PATH = Path(__file__).parent / "templates" / "chatml_tools.jinja"
"""Our template, for ChatML models whose own template shows no tools."""

_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")


class Renderer:
    """One tokenizer with one chat template.

    Thinking is off (`enable_thinking=False`): Qwen3's generation prompt then holds an empty think
    block, and so does what we train on. System text is the operator's and stands as it is; control
    strings in every other text are broken (see `chat.defuse`), and `parse` mends them.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: str,
        *,
        config: dict[str, Any] | None = None,
        where: str = "chat template",
    ) -> None:
        """`config` is tokenizer_config.json, `where` names the folder in errors. Raises ModelError
        where the template does not compile or does not end the assistant's turns."""
        self.tokenizer = tokenizer
        self.template = template
        self.config = config or {}
        self.where = where
        self._special_tokens = special_tokens(self.config)
        added = {token.content: i for i, token in tokenizer.get_added_tokens_decoder().items()}
        self._defuser = Defuser(added)
        self._template = ChatTemplate(
            template, special_tokens=self._special_tokens, defuser=self._defuser, where=where
        )
        self._turn_head, self._stop = self._measure_turn(added)
        self.stop_token_ids = _stop_token_ids(self._stop, self._special_tokens, added)
        self._encode_piece = lru_cache(maxsize=1024)(self._encode_whole)
        self._cut = self._measure_cut()

    @classmethod
    def from_folder(cls, folder: Path) -> "Renderer":
        """Read tokenizer.json, tokenizer_config.json and chat_template.jinja (or the template in
        the config). Where that template shows no tools and the tokenizer knows ChatML, ours takes
        its place. Raises ModelError naming what is missing."""
        files = read_files(folder)
        build = partial(cls, files.tokenizer, config=files.config, where=str(folder))
        if files.template is not None:
            renderer = build(template=files.template)
            if renderer.shows_tools:
                return renderer
        if None in (files.tokenizer.token_to_id(token) for token in _CHATML_TOKENS):
            kind = "no chat template" if files.template is None else "a template without tools"
            raise ModelError(
                f"{folder}: {kind}, and no ChatML tokens to use ours. Choose a model trained for "
                "tool calls, or write a template that shows tools into chat_template.jinja."
            )
        return build(template=TEMPLATE_PATH.read_text(encoding="utf-8"))

    def save(self, folder: Path) -> None:
        """Write the three files that `from_folder` and transformers read."""
        write_files(folder, TokenizerFiles(self.tokenizer, self.config, self.template))

    def prompt(self, messages: Sequence[Message], tools: Sequence[Tool] = ()) -> list[int]:
        """Tokens up to where the assistant speaks next."""
        return self._encode(self._template.text(messages, tools, is_prompt=True))

    def sequences(self, conversation: Conversation) -> list[TokenSequence]:
        """One sequence, or a further one wherever the template rewrites what came before.

        Turns after the last assistant message teach nothing and are left out; a conversation
        without assistant messages gives no sequence. Trained are the assistant's tokens and the
        stop token.
        """
        sequences: list[tuple[list[int], list[int]]] = []
        for index, message in enumerate(conversation.messages):
            if message.role != "assistant":
                continue
            text = self._template.text(
                conversation.messages[:index], conversation.tools, is_prompt=True
            )
            prompt = self._encode(text)
            tokens = self._continue(text, prompt, self._turn(message, conversation.tools))
            mask = [0] * len(prompt)
            if sequences and _starts_with(prompt, sequences[-1][0]):
                _, earlier = sequences.pop()
                mask[: len(earlier)] = earlier
            sequences.append((tokens, mask + [1] * (len(tokens) - len(prompt))))
        return [
            TokenSequence(np.asarray(tokens, np.int32), np.asarray(mask, np.uint8))
            for tokens, mask in sequences
        ]

    @cached_property
    def preserves_prefix(self) -> bool:
        """Whether the template leaves earlier turns as they were (measured). Qwen3's does not."""
        probe = Conversation(id="probe", messages=PROBE_TURNS, tools=PROBE_TOOLS)
        return len(self.sequences(probe)) == 1

    @cached_property
    def shows_tools(self) -> bool:
        """Whether tools, calls and results all reach the prompt (measured)."""
        try:
            text = self._template.text(PROBE_TURNS[:3], PROBE_TOOLS, is_prompt=True)
        except ModelError:
            return False
        return text.count(PROBE_TEXT) >= 2 and PROBE_RESULT in text

    def decode(self, tokens: Sequence[int]) -> str:
        """Text with control tokens spelled out."""
        text: str = self.tokenizer.decode(
            [int(token) for token in tokens], skip_special_tokens=False
        )
        return text

    def parse(self, generated: Sequence[int] | str, *, is_stopped: bool | None = None) -> Parsed:
        """Read what the model generated, up to its stop token.

        Without `is_stopped`, tokens count as stopped where they hold a stop token, and text always.
        """
        text = generated if isinstance(generated, str) else self.decode(generated)
        stops = [self.decode([token]) for token in self.stop_token_ids]
        ends = [text.index(stop) for stop in stops if stop in text]
        if is_stopped is None:
            is_stopped = isinstance(generated, str) or bool(ends)
        parsed = parse(text[: min(ends, default=len(text))], is_stopped=is_stopped)
        calls = tuple(
            ToolCall(
                id=call.id,
                name=self._defuser.mend(call.name),
                arguments=self._defuser.mend_json(call.arguments),
            )
            for call in parsed.calls
        )
        return replace(parsed, text=self._defuser.mend(parsed.text), calls=calls)

    def _turn(self, message: Message, tools: Sequence[Tool]) -> str:
        """What the model has to generate for this turn, whatever history the template rewrites."""
        text = self._template.text([QUESTION, message], (), is_prompt=False, schemas_of=tools)
        start = len(self._turn_head)
        end = text.find(self._stop, start)
        if end < 0 or not text.startswith(self._turn_head):
            raise ModelError(
                f"{self.where}: the chat template begins or ends assistant turns in several ways. "
                "Use a template that treats them all alike."
            )
        return text[start : end + len(self._stop)]

    def _encode_whole(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _encode(self, text: str) -> list[int]:
        if self._cut is None:
            return list(self._encode_whole(text))
        pieces = _split_behind(self._cut, text)
        return [token for piece in pieces for token in self._encode_piece(piece)]

    def _continue(self, text: str, prompt: list[int], turn: str) -> list[int]:
        """The prompt's tokens and those of the turn that follows its text."""
        if self._cut is not None:
            return prompt + self._encode(turn)
        tokens = self._encode(text + turn)
        if not _starts_with(tokens, prompt):
            raise ModelError(
                f"{self.where}: the tokenizer joins the prompt's end and {turn[:20]!r} into one "
                "token. Choose a model with a byte-level tokenizer."
            )
        return tokens

    def _measure_turn(self, added: dict[str, int]) -> tuple[str, str]:
        """What stands before the assistant's first word, after `?`, and its stop token."""
        probe = Message(role="assistant", content=PROBE_TEXT)
        head, _, tail = self._template.text([QUESTION, probe], (), is_prompt=False).partition(
            PROBE_TEXT
        )
        longest_first = sorted(map(re.escape, added), key=len, reverse=True)
        stop = re.search("|".join(longest_first) or "(?!)", tail)
        if stop is None:
            raise ModelError(
                f"{self.where}: the chat template ends no assistant turn with a control token, so "
                "a model trained on it could not stop. Use another template."
            )
        return head, stop[0]

    def _measure_cut(self) -> re.Pattern[str] | None:
        """Where text may be encoded piece by piece (and the pieces remembered): behind the stop
        token and behind the generation prompt. None for tokenizers whose pieces do not add up,
        such as those that begin every text with a space."""
        prompt = self._template.text([QUESTION], (), is_prompt=True)
        header = prompt.removeprefix(self._template.text([QUESTION], (), is_prompt=False))
        cut = re.compile("|".join(re.escape(text) for text in (self._stop, header) if text))
        probes = (f"{prompt}Yes.{self._stop}\nNo", f"a {self._stop} b{self._stop}a{self._stop}")
        for probe in probes:
            pieces = _split_behind(cut, probe)
            encoded = [token for piece in pieces for token in self._encode_whole(piece)]
            if encoded != list(self._encode_whole(probe)):
                return None
        return cut


def _split_behind(cut: re.Pattern[str], text: str) -> list[str]:
    ends = [0, *(match.end() for match in cut.finditer(text)), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(ends) if start < end]


def _starts_with(tokens: list[int], prefix: list[int]) -> bool:
    return tokens[: len(prefix)] == prefix


def _stop_token_ids(
    stop: str, special_tokens: dict[str, str], added: dict[str, int]
) -> tuple[int, ...]:
    """The token that ends a turn, then the tokenizer's end of text where that is another one."""
    strings = dict.fromkeys((stop, special_tokens.get("eos_token", stop)))
    return tuple(added[text] for text in strings if text in added)
