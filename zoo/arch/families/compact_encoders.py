"""Encoders made smaller or faster: bottlenecks, grouped matrices, a convolution for half the heads; and XLM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole, divide
from zoo.arch.families.bert import (
    BERT_DIMS,
    BERT_LAYER,
    LABELS,
    NEXT_SENTENCE,
    PREDICTIONS,
    QUESTIONS,
    Dense,
    TiedDecoder,
    bert_embeddings,
)
from zoo.arch.families.bert_kin import BERT_POOLED, CLASSIFIER, OUTPUT_NORM, TASKS, Tasks, encoder, encoder_heads
from zoo.arch.families.electra import GENERATOR, project_embeddings, summarise_sequence
from zoo.arch.families.encoder_variants import attend_everywhere
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


@dataclass(frozen=True)
class Grouped:
    """A convolution over single tokens in groups of channels: weight [outputs, inputs / groups, 1] and a bias."""

    name: str
    groups: str
    inputs: str = "hidden"
    outputs: str = "hidden"
    part: str = "attention"

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        groups, inputs, outputs = c.whole(self.groups, least=1), c.dim(self.inputs), c.dim(self.outputs)
        if inputs % groups or outputs % groups:
            raise UnsupportedError(f"{c.model_type}: {self.groups} {groups} does not divide {inputs} and {outputs}")
        yield p.tensor(f"{self.name}.weight", (outputs, inputs // groups, 1), self.part)
        yield p.tensor(f"{self.name}.bias", (outputs,), self.part, "vector")


def see_all(c: Config, p: Place) -> Iterable[Row]:
    yield attend_everywhere(c, p)


def refuse_narrow_embeddings(c: Config) -> str | None:
    """SqueezeBERT adds no projection between embeddings and layers."""
    return None if c.whole("embedding_size") == c.hidden else "embedding_size differs from hidden_size"


def bottleneck(c: Config) -> int:
    """The width inside a layer of MobileBERT."""
    return c.whole("intra_bottleneck_size", least=1) if c.flag("use_bottleneck") else int(c.hidden)


def narrow(p: Place, name: str, inputs: int, outputs: int, part: str = "mlp") -> Iterable[Row]:
    """A dense layer and the gain and shift (or layer norm) after it."""
    yield from p.linear(f"{name}.dense", inputs, outputs, part, True)
    yield from p.vector(f"{name}.LayerNorm", outputs, "norm", True)


def mobile_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """Narrow word embeddings, three neighbours of which are projected together."""
    below, width = p.at("embeddings"), c.embedding_width
    yield below.table("word_embeddings", c.vocab, width)
    yield below.table("position_embeddings", c.positions, c.hidden, "position")
    yield below.table("token_type_embeddings", c.token_types, c.hidden)
    yield from below.linear(
        "embedding_transformation", width * (3 if c.flag("trigram_input") else 1), c.hidden, "embedding", True
    )
    yield from layer_norm("LayerNorm")(c, below)


def mobile_layer(c: Config, p: Place) -> Iterable[Row]:
    """Attention and several feed-forward networks inside a bottleneck."""
    inner = bottleneck(c)
    value = inner if c.flag("use_bottleneck_attention") else c.hidden
    for name, inputs in (("query", inner), ("key", inner), ("value", value)):
        yield from p.linear(f"attention.self.{name}", inputs, c.heads * c.head_dim, "attention", True)
    yield from narrow(p, "attention.output", inner, inner, "attention")
    yield attend_everywhere(c, p)
    yield from p.linear("intermediate.dense", inner, c.ffn, "mlp", True)
    yield from narrow(p, "output", c.ffn, inner)
    if c.flag("use_bottleneck"):
        yield from narrow(p, "output.bottleneck", inner, c.hidden)
        yield from narrow(p, "bottleneck.input", c.hidden, inner)
        if c.flag("key_query_shared_bottleneck"):
            yield from narrow(p, "bottleneck.attention", c.hidden, inner)
    for network in range(c.whole("num_feedforward_networks", least=1) - 1):
        yield from p.linear(f"ffn.{network}.intermediate.dense", inner, c.ffn, "mlp", True)
        yield from narrow(p, f"ffn.{network}.output", c.ffn, inner)


def mobile_head_dim(c: Config) -> int:
    if bottleneck(c) % c.heads:
        raise UnsupportedError(f"{c.model_type}: the width in the layers is not a multiple of its {c.heads} heads")
    return bottleneck(c) // int(c.heads)


def mobile_predictions(c: Config, p: Place) -> Iterable[Row]:
    """The word embeddings and, beside them, what they are too narrow for."""
    below = p.at("cls.predictions")
    yield from Dense("transform.dense")(c, below)
    yield from layer_norm("transform.LayerNorm")(c, below)
    if c.embedding_width > c.hidden:
        raise UnsupportedError(f"{c.model_type}: embedding_size is greater than hidden_size")
    yield below.tensor("dense.weight", (c.hidden - c.embedding_width, c.vocab), "head")
    yield from TiedDecoder("decoder", "bias", "embedding_width")(c, below)


def grouped_linear(c: Config, p: Place, name: str, inputs: int, outputs: int) -> Iterable[Row]:
    """A dense layer, or ``num_groups`` small ones side by side: weight [groups, inputs/groups, outputs/groups]."""
    groups = c.whole("num_groups", least=1)
    if groups == 1:
        yield from p.linear(name, inputs, outputs, "mlp", True)
        return
    if inputs % groups or outputs % groups:
        raise UnsupportedError(f"{c.model_type}: num_groups {groups} does not divide {inputs} and {outputs}")
    yield p.tensor(f"{name}.weight", (groups, inputs // groups, outputs // groups), "mlp")
    yield p.tensor(f"{name}.bias", (outputs,), "mlp", "vector")


def mixed_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention for half of the width, and for the other half a convolution whose kernel each token makes."""
    width, kernel = c.heads * c.head_dim, c.whole("conv_kernel_size", least=1)
    below = p.at("attention.self")
    for name in ("query", "key", "value"):
        yield from below.linear(name, c.hidden, width, "attention", True)
    yield below.tensor("key_conv_attn_layer.bias", (width, 1), "attention", "vector")
    yield below.tensor("key_conv_attn_layer.depthwise.weight", (c.hidden, 1, kernel), "attention", "conv")
    yield below.tensor("key_conv_attn_layer.pointwise.weight", (width, c.hidden, 1), "attention")
    yield from below.linear("conv_kernel_layer", width, c.heads * kernel, "attention", True)
    yield from below.linear("conv_out_layer", c.hidden, width, "attention", True)
    yield from p.linear("attention.output.dense", c.hidden, c.hidden, "attention", True)
    yield from layer_norm("attention.output.LayerNorm")(c, p)
    flops = 4 * width
    yield p.state(
        "full", flops_per_pos=flops, decode_flops_per_pos=flops, flops_per_token=2 * width * kernel, causal=False
    )
    yield from grouped_linear(c, p, "intermediate.dense", c.hidden, c.ffn)
    yield from grouped_linear(c, p, "output.dense", c.ffn, c.hidden)


def conv_heads(c: Config) -> int:
    """Heads that remain for attention: one in ``head_ratio``."""
    heads = c.whole("num_attention_heads", least=1)
    return max(1, divide(c, heads, c.whole("head_ratio"), "head_ratio"))


def half_head(c: Config) -> int:
    if c.hidden % c.heads or c.hidden // c.heads % 2:
        raise UnsupportedError(f"{c.model_type}: hidden size {c.hidden} is not twice a multiple of its {c.heads} heads")
    return int(c.hidden // c.heads // 2)


def bare_norm(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("weight", (c.hidden,), "norm", "vector")
    yield p.tensor("bias", (c.hidden,), "norm", "vector")


def language_table(c: Config, p: Place) -> Iterable[Row]:
    """An embedding of the language, where there are several."""
    languages = c.whole("n_langs")
    if languages > 1 and c.flag("use_lang_emb"):
        yield p.table("lang_embeddings", languages, c.hidden)


def xlm_predictions(c: Config, p: Place) -> Iterable[Row]:
    if c.flag("asm"):
        raise UnsupportedError(f"{c.model_type}: an adaptive softmax is not followed")
    yield p.tensor("pred_layer.proj.weight", (c.vocab, c.hidden), "head", tied_to=p.embedding if c.tied else None)
    yield p.tensor("pred_layer.proj.bias", (c.vocab,), "head", "vector")


def choose_answer(c: Config, p: Place) -> Iterable[Row]:
    """Start and end of an answer, the end given the start, and whether there is an answer."""
    below, wide = p.at("qa_outputs"), 2 * c.hidden
    yield from below.linear("start_logits.dense", c.hidden, 1, "head", True)
    yield from below.linear("end_logits.dense_0", wide, c.hidden, "head", True)
    yield from layer_norm("end_logits.LayerNorm")(c, below)
    yield from below.linear("end_logits.dense_1", c.hidden, 1, "head", True)
    yield from below.linear("answer_class.dense_0", wide, c.hidden, "head", True)
    yield from below.linear("answer_class.dense_1", c.hidden, 1, "head")


def score_choice(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("logits_proj", c.labels, 1, "head", True)


def refuse_decoder(c: Config) -> str | None:
    return None if c.flag("is_encoder") else "is_encoder is false, which the class refuses"


def refuse_convolved_decoder(c: Config) -> str | None:
    return "is_decoder and add_cross_attention are not followed" if c.flag("is_decoder") else None


XLM_BODY = (
    Embedding("position_embeddings", "positions", part="position"),
    language_table,
    Embedding("embeddings"),
    layer_norm("layer_norm_emb"),
    stack("attentions", Attention(("q_lin", "k_lin", "v_lin", "out_lin"), bias=True, cached=False, causal=False)),
    stack("layer_norm1", bare_norm),
    stack("ffns", Mlp(("lin1", "lin2"))),
    stack("layer_norm2", bare_norm),
)
XLM_TASKS: Tasks = {
    "Model": (),
    "WithLMHeadModel": (xlm_predictions,),
    "ForSequenceClassification": (summarise_sequence,),
    "ForMultipleChoice": (summarise_sequence, score_choice),
    "ForTokenClassification": (LabelHead("classifier", bias=True),),
    "ForQuestionAnsweringSimple": (QUESTIONS,),
    "ForQuestionAnswering": (choose_answer,),
}
XLM_DIMS: dict[str, Dim] = {**MULTI_HEAD, "ffn": lambda c: 4 * c.hidden, "positions": "max_position_embeddings"}


def table_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """Words, positions, and a table for each thing to know of a cell: its column, row, rank and so on."""
    below, sizes = p.at("embeddings"), c["type_vocab_sizes"]
    if not isinstance(sizes, list | tuple):
        raise UnsupportedError(f"{c.model_type}: type_vocab_sizes is not a list")
    yield below.table("word_embeddings", c.vocab, c.hidden)
    yield below.table("position_embeddings", c.positions, c.hidden, "position")
    for number, size in enumerate(sizes):
        rows = check_whole(size, f"{c.model_type}: type_vocab_sizes", 1)
        yield below.table(f"token_type_embeddings_{number}", rows, c.hidden)
    yield from layer_norm("LayerNorm")(c, below)


def select_cells(c: Config, p: Place) -> Iterable[Row]:
    """Scores of cells and of columns, and of the ways to aggregate cells where there are some."""
    for name in ("output_weights", "column_output_weights"):
        yield p.tensor(name, (c.hidden,), "head", "vector")
    for name in ("output_bias", "column_output_bias"):
        yield p.tensor(name, (), "head", "vector")
    if labels := c.whole("num_aggregation_labels"):
        yield from p.linear("aggregation_classifier", c.hidden, labels, "head", True)


register(
    encoder(
        "tapas",
        "TAPAS",
        (table_embeddings, stack("encoder.layer", *BERT_LAYER)),
        encoder_heads(
            "Tapas",
            "tapas",
            {
                "Model": (),
                "ForMaskedLM": (PREDICTIONS,),
                "ForSequenceClassification": (LABELS,),
                "ForQuestionAnswering": (select_cells,),
            },
            ("Model", "ForSequenceClassification", "ForQuestionAnswering"),
        ),
        example="google/tapas-base-finetuned-wtq",
        about="BERT that reads a table: each word knows its column, its row and the rank of its number.",
    ),
    encoder(
        "squeezebert",
        "BERT",
        (
            bert_embeddings(),
            stack(
                "encoder.layers",
                Grouped("attention.query", "q_groups"),
                Grouped("attention.key", "k_groups"),
                Grouped("attention.value", "v_groups"),
                see_all,
                Grouped("post_attention.conv1d", "post_attention_groups"),
                layer_norm("post_attention.layernorm"),
                Grouped("intermediate.conv1d", "intermediate_groups", outputs="ffn", part="mlp"),
                Grouped("output.conv1d", "output_groups", "ffn", part="mlp"),
                layer_norm("output.layernorm"),
            ),
        ),
        encoder_heads("SqueezeBert", "transformer", TASKS, TASKS),
        supported=refuse_narrow_embeddings,
        example="squeezebert/squeezebert-uncased",
        about="BERT with its matrices split into groups of channels.",
    ),
    encoder(
        "mobilebert",
        "BERT",
        (mobile_embeddings, stack("encoder.layer", mobile_layer)),
        encoder_heads(
            "MobileBert",
            "mobilebert",
            {
                **TASKS,
                "ForMaskedLM": (mobile_predictions,),
                "ForPreTraining": (mobile_predictions, NEXT_SENTENCE),
                "ForNextSentencePrediction": (NEXT_SENTENCE,),
            },
            BERT_POOLED,
            when("classifier_activation", Dense("pooler.dense", "other")),
        ),
        dims={**BERT_DIMS, "embedding_width": "embedding_size", "head_dim": mobile_head_dim},
        example="google/mobilebert-uncased",
        about="A deep BERT of narrow layers, each inside a bottleneck, with several feed-forward networks.",
    ),
    encoder(
        "convbert",
        "ConvBERT",
        (
            bert_embeddings("embedding_width"),
            project_embeddings,
            stack("encoder.layer", mixed_attention, OUTPUT_NORM),
        ),
        encoder_heads(
            "ConvBert",
            "convbert",
            {**TASKS, "ForMaskedLM": GENERATOR, "ForSequenceClassification": (CLASSIFIER,)},
        ),
        dims={
            **BERT_DIMS,
            "embedding_width": "embedding_size",
            "heads": conv_heads,
            "kv_heads": conv_heads,
            "head_dim": half_head,
        },
        supported=refuse_convolved_decoder,
        example="YituTech/conv-bert-base",
        about="Half of the heads give way to convolutions whose kernels each token makes for itself.",
    ),
    encoder(
        "xlm",
        "XLM",
        XLM_BODY,
        encoder_heads("XLM", "transformer", XLM_TASKS),
        dims=XLM_DIMS,
        supported=refuse_decoder,
        embedding="embeddings.weight",
        example="FacebookAI/xlm-mlm-en-2048",
        about="An encoder with learned positions and an embedding of the language.",
    ),
    encoder(
        "flaubert",
        "XLM",
        XLM_BODY,
        encoder_heads("Flaubert", "transformer", XLM_TASKS),
        dims=XLM_DIMS,
        supported=refuse_decoder,
        embedding="embeddings.weight",
        example="flaubert/flaubert_base_cased",
        about="XLM for French, with norms before the blocks in the large model.",
    ),
)
