"""Leaner norm, MLP and rotary positions for a frozen decoder: fewer passes over memory, fewer saved
tensors.

They compute what transformers' modules compute; only the gradient of the frozen weights is left
out, and activations that are cheap to recompute are not kept. Half precision is widened to float32
inside the norm.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from tooltune.model.attention import ATTENTION, TreeLayout, attend
from tooltune.model.lora import LoraLinear, adapter_gradients, lora_product
from tooltune.model.quantize import dense_weight


class RmsNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, over the last dimension."""

    def __init__(self, weight: nn.Parameter, eps: float) -> None:
        super().__init__()
        self.weight = weight
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _RmsNorm.apply(x, self.weight, self.eps)  # type: ignore[no-untyped-call]
        return y


class _RmsNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = _widen(x)
        rstd = wide.pow(2).mean(-1, keepdim=True).add_(eps).rsqrt_()
        ctx.save_for_backward(x, rstd, weight)
        return (wide * rstd).mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, rstd, weight = ctx.saved_tensors
        wide = _widen(x)
        grad = _widen(grad_y) * weight
        slope = (grad * wide).sum(-1, keepdim=True).mul_(rstd.pow(3)).div_(-x.shape[-1])
        return grad.mul_(rstd).addcmul_(wide, slope).to(x.dtype), None, None


class SwiGlu(nn.Module):
    """down(silu(gate(x)) * up(x)), keeping gate(x) and up(x) only."""

    def __init__(self, gate_proj: nn.Module, up_proj: nn.Module, down_proj: nn.Module) -> None:
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = gate_proj, up_proj, down_proj

    def forward(self, x: Tensor) -> Tensor:
        gate, up, down = self.gate_proj(x), self.up_proj(x), self.down_proj
        y: Tensor
        if (
            isinstance(down, LoraLinear)
            and down.is_enabled
            and not (self.training and down.dropout)
        ):
            y = _SwiGluDown.apply(  # type: ignore[no-untyped-call]
                gate, up, down.base, down.lora_A, down.lora_B, down.scale
            )
        else:
            y = down(_SwiGlu.apply(gate, up))  # type: ignore[no-untyped-call]
        return y


class _SwiGlu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        grad_gate = torch.ops.aten.silu_backward(grad * up, gate)
        return grad_gate, F.silu(gate).mul_(grad)


class _SwiGluDown(torch.autograd.Function):
    """Both at once, so that down's adapter need not keep its input, the widest tensor of a layer:
    the backward pass makes it again from the silu that it computes anyway."""

    @staticmethod
    def forward(
        ctx: Any,
        gate: Tensor,
        up: Tensor,
        base: nn.Linear,
        A_RI: Tensor,
        B_OR: Tensor,
        scale: float,
    ) -> Tensor:
        A, B = A_RI.to(gate.dtype), B_OR.to(gate.dtype)
        product = F.silu(gate).mul_(up)
        y, low_TR = lora_product(product, product, base, A, B, scale)
        ctx.save_for_backward(gate, up, low_TR, A, B)
        ctx.base, ctx.scale, ctx.master_dtype = base, scale, A_RI.dtype
        return y

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, low_TR, A, B = ctx.saved_tensors
        silu = F.silu(gate)
        grad_low_TR, grad_A, grad_B = adapter_gradients(
            grad_y, silu * up, low_TR, B, scale=ctx.scale, master_dtype=ctx.master_dtype
        )
        grad = (grad_y.flatten(0, -2) @ dense_weight(ctx.base)).addmm_(grad_low_TR, A).view_as(gate)
        grad_up = silu.mul_(grad)
        grad_gate = torch.ops.aten.silu_backward(grad.mul_(up), gate)
        return grad_gate, grad_up, None, grad_A, grad_B, None


class LeanAttention(nn.Module):
    """Projections, norms where the model has them, rotary positions, tree attention, output."""

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
        position_embeddings: tuple[Tensor, Tensor],
        tree: TreeLayout | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        cos, sin = position_embeddings
        asking = (hidden_states, cos, sin)
        if tree is not None and not tree.wants_all:
            asking = (hidden_states[:, tree.rows_Q], cos[:, tree.rows_Q], sin[:, tree.rows_Q])
        q = self.q_norm(self._heads(self.q_proj(asking[0])))
        k = self.k_norm(self._heads(self.k_proj(hidden_states)))
        v = self._heads(self.v_proj(hidden_states))
        q, k = rotate(q, *asking[1:]), rotate(k, cos, sin)
        q, k, v = (heads.transpose(1, 2) for heads in (q, k, v))
        kwargs["attention_mask"] = None
        mixed, _ = attend(self, q, k, v, scaling=self.scaling, tree=tree, **kwargs)
        return self.o_proj(mixed.flatten(-2)), None

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], -1, self.head_dim)


class LastLayer(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    """The last decoder layer: of tokens from which nothing is predicted, only keys and values."""

    def __init__(self, theirs: Any) -> None:
        super().__init__()
        self.self_attn, self.mlp = theirs.self_attn, theirs.mlp
        self.input_layernorm = theirs.input_layernorm
        self.post_attention_layernorm = theirs.post_attention_layernorm

    def forward(
        self,
        hidden_states: Tensor,
        tree: TreeLayout | None = None,
        last_tree: TreeLayout | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """`last_tree` is the tree with the wanted rows; None, as in decoding: all are wanted."""
        tree = last_tree or tree
        normed = self.input_layernorm(hidden_states)
        mixed, _ = self.self_attn(hidden_states=normed, tree=tree, **kwargs)
        if tree is not None and not tree.wants_all:
            hidden_states = hidden_states[:, tree.rows_Q]
        hidden_states = hidden_states + mixed
        added: Tensor = self.mlp(self.post_attention_layernorm(hidden_states))
        return hidden_states + added


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
    half = x.shape[-1] // 2
    cos, sin = cos[..., None, :half], sin[..., None, :half]
    y = torch.empty_like(x)
    x1, x2, y1, y2 = x[..., :half], x[..., half:], y[..., :half], y[..., half:]
    torch.mul(x1, cos, out=y1).addcmul_(x2, sin, value=-1)
    torch.mul(x2, cos, out=y2).addcmul_(x1, sin)
    return y


def use_lean_layers(model: nn.Module) -> None:
    """Replace every RMSNorm, SwiGLU MLP and, where it is the tree's, attention and the last layer
    of a transformers decoder, in place."""
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
        layers[-1] = LastLayer(layers[-1])


def recompute_activations(model: nn.Module) -> None:
    """Activation checkpointing: each layer keeps its input only and runs again before its backward.

    transformers also makes the embeddings ask for a gradient, which only reentrant checkpoints
    need; layers below the first adapter would be run backward for it.
    """
    model.activation_checkpointing_enable(  # type: ignore[operator]
        activation_checkpointing_kwargs={"use_reentrant": False}
    )
    model.disable_input_require_grads()  # type: ignore[operator]


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


def _widen(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
