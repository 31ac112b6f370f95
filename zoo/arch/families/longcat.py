"""LongCat-Flash: two attentions and two MLPs in every layer, with a mixture beside them."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import LatentAttention
from zoo.arch.config import MAX_LAYERS, Config, UnsupportedError
from zoo.arch.heads import causal_heads, decoder
from zoo.arch.layers import at
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def read_layers(c: Config) -> int:
    """``num_layers``; transformers speaks of twice as many, one for each attention."""
    layers = c.whole("num_layers")
    if layers > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: num_layers is {layers}, out of range")
    return layers


def zero_experts(c: Config, p: Place) -> Iterable[Row]:
    """The mixture. The router may also choose zero experts, which hand the token on unchanged.

    The class allocates a gate and up projection for these too, which it never uses and no checkpoint holds. As many
    as ``moe_topk`` real experts serve a token, fewer where it chooses zero experts.
    """
    used, routed, width = c.experts_per_token, c.experts, c.expert_ffn
    choices = routed + (c.maybe("zero_expert_num") or 0)
    if not 0 < used <= routed:
        raise UnsupportedError(f"{c.model_type}: {used} of {routed} experts per token is out of range")
    below = p.at("experts")
    yield below.tensor("gate_up_proj", (choices, 2 * width, c.hidden), "experts", used=used, of=choices)
    yield below.tensor("down_proj", (routed, c.hidden, width), "experts", used=used, of=routed)
    router = p.at("router")
    has_bias = bool(c.get("router_bias", False))
    yield from router.linear("classifier", c.hidden, choices, "router", has_bias)
    yield router.tensor("e_score_correction_bias", (choices,), "router", "vector", role="buffer")


def refuse_other_latent(c: Config) -> str | None:
    """The class has no full query projection, and takes a width of the keys that must be the sum of its parts."""
    if c["q_lora_rank"] is None:
        return "q_lora_rank is null"
    width = c.maybe("qk_head_dim")
    if width not in (None, c.head_dim):
        return f"qk_head_dim is {width}, not the {c.head_dim} of its two parts"
    said = c.raw.get("num_hidden_layers")
    if said is not None and said != 2 * c.layers:
        return f"num_hidden_layers is {said!r:.20} where each of the {c.layers} num_layers holds two"
    return None


register(
    decoder(
        "longcat_flash",
        "LongcatFlash",
        "LongCat",
        at("self_attn.0", LatentAttention()),
        at("self_attn.1", LatentAttention()),
        at("mlp", zero_experts),
        at("mlps.0", GatedMlp()),
        at("mlps.1", GatedMlp()),
        *(rms(f"{name}.{half}") for name in ("input_layernorm", "post_attention_layernorm") for half in (0, 1)),
        heads=causal_heads("LongcatFlash", sequence=None, tokens=None),
        dims={
            "layers": read_layers,
            "ffn": "ffn_hidden_size",
            "experts": "n_routed_experts",
            "experts_per_token": "moe_topk",
            "expert_ffn": "expert_ffn_hidden_size",
            "head_dim": lambda c: c.whole("qk_nope_head_dim") + c.whole("qk_rope_head_dim"),
            "v_head_dim": "v_head_dim",
        },
        supported=refuse_other_latent,
        example="meituan-longcat/LongCat-Flash-Chat",
        about="Two latent attentions a layer; a third of what the router can choose does nothing, at no cost.",
    ),
)
