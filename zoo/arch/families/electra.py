"""Small kin of BERT: ELECTRA with embeddings of their own width, DistilBERT with half the layers."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config
from zoo.arch.families.bert import (
    BERT_DIMS,
    BERT_LAYER,
    CHOICES,
    LABELS,
    QUESTIONS,
    Dense,
    TiedDecoder,
    bert_embeddings,
)
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def project_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """From the width of the embeddings to that of the layers, where they differ."""
    if c.embedding_width != c.hidden:
        yield from p.linear("embeddings_project", c.embedding_width, c.hidden, "embedding", True)


def summarise_sequence(c: Config, p: Place) -> Iterable[Row]:
    """The projection that stands before a multiple choice, where the config asks for one."""
    if c["summary_use_proj"]:
        outputs = c.labels if c.get("summary_proj_to_labels") and c.labels else c.hidden
        yield from p.linear("sequence_summary.summary", c.hidden, outputs, "head", True)


GENERATOR = (
    at("generator_predictions", layer_norm("LayerNorm", "embedding_width"), Dense("dense", outputs="embedding_width")),
    TiedDecoder("generator_lm_head", width="embedding_width"),
)
DISCRIMINATOR = at("discriminator_predictions", Dense("dense"), LabelHead("dense_prediction", bias=True, outputs=1))

register(
    Architecture(
        "electra",
        "ELECTRA",
        At("", (bert_embeddings("embedding_width"), project_embeddings, stack("encoder.layer", *BERT_LAYER))),
        heads={
            "ElectraModel": Head(),
            "ElectraForPreTraining": Head("electra.", (DISCRIMINATOR,)),
            "ElectraForMaskedLM": Head("electra.", GENERATOR),
            "ElectraForCausalLM": Head("electra.", GENERATOR),
            "ElectraForSequenceClassification": Head(
                "electra.", (at("classifier", Dense("dense"), LabelHead("out_proj", bias=True)),)
            ),
            "ElectraForMultipleChoice": Head("electra.", (summarise_sequence, CHOICES)),
            "ElectraForTokenClassification": Head("electra.", (LABELS,)),
            "ElectraForQuestionAnswering": Head("electra.", (QUESTIONS,)),
        },
        natural="ElectraForMaskedLM",
        dims=BERT_DIMS | {"embedding_width": "embedding_size"},
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        example="google/electra-base-discriminator",
        about="BERT's layers, trained to tell replaced tokens; embeddings may be narrower than the layers.",
    )
)

DISTIL_ATTENTION = Attention(("q_lin", "k_lin", "v_lin", "out_lin"), bias=True, cached=False, causal=False)

register(
    Architecture(
        "distilbert",
        "BERT",
        At(
            "",
            (
                at(
                    "embeddings",
                    Embedding("word_embeddings"),
                    Embedding("position_embeddings", "positions", part="position"),
                    layer_norm("LayerNorm"),
                ),
                stack(
                    "transformer.layer",
                    at("attention", DISTIL_ATTENTION),
                    layer_norm("sa_layer_norm"),
                    at("ffn", Mlp(("lin1", "lin2"))),
                    layer_norm("output_layer_norm"),
                ),
            ),
        ),
        heads={
            "DistilBertModel": Head(),
            "DistilBertForMaskedLM": Head(
                "distilbert.",
                (Dense("vocab_transform"), layer_norm("vocab_layer_norm"), TiedDecoder("vocab_projector")),
            ),
            "DistilBertForSequenceClassification": Head("distilbert.", (Dense("pre_classifier"), LABELS)),
            "DistilBertForMultipleChoice": Head("distilbert.", (Dense("pre_classifier"), CHOICES)),
            "DistilBertForTokenClassification": Head("distilbert.", (LABELS,)),
            "DistilBertForQuestionAnswering": Head("distilbert.", (LabelHead("qa_outputs", bias=True),)),
        },
        natural="DistilBertForMaskedLM",
        dims={
            **MULTI_HEAD,
            "ffn": "hidden_dim",
            "positions": "max_position_embeddings",
            "activation": lambda c: c.get("activation"),
        },
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        example="distilbert/distilbert-base-uncased",
        about="BERT's layers at half the depth, without token types and without a pooler.",
    )
)
