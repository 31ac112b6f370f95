"""Mistral Small 4 and Large 4: latent attention in front of a mixture; Large 4 picks tokens and shares latents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zoo.arch.attention import LatentAttention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.deepseek import DEEPSEEK, PRE_NORMS, deepseek_moe, dense_first
from zoo.arch.families.deepseek_dsa import indexer_kinds
from zoo.arch.families.llava import TEXT, VISION, merge_patches, two_layers
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.vision import Projector
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at, by_kind, every, named_kinds
from zoo.arch.mlp import GatedMlp, Router
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

MOE = deepseek_moe(Router())


def read_numbers(c: Config, key: str) -> Sequence[int]:
    values = c[key]
    if not isinstance(values, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}{key} is not a list of numbers")
    return [check_whole(value, f"{c.model_type}: {c.path}{key}") for value in values]


def rotary_layers(c: Config) -> Sequence[bool]:
    """Which layers know positions: where ``no_rope_layers`` has a 1, else all but one in ``no_rope_layer_interval``."""
    if c["no_rope_layers"] is not None:
        listed = read_numbers(c, "no_rope_layers")
        if len(listed) < c.layers:
            raise UnsupportedError(f"{c.model_type}: no_rope_layers names {len(listed)} of {c.layers} layers")
        return [bool(value) for value in listed[: c.layers]]
    step = check_whole(c.get("no_rope_layer_interval", 4), f"{c.model_type}: no_rope_layer_interval", 1)
    return [(layer + 1) % step != 0 for layer in range(c.layers)]


def owning_layers(c: Config) -> Sequence[bool]:
    """Which layers have a latent of their own: those that ``kv_source_layers`` sends to themselves."""
    if c["kv_source_layers"] is None:
        return [True] * c.layers
    sources = read_numbers(c, "kv_source_layers")
    if len(sources) != c.layers or any(s > layer or sources[s] != s for layer, s in enumerate(sources)):
        raise UnsupportedError(f"{c.model_type}: kv_source_layers does not send each layer to one that keeps its own")
    return [source == layer for layer, source in enumerate(sources)]


def latent_kinds(c: Config) -> Sequence[str]:
    """Whether a layer knows positions, and whether it keeps a latent or reads another layer's."""
    pairs = zip(rotary_layers(c), owning_layers(c), strict=True)
    return [f"{'rotary' if rotary else 'plain'}_{'own' if own else 'shared'}" for rotary, own in pairs]


def scale_queries(heads: int, p: Place) -> Iterable[Row]:
    """A gain for each head, that grows with the logarithm of the position."""
    below = p.at("softmax_scaling")
    yield below.tensor("scale", (heads,), "attention", "vector")
    yield below.tensor("bias", (heads,), "attention", "vector")


@dataclass(frozen=True)
class Latent:
    """Latent attention with full queries over ``index_topk`` picked tokens (see PickedLatent for the states).

    A layer that does not know positions has no rotary key: the latent gives the whole key. A layer without a latent of
    its own stores nothing; it writes out another layer's with a matrix of its own.
    """

    rotary: bool
    own: bool

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        rank, value = c.whole("kv_lora_rank", least=1), c.v_head_dim
        rope = c.whole("qk_rope_head_dim") if self.rotary else 0
        nope, bias = c.head_dim - rope, c.flag("attention_bias")
        yield from p.linear("q_proj", c.hidden, c.heads * c.head_dim, "attention")
        if self.own:
            yield from p.linear("kv_a_proj_with_mqa", c.hidden, rank + rope, "attention", bias)
            yield from rms("kv_a_layernorm", lambda c: rank)(c, p)
        yield from p.linear("kv_b_proj", rank, c.heads * (nope + value), "attention")
        yield from p.linear("o_proj", c.heads * value, c.hidden, "attention", bias)
        yield from scale_queries(c.heads, p)
        written = c.heads * (c.head_dim + value)
        if self.own:
            kept = rank + rope
            yield p.state("full", per_token=kept, materialized=written, latent=True, vectors=1, rotary=rope)
        yield p.state(
            "full",
            window=c.whole("index_topk", least=1),
            flops_per_pos=2 * written,
            decode_flops_per_pos=2 * c.heads * (2 * rank + rope),
        )


def indexer(c: Config, p: Place) -> Iterable[Row]:
    """DeepSeek-V3.2's indexer, with queries from the normalised input in place of a latent, scaled by position."""
    heads, width = c.whole("index_n_heads", least=1), c.whole("index_head_dim", least=1)
    yield from layer_norm("q_input_norm")(c, p)
    yield from p.linear("wq_b", c.hidden, heads * width, "attention")
    yield from scale_queries(heads, p)
    yield from p.linear("wk", c.hidden, width, "attention")
    yield from layer_norm("k_norm", lambda c: width)(c, p)
    yield from p.linear("weights_proj", c.hidden, heads, "attention")
    flops = 2 * heads * (width + 1)
    yield p.state(
        "full",
        per_token=width,
        materialized=width,
        token_bytes=width + -(-width // 128) * 4,
        flops_per_pos=flops,
        decode_flops_per_pos=flops,
    )


def learned_frequencies(c: Config, p: Place) -> Iterable[Row]:
    """A learned exponent for each rotary frequency, stored beside the parameters."""
    pairs = -(-c.whole("qk_rope_head_dim") // 2)
    yield p.tensor("rotary_emb.alpha", (pairs,), "position", "vector", role="buffer")


def refuse_other_large(c: Config) -> str | None:
    """Partial rotary positions store fewer frequencies; a pattern of indexers that is no text or list of words."""
    for key in ("rope_parameters", "rope_scaling"):
        rope = c.raw.get(key)
        if isinstance(rope, Mapping) and rope.get("partial_rotary_factor") not in (None, 1):
            return f"{key}.partial_rotary_factor is {rope['partial_rotary_factor']!r:.40}"
    if c.raw.get("partial_rotary_factor") not in (None, 1):
        return f"partial_rotary_factor is {c.raw['partial_rotary_factor']!r:.40}"
    pattern = c.get("index_topk_pattern")
    if pattern is not None and not (
        isinstance(pattern, str) or (isinstance(pattern, list) and all(isinstance(mark, str) for mark in pattern))
    ):
        return f"index_topk_pattern is {pattern!r:.40}"
    return None


def count_experts(c: Config) -> int:
    """``num_local_experts`` is set last and wins, then ``num_experts``, then ``n_routed_experts``."""
    names = ("num_local_experts", "num_experts")
    return c.whole(next((key for key in names if c.raw.get(key) is not None), "n_routed_experts"))


#: Every layer is indexed: the word decides of the cache alone.
INDEXED = named_kinds(every("indexed_attention"))
LARGE: dict[str, Dim] = DEEPSEEK | {"experts": count_experts}

register(
    decoder(
        "mistral4",
        "Mistral4",
        "Mistral",
        at("self_attn", LatentAttention()),
        at("mlp", by_kind(dense_first, dense=GatedMlp(), sparse=MOE)),
        *PRE_NORMS,
        heads=causal_heads("Mistral4"),
        dims=DEEPSEEK,
        example="mistralai/Mistral-Small-4-119B-2603",
        about="Latent attention of 256 and four of 128 experts beside a shared one, in every layer.",
    ),
    decoder(
        "mistral_large4_text",
        "MistralLarge4Text",
        "Mistral",
        at(
            "self_attn",
            by_kind(INDEXED, indexed_attention=()),
            by_kind(
                latent_kinds,
                rotary_own=Latent(rotary=True, own=True),
                rotary_shared=Latent(rotary=True, own=False),
                plain_own=Latent(rotary=False, own=True),
                plain_shared=Latent(rotary=False, own=False),
            ),
            by_kind(indexer_kinds, full=at("indexer", indexer), shared=()),
        ),
        at("mlp", by_kind(named_kinds(dense_first, "mlp_layer_types"), dense=GatedMlp(), sparse=MOE)),
        *PRE_NORMS,
        before=(learned_frequencies,),
        heads={"MistralLarge4TextModel": Head()},
        dims=LARGE,
        supported=refuse_other_large,
        about="Latent attention to 2,048 picked tokens, without positions in each fourth layer.",
    ),
    seeing(
        *("mistral_large4", "Mistral", "MistralLarge4", VISION),
        at("multi_modal_projector", Projector((merge_patches, two_layers))),
        TEXT,
        example="mistralai/Mistral-Large-4-1T-A52B",
        about="A mixture of a trillion parameters behind Pixtral's tower, four patches merged into one.",
    ),
)
