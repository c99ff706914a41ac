"""A dataset file planned with its real lengths and its real sharing."""

import json

import pytest

from tooltune.chat.render import Renderer
from tooltune.data.examples import read_examples
from tooltune.errors import ConfigError
from tooltune.packing.pack import cut_micro_batches, plan_epoch
from tooltune.packing.tree import build_tree
from tooltune.plan.request import make_request

SCHEMA = {"type": "object", "properties": {}}
TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "", "parameters": SCHEMA},
}


@pytest.fixture
def dataset(tmp_path):
    rows = [
        {
            "messages": [
                {"role": "system", "content": "You look at things and say what they are."},
                {"role": "user", "content": f"What is thing number {number}?"},
                {"role": "assistant", "content": f"It is thing {number}. " * (1 + number % 3)},
            ],
            "tools": [TOOL],
        }
        for number in range(40)
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_tokens_and_sharing_are_those_that_training_will_compute(dataset, tiny_llama_folder):
    request = make_request(model=str(tiny_llama_folder), examples=str(dataset))
    workload, recipe = request.workload, request.recipe
    examples = read_examples(
        dataset, Renderer.from_folder(tiny_llama_folder), max_sequence_tokens=2048
    )
    steps = plan_epoch(examples.groups, examples_per_step=16, seed=recipe.train.seed, epoch=1)
    trees = [
        build_tree(batch)
        for step in steps
        for batch in cut_micro_batches(
            [s for index in step for s in examples.sequences[index]], micro_batch_tokens=8192
        )
    ]
    assert workload.basis == "measured"
    assert workload.steps_per_epoch == 3
    assert workload.computed_tokens == sum(tree.distinct_tokens for tree in trees)
    assert workload.logical_tokens == sum(tree.logical_tokens for tree in trees)
    assert workload.supervised_tokens == examples.supervised_tokens
    assert workload.sharing_ratio > 1.5


def test_examples_over_the_limit_are_counted(dataset, tiny_llama_folder, tmp_path):
    recipe = tmp_path / "recipe.toml"
    lengths = sorted(
        len(sequences[0].tokens)
        for sequences in read_examples(
            dataset, Renderer.from_folder(tiny_llama_folder), max_sequence_tokens=2048
        ).sequences
    )
    recipe.write_text(f"[data]\nmax_sequence_tokens = {lengths[-1] - 1}\n")
    request = make_request(recipe, model=str(tiny_llama_folder), examples=str(dataset))
    assert request.workload.too_long == lengths.count(lengths[-1])


def test_without_a_tokenizer_lengths_cannot_be_measured(dataset):
    with pytest.raises(ConfigError, match=r"no tokenizer for 'Qwen/Qwen3-1.7B' on this machine"):
        make_request(examples=str(dataset))
