"""Decoders that stand behind encoders, or are encoders turned: TrOCR's, BERT's for generation, CPM-Ant."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, check_whole
from zoo.arch.families.bert import BERT_DIMS, BERT_LAYER, TiedDecoder
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def image_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention to an image encoder's output, as wide as ``cross_attention_hidden_size``; biased."""
    said = c["cross_attention_hidden_size"]
    source = c.hidden if said is None else check_whole(said, f"{c.model_type}: cross_attention_hidden_size", 1)
    yield from p.linear("q_proj", c.hidden, c.hidden, "attention", True)
    outside = p._replace(stack="cross")
    yield from outside.linear("k_proj", source, c.hidden, "attention", True)
    yield from outside.linear("v_proj", source, c.hidden, "attention", True)
    yield from p.linear("out_proj", c.hidden, c.hidden, "attention", True)
    kept, flops = 2 * c.hidden, 4 * c.hidden
    yield p.state(
        "cross", per_token=kept, materialized=kept, flops_per_pos=flops, decode_flops_per_pos=flops, causal=False
    )


TROCR = (
    Embedding(),
    when("use_learned_position_embeddings", Embedding("embed_positions", rows="positions", part="position")),
    when("layernorm_embedding", layer_norm("layernorm_embedding")),
    stack(
        "layers",
        at("self_attn", Attention(PROJECTIONS, bias=True)),
        layer_norm("self_attn_layer_norm"),
        at("encoder_attn", image_attention),
        layer_norm("encoder_attn_layer_norm"),
        Mlp(),
        layer_norm("final_layer_norm"),
    ),
)


def gated_gelu(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("w_in.w_0", c.hidden, c.ffn, "mlp")
    yield from p.linear("w_in.w_1", c.hidden, c.ffn, "mlp")
    yield from p.linear("w_out", c.ffn, c.hidden, "mlp")


def segment_bias(c: Config, p: Place) -> Iterable[Row]:
    """A bias for each distance within a segment and for each pair of segments, one number for each head."""
    segments = c.whole("segment_types", least=1)
    rows = segments * segments + c.whole("position_bias_num_buckets")
    yield p.tensor("position_bias.relative_attention_bias", (rows, c.heads), "position", "lookup")


CPM = (
    at(
        "encoder",
        stack(
            "layers",
            at(
                "self_att",
                rms("layernorm_before_attention"),
                at("self_attention", Attention(("project_q", "project_k", "project_v", "attention_out"))),
            ),
            at("ffn", rms("layernorm_before_ffn"), at("ffn", gated_gelu)),
        ),
        rms("output_layernorm"),
    ),
    Embedding("segment_embedding", rows="segments"),
    Embedding("input_embedding", rows="rows"),
    segment_bias,
)

BERT_GENERATION = (
    at(
        "embeddings",
        Embedding("word_embeddings"),
        Embedding("position_embeddings", "positions", part="position"),
        layer_norm("LayerNorm"),
    ),
    stack("encoder.layer", *BERT_LAYER),
)


def refuse_cross_encoder(c: Config) -> str | None:
    return (
        "add_cross_attention needs is_decoder" if c.flag("add_cross_attention") and not c.flag("is_decoder") else None
    )


register(
    Architecture(
        "trocr",
        "TrOCR",
        At("", TROCR),
        {"TrOCRForCausalLM": Head("model.decoder.", (LmHead("output_projection"),))},
        "TrOCRForCausalLM",
        {
            **MULTI_HEAD,
            "ffn": "decoder_ffn_dim",
            # The table keeps two rows before position 0, from the padding convention of fairseq.
            "positions": lambda c: c.whole("max_position_embeddings") + 2,
        },
        norm="layernorm",
        position="learned",
        example="microsoft/trocr-base-printed",
        about="The text half of a reader of images: a decoder that attends to what a vision encoder found.",
    ),
    Architecture(
        "cpmant",
        "CPM",
        At("", CPM),
        {"CpmAntModel": Head(), "CpmAntForCausalLM": Head("cpmant.", (LmHead(tie_of=lambda c: False),))},
        "CpmAntForCausalLM",
        {
            "kv_heads": lambda c: c.heads,
            "head_dim": lambda c: c.whole("dim_head", least=1),
            "ffn": "dim_ff",
            "segments": "segment_types",
            "rows": lambda c: c.vocab + c.whole("prompt_types") * c.whole("prompt_length"),
            "context": lambda c: None,
        },
        position="relative",
        embedding="input_embedding.weight",
        example="openbmb/cpm-ant-10b",
        about="A bias by distance and segment for each head, shared by all layers; prompts are rows of the embedding.",
    ),
    Architecture(
        "bert-generation",
        "BERT",
        At("", BERT_GENERATION),
        {
            "BertGenerationEncoder": Head(),
            "BertGenerationDecoder": Head("bert.", (at("lm_head", TiedDecoder("decoder", "bias")),)),
        },
        "BertGenerationDecoder",
        BERT_DIMS,
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        supported=refuse_cross_encoder,
        example="google/bert_for_seq_generation_L-24_bbc_encoder",
        about="BERT without token types, as one half of an encoder-decoder.",
    ),
)
