"""What the agent and the evaluation need of a decoder; `model.generate.Decoder.complete` is one."""

from collections.abc import Sequence
from typing import Protocol


class Completion(Protocol):
    """What a decoder wrote for one prompt: token ids, the stop token included if it came."""

    @property
    def tokens(self) -> Sequence[int]: ...


class Complete(Protocol):
    """Greedy continuation of many prompts at once."""

    def __call__(
        self, prompts: list[list[int]], *, max_new_tokens: int, stop_token_ids: tuple[int, ...]
    ) -> Sequence[Completion]: ...
