"""Batched greedy decoding against transformers' own `generate`, one prompt at a time.

How fast it is, is measured by the demo, not here.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tooltune.chat.render import Renderer
from tooltune.config import ModelSection
from tooltune.messages import Message
from tooltune.model import generate
from tooltune.model.decode import GROW_PLACES
from tooltune.model.generate import Completion, Decoder, End, key_value_bytes
from tooltune.model.load import LoadedModel, load_base
from tooltune.plan.dry_run import AllocationTracker

SYSTEM = [7, 300, 41, 41, 90, 12, 5, 260]
PROMPTS = {
    "nothing shared": [[10, 11, 12], [20, 21], [30, 31, 32, 33, 34, 35, 36], [40]],
    "all shared": [SYSTEM] * 4,
    "a shared start": [[*SYSTEM, 3], [*SYSTEM, 4, 5, 6], [*SYSTEM, 4, 5, 7, 8], [*SYSTEM, 9] * 3],
    "one a prefix of another": [SYSTEM[:3], SYSTEM, [*SYSTEM, 3, 4], SYSTEM[:1]],
    "a prefix beside a stranger": [SYSTEM[:4], SYSTEM, [99, 98]],
    "one prompt": [SYSTEM],
}


@pytest.fixture(params=["llama", "qwen3"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"tiny_{request.param}_folder")
    return found


def loud(model: nn.Module) -> None:
    """Larger weights: as initialised, a tiny model only ever repeats the last token."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(6)


@cache
def ours(folder: Path) -> LoadedModel:
    loaded = load_base(ModelSection(name=str(folder), dtype="float32", device="cpu"))
    loud(loaded.model)
    return loaded


@cache
def theirs(folder: Path) -> nn.Module:
    """transformers' own model, with a config of its own."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    loud(model)
    return model.eval()


def reference(
    folder: Path, prompt: Sequence[int], max_new_tokens: int, stops: Sequence[int] = ()
) -> list[int]:
    ids = torch.tensor([list(prompt)])
    model = theirs(folder)
    model.generation_config.eos_token_id = list(stops) or None
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        pad_token_id=2,
    )
    return made[0, len(prompt) :].tolist()


def complete(
    folder: Path, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: Sequence[int] = ()
) -> list[Completion]:
    return Decoder(ours(folder)).complete(
        prompts, max_new_tokens=max_new_tokens, stop_token_ids=stops
    )


@pytest.mark.parametrize("case", PROMPTS)
def test_greedy_tokens_are_those_of_transformers(case: str, folder: Path) -> None:
    prompts = PROMPTS[case]
    made = complete(folder, prompts, 12)
    assert [row.tokens for row in made] == [reference(folder, prompt, 12) for prompt in prompts]
    assert {row.end for row in made} == {End.LENGTH}


def test_the_models_here_say_different_things_to_different_prompts(folder: Path) -> None:
    """Control: a decoder that ignored its prompt would otherwise pass."""
    prompts = [prompt for prompts in PROMPTS.values() for prompt in prompts]
    said = {tuple(row.tokens) for row in complete(folder, prompts, 12)}
    assert len(said) == len({tuple(prompt) for prompt in prompts})
    assert sum(len(set(tokens)) > 2 for tokens in said) > len(said) / 2


def test_a_batch_gives_each_row_what_it_gets_alone(folder: Path) -> None:
    prompts = [prompt for prompts in PROMPTS.values() for prompt in prompts]
    together = complete(folder, prompts, 10)
    assert together == [complete(folder, [prompt], 10)[0] for prompt in prompts]


def test_each_row_ends_with_its_own_stop_token(folder: Path) -> None:
    """Rows end at different steps, so the batch is compacted on the way."""
    prompts = [[token, token + 1] for token in range(10, 200, 10)]
    free = complete(folder, prompts, 15)
    stops = sorted({row.tokens[place % 14] for place, row in enumerate(free) if place % 3})
    made = complete(folder, prompts, 15, stops)
    for prompt, row in zip(prompts, made, strict=True):
        assert row.tokens == reference(folder, prompt, 15, stops)
        is_stopped = row.tokens[-1] in stops
        assert row.end is (End.STOP if is_stopped else End.LENGTH)
        assert not set(row.tokens[:-1]) & set(stops)
    assert len({len(row.tokens) for row in made}) > 4, "the rows were meant to end apart"


def test_a_stop_token_that_comes_first_is_all_there_is(folder: Path) -> None:
    first = complete(folder, [SYSTEM], 1)[0]
    assert first == Completion(reference(folder, SYSTEM, 1), End.LENGTH)
    assert complete(folder, [SYSTEM], 9, first.tokens) == [Completion(first.tokens, End.STOP)]


def test_the_last_allowed_token_may_be_the_stop_token(folder: Path) -> None:
    tokens = reference(folder, SYSTEM, 20)
    last = next(place for place in range(1, 20) if tokens[place] not in tokens[:place])
    assert complete(folder, [SYSTEM], last + 1, [tokens[last]]) == [
        Completion(tokens[: last + 1], End.STOP)
    ]


def test_a_long_answer_outgrows_the_places_made_at_first(folder: Path) -> None:
    count = 2 * GROW_PLACES + 9
    prompts = PROMPTS["a shared start"]
    made = complete(folder, prompts, count)
    assert [row.tokens for row in made] == [reference(folder, prompt, count) for prompt in prompts]


def test_more_prompts_than_rows_are_decoded_in_batches(folder: Path) -> None:
    prompts = [prompt for prompts in PROMPTS.values() for prompt in prompts]
    finished: list[int] = []
    made = Decoder(ours(folder), batch_rows=8).complete(
        prompts, max_new_tokens=5, stop_token_ids=(), progress=finished.append
    )
    assert made == complete(folder, prompts, 5)
    assert finished == [8, 8, len(prompts) - 16]


def test_a_batch_has_no_more_rows_than_its_keys_and_values_may_take(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that is beyond it by itself is a batch of its own; what all share counts once."""
    prompts = [[*SYSTEM, *range(20, 20 + own)] for own in (1, 2, 3, 90, 4, 5)]
    loaded = ours(folder)
    of_token = key_value_bytes(loaded.model, loaded.dtype)
    layer_k = loaded.model.model.layers[0].self_attn.k_proj.weight  # type: ignore[union-attr,index]
    layers = len(loaded.model.model.layers)  # type: ignore[union-attr,arg-type]
    assert of_token == 2 * layers * len(layer_k) * 4
    monkeypatch.setattr(generate, "STATE_BYTES", (3 * GROW_PLACES + 9) * of_token)
    finished: list[int] = []
    made = Decoder(loaded).complete(
        prompts, max_new_tokens=5, stop_token_ids=(), progress=finished.append
    )
    assert made == complete(folder, prompts, 5)
    assert finished == [3, 1, 2]


def test_keys_and_values_are_not_there_twice(folder: Path) -> None:
    """Of the tree and of the rows; of the tiny model's two layers at once it would be 3.1 times."""
    loaded = ours(folder)
    prompts = [[*SYSTEM, *np.random.default_rng(row).integers(3, 500, 400)] for row in range(8)]
    with torch.inference_mode(), AllocationTracker() as tracker:
        state, _, _ = Decoder(loaded, prefill_tokens=1)._prefill(prompts)
    rows = sum(
        tensor.nbytes
        for group in state.groups
        for tensors in (group.own_k, group.own_v)
        for tensor in tensors
    )
    assert rows > 8 * 400 * key_value_bytes(loaded.model, loaded.dtype)
    assert tracker.peak < 2.3 * rows


@pytest.mark.parametrize("prefill_tokens", [1, 6, 14, 25])
def test_prompts_computed_in_pieces_are_computed_alike(folder: Path, prefill_tokens: int) -> None:
    """The last pair shares more than the others, so a piece below a piece is cut again."""
    long = [[*SYSTEM, 9, 8, 7, first, 5, 6, 7, 8, 9] for first in (50, 51)]
    prompts = [prompt for prompts in PROMPTS.values() for prompt in prompts] + long
    made = Decoder(ours(folder), prefill_tokens=prefill_tokens).complete(
        prompts, max_new_tokens=5, stop_token_ids=()
    )
    assert made == complete(folder, prompts, 5)


def test_rows_of_very_different_length_are_kept_in_groups(folder: Path) -> None:
    prompts = [[*SYSTEM, *range(20, 20 + own)] for own in (1, 40, 2, 90, 3, 41, 0, 12)]
    decoder = Decoder(ours(folder))
    with torch.inference_mode():
        state, _, _ = decoder._prefill(sorted(prompts, key=len, reverse=True))
    lengths = [group.lengths_B.tolist() for group in state.groups]
    assert lengths == [[91, 42, 41], [13, 4, 3, 2, 1]]
    free = complete(folder, prompts, 15)
    stops = sorted({row.tokens[place + 3] for place, row in enumerate(free)})
    made = complete(folder, prompts, 15, stops)
    assert [row.tokens for row in made] == [reference(folder, one, 15, stops) for one in prompts]
    assert len({len(row.tokens) for row in made}) > 2, "groups were meant to lose rows apart"


def test_no_prompts_give_no_completions(folder: Path) -> None:
    assert complete(folder, [], 5) == []


def test_the_real_base_model_answers_a_question(smollm2_folder: Path) -> None:
    renderer = Renderer.from_folder(smollm2_folder)
    loaded = load_base(ModelSection(name=str(smollm2_folder), dtype="float32", device="cpu"))
    questions = ("What is the capital of France?", "What is the capital of Italy?")
    prompts = [renderer.prompt([Message(role="user", content=question)]) for question in questions]
    answers = Decoder(loaded).complete(
        prompts, max_new_tokens=24, stop_token_ids=renderer.stop_token_ids
    )
    texts = [renderer.decode(answer.tokens) for answer in answers]
    assert "Paris" in texts[0]
    assert "Rome" in texts[1]
    assert [answer.end for answer in answers] == [End.STOP, End.STOP], texts
