"""The three files that make a tokenizer in a model folder: read without transformers, written
so that transformers reads them too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tooltune.errors import ModelError
from tooltune.jsonl import read_json, write_json, write_text


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """`template` is None where the model has none."""

    tokenizer: Tokenizer
    config: dict[str, Any]
    template: str | None


def read_files(folder: Path) -> TokenizerFiles:
    """Raises ModelError naming the file that is missing or broken."""
    tokenizer = _read_tokenizer(folder / "tokenizer.json")
    path = folder / "tokenizer_config.json"
    config = read_json(path) if path.is_file() else {}
    return TokenizerFiles(tokenizer, config, _read_template(folder, config))


def write_files(folder: Path, files: TokenizerFiles) -> None:
    write_text(folder / "tokenizer.json", files.tokenizer.to_str(pretty=True))
    config = {key: value for key, value in files.config.items() if key != "chat_template"}
    write_json(folder / "tokenizer_config.json", config)
    if files.template is not None:
        write_text(folder / "chat_template.jinja", files.template)


def special_tokens(config: dict[str, Any]) -> dict[str, str]:
    """`bos_token`, `eos_token` and so on, as transformers hands them to templates."""
    tokens: dict[str, str] = {}
    for name, value in config.items():
        text = value.get("content") if isinstance(value, dict) else value
        if name.endswith("_token") and isinstance(text, str):
            tokens[name] = text
    return tokens


def _read_tokenizer(path: Path) -> Tokenizer:
    if not path.is_file():
        raise ModelError(f"{path}: missing. Name a model folder that holds tokenizer.json.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises plain Exception for every broken file
        raise ModelError(
            f"{path}: not a tokenizer ({error}). Copy the model folder again."
        ) from None
    # A file saved by a trainer may still hold its limits; nothing here is ever cut or padded.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _read_template(folder: Path, config: dict[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("tool_use", named.get("default"))
    return template
