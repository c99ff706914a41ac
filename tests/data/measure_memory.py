"""Planned against resident memory of real training steps on a processor, and against dry runs.

`python -m tests.data.measure_memory --write` prints two tables and puts them into docs/plan.md. The
first: two model shapes with random weights, with and without recomputed activations, micro-batches
of two sizes, LoRA r=16 on all linear layers, dropout 0; one of the shapes in bfloat16 too. Each run
is a process of its own: a short update, so that Adam's moments exist, then three of rising length,
as real steps differ in length. HEAP_FRAGMENTATION was set on SmolLM2's float32 rows; the others
only report. The second: the closed form beside fake tensors. `--only WORD` takes the rows of the
first whose name holds WORD. Needs up to 3 GiB and a few minutes on an idle machine.
"""

import argparse
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tooltune.config import LINEAR_LAYERS, TrainSection
from tooltune.heap import restart_with_own_heap
from tooltune.model.lora import trainable_parameters
from tooltune.packing.tree import TokenSequence
from tooltune.plan.dry_run import build_model, dry_run_job
from tooltune.plan.memory import GIB, TRAINERS, Job, estimate_memory
from tooltune.plan.shape import ModelShape
from tooltune.plan.tables import load_tables
from tooltune.plan.this_machine import HEAP_FRAGMENTATION, processor_runtime_bytes
from tooltune.train.step import train_step

LENGTHS = (320, 960)
SHARES = (0.05, 0.7, 0.85, 1.0)
"""Of the largest micro-batch, update by update."""
FAKE = (
    ("smollm2-135m", "float32", 2500, False),
    ("smollm2-135m", "float32", 2500, True),
    ("smollm2-135m", "bfloat16", 2500, False),
    ("Qwen/Qwen3-0.6B", "bfloat16", 6900, True),
    ("Qwen/Qwen3-0.6B", "float32", 2500, True),
    ("Qwen/Qwen3-1.7B", "bfloat16", 6900, True),
    ("Qwen/Qwen3-1.7B", "bfloat16", 6900, False),
    ("Qwen/Qwen3-1.7B", "bfloat16", 1300, False),
)
PAGE = Path(__file__).parents[2] / "docs" / "plan.md"
RESIDENT_HEAD = "| shape | dtype | tokens | recomputed | planned GiB | measured GiB | planned is |"
FAKE_HEAD = "| shape | dtype | tokens | checkpointed | dry run | closed form | closed form is |"


@dataclass(frozen=True)
class Case:
    name: str
    shape: ModelShape
    dtype: str
    tokens: int
    checkpointing: bool


def cases() -> list[Case]:
    tables = load_tables()
    qwen = replace(tables.shape("Qwen/Qwen3-0.6B"), layers=8)
    smollm = tables.shape("smollm2-135m")
    kinds = (
        ("SmolLM2-135M", smollm, "float32"),
        ("Qwen3-0.6B, 8 layers", qwen, "float32"),
        ("SmolLM2-135M", smollm, "bfloat16"),
    )
    return [
        Case(name, shape, dtype, tokens, checkpointing)
        for name, shape, dtype in kinds
        for checkpointing in (False, True)
        for tokens in LENGTHS
    ]


def make_job(case: Case, runtime_bytes: float) -> Job:
    return Job(
        shape=case.shape,
        trainer=TRAINERS["tooltune"],
        dtype=case.dtype,
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
        mask = np.ones(count, dtype=np.uint8)  # as the plan takes it where nobody counted
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
        job = make_job(case, processor_runtime_bytes(case.dtype))
        planned = estimate_memory(job, "lora").total / GIB
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


def resident_rows(only: str) -> Iterator[str]:
    """Planned against measured, one row a run."""
    for case in cases():
        recomputed = "yes" if case.checkpointing else "no"
        row = f"| {case.name} | {case.dtype} | {case.tokens} | {recomputed} |"
        if only in row:
            planned, peak = measure(case)
            off = 100 * (planned / peak - 1)
            yield f"{row} {planned:.2f} | {peak:.2f} | {off:+.0f}% |"


def fake_rows() -> Iterator[str]:
    """The closed form against the dry run, whole models, allocated bytes of the micro-batch."""
    for name, dtype, tokens, checkpointing in FAKE:
        job = make_job(Case(name, load_tables().shape(name), dtype, tokens, checkpointing), 0.0)
        ran = dry_run_job(job).peak_bytes / GIB
        closed = estimate_memory(job, "lora").allocated / GIB
        title = name.rpartition("/")[2].replace("smollm2-135m", "SmolLM2-135M")
        yield (
            f"| {title} | {dtype} | {tokens:,} | {'yes' if checkpointing else 'no'} "
            f"| {ran:.2f} | {closed:.2f} | {100 * (closed / ran - 1):+.1f}% |"
        )


def write_table(head: str, rows: list[str]) -> None:
    """Into docs/plan.md, in place of the table that begins with `head`."""
    lines = PAGE.read_text(encoding="utf-8").split("\n")
    first = lines.index(head) + 2
    end = next(i for i in range(first, len(lines)) if not lines[i].startswith("|"))
    PAGE.write_text("\n".join([*lines[:first], *rows, *lines[end:]]), encoding="utf-8")


def main() -> None:
    restart_with_own_heap()  # as `tooltune train` does
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    tables = {RESIDENT_HEAD: resident_rows(options.only)}
    if not options.only:
        tables[FAKE_HEAD] = fake_rows()
    for head, rows in tables.items():
        print(head)
        made = []
        for row in rows:
            print(row, flush=True)
            made.append(row)
        if options.write and not options.only:
            write_table(head, made)


if __name__ == "__main__":
    main()
