"""The peer's side: TRL's SFTTrainer with PEFT's LoRA as a user runs it, one update a line.

The trainer keeps its own loop; a callback waits before each of its steps and times it.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import torch
from datasets import Dataset
from peft import LoraConfig, set_peft_model_state_dict
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, PreTrainedTokenizerFast, TrainerCallback
from trl import SFTConfig, SFTTrainer

from bench.dialogue import now, open_answers, peak_gib, say, wait_for_step
from bench.workloads import Workload, draw_step

LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class OneStepALine(TrainerCallback):
    """Waits for a line before each optimizer step, and says what the step took and gave.

    It waits where it has answered: what the trainer does between two steps, and after the last,
    must not run beside a step of the other side.
    """

    def __init__(self, answers: TextIO, device: str) -> None:
        self.answers, self.device = answers, device
        self.start = self.seconds = 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.wait()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.start = now(self.device)

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds = now(self.device) - self.start

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" in logs:
            peak = peak_gib(self.device)
            say(self.answers, loss=logs["loss"], seconds=self.seconds, peak_gib=peak)
            self.wait()

    def wait(self) -> None:
        if not wait_for_step():
            sys.exit()


def main(
    settings: dict[str, Any],
    name: str,
    make_trainer: Callable[[dict[str, Any], str], SFTTrainer],
    answers: TextIO,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(settings, folder)
        if settings["adapter"]:
            adapter = load_file(Path(settings["adapter"]) / "adapter_model.safetensors")
            set_peft_model_state_dict(trainer.model, adapter)
        trainer.add_callback(OneStepALine(answers, settings["device"]))
        say(answers, trainer=f"{name} {version(name)} {settings['number_format']}")
        trainer.train()


def make_trainer(settings: dict[str, Any], folder: str) -> SFTTrainer:
    """TRL's as it comes: it loads the model itself and attaches the adapter."""
    config = make_config(settings, folder)
    config.model_init_kwargs = {
        "dtype": "bfloat16" if settings["number_format"] == "bf16" else "float32",
        "device_map": None,
    }
    return SFTTrainer(
        model=settings["model"],
        args=config,
        train_dataset=rows(settings),
        processing_class=tokenizer(),
        peft_config=LoraConfig(
            r=16,
            lora_alpha=32,
            lora_dropout=0.0,
            target_modules=LINEAR_LAYERS,
            task_type="CAUSAL_LM",
        ),
    )


def make_config(settings: dict[str, Any], folder: str) -> SFTConfig:
    """Rows in the order of the steps, none shuffled, padded or cut."""
    workload, at_a_time = Workload(**settings["workload"]), settings["examples_at_a_time"]
    number_format = settings["number_format"]
    return SFTConfig(
        output_dir=folder,
        max_steps=settings["steps"] + 1,
        per_device_train_batch_size=at_a_time,
        gradient_accumulation_steps=workload.examples // at_a_time,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=number_format.startswith("bf16"),
        fp16=number_format.startswith("fp16"),
        gradient_checkpointing=settings["checkpointing"],
        completion_only_loss=True,
        max_length=None,
        train_sampling_strategy="sequential",
        dataloader_pin_memory=settings["device"] == "cuda",
        use_cpu=settings["device"] == "cpu",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def rows(settings: dict[str, Any]) -> Dataset:
    workload = Workload(**settings["workload"])
    vocabulary = AutoConfig.from_pretrained(settings["model"]).vocab_size
    sequences = [
        sequence
        for step in range(settings["steps"] + 1)
        for sequence in draw_step(workload, step, vocabulary)
    ]
    return Dataset.from_dict(
        {
            "input_ids": [sequence.tokens.tolist() for sequence in sequences],
            "completion_mask": [sequence.loss_mask.tolist() for sequence in sequences],
        }
    )


def tokenizer() -> PreTrainedTokenizerFast:
    """The trainer asks for one and takes its padding id; rows of ids are never tokenised."""
    words = Tokenizer(WordLevel({"<pad>": 0, "<end>": 1}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<end>")


if __name__ == "__main__":
    torch.manual_seed(7)
    main(json.loads(sys.argv[1]), "trl", make_trainer, open_answers())
