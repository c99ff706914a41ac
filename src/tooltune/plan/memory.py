"""Peak memory of one training process, term by term, in closed form.

Formulas: bytes saved per token per layer were derived from the modules and agree exactly with a
fake-tensor run of Qwen3-1.7B in four settings; docs/plan.md has the comparison with published runs.
Symbols: N tokens in a micro-batch, L layers, h hidden, i intermediate, qd and kd widths of queries
and keys, V vocabulary, c bytes of the compute dtype, r rank, P parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from tooltune.config import Quantization
from tooltune.plan.shape import LEAN_FAMILIES, ModelShape, Parameters, count_parameters

GIB = 2**30
Method = Literal["full", "lora", "qlora"]
TERMS = (
    "weights",
    "adapter",
    "gradients",
    "optimizer",
    "activations",
    "recomputed",
    "attention",
    "logits",
    "workspace",
    "fragmentation",
    "runtime",
)
"""Of a memory plan, in the order every table and chart shows them."""
METHODS: tuple[Method, ...] = ("full", "lora", "qlora")
Phase = Literal["loss", "backward of a layer"]

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
# One layer's activations that are alive, together with their gradients, while it is run backward
# after recomputation, on fake tensors: transformers' layers 1.29 (Qwen3-0.6B) to 1.37 (4B, 8B)
# beside temporaries of 8 h. Ours holds its MLP for some rows only; with 1.42 the plan is within 3 %
# of the fake runs of three shapes in docs/plan.md, temporaries included.
_RECOMPUTED_LAYER = 1.36
_RECOMPUTED_LEAN_LAYER = 1.42
# The same for the score matrices of eager attention: 9 copies at the peak against 3 kept.
_RECOMPUTED_SCORES = 3.0
# Temporaries per token beside what is saved: 28 to 33 h over four shapes; ours up to 1.6 c i.
_TEMPORARIES = 30
_TEMPORARIES_CHECKPOINTED = 8
_LEAN_TEMPORARIES = 1.6
_CUBLAS_BYTES = 16 * 2**20
_NORM_READERS = ({"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"})
QUANTIZED_BYTES: dict[Quantization, float] = {"q8_0": 1.0625, "nf4": 0.5156}
"""Of a linear weight: 8 bits and a float16 scale to 32 weights; 4 bits and a double-quantised scale
to 64 (measured 0.0156 bytes)."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """How a training program spends memory and work where programs differ."""

    name: str
    adapter_input: Literal["shared", "compute", "float32"]
    """What every adapted layer keeps of its input: nothing of its own (ours, as long as dropout is
    0), a copy in the compute dtype (PEFT under autocast), or one in float32 (PEFT without)."""
    loss: Literal["edges", "tiles", "full"]
    """Logits of 256 supervised edges at a time (ours), of a tile of 4,096 tokens by 32,768 words
    (TRL), or of all positions with their float32 copies."""
    keeps_logits: bool = False
    """The caller holds the model's output during the backward pass."""
    attention: Literal["fused", "eager"] = "fused"
    expands_kv: bool = True
    """Keys and values are repeated for grouped heads before the attention kernel."""
    shares_prefixes: bool = False
    """Each distinct token of a micro-batch is computed once, without padding."""
    lean_layers: bool = False
    """Norms and MLP that save less and keep nothing in float32 (model/layers.py)."""


TRAINERS = {
    "tooltune": Trainer(
        "tooltune", "shared", "edges", expands_kv=False, shares_prefixes=True, lean_layers=True
    ),
    "trl": Trainer("trl", "compute", "tiles"),
    "transformers": Trainer("transformers", "compute", "full"),
}
"""Programs `--trainer` knows. `trl`: SFTTrainer from 1.7 on, whose loss is chunked; `transformers`:
a plain Trainer with PEFT."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked of the memory model."""

    shape: ModelShape
    trainer: Trainer
    dtype: str
    rank: int
    target_modules: Sequence[str]
    micro_batch_tokens: int
    sequence_tokens: int
    """Longest sequence; matters only where attention keeps its scores."""
    checkpointing: bool
    first_layer: int = 0
    """Layers below it have no adapter and are not run backward."""
    dropout: float = 0.0
    quantization: Quantization = "nf4"
    """What "qlora" stands for."""
    context_bytes: float = 0.0
    fragmentation: float = 0.10

    def parameters(self) -> Parameters:
        """Of the shape and this adapter."""
        return count_parameters(
            self.shape,
            rank=self.rank,
            target_modules=self.target_modules,
            first_layer=self.first_layer,
        )

    @property
    def linear_dtype(self) -> str:
        """Of LoRA's frozen linear weights in memory; ours widens 16 bits where they compute."""
        is_ours = self.trainer.lean_layers and self.shape.family in LEAN_FAMILIES
        is_widened = self.dtype == "float32" and _BYTES.get(self.shape.dtype) == 2
        return self.shape.dtype if is_ours and is_widened else self.dtype

    def backward_layers(self, method: Method) -> int:
        """Full fine-tuning trains them all."""
        return self.shape.layers - (0 if method == "full" else self.first_layer)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of each term, and of the peak: terms of different phases never add up."""

    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    """Saved by the forward pass until the backward pass."""
    recomputed: float
    """One layer's activations again, when checkpointing."""
    attention: float
    """Score matrices, where the attention kernel keeps them."""
    logits: float
    workspace: float
    fragmentation: float
    runtime: float
    total: float
    peak_phase: Phase

    @property
    def allocated(self) -> float:
        """What `torch.cuda.max_memory_allocated` would report."""
        return self.total - self.fragmentation - self.runtime

    def to_gib(self) -> dict[str, float | str]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            key: round(value / GIB, 4) if isinstance(value, float) else value
            for key, value in values.items()
        }


def estimate_memory(job: Job, method: Method) -> Memory:
    """Peak over the loss and the backward pass of a layer; static terms are in both."""
    weights, adapter, gradients, optimizer, temporary = static_bytes(job, method)
    moving = _moving_bytes(job, method, temporary)
    logits = _logits_bytes(job)
    peak = moving.saved + max(moving.backward, logits)
    allocated = weights + adapter + gradients + optimizer + peak
    fragmentation = job.fragmentation * allocated
    return Memory(
        weights=weights,
        adapter=adapter,
        gradients=gradients,
        optimizer=optimizer,
        activations=moving.activations,
        recomputed=moving.recomputed,
        attention=moving.attention,
        logits=logits,
        workspace=moving.workspace,
        fragmentation=fragmentation,
        runtime=job.context_bytes,
        total=allocated + fragmentation + job.context_bytes,
        peak_phase="loss" if logits > moving.backward else "backward of a layer",
    )


@dataclass(frozen=True, slots=True)
class _Moving:
    """Bytes that come and go within a step."""

    activations: float
    recomputed: float
    attention: float
    workspace: float
    saved: float
    """Alive throughout the loss and the backward pass."""
    backward: float
    """Added while a layer runs backward; the logits are gone by then."""


def _moving_bytes(job: Job, method: Method, temporary: float) -> _Moving:
    tokens, shape, c = job.micro_batch_tokens, job.shape, _BYTES[job.dtype]
    is_lean, layers = _is_lean(job, method), job.backward_layers(method)
    layer = tokens * layer_bytes_per_token(job, method)
    scores = _score_bytes(job)
    fixed = _CUBLAS_BYTES + temporary
    if job.checkpointing:
        boundaries = float(tokens * layers * c * shape.hidden)
        recomputed = (_RECOMPUTED_LEAN_LAYER if is_lean else _RECOMPUTED_LAYER) * layer
        attention = _RECOMPUTED_SCORES * scores
        extra = 0 if is_lean else _TEMPORARIES_CHECKPOINTED * shape.hidden
        work = float(tokens * extra + fixed)
        saved, backward = boundaries + work, recomputed + attention
        return _Moving(boundaries, recomputed, attention, work, saved, backward)
    activations, attention = float(layers * layer), float(layers * scores)
    lean, usual = _LEAN_TEMPORARIES * c * shape.intermediate, _TEMPORARIES * shape.hidden
    work = float(tokens * (lean if is_lean else usual) + fixed)
    return _Moving(activations, 0.0, attention, work, activations + attention, work)


def static_bytes(job: Job, method: Method) -> tuple[float, float, float, float, float]:
    """(weights, adapter, gradients, optimizer, temporary weight copies), all before any token.

    Full fine-tuning is mixed precision as transformers does it: float32 weights, gradients and two
    Adam moments, 16 bytes a parameter. Adapters are float32 everywhere.
    """
    counted = job.parameters()
    c = _BYTES[job.dtype]
    largest_matrix = float(c * job.shape.hidden * job.shape.intermediate)
    if method == "full":
        count = float(counted.total)
        return 4 * count, 0.0, 4 * count, 8 * count, largest_matrix if c < 4 else 0.0
    trained = counted.lora_trainable
    adapter = 4.0 * trained + (c * trained if c < 4 else 0)
    linear = QUANTIZED_BYTES[job.quantization] if method == "qlora" else _BYTES[job.linear_dtype]
    weights = float(linear * counted.linear + c * (counted.embedding + counted.other))
    temporary = largest_matrix if linear < c else 0.0
    return weights, adapter, 4.0 * trained, 8.0 * trained, temporary


def layer_bytes_per_token(job: Job, method: Method) -> float:
    """Saved activations of one decoder layer, per token, without attention scores.

    Qwen3-1.7B, r=16, bfloat16, PEFT under autocast: 115,080 on all linear layers, 94,504 on
    q/k/v/o, 86,248 on q and v; 112,808 for full fine-tuning.
    """
    shape, c = job.shape, _BYTES[job.dtype]
    h, i, qd, kd = shape.hidden, shape.intermediate, shape.qd, shape.kd
    if _is_lean(job, method):
        saved = c * (2 * h + 2 * qd + 2 * kd + 2 * i) + 4 * shape.heads
        saved += 4 * (len(_NORM_READERS) - _norms_made_again(job))
        saved += c * (qd + kd) + 4 * (shape.heads + shape.kv_heads) if shape.qk_norm else 0
        return saved + _adapter_input_bytes(job, c)
    saved = shape.norms_per_layer * (4 * h + 4)
    saved += 4 * (qd + kd) + 4 * (shape.heads + shape.kv_heads) if shape.qk_norm else 0
    saved += c * (qd + 2 * (qd if job.trainer.expands_kv else kd))
    saved += c * qd + 4 * shape.heads if job.trainer.attention == "fused" else 0
    saved += 3 * c * i
    if method == "full":
        return saved + c * (h + h + i) + c * 2 * h + (c * (qd + kd) if shape.qk_norm else 0)
    return saved + _adapter_input_bytes(job, c)


def _norms_made_again(job: Job) -> int:
    """How many ours does not keep: all that read them are adapted, and drop nothing."""
    targets = set(job.target_modules)
    return 0 if job.dropout else sum(readers <= targets for readers in _NORM_READERS)


def keeps_mlp_input_only(job: Job, method: Method) -> bool:
    """Where ours recomputes activations, its MLP is not run again but for its own backward pass."""
    mlp = {"gate_proj", "up_proj", "down_proj"}
    is_adapted = mlp <= set(job.target_modules) and not job.dropout
    return _is_lean(job, method) and job.checkpointing and is_adapted


def _is_lean(job: Job, method: Method) -> bool:
    """Full fine-tuning is not ours: it is planned as transformers does it."""
    return job.trainer.lean_layers and method != "full"


def largest_micro_batch_tokens(job: Job, method: Method, available_bytes: float) -> int:
    """Most tokens in a micro-batch whose peak stays within `available_bytes`; 0 if none does."""

    def fits(tokens: int) -> bool:
        sized = replace(job, micro_batch_tokens=tokens)
        return estimate_memory(sized, method).total <= available_bytes

    low, high = 0, 1 << 24
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _adapter_input_bytes(job: Job, c: int) -> float:
    sizes = job.shape.linear_layers()
    inputs = [sizes[name][0] for name in job.target_modules]
    mask = sum(inputs) if job.dropout > 0 else 0  # one byte for each input on a GPU
    if job.trainer.adapter_input == "float32":
        return 4 * sum(inputs) + 4 * job.rank * len(inputs) + mask
    if job.trainer.adapter_input == "compute" or job.dropout > 0:
        return c * sum(inputs) + c * job.rank * len(inputs) + mask
    # What down reads is made again too, and o reads what attention has saved already.
    targets = set(job.target_modules)
    kept = sum(bool(readers & targets) for readers in _NORM_READERS) - _norms_made_again(job)
    return c * kept * job.shape.hidden + c * job.rank * len(inputs)


def _score_bytes(job: Job) -> float:
    """Of one layer: float32 softmax output and its 16-bit copy, a head and pair of tokens."""
    if job.trainer.attention == "fused":
        return 0.0
    return 6.0 * job.shape.heads * job.sequence_tokens * job.micro_batch_tokens


def _logits_bytes(job: Job) -> float:
    """Full: float32 log-softmax and two gradients of its size, 12 bytes a word and token. Ours: the
    product, which becomes its own gradient, and 16 of its rows in float32 where it is narrower."""
    shape, tokens, c = job.shape, job.micro_batch_tokens, _BYTES[job.dtype]
    if job.trainer.loss == "full":
        return float((12 + (c if job.trainer.keeps_logits else 0)) * shape.vocab * tokens)
    if job.trainer.loss == "edges":
        wide_rows = min(tokens, 16) if c < 4 else 0
        words = (min(tokens, 256) * c + wide_rows * 4) * shape.vocab
        return float(words + 2 * c * shape.hidden * tokens)
    return float(min(tokens, 4096) * min(shape.vocab, 32768) * 2 + 6 * shape.hidden * tokens)
