"""A model with Qwen3-1.7B's shape and random weights, as a folder: `python -m ... FOLDER`."""

import sys

import torch
from transformers import AutoModelForCausalLM, Qwen3Config

SHAPE = Qwen3Config(
    vocab_size=151_936,
    hidden_size=2048,
    intermediate_size=6144,
    num_hidden_layers=28,
    num_attention_heads=16,
    num_key_value_heads=8,
    head_dim=128,
    max_position_embeddings=40_960,
    tie_word_embeddings=True,
)

if __name__ == "__main__":
    torch.manual_seed(7)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(SHAPE, dtype=torch.bfloat16)
    model.save_pretrained(sys.argv[1])
