"""The ALiBi generation: BLOOM, Falcon (rotary or ALiBi) and MPT."""

from __future__ import annotations

from zoo.arch.attention import FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, read_positive
from zoo.arch.families.gpt import four_times_unless, transformer_heads
from zoo.arch.heads import Embedding, decoder
from zoo.arch.layers import at, by_kind
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import register

LINEAR_4H = ("dense_h_to_4h", "dense_4h_to_h")


def read_hidden(c: Config) -> int:
    """``hidden_size``, unless the file still has the older ``n_embed``."""
    old = c.maybe("n_embed", least=1)
    return c.whole("hidden_size", least=1) if old is None else old


def read_falcon_kv_heads(c: Config) -> int:
    """``num_kv_heads`` in the new decoder (40B, 180B), 1 with ``multi_query`` (7B), else one per head."""
    if c.flag("new_decoder_architecture"):
        kv_heads = c.maybe("num_kv_heads", least=1)
        return int(c.heads) if kv_heads is None else kv_heads
    return 1 if c.flag("multi_query") else int(c.heads)


def falcon_norms(c: Config) -> list[str]:
    """Which norms a layer has: two in sequence, or in parallel one for both blocks or one for each."""
    if not c.flag("parallel_attn"):
        return ["sequential"] * c.layers
    norms = c.maybe("num_ln_in_parallel_attn")
    if norms is None and c.flag("new_decoder_architecture"):
        norms = 2
    return ["two" if norms == 2 else "one"] * c.layers


def refuse_other_mpt(c: Config) -> str | None:
    """What MPT's own code knows and the class counted here does not: fewer key heads and, by its name, other widths."""
    attention = {} if c["attn_config"] is None else c["attn_config"]
    if not isinstance(attention, dict):
        return "attn_config is not an object"
    said = {**attention, **{key: c[key] for key in ("expansion_ratio", "no_bias")}}
    counted: dict[str, object] = {"attn_type": "multihead_attention"}
    if "MPTForCausalLM" in str(c.raw.get("architectures")):
        counted |= {"expansion_ratio": 4, "no_bias": True, "qk_ln": False, "alibi": True}
    wrong = next((key for key, value in counted.items() if said.get(key, value) != value), None)
    return wrong and f"{wrong} is {said[wrong]!r:.40}, which only the code in the model's own repository follows"


register(
    decoder(
        "bloom",
        "Bloom",
        "BLOOM",
        at("self_attention", FusedAttention(("query_key_value", "dense"), bias=True)),
        at("mlp", Mlp(LINEAR_4H)),
        layer_norm("input_layernorm"),
        layer_norm("post_attention_layernorm"),
        embed=Embedding("word_embeddings"),
        before=(layer_norm("word_embeddings_layernorm"),),
        final=layer_norm("ln_f"),
        layers="h",
        dims={
            **MULTI_HEAD,
            "hidden": read_hidden,
            "ffn": lambda c: 4 * c.hidden,
            "context": lambda c: c.maybe("seq_length"),
        },
        heads=transformer_heads("Bloom"),
        norm="layernorm",
        position="alibi",
        example="bigscience/bloom-7b1",
        about="ALiBi instead of positions, a LayerNorm on the embedding, biases everywhere, a large tied vocabulary.",
    ),
    decoder(
        "falcon",
        "Falcon",
        "Falcon",
        at("self_attention", FusedAttention(("query_key_value", "dense"), bias="bias")),
        at("mlp", Mlp(LINEAR_4H, bias="bias")),
        by_kind(
            falcon_norms,
            sequential=(layer_norm("input_layernorm"), layer_norm("post_attention_layernorm")),
            one=layer_norm("input_layernorm"),
            two=(layer_norm("ln_attn"), layer_norm("ln_mlp")),
        ),
        embed=Embedding("word_embeddings"),
        final=layer_norm("ln_f"),
        layers="h",
        dims={
            **MULTI_HEAD,
            "hidden": read_hidden,
            "kv_heads": read_falcon_kv_heads,
            "ffn": four_times_unless("ffn_hidden_size"),
        },
        heads=transformer_heads("Falcon"),
        norm="layernorm",
        example="tiiuae/falcon-7b",
        about="Attention and MLP in parallel without biases; one KV head in the 7B model, eight in 40B and 180B.",
    ),
    decoder(
        "mpt",
        "Mpt",
        "MPT",
        at("attn", FusedAttention(("Wqkv", "out_proj"))),
        at("ffn", Mlp(("up_proj", "down_proj"), bias=False)),
        layer_norm("norm_1", bias=False),
        layer_norm("norm_2", bias=False),
        embed=Embedding("wte"),
        final=layer_norm("norm_f", bias=False),
        layers="blocks",
        dims={**MULTI_HEAD, "ffn": lambda c: 4 * c.hidden, "context": read_positive("max_seq_len")},
        heads={**(classes := transformer_heads("Mpt")), "MPTForCausalLM": classes["MptForCausalLM"]},
        norm="layernorm",
        position="alibi",
        supported=refuse_other_mpt,
        example="mosaicml/mpt-7b",
        about="ALiBi, LayerNorm without bias, no biases; expansion_ratio, qk_ln and no_bias change nothing.",
    ),
)
