"""Encoders that attend in another way than BERT: by distance, in windows, to entities, beside a convolution."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.bert import (
    BERT_DIMS,
    BERT_LAYER,
    LABELS,
    NEXT_SENTENCE,
    PREDICTIONS,
    PROJECTIONS,
    QUESTIONS,
    Dense,
    bert_embeddings,
)
from zoo.arch.families.bert_kin import (
    BERT_POOLED,
    BERT_TASKS,
    BIDIRECTIONAL,
    CLASSIFIER,
    FEED_FORWARD,
    OUTPUT_NORM,
    ROBERTA_POOLED,
    ROBERTA_TASKS,
    TASKS,
    encoder,
    encoder_heads,
    encoder_layers,
    pre_norm_layer,
)
from zoo.arch.families.electra import project_embeddings
from zoo.arch.families.encoders import (
    DEBERTA_DIMS,
    DEBERTA_HEAD,
    DEBERTA_LEGACY,
    deberta_embeddings,
    deberta_pooler,
    is_relative,
    read_relations,
)
from zoo.arch.families.passes import pass_once, pass_through
from zoo.arch.heads import Embedding
from zoo.arch.layers import at, every, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block, Place, Row, State

UNCACHED_ROBERTA = {task: blocks for task, blocks in ROBERTA_TASKS.items() if task != "ForCausalLM"}


def attend_everywhere(c: Config, p: Place) -> Row:
    """The state of an encoder's layer: nothing kept, every position seen."""
    flops = 4 * c.heads * c.head_dim
    return p.state("full", flops_per_pos=flops, decode_flops_per_pos=flops, causal=False)


def disentangled(c: Config, p: Place) -> Iterable[Row]:
    """Attention with queries, keys and values in one matrix, biases of two of them, and projections of distances.

    As far as distances are told apart, which is as far as positions go, a text has two for each token, ahead and back:
    all are projected, and each query (or key) is scored against all.
    """
    yield from p.linear("self.in_proj", c.hidden, 3 * c.hidden, "attention")
    for name in ("q_bias", "v_bias"):
        yield p.tensor(f"self.{name}", (c.hidden,), "attention", "vector")
    each = 2 * c.heads * c.head_dim  # of scores, or of values
    flops = 2 * each
    if c.get("talking_head", False):
        for name in ("self.head_logits_proj", "self.head_weights_proj"):  # multiplied for each pair, not for each token
            yield from (row._replace(op="vector") for row in p.linear(name, c.heads, c.heads, "attention"))
        flops += 4 * c.heads**2
    for kind, name in (("c2p", "self.pos_proj"), ("p2c", "self.pos_q_proj")):
        if kind in read_relations(c):
            for row in p.linear(name, c.hidden, c.hidden, "attention", kind == "p2c"):
                yield from pass_through(row, 2)
            flops += 2 * each
    yield from p.linear("output.dense", c.hidden, c.hidden, "attention", True)
    yield p.state("full", flops_per_pos=flops, decode_flops_per_pos=flops, causal=False)


def distances(c: Config, p: Place) -> Iterable[Row]:
    """The table of distances that all layers share."""
    if is_relative(c):
        longest = check_whole(c.get("max_relative_positions", -1), f"{c.model_type}: max_relative_positions", -1)
        longest = c.whole("max_position_embeddings") if longest < 1 else longest
        yield p.table("encoder.rel_embeddings", 2 * longest, c.hidden, "position")


def shared_buckets(c: Config, p: Place) -> Iterable[Row]:
    """A logit for each head and bucket of distance, one table for all layers."""
    buckets = c.whole("relative_attention_num_buckets", least=1)
    yield p.table("encoder.relative_attention_bias", buckets, c.heads, "position")


def read_windows(c: Config, count: int) -> list[int]:
    """The window of each layer, in tokens: half of ``attention_window`` to each side, and the token itself."""
    window = c["attention_window"]
    windows = window if isinstance(window, list | tuple) else [window] * count
    what = f"{c.model_type}: {c.path}attention_window"
    if len(windows) != count:
        raise UnsupportedError(f"{what} has {len(windows)} windows where the model has {count} layers")
    return [2 * (check_whole(size, what, 1) // 2) + 1 for size in windows]


def windowed_attention(inner: str, output: str) -> Block:
    """Attention within a window, with a second set of projections for the tokens that see and are seen by all.

    Those are few: FLOPs are those of a text with one, whose query alone passes the second matrix of queries. What it
    sees and who sees it, two pairs more for each token, is counted as well.
    """

    def attend(c: Config, p: Place) -> Iterable[Row]:
        for name in ("query", "key", "value"):
            yield from p.linear(f"{inner}{name}", c.hidden, c.hidden, "attention", True)
            for row in p.linear(f"{inner}{name}_global", c.hidden, c.hidden, "attention", True):
                yield from pass_once(row, 1) if name == "query" else (row,)
        yield from p.linear(output, c.hidden, c.hidden, "attention", True)
        layers = p.layers or ()
        windows, flops = read_windows(c, len(layers)), 4 * c.heads * c.head_dim
        for window in sorted(set(windows)):
            where = [layer for layer in layers if windows[layer] == window]
            yield p.state(
                "sliding", where, window=window, flops_per_pos=flops, decode_flops_per_pos=flops, causal=False
            )
        yield State("full", flops_per_token=2 * flops * len(layers), stack=p.stack, causal=False)

    return attend


def free_decoder(c: Config, p: Place) -> Iterable[Row]:
    """An output projection that is not tied, with a bias that has two names."""
    yield p.tensor("bias", (c.vocab,), "head", "vector")
    yield p.tensor("decoder.weight", (c.vocab, c.hidden), "head")
    yield p.tensor("decoder.bias", (c.vocab,), "head", "vector", tied_to=f"{p.prefix}bias" if c.tied else None)


LUKE_LM = at("lm_head", Dense("dense"), layer_norm("layer_norm"), free_decoder)


def entity_attention(c: Config, p: Place) -> Iterable[Row]:
    """BERT's attention, with queries of their own from words to entities, back, and between entities."""
    yield from BIDIRECTIONAL(c, p)
    if c.flag("use_entity_aware_attention"):
        for name in ("w2e_query", "e2w_query", "e2e_query"):
            yield from p.linear(f"self.{name}", c.hidden, c.hidden, "attention", True)


def entity_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """A table of entities, narrower than the layers, with positions and types of its own: no word passes them."""
    below, width = p.at("entity_embeddings")._replace(stack="vision"), c.whole("entity_emb_size", least=1)
    yield below.table("entity_embeddings", c.whole("entity_vocab_size", least=1), width)
    if width != c.hidden:
        yield from below.linear("entity_embedding_dense", width, c.hidden, "embedding")
    yield below.table("position_embeddings", c.positions, c.hidden, "position")
    yield below.table("token_type_embeddings", c.token_types, c.hidden)
    yield from layer_norm("LayerNorm")(c, below)


def entity_predictions(c: Config, p: Place) -> Iterable[Row]:
    """Scores of the entities, tied to their table, of the entities in the text alone."""
    below = p.at("entity_predictions")._replace(stack="vision")
    width, count = c.whole("entity_emb_size"), c.whole("entity_vocab_size")
    yield from below.linear("transform.dense", c.hidden, width, "head", True)
    yield from layer_norm("transform.LayerNorm", lambda c: width)(c, below)
    table = "luke.entity_embeddings.entity_embeddings.weight"
    yield below.tensor("decoder.weight", (count, width), "head", tied_to=table if c.tied else None)
    yield below.tensor("bias", (count,), "head", "vector")


def entity_labels(vectors: int, *, bias: bool) -> Block:
    """A classifier of an entity, of two together, or of one with the words at its ends."""
    return lambda c, p: p.linear("classifier", vectors * c.hidden, c.labels, "head", bias)


#: All classes but those that label words or find an answer keep the pooler.
LUKE_POOLED = (
    *("Model", "ForMaskedLM", "ForSequenceClassification", "ForMultipleChoice"),
    *("ForEntityClassification", "ForEntityPairClassification", "ForEntitySpanClassification"),
)


def rotary_table(c: Config, p: Place) -> Iterable[Row]:
    """Sines and cosines, stored and counted as parameters."""
    yield p.table("encoder.embed_positions", c.positions, c.head_dim, "position")


def protein_embeddings(c: Config, p: Place) -> Iterable[Row]:
    """Residues; positions only where they are not rotated into queries and keys, whose frequencies are stored."""
    below, kind = p.at("embeddings"), c["position_embedding_type"]
    yield below.table("word_embeddings", c.vocab, c.hidden)
    if c.flag("emb_layer_norm_before"):
        yield from layer_norm("layer_norm")(c, below)
    if kind == "absolute":
        yield below.table("position_embeddings", c.positions, c.hidden, "position")
    elif kind == "rotary":
        yield p.tensor("rotary_embeddings.inv_freq", ((c.head_dim + 1) // 2,), "position", "vector", role="buffer")
    else:
        raise UnsupportedError(f"{c.model_type}: position_embedding_type {kind!r:.40} is not known")


def contact_head(c: Config, p: Place) -> Iterable[Row]:
    """Predicts from all attention maps which residues touch."""
    yield from p.linear("contact_head.regression", c.layers * c.heads, 1, "other", True)


def protein_lm(c: Config, p: Place) -> Iterable[Row]:
    below = p.at("lm_head")
    yield from Dense("dense")(c, below)
    yield from layer_norm("layer_norm")(c, below)
    yield below.tensor("decoder.weight", (c.vocab, c.hidden), "head", tied_to=p.embedding if c.tied else None)
    yield below.tensor("bias", (c.vocab,), "head", "vector")


def attend_to_blocks(c: Config, p: Place) -> Iterable[Row]:
    """Attention to three blocks around, the first and last and some at random; set so, or as a decoder, to all."""
    kind = c["attention_type"]
    if kind not in ("block_sparse", "original_full"):
        raise UnsupportedError(f"{c.model_type}: attention_type {kind!r:.40} is not known")
    if c.flag("is_decoder") or kind == "original_full":
        causal = c.flag("is_decoder")
        yield from Attention(PROJECTIONS, "use_bias", o_bias=True, cached=causal, causal=causal)(c, p)
    else:
        kinds = every("sliding_attention")
        yield from Attention(PROJECTIONS, "use_bias", o_bias=True, kinds=kinds, cached=False, causal=False)(c, p)


def find_span(c: Config, p: Place) -> Iterable[Row]:
    """Start and end of an answer, after a feed-forward network of their own."""
    below = p.at("qa_classifier")
    yield from Mlp(("intermediate.dense", "output.dense"))(c, below._replace(part="head"))
    yield from layer_norm("output.LayerNorm")(c, below)
    yield from below.linear("qa_outputs", c.hidden, c.labels, "head", True)


def read_block_span(c: Config) -> int:
    """Three blocks around, the first and last, and some at random; those two see all, which is two for each more."""
    return (7 + c.whole("num_random_blocks")) * c.whole("block_size", least=1)


def refuse_crossing(c: Config) -> str | None:
    return "add_cross_attention is not followed" if c.flag("add_cross_attention") else None


#: All classes but the one that looks for answers keep the pooler.
BIRD_POOLED = ("ForMaskedLM", "ForCausalLM", "ForTokenClassification", *BERT_POOLED)

PROTEIN_LAYER = pre_norm_layer((layer_norm("LayerNorm"),), FEED_FORWARD, layer_norm("LayerNorm"))

register(
    encoder(
        "deberta",
        "DeBERTa",
        (deberta_embeddings, encoder_layers(disentangled), distances),
        {
            "DebertaModel": Head(),
            "DebertaForMaskedLM": Head("deberta.", (when("legacy", DEBERTA_LEGACY, otherwise=(DEBERTA_HEAD,)),)),
            "DebertaForSequenceClassification": Head("deberta.", (deberta_pooler, LABELS)),
            "DebertaForTokenClassification": Head("deberta.", (LABELS,)),
            "DebertaForQuestionAnswering": Head("deberta.", (QUESTIONS,)),
        },
        dims=DEBERTA_DIMS,
        position="relative",
        example="microsoft/deberta-base",
        about="Attention to contents and to distances apart, with projections of distances in every layer.",
    ),
    encoder(
        "mpnet",
        "MPNet",
        (
            at(
                "embeddings",
                Embedding("word_embeddings"),
                Embedding("position_embeddings", "positions", part="position"),
                layer_norm("LayerNorm"),
            ),
            stack(
                "encoder.layer",
                at(
                    "attention",
                    Attention(("attn.q", "attn.k", "attn.v", "attn.o"), bias=True, cached=False, causal=False),
                    layer_norm("LayerNorm"),
                ),
                FEED_FORWARD,
                OUTPUT_NORM,
            ),
            shared_buckets,
        ),
        encoder_heads("MPNet", "mpnet", UNCACHED_ROBERTA, ROBERTA_POOLED),
        example="sentence-transformers/all-mpnet-base-v2",
        about="BERT's layers with learned positions and, for all layers, one table of relative positions.",
    ),
    encoder(
        "longformer",
        "Longformer",
        (bert_embeddings(), encoder_layers(windowed_attention("self.", "output.dense"))),
        encoder_heads("Longformer", "longformer", UNCACHED_ROBERTA, ROBERTA_POOLED),
        example="allenai/longformer-base-4096",
        about="RoBERTa with attention in a window; projections of their own for the few tokens that see everything.",
    ),
    encoder(
        "luke",
        "LUKE",
        (bert_embeddings(), entity_embeddings, encoder_layers(entity_attention)),
        encoder_heads(
            "Luke",
            "luke",
            {
                **TASKS,
                "ForMaskedLM": (LUKE_LM, entity_predictions),
                "ForEntityClassification": (entity_labels(1, bias=True),),
                "ForEntityPairClassification": (entity_labels(2, bias=False),),
                "ForEntitySpanClassification": (entity_labels(3, bias=True),),
            },
            LUKE_POOLED,
        ),
        example="studio-ousia/luke-base",
        about="RoBERTa that also reads entities, with a large table of them and queries of their own.",
    ),
    encoder(
        "roformer",
        "RoFormer",
        (
            at(
                "embeddings",
                Embedding("word_embeddings", width="embedding_width"),
                Embedding("token_type_embeddings", "token_types", "embedding_width"),
                layer_norm("LayerNorm", "embedding_width"),
            ),
            project_embeddings,
            rotary_table,
            stack("encoder.layer", *BERT_LAYER),
        ),
        encoder_heads(
            "RoFormer",
            "roformer",
            {
                **BERT_TASKS,
                "ForMaskedLM": (DEBERTA_LEGACY,),
                "ForCausalLM": (DEBERTA_LEGACY,),
                "ForSequenceClassification": (CLASSIFIER,),
            },
        ),
        dims=DEBERTA_DIMS,
        position="rope",
        example="junnyu/roformer_chinese_base",
        about="BERT with rotary positions, the first of its kind.",
    ),
    encoder(
        "big_bird",
        "BigBird",
        (bert_embeddings(), encoder_layers(attend_to_blocks)),
        encoder_heads(
            "BigBird",
            "bert",
            {
                **BERT_TASKS,
                "ForPreTraining": (PREDICTIONS, NEXT_SENTENCE),
                "ForSequenceClassification": (CLASSIFIER,),
                "ForQuestionAnswering": (find_span,),
            },
            BIRD_POOLED,
            Dense("pooler", "other"),
        ),
        dims={**BERT_DIMS, "window": read_block_span},
        supported=refuse_crossing,
        example="google/bigbird-roberta-base",
        about="BERT that attends to blocks: its neighbours, the first and last, and some at random.",
    ),
    encoder(
        "esm",
        "ESM",
        (
            protein_embeddings,
            stack("encoder.layer", *PROTEIN_LAYER),
            layer_norm("encoder.emb_layer_norm_after"),
            contact_head,
        ),
        encoder_heads(
            "Esm",
            "esm",
            {
                "Model": (),
                "ForMaskedLM": (protein_lm,),
                "ForSequenceClassification": (CLASSIFIER,),
                "ForTokenClassification": (LABELS,),
            },
            ("Model",),
        ),
        position="rope",
        example="facebook/esm2_t33_650M_UR50D",
        about="BERT for proteins: a word is an amino acid, positions are rotary in ESM-2 and learned in ESM-1.",
    ),
)
