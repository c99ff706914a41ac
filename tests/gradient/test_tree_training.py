"""Training on a prefix tree is training one by one: loss and every adapter gradient, by name.

The outside truth is a plain transformers model with PEFT's LoRA, one sequence at a time, in
float64; its RMSNorm computes in float32, so our own one-by-one run is the strict truth. LoRA B is
random, for with B = 0 the gradient of A is zero. What a tree holds is tested in
property/test_packing.py. The kernels of GPUs run here as a processor computes them.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from tooltune.config import LINEAR_LAYERS, LoraSection, TrainSection
from tooltune.model.attention import ATTENTION, Kernel
from tooltune.model.layers import recompute_activations, use_lean_layers
from tooltune.model.lora import attach_lora, lora_layers, trainable_parameters
from tooltune.packing.tree import PrefixTree, TokenSequence, build_tree
from tooltune.train.gradients import Sharing, accumulate_gradients, summed_loss
from tooltune.train.step import train_step

pytestmark = [
    # PEFT 0.21 asks transformers by a name that 5.23 has deprecated.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated"),
    pytest.mark.usefixtures("flex_gradients_on_a_processor"),
    pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf"),
]

SHAPE = {
    "vocab_size": 48,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
CONFIGS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**SHAPE, tie_word_embeddings=True),
    "qwen2": lambda: Qwen2Config(**SHAPE),  # its queries, keys and values have biases
    "qwen3": lambda: Qwen3Config(**SHAPE, head_dim=16),
}
KERNELS: tuple[Kernel, ...] = ("segments", "tiles", "masked", "flex", "reference")
FUSED = {
    dtype: pytest.param("fused", marks=pytest.mark.compiled_kernels(dtype))
    for dtype in (torch.float32, torch.bfloat16)
}
"""Not in float64."""
LORA = LoraSection(rank=3, alpha=6, dropout=0)
EXACT = 1e-9
RMS_NORM_IN_FLOAT32 = 3e-6


def trained(tokens: Sequence[int], start: int = 1, end: int | None = None) -> TokenSequence:
    """A sequence whose tokens from `start` up to `end` are trained."""
    mask = np.zeros(len(tokens), np.uint8)
    mask[start:end] = 1
    return TokenSequence(np.asarray(tokens, np.int32), mask)


def long_branches(seed: int) -> list[TokenSequence]:
    """Longer than the blocks of the CPU's attention kernel: 600 shared tokens, 5 branches of 40."""
    random = np.random.default_rng(seed)
    shared = random.integers(1, 48, 600).tolist()
    return [trained(shared + random.integers(1, 48, 40).tolist(), 580) for _ in range(5)]


CASES = {
    "no sharing": [trained([1, 5, 6, 7, 8], 3), trained([2, 5, 6, 7], 2), trained([3, 9, 9])],
    "full sharing": [trained([1, 2, 3, 4, 5], 3), trained([1, 2, 3, 4, 5], 3)],
    "equal tokens, unequal masks": [trained([1, 2, 3, 4], 1, 3), trained([1, 2, 3, 4], 2)],
    "one a prefix of another": [
        trained([1, 2, 3], 2),
        trained([1, 2, 3, 4, 5], 3),
        trained([1, 2, 3, 4, 5, 6, 7], 5),
    ],
    "branch at the first token": [trained([1, 2, 3, 4]), trained([1, 5, 6, 7], 2), trained([1, 8])],
    "supervised tokens in the shared part": [
        trained([1, 2, 3, 4, 5, 6]),
        trained([1, 2, 3, 4, 7, 8], 2),
        trained([1, 2, 3, 4, 9]),
    ],
    "one-token leaves": [trained([1, 2, 3, 4, last], 4) for last in range(5, 10)],
    "multi-level": [
        trained([1, 2, 3, 4, 5, 6], 3),
        trained([1, 2, 3, 4, 5, 7], 4),
        trained([1, 2, 3, 8, 9], 2),
        trained([1, 2, 3, 8, 10, 11], 4),
        trained([12, 13, 14]),
        trained([12, 13, 15], 2),
    ],
    "a branch nothing is trained on": [trained([1, 2, 3, 4], 4), trained([1, 2, 5, 6], 2)],
    "one-token sequence beside a longer": [trained([1]), trained([1, 2, 3]), trained([4])],
    "longer than a block of the kernel": long_branches(7),
}


@st.composite
def random_trees(draw: st.DrawFn) -> list[TokenSequence]:
    """Up to seven sequences, most grown from a prefix of another, with any loss mask."""
    token = st.integers(1, 4)
    texts: list[list[int]] = []
    for _ in range(draw(st.integers(1, 7))):
        stem = draw(st.sampled_from(texts)) if texts and draw(st.booleans()) else []
        kept = stem[: draw(st.integers(0, len(stem)))]
        texts.append(kept + draw(st.lists(token, min_size=0 if kept else 2, max_size=9)))
    sequences = [trained(text, draw(st.integers(1, len(text)))) for text in texts]
    return [*sequences, trained([1, 2, 3, 4])]


@dataclass(frozen=True)
class Computed:
    """Mean loss and the gradients of every A and B, under the name of the layer."""

    loss: Tensor
    gradients: dict[str, Tensor]


@cache
def plain_model(kind: str, dtype: torch.dtype) -> nn.Module:
    """transformers' own modules with PEFT's LoRA; no parameter is zero, one or small by default.

    Rounded to `dtype` and computed in float64. Its config is its own: transformers keeps the
    choice of attention in it.
    """
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = AutoModelForCausalLM.from_config(CONFIGS[kind](), attn_implementation="eager")
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, 1.0 if "norm" in name else 0.0, 0.2)
        model = get_peft_model(
            model.to(dtype).double(),
            LoraConfig(
                r=LORA.rank, lora_alpha=LORA.alpha, lora_dropout=0, target_modules=[*LINEAR_LAYERS]
            ),
        )
        for parameter in trainable_parameters(model):
            torch.nn.init.normal_(parameter, 0.0, 0.2)
            parameter.data = parameter.data.float().double()
    return model


@cache
def tree_model(kind: str, dtype: torch.dtype) -> nn.Module:
    """Our engine with the same weights; A and B stay float32, or float64 where all is."""
    plain = plain_model(kind, dtype)
    model = AutoModelForCausalLM.from_config(CONFIGS[kind](), attn_implementation=ATTENTION)
    state = {
        name.removeprefix("base_model.model.").replace(".base_layer.", "."): tensor
        for name, tensor in plain.state_dict().items()
        if "lora_" not in name
    }
    model.to(dtype).load_state_dict(state)
    use_lean_layers(model)
    attach_lora(model, LORA)
    masters = torch.float64 if dtype == torch.float64 else torch.float32
    for name, layer in lora_layers(model).items():
        theirs = plain.get_submodule(f"base_model.model.{name}")
        layer.lora_A.data = theirs.lora_A["default"].weight.data.to(masters, copy=True)
        layer.lora_B.data = theirs.lora_B["default"].weight.data.to(masters, copy=True)
    return model.eval()


def backward(model: nn.Module, loss: Tensor) -> Computed:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return Computed(loss.detach().double(), read_gradients(model))


def read_gradients(model: nn.Module) -> dict[str, Tensor]:
    gradients = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            ours = name.removeprefix("base_model.model.").removesuffix(".default.weight")
            gradients[ours] = parameter.grad.double()
    return gradients


def supervised_tokens(sequences: Sequence[TokenSequence]) -> int:
    return sum(sequence.supervised_tokens for sequence in sequences)


def as_a_tree(model: nn.Module, sequences: Sequence[TokenSequence], kernel: Kernel) -> Computed:
    loss = summed_loss(model, build_tree(sequences), kernel=kernel)
    return backward(model, loss / supervised_tokens(sequences))


def one_by_one(model: nn.Module, sequences: Sequence[TokenSequence]) -> Computed:
    """Our engine with nothing to share, on the dense kernel."""
    losses = [summed_loss(model, build_tree([one]), kernel="reference") for one in sequences]
    return backward(model, torch.stack(losses).sum() / supervised_tokens(sequences))


def plain_one_by_one(model: nn.Module, sequences: Sequence[TokenSequence]) -> Computed:
    losses = []
    for sequence in sequences:
        ids = torch.from_numpy(sequence.tokens).long()
        chosen = torch.from_numpy(sequence.loss_mask[1:]).bool()
        logits = model(input_ids=ids[None]).logits[0, :-1][chosen]
        wide = logits if logits.dtype == torch.float64 else logits.float()
        losses.append(F.cross_entropy(wide, ids[1:][chosen], reduction="sum"))
    return backward(model, torch.stack(losses).sum() / supervised_tokens(sequences))


def assert_same(got: Computed, truth: Computed, rtol: float) -> None:
    """Element by element; what is near zero may be off by rtol of the largest element of all."""
    assert got.gradients.keys() == truth.gradients.keys()
    torch.testing.assert_close(got.loss, truth.loss, rtol=rtol, atol=0)
    atol = rtol * max(float(gradient.abs().max()) for gradient in truth.gradients.values())
    for name, gradient in truth.gradients.items():
        torch.testing.assert_close(
            got.gradients[name],
            gradient,
            rtol=rtol,
            atol=atol,
            msg=lambda text, name=name: f"{name}: {text}",
        )


def relative_error(got: Computed, truth: Computed) -> float:
    """Length of the difference of all gradients over the length of the true ones."""
    difference = [got.gradients[name] - truth.gradients[name] for name in truth.gradients]
    return float(_length(difference) / _length(list(truth.gradients.values())))


def _length(tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack([tensor.norm() for tensor in tensors]).norm()


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("case", CASES)
def test_a_tree_gives_the_loss_and_gradients_of_one_by_one_training(case: str, kind: str) -> None:
    sequences, model = CASES[case], tree_model(kind, torch.float64)
    strict_truth = one_by_one(model, sequences)
    outside_truth = plain_one_by_one(plain_model(kind, torch.float64), sequences)
    for kernel in KERNELS:
        got = as_a_tree(model, sequences, kernel)
        assert_same(got, strict_truth, EXACT)
        assert_same(got, outside_truth, RMS_NORM_IN_FLOAT32)
    assert min(float(gradient.norm()) for gradient in strict_truth.gradients.values()) > 0


@pytest.mark.parametrize("kernel", KERNELS)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(sequences=random_trees(), kind=st.sampled_from(sorted(CONFIGS)))
def test_any_tree_gives_the_loss_and_gradients_of_one_by_one_training(
    kernel: Kernel, sequences: list[TokenSequence], kind: str
) -> None:
    model = tree_model(kind, torch.float64)
    assert_same(as_a_tree(model, sequences, kernel), one_by_one(model, sequences), EXACT)


@pytest.mark.parametrize("kernel", [*KERNELS, FUSED[torch.float32]])
@pytest.mark.parametrize("kind", CONFIGS)
def test_float32_is_within_one_in_ten_thousand(kind: str, kernel: Kernel) -> None:
    for sequences in (CASES["multi-level"], long_branches(11)):
        truth = plain_one_by_one(plain_model(kind, torch.float32), sequences)
        got = as_a_tree(tree_model(kind, torch.float32), sequences, kernel)
        assert float((got.loss - truth.loss).abs() / truth.loss) < 1e-4
        for name, gradient in truth.gradients.items():
            assert float((got.gradients[name] - gradient).norm() / gradient.norm()) < 1e-4, name


BF16_SLACK = 1.1


@pytest.mark.parametrize("kernel", [*KERNELS, FUSED[torch.bfloat16]])
@pytest.mark.parametrize("kind", CONFIGS)
def test_bfloat16_is_no_further_from_float64_than_plain_bfloat16(kind: str, kernel: Kernel) -> None:
    """Plain means what trainers do: the base in bfloat16, PEFT under autocast. The error of one
    small model is noisy, so several trees are averaged and BF16_SLACK is allowed on top."""
    model = tree_model(kind, torch.bfloat16)
    ours = sum(
        relative_error(as_a_tree(model, sequences, kernel), truth)
        for sequences, truth in zip(TREES, bfloat16_truths(kind), strict=True)
    )
    assert 0 < ours < BF16_SLACK * plain_bfloat16_error(kind)


TREES = [long_branches(seed)[:3] for seed in range(3)]


@cache
def bfloat16_truths(kind: str) -> list[Computed]:
    model = plain_model(kind, torch.bfloat16)
    return [plain_one_by_one(model, sequences) for sequences in TREES]


@cache
def plain_bfloat16_error(kind: str) -> float:
    """Summed over TREES."""
    model, error = bfloat16_model(kind), 0.0
    for sequences, truth in zip(TREES, bfloat16_truths(kind), strict=True):
        with torch.autocast("cpu", torch.bfloat16):
            error += relative_error(plain_one_by_one(model, sequences), truth)
    return error


@cache
def bfloat16_model(kind: str) -> nn.Module:
    """plain_model's weights held in bfloat16, A and B in float32."""
    model = copy.deepcopy(plain_model(kind, torch.bfloat16))
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(torch.float32 if "lora_" in name else torch.bfloat16)
    return model


def siblings_see_each_other(tree: PrefixTree) -> PrefixTree:
    return replace(tree, subtree_end_T=np.full_like(tree.subtree_end_T, tree.distinct_tokens))


def one_branch_one_position_late(tree: PrefixTree) -> PrefixTree:
    """The whole tree may move: rotary positions are relative."""
    positions_T = tree.positions_T.copy()
    branch = tree.segments()[1]
    positions_T[branch.start : branch.end] += 1
    return replace(tree, positions_T=positions_T)


def shared_edges_count_once(tree: PrefixTree) -> PrefixTree:
    return replace(tree, edge_weight_T=np.minimum(tree.edge_weight_T, 1))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "spoil", [siblings_see_each_other, one_branch_one_position_late, shared_edges_count_once]
)
def test_control_a_wrong_tree_fails_the_comparison(
    spoil: Callable[[PrefixTree], PrefixTree], kernel: Kernel
) -> None:
    sequences, model = (
        CASES["supervised tokens in the shared part"],
        tree_model("llama", torch.float64),
    )
    truth = one_by_one(model, sequences)
    loss = summed_loss(model, spoil(build_tree(sequences)), kernel=kernel)
    wrong = backward(model, loss / supervised_tokens(sequences))
    for rtol in (EXACT, 1e-4):
        with pytest.raises(AssertionError):
            assert_same(wrong, truth, rtol)


@pytest.mark.parametrize("denominator", ["sequences", "distinct supervised edges"])
def test_control_a_wrong_denominator_fails_the_comparison(denominator: str) -> None:
    sequences, model = (
        CASES["supervised tokens in the shared part"],
        tree_model("llama", torch.float64),
    )
    truth, tree = one_by_one(model, sequences), build_tree(sequences)
    count = len(sequences) if denominator == "sequences" else int((tree.edge_weight_T > 0).sum())
    wrong = backward(model, summed_loss(model, tree) / count)
    with pytest.raises(AssertionError):
        assert_same(wrong, truth, 1e-4)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_last_layer_computes_only_what_something_is_predicted_from(kind: str) -> None:
    model = tree_model(kind, torch.float64)
    tokens: list[int] = []
    handles = [
        model.model.layers[place].mlp.register_forward_pre_hook(
            lambda _, inputs: tokens.append(inputs[0].shape[1])
        )
        for place in (0, -1)
    ]
    as_a_tree(model, CASES["a branch nothing is trained on"], "segments")
    for handle in handles:
        handle.remove()
    # 1 2 | 3 4 and 1 2 | 5 6: of six tokens, only the 2 and the 5 come before a trained one.
    assert tokens == [6, 2]


@pytest.mark.parametrize("kernel", ["segments", "masked", "flex"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_activation_checkpointing_recomputes_and_changes_no_gradient(
    kind: str, kernel: Kernel
) -> None:
    sequences, model = CASES["multi-level"], tree_model(kind, torch.float64)
    passes: list[str] = []
    hook = model.model.layers[0].mlp.register_forward_pre_hook(lambda *_: passes.append("forward"))
    try:
        kept = as_a_tree(model.train(), sequences, kernel)
        assert len(passes) == 1
        recompute_activations(model)
        recomputed = as_a_tree(model, sequences, kernel)
        assert len(passes) == 3
    finally:
        hook.remove()
        recompute_activations(model, is_on=False)
        model.eval()
    assert_same(recomputed, kept, 1e-15)


def accumulated(
    model: nn.Module,
    sequences: Sequence[TokenSequence],
    micro_batch_tokens: int,
    sharing: Sharing = "update",
) -> Computed:
    model.zero_grad(set_to_none=True)
    loss, _ = accumulate_gradients(
        model, sequences, micro_batch_tokens=micro_batch_tokens, sharing=sharing
    )
    return Computed(torch.tensor(loss, dtype=torch.float64), read_gradients(model))


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("case", CASES)
def test_an_update_in_pieces_has_the_gradients_of_the_whole_tree(case: str, kind: str) -> None:
    """Prefixes once an update, at the smallest budget that holds the longest sequence."""
    sequences, model = CASES[case], tree_model(kind, torch.float64)
    longest = max(len(sequence.tokens) for sequence in sequences)
    whole = as_a_tree(model, sequences, "segments")
    for sharing in get_args(Sharing):
        assert_same(accumulated(model, sequences, longest, sharing), whole, EXACT)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    sequences=random_trees(),
    spare_tokens=st.integers(0, 6),
    kind=st.sampled_from(sorted(CONFIGS)),
)
def test_any_update_in_pieces_has_the_gradients_of_the_whole_tree(
    sequences: list[TokenSequence], spare_tokens: int, kind: str
) -> None:
    model = tree_model(kind, torch.float64)
    budget = max(len(sequence.tokens) for sequence in sequences) + spare_tokens
    whole = as_a_tree(model, sequences, "reference")
    assert_same(accumulated(model, sequences, budget), whole, EXACT)


def test_pieces_compute_each_token_once_and_keep_the_budget() -> None:
    sequences, model = long_branches(3), tree_model("llama", torch.float64)
    tokens: list[int] = []
    hook = model.model.embed_tokens.register_forward_pre_hook(
        lambda _, args: tokens.append(args[0].shape[1])
    )
    try:
        _, computed = accumulate_gradients(model, sequences, micro_batch_tokens=680)
    finally:
        hook.remove()
    assert tokens == [600, 80, 80, 40]
    assert computed == sum(tokens) == build_tree(sequences).distinct_tokens


def test_control_a_prefix_that_hears_nothing_of_its_branches_fails_the_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sequences, model = CASES["multi-level"], tree_model("llama", torch.float64)
    whole = as_a_tree(model, sequences, "segments")
    monkeypatch.setattr("tooltune.train.gradients._leaf", lambda tensor: tensor.detach())
    deaf = accumulated(model, sequences, 6)
    torch.testing.assert_close(deaf.loss, whole.loss, rtol=EXACT, atol=0)
    with pytest.raises(AssertionError):
        assert_same(deaf, whole, 1e-4)


@pytest.mark.parametrize("targets", [("q_proj",), ("v_proj", "down_proj")])
def test_pieces_need_no_adapter_on_keys_or_values(targets: tuple[str, ...]) -> None:
    """Keys and values of the first layer then have no gradient."""
    sequences = CASES["multi-level"]
    model = AutoModelForCausalLM.from_config(CONFIGS["llama"](), attn_implementation=ATTENTION)
    model.double()
    attach_lora(model, LORA.model_copy(update={"target_modules": targets}))
    for parameter in trainable_parameters(model):
        torch.nn.init.normal_(parameter, 0.0, 0.2)
        parameter.data = parameter.data.double()
    assert_same(accumulated(model, sequences, 6), as_a_tree(model, sequences, "segments"), EXACT)


@pytest.mark.parametrize("is_recomputed", [False, True])
def test_the_upper_layers_alone_have_the_gradients_they_have_among_all(is_recomputed: bool) -> None:
    """Those below are run forward only; an adapter there whose B is zero says as much as none."""
    sequences, every = CASES["multi-level"], copy.deepcopy(tree_model("qwen3", torch.float64))
    upper = copy.deepcopy(every)
    for name, layer in lora_layers(every).items():
        if ".layers.0." in name:
            nn.init.zeros_(layer.lora_B)
            upper.set_submodule(name, layer.base)
    truth = one_by_one(every, sequences)
    truth = Computed(truth.loss, {k: g for k, g in truth.gradients.items() if ".layers.1." in k})
    if is_recomputed:
        recompute_activations(upper.train())
    assert_same(as_a_tree(upper, sequences, "segments"), truth, EXACT)
    assert_same(accumulated(upper, sequences, 6), truth, EXACT)


@pytest.mark.parametrize("mlp_rows", [4, 1024])
def test_recomputed_pieces_have_the_gradients_of_the_whole_tree(
    mlp_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the MLP made again in several runs of rows, the last one shorter, and in one."""
    monkeypatch.setattr("tooltune.model.mlp.MLP_ROWS", mlp_rows)
    sequences, model = CASES["multi-level"], tree_model("qwen3", torch.float64)
    whole = as_a_tree(model, sequences, "segments")
    try:
        recompute_activations(model.train())
        assert_same(accumulated(model, sequences, 6), whole, EXACT)
    finally:
        recompute_activations(model, is_on=False)
        model.eval()


@pytest.mark.parametrize("micro_batch_tokens", [6, 8, 14])
def test_an_update_cut_by_the_recipe_has_the_gradients_of_the_whole(
    micro_batch_tokens: int,
) -> None:
    sequences, model = CASES["multi-level"], tree_model("llama", torch.float64)
    whole, cut = (
        update(model, sequences, TrainSection(micro_batch_tokens=tokens, max_grad_norm=1e9))
        for tokens in (10_000, micro_batch_tokens)
    )
    assert_same(cut, whole, EXACT)
    assert_same(whole, one_by_one(model, sequences), EXACT)


def update(model: nn.Module, sequences: Sequence[TokenSequence], train: TrainSection) -> Computed:
    """What one step of training computes; a rate of zero leaves the adapter as it is."""
    optimizer = torch.optim.SGD(trainable_parameters(model), lr=0.0)
    record = train_step(model, optimizer, sequences, train=train, step=1, epoch=1)
    assert record.supervised_tokens == supervised_tokens(sequences)
    assert record.logical_tokens == sum(len(sequence.tokens) for sequence in sequences)
    return Computed(torch.tensor(record.loss, dtype=torch.float64), read_gradients(model.eval()))


def test_twenty_updates_with_sharing_walk_the_path_of_twenty_without() -> None:
    """The losses of a step and the adapters at the end, for one tree and one micro-batch each."""
    steps = [CASES["multi-level"], CASES["one-token leaves"]] * 10
    walked = []
    for cut in (False, True):
        model = copy.deepcopy(tree_model("qwen3", torch.float64))
        optimizer = torch.optim.AdamW(trainable_parameters(model), lr=1e-2, weight_decay=0.0)
        train = TrainSection(micro_batch_tokens=6 if cut else 10_000)
        losses = [
            train_step(model, optimizer, sequences, train=train, step=1, epoch=1).loss
            for sequences in steps
        ]
        walked.append((losses, trainable_parameters(model)))
    (shared_losses, shared), (separate_losses, separate) = walked
    assert shared_losses == pytest.approx(separate_losses, rel=1e-6)
    assert shared_losses[-2] < shared_losses[0] / 2
    torch.testing.assert_close(shared, separate, rtol=1e-5, atol=1e-6)
