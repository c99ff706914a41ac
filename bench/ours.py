"""Our side of the benchmark: the engine's own `train_step`, one update a line (see dialogue.py)."""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from bench.dialogue import now, open_answers, peak_gib, say, wait_for_step
from bench.work import matrix_flops_per_second, step_flops
from bench.workloads import Workload, draw_step
from tooltune.config import LoraSection, ModelSection, TrainSection
from tooltune.heap import restart_with_own_heap
from tooltune.model.layers import recompute_activations
from tooltune.model.load import LoadedModel, load_base
from tooltune.model.lora import attach_lora, save_adapter, trainable_parameters
from tooltune.packing.tree import build_tree
from tooltune.train.step import train_step

SHORT = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
LORA = LoraSection(rank=16, alpha=32, dropout=0)


def main(settings: dict[str, Any]) -> None:
    """Build model and optimizer as `train` does, save the adapter both sides start from, train."""
    answers = open_answers()
    workload, device = Workload(**settings["workload"]), settings["device"]
    section = ModelSection(
        name=settings["model"], device=device, quantization=settings["quantization"]
    )
    loaded, optimizer = adapted_model(section, settings["learning_rate"])
    model = loaded.model
    adapter = Path(settings["adapter"])
    adapter.mkdir(parents=True, exist_ok=True)
    save_adapter(model, LORA, adapter, base=str(loaded.folder))
    if settings["checkpointing"]:
        recompute_activations(model)
    train = TrainSection(
        learning_rate=settings["learning_rate"],
        micro_batch_tokens=settings["micro_batch_tokens"],
        activation_checkpointing=settings["checkpointing"],
    )
    scaler = torch.amp.GradScaler(device, enabled=loaded.dtype == torch.float16)
    say(
        answers,
        trainer=" ".join(filter(None, ("tooltune", section.quantization, SHORT[loaded.dtype]))),
        folder=str(loaded.folder),
        threads=torch.get_num_threads(),
        matrix_flops_per_second=matrix_flops_per_second(loaded.dtype, loaded.device),
    )
    step = 0
    while wait_for_step():
        sequences = draw_step(workload, step, model.config.vocab_size)
        start = now(device)
        record = train_step(
            model, optimizer, sequences, train=train, step=step, epoch=1, scaler=scaler
        )
        seconds = now(device) - start
        flops = step_flops(model, build_tree(sequences))
        say(answers, loss=record.loss, seconds=seconds, flops=flops, peak_gib=peak_gib(device))
        step += 1


def adapted_model(section: ModelSection, rate: float) -> tuple[LoadedModel, torch.optim.Optimizer]:
    """The base with a fresh adapter, and what updates it at a constant learning rate."""
    loaded = load_base(section)
    torch.manual_seed(7)
    attach_lora(loaded.model, LORA)
    parameters = trainable_parameters(loaded.model)
    return loaded, torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0, fused=True)


if __name__ == "__main__":
    restart_with_own_heap()  # as `tooltune train` does
    main(json.loads(sys.argv[1]))
