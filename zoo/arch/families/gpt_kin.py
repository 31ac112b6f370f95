"""Older decoders in the line of GPT: biases everywhere, LayerNorms, learned or computed positions, tied heads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from zoo.arch.attention import Attention, CrossAttention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, check_whole
from zoo.arch.families.gpt import GPT_DIMS, POSITIONS, TOKENS, ChoiceHead, FusedCrossAttention
from zoo.arch.heads import Embedding, LabelHead, LmHead, decoder
from zoo.arch.layers import at, by_kind, named_kinds, when
from zoo.arch.mlp import FusedGatedMlp, Mlp
from zoo.arch.norms import Norm, layer_norm
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")
MLP = ("c_fc", "c_proj")
SCORE = LabelHead("score")


def gpt2_like_heads(prefix: str) -> dict[str, Head]:
    """The classes of GPT and GPT-2."""
    base = "transformer."
    return {
        f"{prefix}Model": Head(),
        f"{prefix}LMHeadModel": Head(base, (LmHead(),)),
        f"{prefix}DoubleHeadsModel": Head(base, (LmHead(), ChoiceHead())),
        f"{prefix}ForSequenceClassification": Head(base, (SCORE,)),
    }


def last_is_other(c: Config) -> Sequence[str]:
    return ["inner"] * (c.layers - 1) + ["last"]


def dense_bias(c: Config, p: Place) -> Iterable[Row]:
    """The output projection's bias, which is added in the last layer only."""
    yield p.tensor("dense_bias", (c.hidden,), "attention", "vector")


def modern_kinds(c: Config) -> Sequence[str]:
    """Full attention in layer 0 and each ``global_attn_every_n_layers``-th from it."""
    step = check_whole(c.get("global_attn_every_n_layers", 3), f"{c.model_type}: global_attn_every_n_layers", 1)
    return ["sliding_attention" if layer % step else "full_attention" for layer in range(c.layers)]


def read_modern_window(c: Config) -> int | None:
    """Half of ``local_attention``, unless the file says ``sliding_window`` outright, as saved ones do."""
    saved = c.maybe("sliding_window")
    return (c.whole("local_attention") // 2 if saved is None else saved) or None


def first_is_bare(c: Config) -> Sequence[str]:
    """The embedding is normalised already: the first layer has no norm before its attention."""
    return ["bare"] + ["normed"] * (c.layers - 1)


modern_norm = partial(Norm, bias="norm_bias")
MODERN_HEAD = (modern_norm("norm"),)


def modern_dense(c: Config, p: Place) -> Iterable[Row]:
    """The layer before a prediction."""
    yield from p.linear("dense", c.hidden, c.hidden, "head", c.flag("classifier_bias"))


register(
    decoder(
        "gpt-sw3",
        "GPT2",
        "GPT-SW3",
        at("attn", FusedAttention(("c_attn", "c_proj"), bias=True, conv1d=True)),
        when(
            "add_cross_attention", at("crossattention", FusedCrossAttention(conv1d=True)), layer_norm("ln_cross_attn")
        ),
        at("mlp", Mlp(MLP, conv1d=True)),
        layer_norm("ln_1"),
        layer_norm("ln_2"),
        embed=Embedding("wte"),
        before=(POSITIONS,),
        final=layer_norm("ln_f"),
        layers="h",
        dims=GPT_DIMS,
        heads=gpt2_like_heads("GPT2")
        | {
            "GPT2ForTokenClassification": Head("transformer.", (TOKENS,)),
            "GPT2ForQuestionAnswering": Head("transformer.", (LabelHead("qa_outputs", bias=True, outputs=2),)),
        },
        norm="layernorm",
        position="learned",
        example="AI-Sweden-Models/gpt-sw3-126m",
        about="GPT-2 by another name, read by GPT-2's own classes.",
    ),
    decoder(
        "openai-gpt",
        "OpenAIGPT",
        "GPT",
        at("attn", FusedAttention(("c_attn", "c_proj"), bias=True, conv1d=True)),
        layer_norm("ln_1"),
        at("mlp", Mlp(MLP, conv1d=True)),
        layer_norm("ln_2"),
        embed=Embedding("tokens_embed"),
        before=(Embedding("positions_embed", rows="context", part="position"),),
        final=None,
        layers="h",
        dims={**GPT_DIMS, "ffn": lambda c: 4 * c.hidden},
        heads=gpt2_like_heads("OpenAIGPT"),
        norm="layernorm",
        position="learned",
        example="openai-community/openai-gpt",
        about="The first GPT: norms after the blocks, and so none at the end.",
    ),
    decoder(
        "ctrl",
        "CTRL",
        "CTRL",
        at("multi_head_attention", Attention(("Wq", "Wk", "Wv", "dense"), bias=True)),
        at("ffn", Mlp(("0", "2"))),
        layer_norm("layernorm1"),
        layer_norm("layernorm2"),
        embed=Embedding("w"),
        final=layer_norm("layernorm"),
        layers="h",
        dims={**MULTI_HEAD, "ffn": "dff"},
        heads={
            "CTRLModel": Head(),
            "CTRLLMHeadModel": Head("transformer.", (LmHead(bias=True),)),
            "CTRLForSequenceClassification": Head("transformer.", (LabelHead("classifier"),)),
        },
        norm="layernorm",
        position="sinusoidal",
        example="Salesforce/ctrl",
        about="GPT-2's layers with computed positions and a vocabulary of 246,534, its head biased.",
    ),
    decoder(
        "xglm",
        "XGLM",
        "XGLM",
        at("self_attn", Attention(PROJECTIONS, bias=True)),
        when(
            "add_cross_attention",
            at("encoder_attn", CrossAttention(PROJECTIONS, bias=True)),
            layer_norm("encoder_attn_layer_norm"),
        ),
        Mlp(),
        layer_norm("self_attn_layer_norm"),
        layer_norm("final_layer_norm"),
        final=layer_norm("layer_norm"),
        dims={**MULTI_HEAD, "ffn": "ffn_dim"},
        heads={"XGLMModel": Head(), "XGLMForCausalLM": Head("model.", (LmHead(),))},
        norm="layernorm",
        position="sinusoidal",
        example="facebook/xglm-564M",
        about="A multilingual GPT with computed positions and a vocabulary of 256,008.",
    ),
    decoder(
        "biogpt",
        "BioGpt",
        "BioGPT",
        at("self_attn", Attention(PROJECTIONS, bias=True)),
        Mlp(),
        layer_norm("self_attn_layer_norm"),
        layer_norm("final_layer_norm"),
        # The table keeps two rows before position 0, from the padding convention of fairseq.
        before=(Embedding("embed_positions", rows="positions", part="position"),),
        final=layer_norm("layer_norm"),
        dims={**MULTI_HEAD, "positions": lambda c: c.whole("max_position_embeddings") + 2},
        heads={
            "BioGptModel": Head(),
            "BioGptForCausalLM": Head("biogpt.", (LmHead("output_projection"),)),
            "BioGptForTokenClassification": Head("biogpt.", (LabelHead("classifier", bias=True),)),
            "BioGptForSequenceClassification": Head("biogpt.", (SCORE,)),
        },
        norm="layernorm",
        position="learned",
        example="microsoft/biogpt",
        about="GPT-2's layers with q, k and v apart, trained on biomedical literature.",
    ),
    decoder(
        "gpt_neox_japanese",
        "GPTNeoXJapanese",
        "GPT-NeoX",
        at(
            "attention",
            FusedAttention(("query_key_value", "dense")),
            by_kind(last_is_other, inner=(), last=dense_bias),
        ),
        at("mlp", Mlp(("dense_h_to_4h", "dense_4h_to_h"), bias=False)),
        layer_norm("input_layernorm"),
        layer_norm("post_attention_layernorm"),
        embed=Embedding("embed_in"),
        final=layer_norm("final_layer_norm"),
        dims={**MULTI_HEAD, "ffn": lambda c: c.hidden * c.whole("intermediate_multiple_size", least=1)},
        heads={
            "GPTNeoXJapaneseModel": Head(),
            "GPTNeoXJapaneseForCausalLM": Head("gpt_neox_japanese.", (LmHead("embed_out"),)),
        },
        norm="layernorm",
        example="abeja/gpt-neox-japanese-2.7b",
        about="GPT-NeoX without biases but for one, in the last layer.",
    ),
    decoder(
        "modernbert-decoder",
        "ModernBertDecoder",
        "ModernBERT",
        by_kind(first_is_bare, bare=(), normed=modern_norm("attn_norm")),
        at(
            "attn",
            Attention(("q_proj", "k_proj", "v_proj", "Wo"), bias="attention_bias", kinds=named_kinds(modern_kinds)),
        ),
        modern_norm("mlp_norm"),
        at("mlp", FusedGatedMlp(("Wi", "Wo"), bias="mlp_bias")),
        embed=Embedding("embeddings.tok_embeddings"),
        before=(at("embeddings", *MODERN_HEAD),),
        final=modern_norm("final_norm"),
        dims={**MULTI_HEAD, "window": read_modern_window},
        heads={
            "ModernBertDecoderModel": Head(),
            "ModernBertDecoderForCausalLM": Head(
                "model.", (at("lm_head", modern_dense, *MODERN_HEAD), LmHead("decoder", bias="decoder_bias"))
            ),
            "ModernBertDecoderForSequenceClassification": Head(
                "model.",
                (at("head", modern_dense, *MODERN_HEAD), LabelHead("classifier", bias="classifier_bias")),
            ),
        },
        norm="layernorm",
        example="jhu-clsp/ettin-decoder-150m",
        about="ModernBERT turned decoder: two layers that attend to 64 tokens to one with full attention.",
    ),
)
