"""Encoders of Llama's parts, for embeddings above all: EuroBERT, Nomic BERT, GTE, Jina Embeddings 3."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, read_head_dim
from zoo.arch.families.bert import LABELS, QUESTIONS, Dense, TiedDecoder
from zoo.arch.families.bert_kin import CLASSIFIER, POOLER, encoder, encoder_heads
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import at, stack
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


JINA_LM = at("lm_head", Dense("dense"), layer_norm("layer_norm"), TiedDecoder("decoder", "bias"))
NOMIC_LM = at(
    "cls.predictions", Dense("transform.dense"), layer_norm("transform.layer_norm"), TiedDecoder("decoder", "bias")
)
POOLED = ("ForSequenceClassification",)

register(
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
