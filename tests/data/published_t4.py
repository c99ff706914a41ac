"""Published peaks of real T4 runs, and the program that made them on fake tensors.

`python -m tests.data.published_t4` prints the table of docs/plan.md: closed form and dry run. The
runs: LoRA r=32 on q/k/v/o with PEFT, float16 without autocast, keys and values repeated for grouped
heads, model output held during the backward pass (fitcheck, data/measurements, torch 2.10 to 2.14).
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM
from transformers.masking_utils import AttentionMaskInterface

from tooltune.plan.dry_run import DryRun, dry_run
from tooltune.plan.memory import Job, Trainer, estimate_memory
from tooltune.plan.tables import load_tables

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class PublishedRun:
    model: str
    rows: int
    length: int
    checkpointing: bool
    attention: str
    measured_mib: int

    @property
    def title(self) -> str:
        mode = "checkpointed, " if self.checkpointing else ""
        return f"{self.model.split('/')[1]} {self.rows}x{self.length}, {mode}{self.attention}"


RUNS = [
    PublishedRun("HuggingFaceTB/SmolLM2-135M", 2, 512, False, "fused", 1846),
    PublishedRun("HuggingFaceTB/SmolLM2-135M", 4, 512, False, "fused", 3314),
    PublishedRun("HuggingFaceTB/SmolLM2-135M", 1, 2048, False, "fused", 3314),
    PublishedRun("HuggingFaceTB/SmolLM2-1.7B", 1, 512, False, "fused", 5112),
    PublishedRun("HuggingFaceTB/SmolLM2-1.7B", 1, 512, False, "eager", 6215),
    PublishedRun("Qwen/Qwen2.5-0.5B", 2, 512, False, "fused", 4504),
    PublishedRun("Qwen/Qwen2.5-0.5B", 2, 512, False, "eager", 5486),
    PublishedRun("Qwen/Qwen2.5-1.5B", 1, 512, False, "fused", 5552),
    PublishedRun("Qwen/Qwen2.5-1.5B", 1, 512, False, "eager", 5999),
    PublishedRun("Qwen/Qwen2.5-1.5B", 2, 1024, True, "fused", 7402),
    PublishedRun("Qwen/Qwen2.5-1.5B", 2, 1024, True, "eager", 7406),
]


def predict_in_closed_form(run: PublishedRun) -> float:
    """MiB allocated at the peak."""
    job = Job(
        shape=load_tables().shape(run.model),
        trainer=Trainer("harness", "float32", "full", keeps_logits=True, attention=run.attention),
        dtype="float16",
        rank=32,
        target_modules=TARGETS,
        micro_batch_tokens=run.rows * run.length,
        sequence_tokens=run.length,
        checkpointing=run.checkpointing,
    )
    return estimate_memory(job, "lora").allocated / 2**20


def predict_by_dry_run(run: PublishedRun) -> DryRun:
    return dry_run(
        load_tables().shape(run.model),
        lambda layers: build_harness(run, layers),
        lambda model: step_harness(model, run),
    )


def build_harness(run: PublishedRun, layers: int) -> nn.Module:
    row = next(row for row in load_tables().models if row.name == run.model)
    fields = {**row.config, "num_hidden_layers": layers}
    config = AutoConfig.for_model(fields.pop("model_type"), **fields)
    attention = "expanded" if run.attention == "fused" else "eager"
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            config, dtype=torch.float16, attn_implementation=attention
        )
        if run.checkpointing:
            switches = {"use_reentrant": False}
            model.activation_checkpointing_enable(activation_checkpointing_kwargs=switches)
        lora = LoraConfig(r=32, lora_alpha=64, target_modules=list(TARGETS))
        model = get_peft_model(model, lora)
    model.train()
    return model


def step_harness(model: nn.Module, run: PublishedRun) -> Any:
    ids = torch.zeros(run.rows, run.length, dtype=torch.long)
    out = model(input_ids=ids, labels=ids, use_cache=False)
    out.loss.backward()
    return out


def _expanded(_: Any, q: Any, k: Any, v: Any, __: Any, *, scaling: float, **___: Any) -> Any:
    group = q.shape[1] // k.shape[1]
    if group > 1:
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling)
    return out.transpose(1, 2).contiguous(), None


# A name with "flash" in it would make transformers look for a kernel to download.
AttentionInterface.register("expanded", _expanded)
AttentionMaskInterface.register("expanded", lambda *_, **__: None)


def main() -> None:
    print(
        "| real T4 run | measured MiB | closed form | dry run |", "|---|---:|---:|---:|", sep="\n"
    )
    for run in RUNS:
        closed = predict_in_closed_form(run) / run.measured_mib - 1
        dry = predict_by_dry_run(run).gpu_bytes / 2**20 / run.measured_mib - 1
        print(f"| {run.title} | {run.measured_mib:,} | {closed:+.1%} | {dry:+.1%} |", flush=True)


if __name__ == "__main__":
    main()
