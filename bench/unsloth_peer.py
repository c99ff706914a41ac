"""The second peer: Unsloth, which patches TRL's trainer, with LoRA as its users run it.

It runs in an environment of its own: Unsloth pins older versions of TRL and transformers.
"""

# ruff: noqa: E402, I001
from bench.dialogue import open_answers

ANSWERS = open_answers()  # before the import below prints

import unsloth  # before the libraries it patches

import json
import sys
from typing import Any

import torch
from trl import SFTTrainer

from bench.peer import LINEAR_LAYERS, main, make_config, rows, tokenizer

LONGEST_TOKENS = 2048


def make_trainer(settings: dict[str, Any], folder: str) -> SFTTrainer:
    """Frozen weights in bfloat16, not quantised, as on the other sides."""
    recomputes = "unsloth" if settings["checkpointing"] else False
    model, _ = unsloth.FastLanguageModel.from_pretrained(
        settings["model"],
        max_seq_length=LONGEST_TOKENS,
        dtype=torch.bfloat16,
        load_in_4bit=False,
        use_gradient_checkpointing=recomputes,
    )
    model = unsloth.FastLanguageModel.get_peft_model(
        model,
        r=16,
        lora_alpha=32,
        lora_dropout=0.0,
        target_modules=LINEAR_LAYERS,
        use_gradient_checkpointing=recomputes,
    )
    return SFTTrainer(
        model=model,
        args=make_config(settings, folder),
        train_dataset=rows(settings),
        processing_class=tokenizer(),
    )


if __name__ == "__main__":
    torch.manual_seed(7)
    main(json.loads(sys.argv[1]), "unsloth", make_trainer, ANSWERS)
