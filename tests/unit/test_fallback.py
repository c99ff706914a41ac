"""Models whose attention is not the tree's: each sequence by itself, with the model's own
attention, and the same gradients as plain transformers; or refused by name.

Tiny random models. How the tree's own models are loaded: test_base.py.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    Gemma3TextConfig,
    MambaConfig,
    PreTrainedConfig,
)

from tooltune.config import LINEAR_LAYERS, LoraSection, ModelSection
from tooltune.errors import ModelError
from tooltune.model.generate import Decoder, End
from tooltune.model.load import LoadedModel, load_base
from tooltune.model.lora import LoraLinear, attach_lora, lora_layers
from tooltune.packing.tree import TokenSequence, build_tree
from tooltune.train.gradients import Sharing, accumulate_gradients, summed_loss

WINDOW = 16
SMALL = {"vocab_size": 48, "hidden_size": 32, "num_hidden_layers": 2, "pad_token_id": 0}
HEADS = {"intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2}
CONFIGS: dict[str, PreTrainedConfig] = {
    "mamba": MambaConfig(**SMALL, state_size=4, time_step_rank=4),
    "gemma3": Gemma3TextConfig(
        **SMALL,
        **HEADS,
        head_dim=8,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "full_attention"],
    ),
    "bert": BertConfig(**SMALL, intermediate_size=48, num_attention_heads=4),
}
TARGETS = {"mamba": ("in_proj", "out_proj"), "gemma3": LINEAR_LAYERS}


@pytest.fixture(scope="module", params=["mamba", "gemma3"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved random model of each config."""
    found = {}
    for name, config in CONFIGS.items():
        with torch.random.fork_rng():
            torch.manual_seed(7)
            model = AutoModelForCausalLM.from_config(config)
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.2)
        found[name] = tmp_path_factory.mktemp(name)
        model.float().save_pretrained(found[name])
    return found


def load(folders: dict[str, Path], kind: str, longest_tokens: int | None) -> LoadedModel:
    section = ModelSection(name=str(folders[kind]), dtype="float32", device="cpu")
    return load_base(section, longest_tokens=longest_tokens)


def adapted(loaded: LoadedModel, kind: str) -> nn.Module:
    """With A and B random, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        attach_lora(
            loaded.model, LoraSection(rank=3, alpha=6, dropout=0, target_modules=TARGETS[kind])
        )
        for layer in lora_layers(loaded.model).values():
            nn.init.normal_(layer.lora_A, std=0.2)
            nn.init.normal_(layer.lora_B, std=0.2)
    return loaded.model.double()


def shared_sequences(length: int) -> list[TokenSequence]:
    """Three of this length with a common start, trained within it too, and one that is a prefix."""
    random = np.random.default_rng(5)
    start = random.integers(1, 48, length // 2)
    texts = [np.r_[start, random.integers(1, 48, length - len(start))] for _ in range(3)]
    texts.append(texts[0][: len(start) + 2])
    sequences = []
    for text in texts:
        mask = np.ones(len(text), np.uint8)
        mask[: len(start) - 2] = 0
        sequences.append(TokenSequence(text.astype(np.int32), mask))
    return sequences


def merged_into_plain(model: nn.Module, folder: Path) -> nn.Module:
    """transformers' own model whose weights are W + scale B A."""
    plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").double()
    for name, layer in lora_layers(model).items():
        weight = layer.base.weight + layer.scale * layer.lora_B @ layer.lora_A
        plain.get_submodule(name).weight = nn.Parameter(weight.detach())
    return plain.eval()


def plain_weight_gradients(
    plain: nn.Module, sequences: Sequence[TokenSequence], names: Sequence[str]
) -> tuple[float, dict[str, Tensor]]:
    losses = []
    for sequence in sequences:
        ids = torch.from_numpy(sequence.tokens).long()
        chosen = torch.from_numpy(sequence.loss_mask[1:]).bool()
        logits = plain(input_ids=ids[None]).logits[0, :-1][chosen]
        losses.append(F.cross_entropy(logits, ids[1:][chosen], reduction="sum"))
    count = sum(sequence.supervised_tokens for sequence in sequences)
    loss = torch.stack(losses).sum() / count
    loss.backward()
    return float(loss.detach()), {name: plain.get_submodule(name).weight.grad for name in names}


def assert_trains_like_transformers(
    model: nn.Module, folder: Path, sequences: list[TokenSequence], sharing: Sharing | None = None
) -> None:
    """Through dA = scale B^T dW and dB = scale dW A^T."""
    loss, computed = accumulate_gradients(model, sequences, micro_batch_tokens=64, sharing=sharing)
    layers = lora_layers(model)
    expected, gradients = plain_weight_gradients(
        merged_into_plain(model, folder), sequences, list(layers)
    )
    assert loss == pytest.approx(expected, rel=1e-5)
    with torch.no_grad():
        for name, layer in layers.items():
            assert_close(layer, gradients[name])
    assert computed <= sum(len(sequence.tokens) for sequence in sequences)


def assert_close(layer: LoraLinear, gradient_OI: Tensor) -> None:
    grad_A = layer.scale * layer.lora_B.T @ gradient_OI
    grad_B = layer.scale * gradient_OI @ layer.lora_A.T
    for got, truth in ((layer.lora_A.grad, grad_A), (layer.lora_B.grad, grad_B)):
        assert got is not None
        assert float((got - truth).norm() / truth.norm()) < 1e-4


def test_an_unknown_attention_trains_each_sequence_by_itself(
    kind: str, folders: dict[str, Path]
) -> None:
    loaded = load(folders, kind, longest_tokens=3 * WINDOW)
    assert not loaded.shares_prefixes
    model = adapted(loaded, kind)
    assert_trains_like_transformers(model, folders[kind], shared_sequences(3 * WINDOW))


def test_the_reason_for_not_sharing_names_the_model(folders: dict[str, Path]) -> None:
    assert load(folders, "mamba", 10).sharing_why == (
        f"{folders['mamba']}: the engine does not know the attention of model type 'mamba', so "
        "each sequence is computed by itself"
    )
    assert load(folders, "gemma3", 17).sharing_why == (
        f"{folders['gemma3']}: sequences of up to 17 tokens and a sliding window of 16, so each is "
        "computed by itself"
    )
    assert "sequences of any length and" in load(folders, "gemma3", None).sharing_why


def test_sequences_within_the_sliding_window_share_their_prefixes(
    folders: dict[str, Path],
) -> None:
    loaded = load(folders, "gemma3", longest_tokens=WINDOW)
    assert (loaded.shares_prefixes, loaded.sharing_why) == (True, "")
    model = adapted(loaded, "gemma3")
    assert_trains_like_transformers(model, folders["gemma3"], shared_sequences(WINDOW))


def test_control_beyond_the_sliding_window_a_tree_is_wrong(folders: dict[str, Path]) -> None:
    model = adapted(load(folders, "gemma3", longest_tokens=WINDOW), "gemma3")
    with pytest.raises(AssertionError):
        assert_trains_like_transformers(model, folders["gemma3"], shared_sequences(3 * WINDOW))


def test_held_out_loss_is_that_of_separate_sequences(kind: str, folders: dict[str, Path]) -> None:
    """Validation hands over trees whatever the model is."""
    model = load(folders, kind, longest_tokens=None).model
    sequences = shared_sequences(2 * WINDOW)
    with torch.no_grad():
        whole = summed_loss(model, build_tree(sequences))
        parts = [summed_loss(model, build_tree([sequence])) for sequence in sequences]
    torch.testing.assert_close(whole, torch.stack(parts).sum())


def test_decoding_is_transformers_own(kind: str, folders: dict[str, Path]) -> None:
    """Also for a model loaded for short sequences, where a prompt outgrows the window."""
    prompts = [[5, 6, 7], [*range(1, WINDOW)]]
    plain = AutoModelForCausalLM.from_pretrained(folders[kind], attn_implementation="eager").eval()
    for longest_tokens in (None, WINDOW):
        decoder = Decoder(load(folders, kind, longest_tokens))
        done = decoder.complete(prompts, max_new_tokens=6, stop_token_ids=[47])
        for prompt, completion in zip(prompts, done, strict=True):
            tokens = list(prompt)
            for _ in range(6):
                with torch.no_grad():
                    logits = plain(input_ids=torch.tensor([tokens]), use_cache=False).logits
                tokens.append(int(logits[0, -1].argmax()))
                if tokens[-1] == 47:
                    break
            assert completion.tokens == tokens[len(prompt) :]
            assert completion.end is (End.STOP if tokens[-1] == 47 else End.LENGTH)


def test_a_model_that_looks_ahead_is_refused_by_name(folders: dict[str, Path]) -> None:
    with pytest.raises(ModelError) as caught:
        load(folders, "bert", longest_tokens=10)
    assert str(caught.value) == (
        f"{folders['bert']}: model type 'bert' cannot be trained, not even each sequence by itself "
        "(a token depends on later ones). Take one of: llama, qwen2, qwen3."
    )


def test_a_model_beyond_float16_is_told_to_take_float32(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """As Gemma 3's are; what is not a number passes no comparison."""
    model = AutoModelForCausalLM.from_pretrained(folders["gemma3"])
    for layer in model.model.layers:
        nn.init.constant_(layer.post_feedforward_layernorm.weight, 1e5)
    model.save_pretrained(tmp_path)
    section = ModelSection(name=str(tmp_path), dtype="float16", device="cpu")
    with pytest.raises(ModelError, match=r"beyond torch.float16. Set model.dtype to float32."):
        load_base(section, longest_tokens=10)
    wide = section.model_copy(update={"dtype": "float32"})
    assert load_base(wide, longest_tokens=10).shares_prefixes
