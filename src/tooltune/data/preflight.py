"""What exactly will be trained: lengths, trained tokens, stop tokens, sharing, coverage, doubles.

Everything in it is plain values, for `--json`, the terminal and the report alike. What cannot be
said stands in `missing` with its reason.
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from tooltune.chat.parity import Parity, compare_with_transformers
from tooltune.chat.render import Renderer
from tooltune.chat.spans import mark_trained
from tooltune.config import Recipe
from tooltune.data.coverage import cover
from tooltune.data.duplicates import diversity, find_near_duplicates
from tooltune.data.examples import catalog_groups
from tooltune.messages import ABILITIES, Conversation
from tooltune.packing.pack import plan_epoch
from tooltune.packing.tree import TokenSequence, shared_prefix_tokens, sorted_order

_COMPARED = 20
"""Conversations rendered by transformers too, spread over the file."""
_SHOWN = 10


def check_dataset(conversations: Sequence[Conversation], places: Sequence[str]) -> dict[str, Any]:
    """The part that needs no tokenizer: `coverage`, `duplicates`, `diversity`."""
    near = find_near_duplicates(conversations)
    return {
        "coverage": cover(conversations).to_dict(),
        "duplicates": {
            "near": len(near),
            "shown": [
                {
                    "where": places[one.index],
                    "first": places[one.first],
                    "similarity": round(one.similarity, 3),
                }
                for one in near[:_SHOWN]
            ],
        },
        "diversity": diversity(conversations),
    }


def check_tokens(
    conversations: Sequence[Conversation],
    sequences: Sequence[list[TokenSequence]],
    renderer: Renderer,
    *,
    max_sequence_tokens: int,
    compares_template: bool = True,
) -> dict[str, Any]:
    """The part that needs the tokenizer: `training`, `stop_token`, `template`, `examples`. An entry
    of `sequences` is empty where the conversation could not be rendered."""
    folder = Path(renderer.where)  # the renderer's errors name the folder it was read from
    spread = conversations[:: max(len(conversations) // _COMPARED, 1)][:_COMPARED]
    parity = Parity(why_not="not compared here; `tooltune validate --preflight` does")
    if compares_template:
        parity = compare_with_transformers(renderer, folder, spread)
    return {
        "training": _training(conversations, sequences, max_sequence_tokens),
        "stop_token": _stop_token(sequences, renderer),
        "template": asdict(parity),
        "examples": [
            {
                "ability": ability,
                "id": conversation.id,
                "sequences": [
                    [asdict(span) for span in spans]
                    for spans in mark_trained(conversation, renderer)
                ],
            }
            for ability, conversation in _one_each(conversations, sequences).items()
        ],
    }


def _training(
    conversations: Sequence[Conversation],
    sequences: Sequence[list[TokenSequence]],
    max_sequence_tokens: int,
) -> dict[str, Any]:
    """`sharing_ratio` is all tokens over those computed once, in the steps of a first epoch with
    the recipe's defaults; rows over the limit are left out, as training leaves them out."""
    fits = [
        index
        for index, parts in enumerate(sequences)
        if parts and all(len(part.tokens) <= max_sequence_tokens for part in parts)
    ]
    train = Recipe().train
    groups = catalog_groups([conversations[index] for index in fits])
    total = distinct = supervised = 0
    for step in plan_epoch(groups, examples_per_step=train.examples_per_step, seed=train.seed):
        parts = [part for place in step for part in sequences[fits[place]]]
        order = [parts[place] for place in sorted_order(parts)]
        lengths = sum(len(part.tokens) for part in order)
        shared = sum(shared_prefix_tokens(a, b) for a, b in pairwise(order))
        total += lengths
        distinct += lengths - shared
        supervised += sum(part.supervised_tokens for part in order)
    return {
        "rows": len(fits),
        "rows_over_limit": sum(bool(parts) for parts in sequences) - len(fits),
        "max_sequence_tokens": max_sequence_tokens,
        "tokens": total,
        "distinct_tokens": distinct,
        "sharing_ratio": round(total / distinct, 3) if distinct else None,
        "supervised_tokens": supervised,
        "supervised_fraction": round(supervised / total, 4) if total else None,
        "catalogs": len(set(groups)),
        "examples_per_step": train.examples_per_step,
    }


def _stop_token(sequences: Sequence[list[TokenSequence]], renderer: Renderer) -> dict[str, Any]:
    """Turns of the assistant that are trained, and those whose stop token is trained with them."""
    turns = stopped = 0
    for parts in sequences:
        for part in parts:
            mask = part.loss_mask
            ends = [i for i in mask.nonzero()[0].tolist() if i + 1 == len(mask) or not mask[i + 1]]
            turns += len(ends)
            stopped += sum(int(part.tokens[end]) in renderer.stop_token_ids for end in ends)
    return {
        "tokens": [renderer.decode([token]) for token in renderer.stop_token_ids],
        "turns": turns,
        "trained": stopped,
    }


def _one_each(
    conversations: Sequence[Conversation], sequences: Sequence[list[TokenSequence]]
) -> dict[str, Conversation]:
    """The first conversation of each ability that was rendered, in the order tables show them."""
    found: dict[str, Conversation] = {}
    for conversation, parts in zip(conversations, sequences, strict=True):
        if parts:
            found.setdefault(conversation.ability or "unnamed", conversation)
    order = (*ABILITIES, *sorted(found.keys() - set(ABILITIES)))
    return {name: found[name] for name in order if name in found}
