"""BERT's layers under other names, with other embeddings, other places of the norms, or adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import Config, Dim, UnsupportedError, divide
from zoo.arch.families.bert import (
    BERT_DIMS,
    BERT_LAYER,
    CHOICES,
    CROSS_ATTENTION,
    LABELS,
    NEXT_SENTENCE,
    PREDICTIONS,
    PROJECTIONS,
    QUESTIONS,
    SELF_ATTENTION,
    Dense,
    TiedDecoder,
    attends_across,
    bert_embeddings,
    roberta,
)
from zoo.arch.heads import Embedding, LabelHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

#: What follows the prefix in the name of a class, and what that class adds to the base model.
Tasks = Mapping[str, tuple[Block, ...]]

POOLER = Dense("pooler.dense", "other")
ROBERTA_LM = at("lm_head", Dense("dense"), layer_norm("layer_norm"), TiedDecoder("decoder", "bias"))
CLASSIFIER = at("classifier", Dense("dense"), LabelHead("out_proj", bias=True))

TASKS: Tasks = {
    "Model": (),
    "ForMaskedLM": (PREDICTIONS,),
    "ForSequenceClassification": (LABELS,),
    "ForMultipleChoice": (CHOICES,),
    "ForTokenClassification": (LABELS,),
    "ForQuestionAnswering": (QUESTIONS,),
}
BERT_TASKS: Tasks = {**TASKS, "ForCausalLM": (PREDICTIONS,)}
#: With the task of the next sentence, as BERT itself.
PAIR_TASKS: Tasks = {
    **BERT_TASKS,
    "ForPreTraining": (PREDICTIONS, NEXT_SENTENCE),
    "ForNextSentencePrediction": (NEXT_SENTENCE,),
}
ROBERTA_TASKS: Tasks = {
    **TASKS,
    "ForMaskedLM": (ROBERTA_LM,),
    "ForCausalLM": (ROBERTA_LM,),
    "ForSequenceClassification": (CLASSIFIER,),
}

BERT_POOLED = ("Model", "ForPreTraining", "ForNextSentencePrediction", "ForSequenceClassification", "ForMultipleChoice")
ROBERTA_POOLED = ("Model", "ForMultipleChoice")


def encoder_heads(
    prefix: str, base: str, tasks: Tasks, pooled: Iterable[str] = (), pooler: Block = POOLER
) -> dict[str, Head]:
    """One class for each task: the base model at ``base``, with its pooler in those ``pooled``."""
    heads = {}
    for task, blocks in tasks.items():
        place = "" if task == "Model" else base
        kept = (at(place, pooler),) if task in pooled else ()
        heads[prefix + task] = Head(f"{place}." if place else "", (*kept, *blocks))
    return heads


def encoder(
    model_type: str,
    family: str,
    blocks: tuple[Block, ...],
    heads: Mapping[str, Head],
    *,
    example: str,
    about: str,
    dims: Mapping[str, Dim] = BERT_DIMS,
    norm: str = "layernorm",
    position: str = "learned",
    embedding: str = "embeddings.word_embeddings.weight",
    supported: Callable[[Config], str | None] | None = None,
) -> Architecture:
    """An encoder whose natural class predicts masked words."""
    return Architecture(
        model_type,
        family,
        At("", blocks),
        heads,
        natural=next(name for name in heads if name.endswith(("ForMaskedLM", "WithLMHeadModel"))),
        dims=dims,
        norm=norm,
        position=position,
        embedding=embedding,
        example=example,
        about=about,
        supported=supported,
    )


LAYERS = stack("encoder.layer", *BERT_LAYER)
#: The same for types that can only be encoders.
BIDIRECTIONAL = Attention(PROJECTIONS, bias=True, cached=False, causal=False)
FEED_FORWARD = Mlp(("intermediate.dense", "output.dense"))
OUTPUT_NORM = layer_norm("output.LayerNorm")


def encoder_layers(*attention: Block) -> Block:
    """Layers with a norm after each of their blocks, around any ``attention``."""
    return stack("encoder.layer", at("attention", *attention, OUTPUT_NORM), FEED_FORWARD, OUTPUT_NORM)


def task_types(c: Config, p: Place) -> Iterable[Row]:
    """A table of the tasks that a text may be for, where the config asks for one."""
    if c.flag("use_task_id"):
        yield p.table("embeddings.task_type_embeddings", c.whole("task_type_vocab_size"), c.hidden)


def bare_embeddings(*more: Block) -> At:
    """Words, positions and token types without a norm."""
    return at(
        "embeddings",
        Embedding("word_embeddings"),
        Embedding("position_embeddings", "positions", part="position"),
        Embedding("token_type_embeddings", "token_types"),
        *more,
    )


def pre_norm_layer(attention: tuple[Block, ...], *rest: Block) -> tuple[Block, ...]:
    """A layer with norms before its blocks: self-attention, cross-attention where there is one, and the rest."""
    across = at("crossattention", CrossAttention(PROJECTIONS, bias=True), *attention)
    return (at("attention", SELF_ATTENTION, *attention), when(attends_across, across), *rest)


MEGATRON_LAYER = pre_norm_layer((layer_norm("ln"),), layer_norm("ln"), FEED_FORWARD)
XL_LAYER = pre_norm_layer((layer_norm("self_attn_layer_norm"),), FEED_FORWARD, layer_norm("LayerNorm"))
PRE_LAYER = pre_norm_layer((layer_norm("LayerNorm"),), layer_norm("intermediate.LayerNorm"), FEED_FORWARD)


def widen_embeddings(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("encoder.embedding_hidden_mapping_in", c.embedding_width, c.hidden, "embedding", True)


def rembert_predictions(c: Config, p: Place) -> Iterable[Row]:
    """Logits from a width of their own, wider than both the layers and the embeddings; never tied to these."""
    below, width = p.at("cls.predictions"), c.whole("output_embedding_size", least=1)
    yield from below.linear("dense", c.hidden, width, "head", True)
    yield from layer_norm("LayerNorm", lambda c: width)(c, below)
    yield from below.linear("decoder", width, c.vocab, "head", True)


def language_adapters(c: Config, p: Place) -> Iterable[Row]:
    """A bottleneck for each language, of which a text passes through one."""
    width = divide(c, c.hidden, c.whole("adapter_reduction_factor"), "adapter_reduction_factor")
    if c.flag("adapter_layer_norm"):
        yield from layer_norm("adapter_layer_norm")(c, p)
    languages = dict.fromkeys(c.words("languages"))
    for language in languages:
        if not language.isidentifier():
            raise UnsupportedError(f"{c.model_type}: {language!r:.40} is not the name of a language")
        below = p.at(f"adapter_modules.{language}")
        for row in (
            *below.linear("dense1", c.hidden, width, "mlp", True),
            *below.linear("dense2", width, c.hidden, "mlp", True),
        ):
            yield row._replace(of=len(languages))


def final_norm(c: Config, p: Place) -> Iterable[Row]:
    """The norm after the last layer, where norms stand before the blocks."""
    if c.flag("pre_norm"):
        yield from layer_norm("encoder.LayerNorm")(c, p)


def glyph_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """How a character sounds and looks, and the projection of all three together."""
    sound, shape = c.whole("pronunciation_embed_dim"), c.whole("shape_embed_dim")
    below = p.at("embeddings")
    yield below.table("pronunciation_embed", c.whole("pronunciation_vocab_size"), sound)
    yield below.table("shape_embed", c.whole("shape_vocab_size"), shape)
    if c.flag("concat_input"):
        width = c.hidden + sound * c.flag("enable_pronunciation") + shape * c.flag("enable_shape")
        yield from below.linear("map_inputs_layer", width, c.hidden, "embedding", True)


def box_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """Where a word stands on the page, and how wide and high it is."""
    for axis in "xyhw":
        rows = c.whole("max_2d_position_embeddings")
        yield p.table(f"embeddings.{axis}_position_embeddings", rows, c.hidden, "position")


register(
    roberta(
        "camembert",
        "Camembert",
        example="almanach/camembert-base",
        about="RoBERTa for French.",
    ),
    encoder(
        "ernie",
        "ERNIE",
        (bert_embeddings(), task_types, LAYERS),
        encoder_heads("Ernie", "ernie", PAIR_TASKS, BERT_POOLED),
        example="nghuyong/ernie-3.0-base-zh",
        about="BERT's layers, with an embedding of the task in some models.",
    ),
    encoder(
        "megatron-bert",
        "BERT",
        (bare_embeddings(), stack("encoder.layer", *MEGATRON_LAYER), layer_norm("encoder.ln")),
        encoder_heads("MegatronBert", "bert", PAIR_TASKS, BERT_POOLED),
        example="nvidia/megatron-bert-uncased-345m",
        about="BERT with norms before the blocks and one after the last layer.",
    ),
    encoder(
        "rembert",
        "RemBERT",
        (bert_embeddings("embedding_width"), widen_embeddings, LAYERS),
        encoder_heads(
            "RemBert",
            "rembert",
            {**BERT_TASKS, "ForMaskedLM": (rembert_predictions,), "ForCausalLM": (rembert_predictions,)},
            BERT_POOLED,
        ),
        dims={**BERT_DIMS, "embedding_width": "input_embedding_size"},
        example="google/rembert",
        about="Narrow input embeddings and wide output embeddings, which are not tied, around BERT's layers.",
    ),
    encoder(
        "xlm-roberta-xl",
        "RoBERTa",
        (bare_embeddings(), stack("encoder.layer", *XL_LAYER), layer_norm("encoder.LayerNorm")),
        encoder_heads("XLMRobertaXL", "roberta", ROBERTA_TASKS, ROBERTA_POOLED),
        example="facebook/xlm-roberta-xl",
        about="XLM-RoBERTa with norms before the blocks, in sizes of 3.5 and 10.7 billion parameters.",
    ),
    encoder(
        "xmod",
        "RoBERTa",
        (
            bert_embeddings(),
            stack(
                "encoder.layer",
                at("attention", SELF_ATTENTION, OUTPUT_NORM),
                when(attends_across, CROSS_ATTENTION),
                FEED_FORWARD,
                OUTPUT_NORM,
                at("output", language_adapters),
            ),
            final_norm,
        ),
        encoder_heads("Xmod", "roberta", ROBERTA_TASKS, ROBERTA_POOLED),
        example="facebook/xmod-base",
        about="XLM-RoBERTa with an adapter for each language in every layer, of which a text uses one.",
    ),
    encoder(
        "data2vec-text",
        "RoBERTa",
        (bert_embeddings(), LAYERS),
        encoder_heads("Data2VecText", "data2vec_text", ROBERTA_TASKS, ROBERTA_POOLED),
        example="facebook/data2vec-text-base",
        about="RoBERTa, trained to predict what a teacher makes of the whole text.",
    ),
    encoder(
        "roberta-prelayernorm",
        "RoBERTa",
        (bert_embeddings(), stack("encoder.layer", *PRE_LAYER), layer_norm("LayerNorm")),
        encoder_heads("RobertaPreLayerNorm", "roberta_prelayernorm", ROBERTA_TASKS, ROBERTA_POOLED),
        example="andreasmadsen/efficient_mlm_m0.40",
        about="RoBERTa with norms before the blocks and one after the last layer.",
    ),
    encoder(
        "roc_bert",
        "BERT",
        (bert_embeddings(), glyph_embeddings, LAYERS),
        encoder_heads("RoCBert", "roc_bert", {**BERT_TASKS, "ForPreTraining": (PREDICTIONS,)}, BERT_POOLED),
        example="weiweishi/roc-bert-base-zh",
        about="BERT for Chinese, which also embeds how a character sounds and looks.",
    ),
    encoder(
        "layoutlm",
        "LayoutLM",
        (bert_embeddings(), box_embeddings, encoder_layers(BIDIRECTIONAL)),
        encoder_heads(
            "LayoutLM",
            "layoutlm",
            {task: blocks for task, blocks in TASKS.items() if task != "ForMultipleChoice"},
            TASKS,
        ),
        example="microsoft/layoutlm-base-uncased",
        about="BERT that embeds where on the page a word stands.",
    ),
)
