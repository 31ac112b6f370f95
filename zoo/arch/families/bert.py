"""BERT and its kin: encoders with learned positions and a norm after each block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

BERT_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "positions": "max_position_embeddings",
    "token_types": "type_vocab_size",
    "embedding_width": lambda c: c.hidden,
}


def attends_across(c: Config) -> bool:
    """Whether a decoder's layers attend to an encoder too; an encoder that says so is one that the class refuses."""
    if c.flag("add_cross_attention") and not c.flag("is_decoder"):
        raise UnsupportedError(f"{c.model_type}: add_cross_attention without is_decoder, which the class refuses")
    return c.flag("add_cross_attention")


PROJECTIONS = ("self.query", "self.key", "self.value", "output.dense")

#: Set to be a decoder, the same layers attend to earlier tokens only and keep a cache.
SELF_ATTENTION = when(
    "is_decoder",
    Attention(PROJECTIONS, bias=True),
    otherwise=(Attention(PROJECTIONS, bias=True, cached=False, causal=False),),
)
CROSS_ATTENTION = at("crossattention", CrossAttention(PROJECTIONS, bias=True), layer_norm("output.LayerNorm"))
BERT_LAYER = (
    at("attention", SELF_ATTENTION, layer_norm("output.LayerNorm")),
    when(attends_across, CROSS_ATTENTION),
    Mlp(("intermediate.dense", "output.dense")),
    layer_norm("output.LayerNorm"),
)


def bert_embeddings(width: str = "hidden") -> At:
    """Words, positions and token types, added and normalised."""
    return at(
        "embeddings",
        Embedding("word_embeddings", width=width),
        Embedding("position_embeddings", "positions", width, "position"),
        Embedding("token_type_embeddings", "token_types", width),
        layer_norm("LayerNorm", width),
    )


@dataclass(frozen=True)
class Dense:
    """A biased square layer [hidden, hidden], or one to the dimension ``outputs``."""

    name: str
    part: str = "head"
    outputs: str = "hidden"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield from p.linear(self.name, c.hidden, c.dim(self.outputs), self.part, True)


@dataclass(frozen=True)
class TiedDecoder:
    """The output projection of a masked language model, tied to the word embeddings, with a bias of its own.

    ``shared_bias`` is the second name under which some classes hold the bias, tied with the first like the weight.
    """

    name: str
    shared_bias: str | None = None
    width: str = "hidden"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        tied = c.dim("tied")
        if self.shared_bias:
            yield p.tensor(self.shared_bias, (c.vocab,), "head", "vector")
        yield p.tensor(
            f"{self.name}.weight", (c.vocab, c.dim(self.width)), "head", tied_to=p.embedding if tied else None
        )
        same = p.prefix + self.shared_bias if tied and self.shared_bias else None
        yield p.tensor(f"{self.name}.bias", (c.vocab,), "head", "vector", tied_to=same)


QUESTIONS = LabelHead("qa_outputs", bias=True)
LABELS = LabelHead("classifier", bias=True)
CHOICES = LabelHead("classifier", bias=True, outputs=1)

PREDICTIONS = at(
    "cls.predictions", Dense("transform.dense"), layer_norm("transform.LayerNorm"), TiedDecoder("decoder", "bias")
)
NEXT_SENTENCE = LabelHead("cls.seq_relationship", bias=True, outputs=2)
BERT_POOLER = Dense("bert.pooler.dense", "other")

register(
    Architecture(
        "bert",
        "BERT",
        At("", (bert_embeddings(), stack("encoder.layer", *BERT_LAYER))),
        heads={
            "BertModel": Head("", (Dense("pooler.dense", "other"),)),
            "BertForMaskedLM": Head("bert.", (PREDICTIONS,)),
            "BertLMHeadModel": Head("bert.", (PREDICTIONS,)),
            "BertForPreTraining": Head("bert.", (BERT_POOLER, PREDICTIONS, NEXT_SENTENCE)),
            "BertForNextSentencePrediction": Head("bert.", (BERT_POOLER, NEXT_SENTENCE)),
            "BertForSequenceClassification": Head("bert.", (BERT_POOLER, LABELS)),
            "BertForMultipleChoice": Head("bert.", (BERT_POOLER, CHOICES)),
            "BertForTokenClassification": Head("bert.", (LABELS,)),
            "BertForQuestionAnswering": Head("bert.", (QUESTIONS,)),
        },
        natural="BertForMaskedLM",
        dims=BERT_DIMS,
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        example="google-bert/bert-base-uncased",
        about="An encoder: every token sees every other; learned positions, GELU, a norm after each block.",
    )
)


def roberta(model_type: str, prefix: str, **about: str) -> Architecture:
    """RoBERTa, or the same under another name: BERT without the task of the next sentence, with its own heads."""
    lm: tuple[Block, ...] = (at("lm_head", Dense("dense"), layer_norm("layer_norm"), TiedDecoder("decoder", "bias")),)
    classifier = at("classifier", Dense("dense"), LabelHead("out_proj", bias=True))
    heads = {
        f"{prefix}Model": Head("", (Dense("pooler.dense", "other"),)),
        f"{prefix}ForMaskedLM": Head("roberta.", lm),
        f"{prefix}ForCausalLM": Head("roberta.", lm),
        f"{prefix}ForSequenceClassification": Head("roberta.", (classifier,)),
        f"{prefix}ForMultipleChoice": Head("roberta.", (Dense("roberta.pooler.dense", "other"), CHOICES)),
        f"{prefix}ForTokenClassification": Head("roberta.", (LABELS,)),
        f"{prefix}ForQuestionAnswering": Head("roberta.", (QUESTIONS,)),
    }
    return Architecture(
        model_type,
        "RoBERTa",
        At("", (bert_embeddings(), stack("encoder.layer", *BERT_LAYER))),
        heads,
        natural=f"{prefix}ForMaskedLM",
        dims=BERT_DIMS,
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        example=about["example"],
        about=about["about"],
    )


register(
    roberta(
        "roberta",
        "Roberta",
        example="FacebookAI/roberta-base",
        about="BERT's layers with a byte-level vocabulary; positions are numbered from 2.",
    ),
    roberta(
        "xlm-roberta",
        "XLMRoberta",
        example="FacebookAI/xlm-roberta-base",
        about="RoBERTa with a vocabulary of 250,002 for a hundred languages, which is most of the small model.",
    ),
)
