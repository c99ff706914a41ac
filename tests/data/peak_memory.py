"""Peak resident memory of an update by its number of examples, each measured in its own process.

python -m tests.data.peak_memory [--layers 30] [--examples 16 64] [--shared-tokens 600]
    [--own-tokens 120] [--trained-tokens 60] [--micro-batch-tokens 2520] [--sharing update]

A random model of SmolLM2-135M's shape (fewer layers on wish), float32, LoRA r=16 on all linear
layers, no checkpointing; one catalog. What the process held before the update is printed too.
"""

import argparse
import json
import resource
import subprocess
import sys

from tooltune.heap import restart_with_own_heap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--examples", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--shared-tokens", type=int, default=600)
    parser.add_argument("--own-tokens", type=int, default=120)
    parser.add_argument("--trained-tokens", type=int, default=60)
    parser.add_argument("--micro-batch-tokens", type=int, default=2520)
    parser.add_argument("--sharing", default="update", choices=["update", "micro_batch", "none"])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        restart_with_own_heap()  # as `train` does
        print(json.dumps(measure(asked)))
        return
    for count in asked.examples:
        own = ["--examples", str(count), "--child"]
        command = [sys.executable, "-m", "tests.data.peak_memory", *sys.argv[1:], *own]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(
            f"{count} examples: peak {found['peak_mib']:.0f} MiB, {found['before_mib']:.0f} before "
            f"the update, {found['tokens']} tokens computed"
        )


def measure(asked: argparse.Namespace) -> dict[str, float]:
    """Two updates of `asked.examples[0]` examples, the second on a warm allocator."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    from tooltune.config import LoraSection
    from tooltune.model.attention import ATTENTION
    from tooltune.model.layers import use_lean_layers
    from tooltune.model.lora import attach_lora
    from tooltune.packing.tree import TokenSequence
    from tooltune.train.gradients import accumulate_gradients

    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=asked.layers,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=ATTENTION)
    use_lean_layers(model)
    attach_lora(model, LoraSection(dropout=0))
    random = np.random.default_rng(7)
    shared = random.integers(0, 49152, asked.shared_tokens)
    mask = np.zeros(asked.shared_tokens + asked.own_tokens, np.uint8)
    mask[-asked.trained_tokens :] = 1
    sequences = [
        TokenSequence(
            np.r_[shared, random.integers(0, 49152, asked.own_tokens)].astype(np.int32), mask
        )
        for _ in range(asked.examples[0])
    ]
    before = _peak_mib()
    for _ in range(2):
        model.zero_grad(set_to_none=True)
        _, tokens = accumulate_gradients(
            model.train(),
            sequences,
            micro_batch_tokens=asked.micro_batch_tokens,
            sharing=asked.sharing,
        )
    return {"before_mib": before, "peak_mib": _peak_mib(), "tokens": tokens}


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
