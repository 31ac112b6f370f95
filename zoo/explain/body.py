"""The main stack of a model, and what can be told of its design from the rows of the ledger.

The main stack is the decoder of an encoder-decoder, the language model of one with towers, the tower where that is all
there is. Each ``name_…`` gives one word of a closed list, "" for none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import Any

from zoo.arch.config import Config
from zoo.arch.ledger import Ledger
from zoo.arch.registry import Architecture
from zoo.arch.rows import State, Tensor
from zoo.explain.sheet import text_of
from zoo.metrics.extras import find_rotated
from zoo.metrics.facts import read_dim
from zoo.metrics.sums import TOWER_PARTS, TOWERS

_NORM = re.compile(r"norm|(^|\.)ln(_?\w+)?(\.|$)", re.IGNORECASE)
_MLP = re.compile(r"\.(mlp|ffn|feed_forward\d?|fc\d|linear\d|intermediate|output)\b")
_ATTENTION = re.compile(r"attn|attention|\.(q|k|v|qkv|o|out)(_proj)?\b")
#: Norms that stand inside attention or a recurrent layer, not before or after it.
_INNER = re.compile(
    r"\.(q|k|v|kv|qk|query|key|query_key|value|q_a|kv_a|kv|g|dt|b|c)_?(a_)?(layer)?_?norm\b"
    r"|(mixer|mamba|linear_attn|attn_core|mlstm_layer|lightning\w*)\.\w*norm\b|indexer|compressor|multihead_norm"
)
_QK_NORM = re.compile(r"\.(q|k|query|key|qk)_?(layer)?_?norm\b")
_GATE = re.compile(r"\.(g|gate|attn_gate|output_gate|o_gate)(_proj)?\.weight$")
#: What picks or compresses earlier tokens has queries, keys and norms of its own.
_CHOOSING = re.compile("indexer|compressor")
_CROSS = re.compile("cross_attn|crossattention|encoder_attn", re.IGNORECASE)
#: Where a norm belongs to a head or a tower's pooling, not to the stack.
_OUTSIDE = re.compile(
    r"(^|\.)(cls|head|lm_head|predictions|classifier|pooler|generator_predictions)\.|layernorm_embedding|embeddings\.|vocab"
)
#: As BERT and its kin name the norms of the sums, whatever else follows the layers.
_OF_SUMS = re.compile(r"\boutput\.LayerNorm\b")
_AFTER = frozenset(
    ("post_attention_layernorm", "post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm")
)
#: Kinds of states that a query goes through.
_ATTENDING = frozenset(("full", "sliding", "chunked"))
#: Switches of configs by which attention and MLP stand side by side.
_PARALLEL = ("use_parallel_residual", "parallel_attn", "parallel_block")
#: Words for one non-linearity: they differ in how it is worked out.
_ACTIVATIONS = {
    "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu_fast": "gelu", "gelu_python": "gelu", "quick_gelu": "gelu",
    "gelu_10": "gelu", "gelu_accurate": "gelu", "swish": "silu",
}  # fmt: skip


@dataclass(frozen=True)
class Body:
    """The ledger and its main stack: the tensors that its layers and what surrounds them have."""

    ledger: Ledger

    @cached_property
    def architecture(self) -> Architecture:
        return self.ledger.text_architecture

    @cached_property
    def towers_only(self) -> bool:
        """Whether there is no text: all of it is a tower for images or sound."""
        layered = [t for t in self.ledger.parameters if t.layers is not None]
        return bool(layered) and all(t.part in TOWER_PARTS for t in layered)

    @cached_property
    def states(self) -> list[State]:
        """How the layers of the main stack mix tokens; cross-attention, and what only costs per token, left out."""
        own = [s for s in self.ledger.states if s.kind != "cross" and s.stack != "encoder"]
        own = [s for s in own if s.kind not in _ATTENDING or s.flops_per_pos]
        return own if self.towers_only else [s for s in own if s.stack not in TOWERS]

    @cached_property
    def tensors(self) -> list[Tensor]:
        """Parameters of the main stack; towers beside a text are left out, and so is an encoder beside a decoder."""
        found = [t for t in self.ledger.parameters if t.stack != "encoder"]
        return found if self.towers_only else [t for t in found if t.part not in TOWER_PARTS]

    @cached_property
    def layered(self) -> list[Tensor]:
        return [t for t in self.tensors if t.layers is not None]

    @cached_property
    def crossed(self) -> bool:
        """Whether layers attend to an encoder."""
        return any(s.kind == "cross" and s.stack not in TOWERS for s in self.ledger.states)

    @cached_property
    def crossed_too(self) -> bool:
        """Whether layers attend to an encoder beside their own tokens, so that one norm more is of that."""
        own = {layer for s in self.states for layer in s.layers or ()}
        return any(s.kind == "cross" and own & {*(s.layers or ())} for s in self.ledger.states)

    def part_of(self, tensor: Tensor) -> str:
        """The part of ``tensor`` within its stack: of a tower, all of which is one part, by the tensor's name."""
        if tensor.part not in TOWER_PARTS:
            return tensor.part
        name = tensor.name.removesuffix(".weight").removesuffix(".bias")
        if _NORM.search(name):
            return "norm"
        return "attention" if _ATTENTION.search(name) else "mlp" if _MLP.search(name) else "other"

    def of_part(self, *parts: str) -> list[Tensor]:
        return [t for t in self.layered if self.part_of(t) in parts]

    def peek(self, key: str) -> Any:
        """The value of ``key`` in the text's config or among its defaults; None where there is none. Notes nothing."""
        return peek(self.ledger.text, key)

    def find_word(self, word: str) -> str:
        """``word`` if a tensor of the main stack has it in its name."""
        return word if any(word in t.name for t in self.tensors) else ""

    @cached_property
    def one_layer(self) -> list[Tensor]:
        """Tensors of the layer that has the most of them, the first such."""
        having: dict[int, int] = {}
        for tensor in self.layered:
            for layer in tensor.layers or ():
                having[layer] = having.get(layer, 0) + 1
        if not having:
            return []
        best = max(having, key=lambda layer: (having[layer], -layer))
        return [t for t in self.layered if best in (t.layers or ())]


def peek(c: Config, key: str) -> Any:
    """The value of ``key`` as the class would have it, without a note in ``c.read`` that it was looked up."""
    for source in (c.raw, c.spec.defaults):
        for name in c.spec.aliases.get(key) or (key,):
            if name in source:
                return source[name]
    return None


def name_medium(body: Body) -> str:
    """What the main stack reads: text, vision or audio."""
    return body.layered[0].part if body.towers_only else "text"


def name_position_of(body: Body) -> str:
    """How positions are told, by the architecture of the text where it is a section of a whole."""
    return "alibi" if body.peek("alibi") is True else body.architecture.position


def name_stack(body: Body) -> str:
    """decoder, encoder or encoder-decoder, by whether layers see later tokens."""
    if any(t.stack == "encoder" for t in body.ledger.parameters) and body.crossed:
        return "encoder-decoder"
    return "decoder" if any(s.causal for s in body.states) else "encoder"


def name_inputs(body: Body) -> str:
    """Towers beside the text: vision, audio, vision+audio."""
    if body.towers_only:
        return ""
    parts = {t.part for t in body.ledger.parameters}
    return "+".join(part for part in ("vision", "audio") if part in parts)


def name_cross(body: Body) -> str:
    """cross, where a decoder attends to a tower in place of reading its output as tokens."""
    return "cross" if body.crossed and name_stack(body) == "decoder" else ""


def name_mixers(body: Body) -> str:
    """The kinds of layers by how they mix tokens, joined by +; convolutions only where nothing recurrent has them."""
    context = read_dim(body.ledger.text, "context")
    kinds = {"full" if is_whole(s, context) else s.kind for s in body.states}
    if kinds & {"ssm", "linear"}:
        kinds.discard("conv")
    return "+".join(kind for kind in ("full", "sliding", "chunked", "ssm", "linear", "conv") if kind in kinds)


def name_pattern(body: Body) -> str:
    """How often attention that sees most stands among other layers, by the usual distance of two such layers."""
    context = read_dim(body.ledger.text, "context")
    places: dict[str, set[int]] = {}
    for state in body.states:
        places.setdefault("full" if is_whole(state, context) else state.kind, set()).update(state.layers or ())
    wide = next((kind for kind in ("full", "sliding") if kind in places), None)
    found = sorted(places[wide]) if wide and len(places) > 1 else []
    gaps = Counter(later - earlier for earlier, later in pairwise(found))
    gap = min(gaps, key=lambda gap: (-gaps[gap], gap), default=1)
    if gap == 1:
        return ""
    return f"{'full' if wide == 'full' else 'sliding-window'} attention in one of {gap} layers"


def is_whole(state: State, context: int | None) -> bool:
    """Whether a window is no shorter than the longest sequence."""
    return state.window is not None and context is not None and 0 < context <= state.window


def name_recurrence(body: Body) -> str:
    """Mamba has a projection that its time step comes from, Mamba-2 a bias for the step of each head."""
    kinds = {s.kind for s in body.states}
    if "ssm" in kinds:
        return "mamba" if any(".x_proj." in t.name or ".dt_proj." in t.name for t in body.layered) else "mamba-2"
    return "linear" if "linear" in kinds else "conv" if "conv" in kinds else ""


def name_heads(body: Body) -> str:
    """mha, gqa, mqa or mla of the layers that attend."""
    attending = [s for s in body.states if s.kind in _ATTENDING]
    if not attending:
        return ""
    if any(s.latent for s in attending):
        return "mla"
    c = body.ledger.text
    heads, kv_heads = read_dim(c, "heads"), read_dim(c, "kv_heads")
    if kv_heads == 1 and heads != 1:
        return "mqa"
    return "gqa" if heads and kv_heads and kv_heads != heads else "mha"


def name_sparsity(body: Body) -> str:
    """How layers choose the tokens that they attend to."""
    return body.find_word("compressor") or body.find_word("indexer")


def name_rotation(body: Body) -> str:
    """partial, where only part of each head is rotated (latent attention always keeps the two apart)."""
    if body.architecture.position != "rope" or any(s.latent for s in body.states):
        return ""
    width, rotated = read_dim(body.ledger.text, "head_dim"), find_rotated(body.ledger)
    return "partial" if width and 0 < rotated < width else ""


def name_norms(body: Body) -> str:
    """Where the norms of a layer stand; "" where they have no weights."""
    norms = list_block_norms(body)
    if not norms:
        return ""
    if sum(t.copies for t in norms) - body.crossed_too >= 4:
        return "sandwich"
    if not has_final_norm(body) or any(_OF_SUMS.search(t.name) for t in norms):
        return "post"
    words = {strip_tensor(t).rpartition(".")[2] for t in norms}
    return "inside" if words <= _AFTER else "pre"


def list_block_norms(body: Body) -> list[Tensor]:
    """The norms of the fullest layer that stand before or after its blocks: those of the hidden size, where any are."""
    hidden = read_dim(body.ledger.text, "hidden")
    norms = [t for t in body.one_layer if body.part_of(t) == "norm" and not t.is_bias and not _INNER.search(t.name)]
    return [t for t in norms if t.shape == (hidden,)] or norms


def name_order(body: Body) -> str:
    """parallel, where attention and MLP read the same input: by a switch of the config, or as they share their norm."""
    if any(body.peek(key) is True for key in _PARALLEL):
        return "parallel"
    parts = {body.part_of(t) for t in body.one_layer}
    shared = len(list_block_norms(body)) == 1 and has_final_norm(body) and not body.crossed_too
    return "parallel" if shared and "attention" in parts and parts & {"mlp", "experts"} else ""


def has_final_norm(body: Body) -> bool:
    """Whether a norm follows the layers: what is added up there is normalised nowhere else."""
    places = [place for place, t in enumerate(body.tensors) if t.layers is not None]
    after = body.tensors[places[-1] + 1 :] if places else []
    return any(body.part_of(t) == "norm" and not _OUTSIDE.search(t.name) for t in after)


def name_qk_norm(body: Body) -> str:
    """head: weights of a head's width; whole: one norm over all heads together."""
    found = [t for t in body.of_part("norm") if _QK_NORM.search(t.name)]
    found = [t for t in found if not _CHOOSING.search(t.name) and not _CROSS.search(t.name)]
    if not found:
        return ""
    heads, width = read_dim(body.ledger.text, "heads"), read_dim(body.ledger.text, "head_dim")
    return "whole" if any(len(t.shape) == 1 and t.shape[0] == heads * width for t in found) else "head"


def name_mlp(body: Body) -> str:
    """gated: three matrices of one size (or one of two of them, and one); plain: two."""
    for part in ("mlp", "experts", "shared_experts"):
        own = [t for t in body.of_part(part) if t.op == "matmul" and not t.is_bias and len(t.shape) > 1]
        first = min((layer for t in own for layer in t.layers or ()), default=None)
        sizes = [prod(t.shape) for t in own if first in (t.layers or ()) and min(t.shape) > 1]
        if sizes:
            times = sum(sizes) / min(sizes)
            named = any("gate" in t.name for t in own)
            return "gated" if times == 3 or (times != 2 and named) else "plain"
    return ""


def name_activation(body: Body) -> str:
    """The non-linearity, in one spelling; "" where the config names none."""
    said = read_dim(body.ledger.text, "activation")
    return _ACTIVATIONS.get(said, text_of(said)[:30]) if isinstance(said, str) else ""


def name_experts(body: Body) -> str:
    """routed, or shared where every token passes through some of them too."""
    parts = {t.part for t in body.tensors}
    if "experts" not in parts:
        return ""
    return "shared" if "shared_experts" in parts else "routed"


def name_attention_bias(body: Body) -> str:
    """Which matrices of attention have a bias: all; qkv, all but the last; some."""
    own = [t for t in body.one_layer if body.part_of(t) == "attention"]
    matrices = [strip_tensor(t) for t in own if t.op == "matmul" and not t.is_bias]
    biased = {strip_tensor(t) for t in own if t.is_bias}
    if not matrices or not biased & set(matrices):
        return ""
    missing = [name for name in matrices if name not in biased]
    return "all" if not missing else "qkv" if missing == matrices[-1:] else "some"


def strip_tensor(tensor: Tensor) -> str:
    """The name of the module that has ``tensor``."""
    return tensor.name.removesuffix(".weight").removesuffix(".bias")


def name_mlp_bias(body: Body) -> str:
    """all, where the feed-forward part adds biases."""
    return "all" if any(t.is_bias for t in body.of_part("mlp", "experts", "shared_experts")) else ""


def name_gate(body: Body) -> str:
    """gate, where a learned gate scales the output of attention: by its name, or as queries twice as wide as that."""
    own = [t for t in body.of_part("attention") if t.op == "matmul" and not _CHOOSING.search(t.name)]
    queries = [t for t in own if t.name.endswith(".q_proj.weight")]
    outputs = [t for t in own if t.name.endswith((".o_proj.weight", ".out_proj.weight"))]
    doubled = any(
        q.shape[0] == 2 * o.shape[1] for q in queries for o in outputs if set(q.layers or ()) & set(o.layers or ())
    )
    return "gate" if doubled or any(_GATE.search(t.name) for t in own) else ""


def name_softcap(body: Body) -> str:
    """Which scores are squashed by a tanh: attention, logits, both."""
    attention, logits = (bool(body.peek(f"{key}_logit_softcapping")) for key in ("attn", "final"))
    return "both" if attention and logits else "attention" if attention else "logits" if logits else ""


def name_residual(body: Body) -> str:
    """Residual streams other than one."""
    if any(re.search(r"(^|[._])(hc|mhc)[._]", t.name) for t in body.layered):
        return "hyper"
    return body.find_word("altup")


def name_tie(body: Body) -> str:
    """tied or untied, of a head with a row for each token."""
    heads = list_vocabulary_heads(body)
    return "" if not heads else "tied" if any(t.tied_to for t in heads) else "untied"


def name_head(body: Body) -> str:
    """language: logits for every token of the vocabulary; other: a classifier and the like."""
    if list_vocabulary_heads(body):
        return "language"
    return "other" if any(t.part == "head" for t in body.ledger.parameters) else ""


def list_vocabulary_heads(body: Body) -> Sequence[Tensor]:
    vocab = read_dim(body.ledger.text, "vocab") if body.ledger.text is not None else None
    return [t for t in body.ledger.parameters if t.part == "head" and t.shape[:1] == (vocab,) and len(t.shape) == 2]
