"""Leaner layers for a frozen decoder: fewer passes over memory, fewer saved tensors.

They compute what transformers' modules compute; only the gradient of the frozen weights is left
out, and activations that are cheap to recompute are not kept.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tooltune.model.attention import ATTENTION, KeysValues, TreeLayout, attend
from tooltune.model.compiled import call, kernels_for
from tooltune.model.mlp import SwiGlu
from tooltune.model.norm import RmsNorm
from tooltune.model.normed import products_of


class LeanAttention(nn.Module):
    """Projections of what is normed, norms where the model has more of them, rotary positions, tree
    attention, output."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = theirs.q_proj, theirs.k_proj, theirs.v_proj
        self.o_proj = theirs.o_proj
        self.q_norm = getattr(theirs, "q_norm", nn.Identity())
        self.k_norm = getattr(theirs, "k_norm", nn.Identity())
        self.layer_idx: int = theirs.layer_idx
        self.head_dim: int = theirs.head_dim
        self.scaling: float = theirs.scaling

    def forward(
        self,
        hidden_states: Tensor,
        norm: nn.Module,
        position_embeddings: tuple[Tensor, Tensor],
        tree: TreeLayout | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        cos, sin = position_embeddings
        turns = (cos, sin)
        if tree is None or tree.wants_all:
            readers = (self.q_proj, self.k_proj, self.v_proj)
            q, k, v = products_of(hidden_states, norm, readers)
        else:
            normed = norm(hidden_states)
            q = self.q_proj(normed[:, tree.rows_Q])
            k, v = self.k_proj(normed), self.v_proj(normed)
            turns = (cos[:, tree.rows_Q], sin[:, tree.rows_Q])
        q, k, v = self.q_norm(self._heads(q)), self.k_norm(self._heads(k)), self._heads(v)
        q, k = rotate(q, *turns), rotate(k, cos, sin)
        q, k, v = (heads.transpose(1, 2) for heads in (q, k, v))
        kwargs["attention_mask"] = None
        mixed, _ = attend(self, q, k, v, scaling=self.scaling, tree=tree, **kwargs)
        return self.o_proj(mixed.flatten(-2)), None

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.head_dim)


class DecoderLayer(nn.Module):
    """Attention and MLP, each behind a norm and added to what came in.

    Where `is_recomputed`, a training pass keeps what comes in only: the layer is run without a
    graph, and again with one just before its backward pass.
    """

    def __init__(self, theirs: Any, *, is_last: bool) -> None:
        super().__init__()
        self.self_attn, self.mlp = theirs.self_attn, theirs.mlp
        self.input_layernorm = theirs.input_layernorm
        self.post_attention_layernorm = theirs.post_attention_layernorm
        self.is_last = is_last
        self.is_recomputed = False

    @property
    def runs_twice(self) -> bool:
        """In this pass, if anything here or below is trained."""
        return self.is_recomputed and self.training and torch.is_grad_enabled()

    def forward(
        self,
        hidden_states: Tensor,
        tree: TreeLayout | None = None,
        last_tree: TreeLayout | None = None,
        places: dict[int, Tensor] | None = None,
        captured: KeysValues | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """`last_tree` is the tree with the rows wanted of the last layer; of the other tokens it
        computes keys and values only. None, as in decoding: all are wanted. `places` are where
        layers that are run again put what they return, by their number (see `places_for_states`).
        """
        tree = last_tree or tree if self.is_last else tree
        if not self.runs_twice:
            return self._run(hidden_states, tree, captured=captured, **kwargs)
        trained = next((each for each in self.parameters() if each.requires_grad), None)
        if trained is None and not hidden_states.requires_grad:
            return self._run(hidden_states, tree, captured=captured, **kwargs)
        number: int = self.self_attn.layer_idx
        # What `run` holds lives as long as its result: neither that nor what it is stored in may
        # be among it, or both would wait for the garbage collector.
        captures = captured is not None

        def run(hidden_states: Tensor, _: Tensor | None) -> tuple[Tensor, ...]:
            own: KeysValues | None = {} if captures else None
            place = places.pop(number, None) if places else None
            out = self._run(
                hidden_states, tree, captured=own, place=place, is_recomputed=True, **kwargs
            )
            return (out, *own[number]) if own else (out,)

        # The second argument only tells that the result has a gradient.
        out, *keys_values = checkpoint(run, hidden_states, trained, use_reentrant=True)
        if captured is not None:
            captured[number] = (keys_values[0], keys_values[1])
        return out  # type: ignore[no-any-return]

    def _run(
        self,
        hidden_states: Tensor,
        tree: TreeLayout | None,
        *,
        place: Tensor | None = None,
        is_recomputed: bool = False,
        **kwargs: Any,
    ) -> Tensor:
        mixed, _ = self.self_attn(hidden_states, norm=self.input_layernorm, tree=tree, **kwargs)
        if tree is not None and not tree.wants_all:
            hidden_states = hidden_states[:, tree.rows_Q]
        hidden_states = hidden_states + mixed
        norm = self.post_attention_layernorm
        added: Tensor
        if isinstance(self.mlp, SwiGlu):
            added = self.mlp(hidden_states, norm=norm, is_recomputed=is_recomputed)
        else:  # with another activation it is transformers' own
            added = self.mlp(norm(hidden_states))
        if place is None:
            return hidden_states + added
        return torch.add(hidden_states, added, out=place)


def places_for_states(model: nn.Module, tokens: int) -> dict[int, Tensor]:
    """(1, tokens, D) for each layer whose result another keeps, where activations are recomputed.

    One block for all, made before the first layer runs: what layers return stays until the backward
    pass, and between temporary tensors it would leave holes into which the next ones do not fit.
    """
    layers: Any = model.model.layers  # type: ignore[union-attr]
    if not (isinstance(layers[0], DecoderLayer) and layers[0].runs_twice):
        return {}
    weight = next(model.parameters())
    width: int = model.config.hidden_size  # type: ignore[union-attr,assignment]
    trained = [any(part.requires_grad for part in layer.parameters()) for layer in layers]
    kept = range(trained.index(True), len(layers) - 1) if True in trained else ()
    block = weight.new_empty(len(kept), 1, tokens, width)
    # No views: that one is written to would count as a change of all.
    return {number: place.data for number, place in zip(kept, block, strict=True)}


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (arXiv 2104.09864) of heads (B, T, H, K); cos and sin (1 or B, T, K) repeat
    one angle in both halves, as transformers makes them."""
    y: Tensor = _Rotary.apply(x, cos, sin)  # type: ignore[no-untyped-call]
    return y


class _Rotary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(grad, cos, -sin), None, None


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    if kernels := kernels_for(x, cos, sin):
        x, (*tokens, heads, size) = x.contiguous(), x.shape
        y, angles = torch.empty_like(x), cos[..., 0].numel()
        turns = (cos.contiguous(), sin.contiguous())
        call(kernels.rotary, x, *turns, math.prod(tokens), angles, heads, size, y)
        return y
    half = x.shape[-1] // 2
    cos, sin = cos[..., None, :half], sin[..., None, :half]
    y = torch.empty_like(x)
    x1, x2, y1, y2 = x[..., :half], x[..., half:], y[..., :half], y[..., half:]
    torch.mul(x1, cos, out=y1).addcmul_(x2, sin, value=-1)
    torch.mul(x2, cos, out=y2).addcmul_(x1, sin)
    return y


def use_lean_layers(model: nn.Module) -> None:
    """Replace every RMSNorm, SwiGLU MLP and, where attention is the tree's, attention and layer of
    a transformers decoder, in place."""
    for name, module in list(model.named_modules()):
        if type(module).__name__.endswith("RMSNorm"):
            _replace(model, name, RmsNorm(module.weight, module.variance_epsilon))
        elif type(getattr(module, "act_fn", None)).__name__ in ("SiLU", "SiLUActivation"):
            parts = (module.get_submodule(part) for part in ("gate_proj", "up_proj", "down_proj"))
            _replace(model, name, SwiGlu(*parts))
    if model.config._attn_implementation == ATTENTION:  # type: ignore[union-attr]
        for name, module in list(model.named_modules()):
            if name.endswith(".self_attn"):
                _replace(model, name, LeanAttention(module))
        layers: Any = model.model.layers  # type: ignore[union-attr]
        for place, layer in enumerate(layers):
            layers[place] = DecoderLayer(layer, is_last=layer is layers[-1])


def recompute_activations(model: nn.Module, *, is_on: bool = True) -> None:
    """Activation checkpointing: each layer keeps its input only, and is run again before its
    backward, up to its MLP, which makes its own again, some rows at a time.

    Of layers that are not ours transformers' switch makes the embeddings ask for a gradient, which
    only its other kind of checkpoint needs; layers below the first adapter would be run backward
    for it.
    """
    own = [module for module in model.modules() if isinstance(module, DecoderLayer)]
    for layer in own:
        layer.is_recomputed = is_on
    if own:
        return
    if not is_on:
        model.activation_checkpointing_disable()  # type: ignore[operator]
        return
    model.activation_checkpointing_enable(  # type: ignore[operator]
        activation_checkpointing_kwargs={"use_reentrant": False}
    )
    model.disable_input_require_grads()  # type: ignore[operator]


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)
