"""Greedy decoding of many prompts at once, each distinct prompt token computed once.

The prompts go through the model as one prefix tree, cut into pieces that bound the memory; what all
of them share (system prompt and catalog) keeps one copy of its keys and values, the rest of each
prompt gets a place of its own. Rows leave the batch when they stop. Shapes: B rows, G key/value
heads, M places, K head size.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig

from tooltune.model.attention import ATTENTION, KeysValues
from tooltune.model.decode import GROW_PLACES, DecodeRows, DecodeState, kept_rows, open_place
from tooltune.model.fastest import heads_of
from tooltune.model.forward import tree_hidden
from tooltune.model.load import LoadedModel
from tooltune.packing.pack import cut_tree
from tooltune.packing.tree import IntArray, Piece, PrefixTree, TokenSequence, build_tree

COMPACT_FRACTION = 0.75
STATE_BYTES = 2**31
"""Of the keys and values that a batch's rows have of their own when decoding begins. The same on
every machine, for a batch's rows round together."""


class End(Enum):
    """Why a completion ended."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Completion:
    """Generated tokens, the stop token included where it came."""

    tokens: list[int]
    end: End


@dataclass(slots=True)
class Decoder:
    """A model that completes prompts, at most `batch_rows` and STATE_BYTES at a time."""

    loaded: LoadedModel
    batch_rows: int = 240
    prefill_tokens: int = 4096
    """Distinct tokens of the prompts that are computed together, or those of the longest one."""

    @torch.inference_mode()
    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        stop_token_ids: Sequence[int],
        progress: Callable[[int], None] = lambda rows: None,
    ) -> list[Completion]:
        """The most likely continuation of each prompt; `progress` gets the rows just finished."""
        completions: list[Completion] = []
        for batch in self._batches(prompts):
            longest = max(map(len, batch)) + max_new_tokens
            if not self.loaded.shares_prefixes or longest > (self.loaded.window_tokens or longest):
                completions += self._complete_alone(batch, max_new_tokens, stop_token_ids)
            else:
                completions += self._complete_batch(
                    batch, max_new_tokens, frozenset(stop_token_ids)
                )
            progress(len(batch))
        return completions

    def _batches(self, prompts: Sequence[Sequence[int]]) -> Iterator[Sequence[Sequence[int]]]:
        """In their order."""
        if not prompts:
            return
        loaded = self.loaded
        of_token = key_value_bytes(loaded.model, loaded.dtype) if loaded.shares_prefixes else 0
        shared_tokens = _shared_tokens(prompts)
        start, used = 0, 0
        for end, prompt in enumerate(prompts):
            own = (len(prompt) - shared_tokens + GROW_PLACES) * of_token
            if end > start and (end - start == self.batch_rows or used + own > STATE_BYTES):
                yield prompts[start:end]
                start, used = end, 0
            used += own
        yield prompts[start:]

    def _complete_alone(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: Sequence[int]
    ) -> list[Completion]:
        """One by one with transformers' decoding, for attention that is not ours."""
        model: Any = self.loaded.model
        greedy = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=list(stops),
            pad_token_id=stops[0],
        )
        completions = []
        with own_attention(model):
            for prompt in prompts:
                ids = torch.tensor([list(prompt)], device=self.loaded.device)
                out = model.generate(
                    ids, attention_mask=torch.ones_like(ids), generation_config=greedy
                )
                tokens = out[0, len(prompt) :].tolist()
                end = End.STOP if tokens[-1] in stops else End.LENGTH
                completions.append(Completion(tokens, end))
        return completions

    def _complete_batch(
        self, prompts: Sequence[Sequence[int]], max_new_tokens: int, stops: frozenset[int]
    ) -> list[Completion]:
        # Longest first: neighbours make up a group.
        rows = sorted(range(len(prompts)), key=lambda row: -len(prompts[row]))
        state, token_B, position_B = self._prefill([prompts[row] for row in rows])
        generated: list[list[int]] = [[] for _ in prompts]
        ends = [End.LENGTH] * len(prompts)
        for step in range(max_new_tokens):
            going = []
            for place, (row, token) in enumerate(zip(rows, token_B.tolist(), strict=True)):
                generated[row].append(token)
                if ends[row] is End.STOP or token in stops:
                    ends[row] = End.STOP
                else:
                    going.append(place)
            if not going or step == max_new_tokens - 1:
                break
            if len(going) <= COMPACT_FRACTION * len(rows):
                kept = torch.tensor(going, device=token_B.device)
                state.groups = kept_rows(state.groups, kept)
                token_B, position_B = token_B[kept], position_B[kept]
                rows = [rows[place] for place in going]
            token_B = self._next_tokens(state, token_B, position_B)
            position_B = position_B + 1
        return [
            Completion(_until_stop(tokens, stops), end)
            for tokens, end in zip(generated, ends, strict=True)
        ]

    def _prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[DecodeState, Tensor, Tensor]:
        """State after the prompts, each row's first new token, and that token's position."""
        model, device = self.loaded.model, self.loaded.device
        tree = build_tree(
            [
                TokenSequence(np.asarray(tokens, np.int32), np.zeros(len(tokens), np.uint8))
                for tokens in prompts
            ]
        )
        leaf_Q, row_B = np.unique(tree.leaf_S, return_inverse=True)
        most_tokens = max(self.prefill_tokens, *map(len, prompts))
        passes = [
            one
            for piece in cut_tree(tree, micro_batch_tokens=most_tokens)
            for one in _run_piece(model, tree, piece, leaf_Q)
        ]
        hidden_BD = torch.cat([hidden for hidden, _ in passes])[torch.from_numpy(row_B).to(device)]
        token_B = model.lm_head(hidden_BD).argmax(-1)  # type: ignore[operator]
        position_B = torch.tensor([len(tokens) for tokens in prompts], device=device)
        return _decode_state(tree, [captured for _, captured in passes]), token_B, position_B

    def _next_tokens(self, state: DecodeState, token_B: Tensor, position_B: Tensor) -> Tensor:
        model = self.loaded.model
        for group in state.groups:
            open_place(group)
        hidden = model.model(  # type: ignore[operator]
            input_ids=token_B[:, None],
            position_ids=position_B[:, None],
            use_cache=False,
            decode=state,
        ).last_hidden_state
        logits_BV: Tensor = model.lm_head(hidden[:, 0])  # type: ignore[operator]
        return logits_BV.argmax(-1)


@contextmanager
def own_attention(model: Any) -> Iterator[None]:
    """Inside, transformers' attention computes, whatever the model was loaded with."""
    loaded_with = model.config._attn_implementation
    if loaded_with == ATTENTION:
        model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        if loaded_with == ATTENTION:
            model.set_attn_implementation(ATTENTION)


def _run_piece(
    model: Any,
    tree: PrefixTree,
    piece: Piece,
    leaf_Q: IntArray,
    ancestors: tuple[KeysValues, ...] = (),
) -> Iterator[tuple[Tensor, KeysValues]]:
    """Hidden states of the prompts' ends (`leaf_Q`, ascending) in a piece, with the piece's keys
    and values, then those of the pieces below."""
    leaves = leaf_Q[(leaf_Q >= piece.start) & (leaf_Q < piece.end)] - piece.start
    captured: KeysValues = {}
    # Attention kernels ask for a query.
    wanted_Q = leaves if len(leaves) else np.zeros(1, np.int64)
    hidden_QD = tree_hidden(
        model, tree, piece=piece, ancestors=ancestors, captured=captured, wanted_Q=wanted_Q
    )
    yield hidden_QD[: len(leaves)], captured
    for below in piece.below:
        yield from _run_piece(model, tree, below, leaf_Q, (*ancestors, captured))


def key_value_bytes(model: Any, dtype: torch.dtype) -> int:
    """Of one token's keys and values in all layers."""
    heads = heads_of(model.config)
    return int(2 * model.config.num_hidden_layers * heads.keys * heads.size * dtype.itemsize)


def _shared_tokens(prompts: Sequence[Sequence[int]]) -> int:
    """With which all begin: the first and the last in lexicographic order do."""
    rows = [list(prompt) for prompt in prompts]
    pairs = enumerate(zip(min(rows), max(rows), strict=False))
    return next((place for place, pair in pairs if pair[0] != pair[1]), len(min(rows, key=len)))


def _decode_state(tree: PrefixTree, pieces: list[KeysValues]) -> DecodeState:
    """Split each layer's keys and values into the part all rows share and each row's own.

    A layer's is taken out of `pieces`, which in depth-first order are the tree, as the layer's of
    the rows are made: all layers' of both would be twice the memory.
    """
    first = tree.segments()[0]
    # A row that ends inside the shared segment has no token of its own; it keeps its last one.
    root = (
        min(first.end, int(tree.leaf_S.min())) if first.subtree_end == tree.distinct_tokens else 0
    )
    groups = list(_by_length([tree.path(int(leaf))[root:] for leaf in tree.leaf_S]))
    device = next(iter(pieces[0].values()))[0].device
    places = [torch.from_numpy(_padded(group)).to(device) for group in groups]
    lengths = [torch.tensor([len(path) for path in group], device=device) for group in groups]
    state = DecodeState([], [], [DecodeRows([], [], each, torch.empty(0)) for each in lengths])
    for layer in sorted(pieces[0]):
        parts = zip(*(piece.pop(layer) for piece in pieces), strict=True)
        k, v = (torch.cat(part, dim=2) for part in parts)
        state.root_k.append(k[:, :, :root].contiguous())
        state.root_v.append(v[:, :, :root].contiguous())
        for rows, index_BM in zip(state.groups, places, strict=True):
            rows.own_k.append(_gathered(k[0], index_BM))
            rows.own_v.append(_gathered(v[0], index_BM))
    return state


def _by_length(paths: list[IntArray]) -> Iterator[list[IntArray]]:
    """Cut paths, longest first, into groups in which none has half the places of another."""
    places = [len(path) + GROW_PLACES for path in paths]
    start = 0
    for end in range(1, len(paths) + 1):
        if end == len(paths) or 2 * places[end] <= places[start]:
            yield paths[start:end]
            start = end


def _padded(paths: list[IntArray]) -> IntArray:
    """(B, M): the tokens of each row's places, the longest row first; any for those to come."""
    padded = np.zeros((len(paths), len(paths[0]) + GROW_PLACES), dtype=np.int64)
    for row, path in enumerate(paths):
        padded[row, : len(path)] = path
    return padded


def _gathered(tensor_GTK: Tensor, index_BM: Tensor) -> Tensor:
    """(B, G, M, K): each row's tokens. All heads of a token lie side by side, and move at once."""
    G, T, K = tensor_GTK.shape
    tokens = tensor_GTK.transpose(0, 1).reshape(T, G * K).index_select(0, index_BM.flatten())
    return tokens.view(*index_BM.shape, G, K).transpose(1, 2).contiguous()


def _until_stop(tokens: list[int], stops: frozenset[int]) -> list[int]:
    """Rows that have stopped run along until the batch is compacted; their surplus is cut."""
    for place, token in enumerate(tokens):
        if token in stops:
            return tokens[: place + 1]
    return tokens
