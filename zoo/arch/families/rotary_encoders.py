"""Encoders of Llama's parts, for embeddings above all: EuroBERT, Nomic BERT, GTE, Jina Embeddings 3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole, read_head_dim
from zoo.arch.families.bert import LABELS, QUESTIONS, Dense, TiedDecoder
from zoo.arch.families.bert_kin import CLASSIFIER, POOLER, encoder, encoder_heads
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import at, layer_types, stack
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row

EMBEDDINGS = at(
    "embeddings",
    Embedding("word_embeddings"),
    Embedding("token_type_embeddings", "token_types"),
    layer_norm("LayerNorm"),
)
ROTARY_DIMS: dict[str, Dim] = {**MULTI_HEAD, "token_types": "type_vocab_size"}
POST_NORMS = (layer_norm("post_attention_layernorm"), layer_norm("post_mlp_layernorm"))


def attend(bias: bool | str) -> Block:
    return at("self_attn", Attention(bias=bias, cached=False, causal=False))


def biased_below(c: Config, p: Place) -> Iterable[Row]:
    """A gated MLP with a bias on the way down alone."""
    yield from p.linear("gate_proj", c.hidden, c.ffn, "mlp")
    yield from p.linear("up_proj", c.hidden, c.ffn, "mlp")
    yield from p.linear("down_proj", c.ffn, c.hidden, "mlp", True)


def gte_lm(c: Config, p: Place) -> Iterable[Row]:
    below = p.at("lm_head")
    yield from Dense("dense")(c, below)
    yield from layer_norm("layer_norm")(c, below)
    yield from TiedDecoder("decoder")(c, below)


def normed_attention(c: Config, p: Place) -> Iterable[Row]:
    """Multi-head attention with norms over all queries and all keys together."""
    below = p.at("self_attn")
    yield from Attention(bias="attention_bias", cached=False, causal=False)(c, below)
    for name in ("q_norm", "k_norm"):
        yield from rms(name)(c, below)


def refuse_grouped(c: Config) -> str | None:
    return None if c.kv_heads == c.heads else "num_key_value_heads differs from num_attention_heads"


def older_windows(c: Config) -> Sequence[Any] | None:
    """The window of each layer in older files, 0 for none."""
    windows = c.get("attention_windows")
    if windows is not None and (not isinstance(windows, list) or len(windows) != c.layers):
        raise UnsupportedError(f"{c.model_type}: attention_windows is not a list of a window for each layer")
    return windows


def ultra_kinds(c: Config) -> Sequence[str]:
    """Every third layer sees everything, unless the config says otherwise."""
    if windows := older_windows(c):
        return ["sliding_attention" if window else "full_attention" for window in windows]
    return ["full_attention" if (layer + 1) % 3 == 0 else "sliding_attention" for layer in range(c.layers)]


def read_ultra_window(c: Config) -> int:
    """``sliding_window`` to each side, in older files the first of ``attention_windows``, and the token itself."""
    given = next((window for window in older_windows(c) or () if window), c["sliding_window"])
    return 2 * check_whole(given, f"{c.model_type}: sliding_window", 1) + 1


def ultra_predictions(c: Config, p: Place) -> Iterable[Row]:
    """A bottleneck, and logits."""
    below, width = p.at("head"), c.whole("prediction_head_size", least=1)
    yield from below.linear("linear1", c.hidden, width, "head")
    yield from below.linear("linear2", width, c.hidden, "head")
    yield from LmHead("decoder")(c, below)


ESMC_LM = at("lm_head", Dense("dense"), layer_norm("layer_norm"), LmHead("decoder", bias=True, tie_of=lambda c: False))

JINA_LM = at("lm_head", Dense("dense"), layer_norm("layer_norm"), TiedDecoder("decoder", "bias"))
NOMIC_LM = at(
    "cls.predictions", Dense("transform.dense"), layer_norm("transform.layer_norm"), TiedDecoder("decoder", "bias")
)
POOLED = ("ForSequenceClassification",)

register(
    encoder(
        "esmc",
        "ESM",
        (
            Embedding(),
            stack(
                "layers",
                normed_attention,
                at("mlp", GatedMlp(bias="mlp_bias")),
                layer_norm("input_layernorm"),
                layer_norm("post_attention_layernorm"),
            ),
            layer_norm("norm", bias=False),
        ),
        encoder_heads(
            "Esmc",
            "esmc",
            {
                "Model": (),
                "ForMaskedLM": (ESMC_LM,),
                "ForSequenceClassification": (CLASSIFIER,),
                "ForTokenClassification": (LabelHead("score", bias=True),),
            },
        ),
        dims={},
        position="rope",
        embedding="embed_tokens.weight",
        supported=refuse_grouped,
        example="biohub/ESMC-6B",
        about="An encoder of proteins with Llama's MLPs and norms on queries and keys.",
    ),
    encoder(
        "ultrabert",
        "UltraBERT",
        (
            Embedding(),
            stack(
                "layers",
                at(
                    "self_attn",
                    Attention(bias="attention_bias", kinds=layer_types(ultra_kinds), cached=False, causal=False),
                ),
                at("mlp", GatedMlp(bias="mlp_bias")),
                *PRE_NORMS,
            ),
            rms("norm"),
        ),
        encoder_heads(
            "Ultrabert",
            "model",
            {
                "Model": (),
                "ForMaskedLM": (ultra_predictions,),
                "ForSequenceClassification": (LABELS,),
                "ForTokenClassification": (LABELS,),
                "ForQuestionAnswering": (LabelHead("qa_outputs", bias=True, outputs=2),),
            },
        ),
        dims={"window": read_ultra_window},
        position="rope",
        embedding="embed_tokens.weight",
        norm="rmsnorm",
        about="Llama's layers as an encoder, two of three of which see a window alone.",
        example="",
    ),
    encoder(
        "eurobert",
        "EuroBERT",
        (
            Embedding(),
            stack("layers", attend("attention_bias"), at("mlp", GatedMlp(bias="mlp_bias")), *PRE_NORMS),
            rms("norm"),
        ),
        encoder_heads(
            "EuroBert",
            "model",
            {
                "Model": (),
                "ForMaskedLM": (LmHead(bias="mlp_bias"),),
                "ForSequenceClassification": (Dense("dense"), LABELS),
                "ForTokenClassification": (LABELS,),
            },
        ),
        dims={},
        position="rope",
        embedding="embed_tokens.weight",
        norm="rmsnorm",
        example="EuroBERT/EuroBERT-210m",
        about="Llama's layers as an encoder, for European languages.",
    ),
    encoder(
        "nomic_bert",
        "Nomic BERT",
        (EMBEDDINGS, stack("layers", attend(False), at("mlp", GatedMlp()), *POST_NORMS)),
        encoder_heads(
            "NomicBert",
            "nomic_bert",
            {
                "Model": (),
                "ForMaskedLM": (NOMIC_LM,),
                "ForSequenceClassification": (LABELS,),
                "ForTokenClassification": (LABELS,),
            },
            POOLED,
        ),
        dims={**ROTARY_DIMS, "head_dim": read_head_dim, "tied": lambda c: bool(c.get("tie_word_embeddings", True))},
        position="rope",
        example="nomic-ai/nomic-embed-text-v1.5",
        about="BERT with rotary positions, SwiGLU and no biases.",
    ),
    encoder(
        "gte",
        "GTE",
        (EMBEDDINGS, stack("layers", attend(True), at("mlp", biased_below), *POST_NORMS)),
        encoder_heads(
            "Gte",
            "gte",
            {
                "Model": (),
                "ForMaskedLM": (gte_lm,),
                "ForSequenceClassification": (LABELS,),
                "ForTokenClassification": (LABELS,),
            },
            POOLED,
        ),
        dims=ROTARY_DIMS,
        position="rope",
        example="Alibaba-NLP/gte-multilingual-base",
        about="BERT with rotary positions and GeGLU.",
    ),
    encoder(
        "jina_embeddings_v3",
        "Jina",
        (EMBEDDINGS, stack("layers", attend(True), at("mlp", Mlp()), *POST_NORMS)),
        encoder_heads(
            "JinaEmbeddingsV3",
            "roberta",
            {
                "Model": (),
                "ForMaskedLM": (JINA_LM,),
                "ForSequenceClassification": (CLASSIFIER,),
                "ForTokenClassification": (LABELS,),
                "ForQuestionAnswering": (QUESTIONS,),
            },
            ("Model",),
            POOLER,
        ),
        dims=ROTARY_DIMS,
        position="rope",
        example="jinaai/jina-embeddings-v3",
        about="XLM-RoBERTa with rotary positions, its adapters for five tasks merged or left out.",
    ),
)
