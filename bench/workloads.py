"""The benchmark's four fixed workloads: token ids from a seeded generator, no text.

Both trainers get these very sequences in this order; a step's draw depends on its number alone.
"""

from dataclasses import dataclass

import numpy as np

from tooltune.packing.tree import TokenSequence

SEED = 7
FIRST_ID = 100
"""Lower ids are left to control tokens such as padding."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One optimizer step's examples: conversations that start with the same `prefix_tokens`.

    Each turn of a conversation is one sequence, its whole history included, as chat templates that
    rewrite earlier turns need it; the last `supervised_tokens` of the turn are trained.
    """

    name: str
    prefix_tokens: int
    turn_tokens: int
    supervised_tokens: int
    conversations: int = 16
    turns: int = 1

    @property
    def examples(self) -> int:
        """Sequences a step."""
        return self.conversations * self.turns


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("one-catalog", 600, 120, 60),
        Workload("large-catalog", 1500, 100, 40),
        Workload("no-sharing", 0, 720, 60),
        Workload("multi-turn", 600, 150, 60, conversations=4, turns=4),
    )
}

TRIAL = Workload("trial", 600, 120, 60, conversations=4)
"""A quarter of a `one-catalog` step, on which the peer's settings are chosen."""

RECIPE = Workload("recipe", 0, 2048, 256, conversations=4)
"""4 x 2,048 tokens: what the published recipe holds in GPU memory at once."""


def draw_step(workload: Workload, step: int, vocabulary: int) -> list[TokenSequence]:
    """The sequences of one step; tokens are uniform in [FIRST_ID, vocabulary).

    The first tokens of the conversations differ, so that they share `prefix_tokens` and no more.
    First turns come first, then second ones: a trainer that takes several sequences at a time finds
    equal lengths side by side and pads nothing.
    """
    random = np.random.default_rng([SEED, step])
    ids = np.arange(FIRST_ID, vocabulary, dtype=np.int32)
    prefix = random.choice(ids, workload.prefix_tokens)
    texts = random.choice(ids, (workload.conversations, workload.turns * workload.turn_tokens))
    texts[:, 0] = random.choice(ids, workload.conversations, replace=False)
    sequences = []
    for turn in range(1, workload.turns + 1):
        for text in texts:
            tokens = np.concatenate([prefix, text[: turn * workload.turn_tokens]])
            loss_mask = np.zeros(len(tokens), np.uint8)
            loss_mask[-workload.supervised_tokens :] = 1
            sequences.append(TokenSequence(tokens, loss_mask))
    return sequences
