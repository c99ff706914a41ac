"""Puts the pieces of a run together: its model, adapter and chat template, its cases and servers.

Only the command line uses it. Importing it loads torch.
"""

from pathlib import Path
from typing import Any

from tooltune import terminal
from tooltune.agent import chat
from tooltune.chat.render import Renderer
from tooltune.config import ModelSection, load_recipe
from tooltune.data.readers import read_conversations
from tooltune.errors import DataError
from tooltune.evaluate.run import evaluate
from tooltune.messages import Conversation
from tooltune.model.generate import Decoder
from tooltune.model.load import LoadedModel, load_base, resolve_folder
from tooltune.model.lora import (
    adapter_disabled,
    attach_lora,
    load_adapter,
    read_adapter_config,
    weights_for_decoding,
)
from tooltune.rundir import RunDir
from tooltune.servers.spec import read_specs
from tooltune.worlds.sandbox import Sandbox


def play_cases(run: RunDir, *, config: Path, cases: Path | None) -> dict[str, Any]:
    """The tuned model and, with its adapter switched off, the base, on the same cases."""
    conversations = _read_cases(run, cases)
    with Sandbox(config) as sandbox:
        loaded, renderer = _load_tuned(run)
        decoder = Decoder(loaded)

        def complete_as_base(prompts: list[list[int]], **limits: Any) -> Any:
            with adapter_disabled(loaded.model), weights_for_decoding(loaded.model):
                return decoder.complete(prompts, **limits)

        def complete_as_tuned(prompts: list[list[int]], **limits: Any) -> Any:
            with weights_for_decoding(loaded.model):
                return decoder.complete(prompts, **limits)

        with terminal.progress() as show:
            return evaluate(
                run,
                conversations=conversations,
                renderer=renderer,
                decoders={"base": complete_as_base, "tuned": complete_as_tuned},
                sandbox=sandbox,
                progress=show,
            )


def _read_cases(run: RunDir, cases: Path | None) -> list[Conversation]:
    """`cases`, or the test split beside the training data."""
    if cases is None:
        train_data = load_recipe(run.recipe).data.train
        assert train_data is not None, "a run has training data"
        cases = train_data.parent / "test.jsonl"
    reading = read_conversations(cases)
    for line, reason in reading.skipped:
        raise DataError(f"{cases}:{line}: {reason}. Repair or remove the line.")
    return reading.conversations


def talk(run: RunDir, *, config: Path) -> None:
    """The tuned model in the terminal, with the servers attached."""
    read_specs(config)  # chat reads it too, but only after seconds of loading
    loaded, renderer = _load_tuned(run)
    with weights_for_decoding(loaded.model):
        chat(
            config,
            renderer=renderer,
            complete=Decoder(loaded).complete,
            system=_system_text(run),
            console=terminal.console,
        )


def load_renderer(model: str) -> Renderer:
    """The chat template and tokenizer of a model by name."""
    return Renderer.from_folder(resolve_folder(ModelSection(name=model)))


def _system_text(run: RunDir) -> str:
    """What the model was trained to read first: the system message of its first conversation."""
    train_data = load_recipe(run.recipe).data.train
    if train_data is None or not train_data.is_file():
        return ""
    first = read_conversations(train_data).conversations[0].messages[0]
    return first.content if first.role == "system" else ""


def _load_tuned(run: RunDir) -> tuple[LoadedModel, Renderer]:
    lora = read_adapter_config(run.adapter)
    section = load_recipe(run.recipe).model
    with terminal.log.status(f"loading {section.name}"):
        loaded = load_base(section)
    attach_lora(loaded.model, lora)
    load_adapter(loaded.model, run.adapter)
    return loaded, Renderer.from_folder(run.adapter)
