"""Our rendering beside transformers' own, token for token, on the conversations to train on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tooltune.chat.folder import read_files
from tooltune.chat.render import Renderer
from tooltune.chat.template import order_like
from tooltune.messages import Conversation


@dataclass(frozen=True, slots=True)
class Parity:
    """`compared` and `equal` count prompts, one before each turn of the assistant. `why_not` says
    why nothing was compared."""

    compared: int = 0
    equal: int = 0
    first_difference: str | None = None
    why_not: str | None = None


def compare_with_transformers(
    renderer: Renderer, folder: Path, conversations: Sequence[Conversation]
) -> Parity:
    """Only where the model's own template is in use: where it shows no tools, ours takes its place
    and there is nothing to compare with."""
    own = read_files(folder).template
    if own is None or own != renderer.template:
        state = "has no chat template" if own is None else "shows no tools in its chat template"
        return Parity(why_not=f"the model {state}; ours is used, in training and when it answers")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    compared = equal = 0
    first: str | None = None
    for conversation in conversations:
        for index, message in enumerate(conversation.messages):
            if message.role != "assistant":
                continue
            ours = renderer.prompt(conversation.messages[:index], conversation.tools)
            theirs = _their_prompt(tokenizer, conversation, index)
            compared += 1
            equal += ours == theirs
            if ours != theirs and first is None:
                first = f"{conversation.id}: {_difference(renderer, ours, theirs)}"
    return Parity(compared, equal, first)


def _their_prompt(tokenizer: Any, conversation: Conversation, count: int) -> list[int]:
    messages = conversation.to_dict()["messages"][:count]
    schemas = {tool.name: tool.input_schema for tool in conversation.tools}
    for message in messages:
        for call in message.get("tool_calls", []):
            function = call["function"]
            arguments = json.loads(function["arguments"])
            function["arguments"] = order_like(schemas.get(function["name"], {}), arguments)
    tools = [tool.to_openai() for tool in conversation.tools] or None
    encoded = tokenizer.apply_chat_template(
        messages, tools=tools, add_generation_prompt=True, enable_thinking=False, return_dict=True
    )
    return list(encoded["input_ids"])


def _difference(renderer: Renderer, ours: list[int], theirs: list[int]) -> str:
    pairs = enumerate(zip_longest(ours, theirs))
    place = next(index for index, (own, other) in pairs if own != other)
    shown = [repr(renderer.decode(tokens[place : place + 8])) for tokens in (ours, theirs)]
    return f"token {place}: {shown[0]} where transformers has {shown[1]}"
