"""Planned against resident memory of real training steps on a processor.

`python -m tests.data.measure_memory` prints the table of docs/plan.md: two model shapes with random
weights, with and without recomputed activations, micro-batches of two sizes, float32, LoRA r=16 on
all linear layers, dropout 0. Each run is a process of its own: a short update, so that Adam's
moments exist, then three of rising length, as real steps differ in length. `--only WORD` takes the
rows whose name holds WORD. Needs up to 4 GiB and a few minutes on an idle machine.
"""

import argparse
import os
import resource
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from tooltune.config import LINEAR_LAYERS, TrainSection
from tooltune.model.lora import trainable_parameters
from tooltune.packing.tree import TokenSequence
from tooltune.plan.dry_run import build_model
from tooltune.plan.memory import GIB, TRAINERS, Job, estimate_memory
from tooltune.plan.shape import ModelShape
from tooltune.plan.tables import load_tables
from tooltune.plan.this_machine import HEAP_FRAGMENTATION, resident_bytes
from tooltune.train.step import train_step

LENGTHS = (320, 960)
SHARES = (0.05, 0.7, 0.85, 1.0)
"""Of the largest micro-batch, update by update."""
SUPERVISED = 0.1


@dataclass(frozen=True)
class Case:
    name: str
    shape: ModelShape
    tokens: int
    checkpointing: bool


def cases() -> list[Case]:
    tables = load_tables()
    qwen = replace(tables.shape("Qwen/Qwen3-0.6B"), layers=8)
    shapes = {"SmolLM2-135M": tables.shape("smollm2-135m"), "Qwen3-0.6B, 8 layers": qwen}
    return [
        Case(name, shape, tokens, checkpointing)
        for name, shape in shapes.items()
        for checkpointing in (False, True)
        for tokens in LENGTHS
    ]


def make_job(case: Case, runtime_bytes: float) -> Job:
    return Job(
        shape=case.shape,
        trainer=TRAINERS["tooltune"],
        dtype="float32",
        rank=16,
        target_modules=LINEAR_LAYERS,
        micro_batch_tokens=case.tokens,
        sequence_tokens=case.tokens,
        checkpointing=case.checkpointing,
        context_bytes=runtime_bytes,
        fragmentation=HEAP_FRAGMENTATION,
    )


def train(job: Job) -> None:
    model = build_model(job, job.shape.layers).to_empty(device="cpu")
    model.tie_weights()  # to_empty makes two of a shared matrix
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.02)
    for buffer in model.buffers():
        buffer.zero_()
    optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-4, fused=True)
    for step, share in enumerate(SHARES, start=1):
        count = int(share * job.micro_batch_tokens)
        mask = (np.arange(count) >= (1 - SUPERVISED) * count).astype(np.uint8)
        tokens = np.arange(count, dtype=np.int32) % job.shape.vocab
        train_step(
            model,
            optimizer,
            [TokenSequence(tokens, mask)],
            train=TrainSection(micro_batch_tokens=job.micro_batch_tokens),
            step=step,
            epoch=1,
        )


def measure(case: Case) -> tuple[float, float]:
    """(planned, measured) peak in GiB; the run is a child, so that each starts alike."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        planned = estimate_memory(job := make_job(case, resident_bytes()), "lora").total / GIB
        train(job)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        os.write(write, f"{planned} {peak}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    planned, peak = map(float, text.split())
    return planned, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print("| shape | tokens | recomputed | planned GiB | measured GiB | planned is |")
    print("|---|---:|---|---:|---:|---:|")
    for case in cases():
        row = f"| {case.name} | {case.tokens} | {'yes' if case.checkpointing else 'no'} |"
        if options.only in row:
            planned, peak = measure(case)
            print(
                row,
                f"{planned:.2f} | {peak:.2f} | {100 * (planned / peak - 1):+.0f}% |",
                flush=True,
            )


if __name__ == "__main__":
    main()
