"""Small talk and general questions beside tools nobody needs for them."""

import random
import re
from collections.abc import Sequence

from tooltune.messages import Conversation, Message
from tooltune.synth.grammar import Family, split_families, word_request
from tooltune.synth.phrasings import talk
from tooltune.worlds.pools import Split

_OWN_WORLD = re.compile(r"\b(?:files?|branch|commit|git|repositor|time zones?|clock|zones?)\b")
"""Answers that speak of the demo's tools fit no other catalog."""


def talk_rows(
    split: Split, count: int, models: Sequence[Conversation], rng: random.Random
) -> list[list[Conversation]]:
    """Up to `count` rows, each with the catalog of some other row of the split; no request twice.

    Half as many again are worded, because wordings may come out alike.
    """
    families = [
        family
        for kind, text in talk.KINDS.items()
        for family in split_families(kind, text)[split]
        if not _OWN_WORLD.search(family.text.partition(" => ")[2]) and kind != "talk_out_of_reach"
    ]
    rows: list[Conversation] = []
    seen: set[str] = set()
    for number in range(count * 3 if families and models else 0):
        family = families[number % len(families)]
        text, _, told = family.text.partition(" => ")
        request = word_request(
            Family(family.program, text), {}, rng, split=split,
            is_chat=family.program in talk.CHATTER,
        ).text  # fmt: skip
        if request in seen or len(rows) >= count + count // 10:
            continue
        seen.add(request)
        model = rng.choice(models)
        meta = {key: model.meta[key] for key in ("split", "world", "seed", "catalog")}
        messages = (model.messages[0], Message(role="user", content=request),
                    Message(role="assistant", content=told))  # fmt: skip
        rows.append(Conversation(
            id=f"{split}-talk-{number:04}", ability="talk", messages=messages, tools=model.tools,
            meta={**meta, "program": f"{family.program}", "phrasing": family.id, "values": {}},
        ))  # fmt: skip
    return [[row] for row in rows]
