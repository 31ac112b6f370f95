"""Later encoders: ALBERT, DeBERTa-v2 and v3, ModernBERT."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.bert import BERT_DIMS, CHOICES, LABELS, QUESTIONS, Dense, TiedDecoder, bert_embeddings
from zoo.arch.families.gpt_kin import MODERN_HEAD, first_is_bare, modern_dense, modern_kinds, modern_norm
from zoo.arch.families.passes import pass_once
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import At, at, by_kind, named_kinds, stack, when
from zoo.arch.mlp import FusedGatedMlp, Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row, Tensor

ALBERT_LAYER: tuple[Block, ...] = (
    at(
        "attention",
        Attention(("query", "key", "value", "dense"), bias=True, cached=False, causal=False),
        layer_norm("LayerNorm"),
    ),
    layer_norm("full_layer_layer_norm"),
    Mlp(("ffn", "ffn_output")),
)


def share_layers(c: Config, p: Place) -> Iterable[Row]:
    """``num_hidden_groups`` groups of layers are stored and stand in for all: the other layers are tied to them."""
    groups, inner = c.whole("num_hidden_groups", least=1), c.whole("inner_group_num", least=1)
    if c.layers < groups:
        raise UnsupportedError(f"{c.model_type}: {groups} groups for {c.layers} layers")
    yield from p.linear("encoder.embedding_hidden_mapping_in", c.embedding_width, c.hidden, "embedding", True)
    place = p._replace(prefix=f"{p.prefix}encoder.albert_layer_groups.{{}}.albert_layers.{{}}.", layers=range(groups))
    for block in ALBERT_LAYER:
        for row in block(c, place):
            if not isinstance(row, Tensor):
                yield row._replace(layers=range(c.layers * inner))
                continue
            yield row._replace(copies=inner)
            if c.layers > groups:
                yield row._replace(layers=None, copies=(c.layers - groups) * inner, tied_to=row.name)


ALBERT_PREDICTIONS = at(
    "predictions",
    layer_norm("LayerNorm", "embedding_width"),
    Dense("dense", outputs="embedding_width"),
    TiedDecoder("decoder", "bias", width="embedding_width"),
)
ALBERT_POOLER = Dense("albert.pooler", "other")

register(
    Architecture(
        "albert",
        "BERT",
        At("", (bert_embeddings("embedding_width"), share_layers)),
        heads={
            "AlbertModel": Head("", (Dense("pooler", "other"),)),
            "AlbertForMaskedLM": Head("albert.", (ALBERT_PREDICTIONS,)),
            "AlbertForPreTraining": Head(
                "albert.", (ALBERT_POOLER, ALBERT_PREDICTIONS, LabelHead("sop_classifier.classifier", bias=True))
            ),
            "AlbertForSequenceClassification": Head("albert.", (ALBERT_POOLER, LABELS)),
            "AlbertForTokenClassification": Head("albert.", (LABELS,)),
            "AlbertForQuestionAnswering": Head("albert.", (QUESTIONS,)),
            "AlbertForMultipleChoice": Head("albert.", (ALBERT_POOLER, CHOICES)),
        },
        natural="AlbertForMaskedLM",
        dims=BERT_DIMS | {"embedding_width": "embedding_size"},
        norm="layernorm",
        position="learned",
        embedding="embeddings.word_embeddings.weight",
        example="albert/albert-base-v2",
        about="One stored layer that is applied again and again, and narrow embeddings: small, not fast.",
    )
)


def has_positions(c: Config) -> bool:
    return bool(c.get("position_biased_input", True))


def is_relative(c: Config) -> bool:
    return bool(c.get("relative_attention", False))


def deberta_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """Words, and positions and token types where the config asks for them."""
    width, below = c.embedding_width, p.at("embeddings")
    yield below.table("word_embeddings", c.vocab, width)
    if has_positions(c):
        yield below.table("position_embeddings", c.whole("max_position_embeddings"), width, "position")
    if c.token_types:
        yield below.table("token_type_embeddings", c.token_types, width)
    if width != c.hidden:
        yield from below.linear("embed_proj", width, c.hidden, "embedding")
    yield from layer_norm("LayerNorm")(c, below)


def read_relations(c: Config) -> list[str]:
    """Of "c2p" and "p2c", which are scored: contents against distances, distances against contents."""
    said = c["pos_att_type"] or []
    kinds = [kind.strip() for kind in said.lower().split("|")] if isinstance(said, str) else said
    if not isinstance(kinds, list | tuple):
        raise UnsupportedError(f"{c.model_type}: pos_att_type is {said!r:.40}, no list of kinds")
    return [kind for kind in ("c2p", "p2c") if is_relative(c) and kind in kinds]


def count_distances(c: Config) -> int:
    """Rows of the table of distances: those ahead and those back, in buckets where there are any."""
    longest = check_whole(c.get("max_relative_positions", -1), f"{c.model_type}: max_relative_positions", -1)
    buckets = check_whole(c.get("position_buckets", -1), f"{c.model_type}: position_buckets", -1)
    longest = c.whole("max_position_embeddings") if longest < 1 else longest
    return 2 * (buckets if buckets > 0 else longest)


def disentangled(c: Config, p: Place) -> Iterable[Row]:
    """Attention to contents and, where relative, to distances: with projections of their own unless shared.

    However long the text, all distances are projected once, and every query (or key) is scored against all of them.
    """
    projections = ("self.query_proj", "self.key_proj", "self.value_proj", "output.dense")
    yield from Attention(projections, bias=True, cached=False, causal=False)(c, p)
    kinds = read_relations(c)
    if not kinds:
        return
    distances, shared = count_distances(c), c.get("share_att_key", False)
    for kind, name, content in (("c2p", "pos_key_proj", "key_proj"), ("p2c", "pos_query_proj", "query_proj")):
        if shared:  # both are projected, whichever is scored
            (weight,) = p.linear(f"self.{content}", c.hidden, c.hidden, "attention")
            yield weight._replace(stack="once", copies=distances, tied_to=weight.name)
        elif kind in kinds:
            for row in p.linear(f"self.{name}", c.hidden, c.hidden, "attention", True):
                yield from pass_once(row, distances)
    yield p.state("full", flops_per_token=2 * c.hidden * distances * len(kinds), causal=False)


def deberta_extras(c: Config, p: Place) -> Iterable[Row]:
    """The table of distances, its norm, and a convolution beside the first layer."""
    below = p.at("encoder")
    if is_relative(c):
        yield below.table("rel_embeddings", count_distances(c), c.hidden, "position")
    if "layer_norm" in [word.strip() for word in str(c.get("norm_rel_ebd", "none")).lower().split("|")]:
        yield from layer_norm("LayerNorm")(c, below)
    kernel = check_whole(c.get("conv_kernel_size", 0), f"{c.model_type}: conv_kernel_size")
    if kernel > 0:
        groups = check_whole(c.get("conv_groups", 1), f"{c.model_type}: conv_groups", 1)
        yield below.tensor("conv.conv.weight", (c.hidden, c.hidden // groups, kernel), "other")
        yield below.tensor("conv.conv.bias", (c.hidden,), "other", "vector")
        yield from layer_norm("conv.LayerNorm")(c, below)


def deberta_pooler(c: Config, p: Place) -> Iterable[Row]:
    width = c.hidden if c.get("pooler_hidden_size") is None else c.whole("pooler_hidden_size")
    yield from p.linear("pooler.dense", width, width, "other", True)


def bias_of_logits(c: Config, p: Place) -> Iterable[Row]:
    yield p.tensor("bias", (c.vocab,), "head", "vector")


DEBERTA_LEGACY = at(
    "cls.predictions",
    Dense("transform.dense", outputs="embedding_width"),
    layer_norm("transform.LayerNorm", "embedding_width"),
    TiedDecoder("decoder", "bias", width="embedding_width"),
)
#: Scores against the word embeddings themselves.
DEBERTA_HEAD = at("lm_predictions.lm_head", Dense("dense"), layer_norm("LayerNorm"), bias_of_logits)
DEBERTA_DIMS: dict[str, Dim] = BERT_DIMS | {
    "embedding_width": lambda c: c.hidden if c.get("embedding_size") is None else c.whole("embedding_size", least=1),
}


def refuse_wide_heads(c: Config) -> str | None:
    """A config may say how wide heads are, but what they give must be as wide as the hidden size."""
    size = c.get("attention_head_size")
    wrong = size is not None and size * c.heads != c.hidden
    return f"{c.heads} heads of {size} are not as wide as the hidden size" if wrong else None


register(
    Architecture(
        "deberta-v2",
        "DeBERTa",
        At(
            "",
            (
                deberta_embeddings,
                stack(
                    "encoder.layer",
                    at("attention", disentangled, layer_norm("output.LayerNorm")),
                    Mlp(("intermediate.dense", "output.dense")),
                    layer_norm("output.LayerNorm"),
                ),
                deberta_extras,
            ),
        ),
        heads={
            "DebertaV2Model": Head(),
            "DebertaV2ForMaskedLM": Head("deberta.", (when("legacy", DEBERTA_LEGACY, otherwise=(DEBERTA_HEAD,)),)),
            "DebertaV2ForSequenceClassification": Head("deberta.", (deberta_pooler, LABELS)),
            "DebertaV2ForMultipleChoice": Head("deberta.", (deberta_pooler, CHOICES)),
            "DebertaV2ForTokenClassification": Head("deberta.", (LABELS,)),
            "DebertaV2ForQuestionAnswering": Head("deberta.", (QUESTIONS,)),
        },
        natural="DebertaV2ForMaskedLM",
        dims=DEBERTA_DIMS,
        norm="layernorm",
        position="relative",
        embedding="embeddings.word_embeddings.weight",
        example="microsoft/deberta-v3-base",
        about="Attention to contents and to distances apart, through one table of distances for all layers.",
        supported=refuse_wide_heads,
    )
)


def read_modern_span(c: Config) -> int:
    """Half of ``local_attention`` to each side, and the token itself."""
    return 2 * (c.whole("local_attention") // 2) + 1


MODERN_TOP = at("head", modern_dense, *MODERN_HEAD)
MODERN_KINDS = named_kinds(modern_kinds)

register(
    Architecture(
        "modernbert",
        "ModernBERT",
        At(
            "",
            (
                at("embeddings", Embedding("tok_embeddings"), *MODERN_HEAD),
                stack(
                    "layers",
                    by_kind(first_is_bare, bare=(), normed=modern_norm("attn_norm")),
                    at(
                        "attn",
                        FusedAttention(
                            ("Wqkv", "Wo"), bias="attention_bias", kinds=MODERN_KINDS, cached=False, causal=False
                        ),
                    ),
                    modern_norm("mlp_norm"),
                    at("mlp", FusedGatedMlp(("Wi", "Wo"), bias="mlp_bias")),
                ),
                modern_norm("final_norm"),
            ),
        ),
        heads={
            "ModernBertModel": Head(),
            "ModernBertForMaskedLM": Head("model.", (MODERN_TOP, LmHead("decoder", bias="decoder_bias"))),
            "ModernBertForSequenceClassification": Head("model.", (MODERN_TOP, LABELS)),
            "ModernBertForTokenClassification": Head("model.", (MODERN_TOP, LABELS)),
            "ModernBertForQuestionAnswering": Head("model.", (MODERN_TOP, LABELS)),
            "ModernBertForMultipleChoice": Head("model.", (MODERN_TOP, CHOICES)),
        },
        natural="ModernBertForMaskedLM",
        dims={**MULTI_HEAD, "window": read_modern_span, "activation": lambda c: c.get("hidden_activation")},
        norm="layernorm",
        embedding="embeddings.tok_embeddings.weight",
        example="answerdotai/ModernBERT-base",
        about="BERT with rotary positions, gated MLPs, and two layers that look 64 tokens around to one that sees all.",
    )
)
