"""Encoder-decoders in BART's manner: other positions, other places of the norms, attention in windows or blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.families.bart import (
    BART_DIMS,
    DECODER_LAYERS,
    ENCODER_LAYERS,
    POSITIONS,
    PROJECTIONS,
    Renamed,
    logits_bias,
    share_embedding,
)
from zoo.arch.families.bert import Dense
from zoo.arch.families.encoder_variants import windowed_attention
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row, State

FIRST_NORM = layer_norm("layernorm_embedding")
LAST_NORM = layer_norm("layer_norm")

CLASSIFIER = at("classification_head", Dense("dense"), LabelHead("out_proj", bias=True))
QUESTIONS = LabelHead("qa_outputs", bias=True, outputs=2)


def seq2seq(
    model_type: str,
    prefix: str,
    family: str,
    encoder: tuple[Block, ...],
    decoder: tuple[Block, ...],
    *,
    example: str,
    about: str,
    logits: tuple[Block, ...] = (logits_bias, LmHead()),
    alone: Block | None = Renamed("model.decoder.embed_tokens.weight", LmHead()),  # noqa: B008
    tasks: Mapping[str, Block] | None = None,
    base: str = "model.",
    shared: tuple[Block, ...] = (Embedding("shared"),),
    table: Block = share_embedding,
    dims: Mapping[str, Dim] = BART_DIMS,
    position: str = "learned",
    supported: Callable[[Config], str | None] | None = None,
) -> Architecture:
    """Two stacks with one table of words; ``alone`` is the head of the class that has the decoder alone."""
    heads = {
        f"{prefix}Model": Head(),
        f"{prefix}ForConditionalGeneration": Head(base, logits),
    }
    if alone:
        heads[f"{prefix}ForCausalLM"] = Head(base, (alone,), at("decoder", Embedding("embed_tokens"), *decoder))
    for task, block in (tasks or {}).items():
        heads[prefix + task] = Head(base, (block,))
    return Architecture(
        model_type,
        family,
        At(
            "",
            (Embedding("shared"), at("encoder", share_embedding, *encoder), at("decoder", share_embedding, *decoder)),
        ),
        heads,
        natural=f"{prefix}ForConditionalGeneration",
        dims=dims,
        norm="layernorm",
        position=position,
        embedding="shared.weight",
        example=example,
        about=about,
        supported=supported,
    )


EVEN_DIMS: dict[str, Dim] = {**BART_DIMS, "positions": "max_position_embeddings"}
PRE = (ENCODER_LAYERS, LAST_NORM)
PRE_DECODER = (DECODER_LAYERS, LAST_NORM)
TASKS: dict[str, Block] = {"ForSequenceClassification": CLASSIFIER, "ForQuestionAnswering": QUESTIONS}


def read_target_vocab(c: Config) -> int:
    """The decoder's vocabulary, which is the encoder's unless the config gives another."""
    return c.maybe("decoder_vocab_size") or int(c.vocab)


def refuse_uneven_tables(c: Config) -> str | None:
    uneven = c.flag("share_encoder_decoder_embeddings") and read_target_vocab(c) != c.vocab
    return "decoder_vocab_size differs from vocab_size in a table that both stacks share" if uneven else None


def source_table(c: Config, p: Place) -> Iterable[Row]:
    """The encoder's table: the shared one, where there is one."""
    tied = p.embedding if c.flag("share_encoder_decoder_embeddings") and c.tied else None
    yield p.table("embed_tokens", c.vocab, c.hidden)._replace(tied_to=tied)


def target_table(c: Config, p: Place) -> Iterable[Row]:
    """The decoder's table."""
    tied = p.embedding if c.flag("share_encoder_decoder_embeddings") and c.tied else None
    yield p.table("embed_tokens", read_target_vocab(c), c.hidden)._replace(tied_to=tied)


def marian_logits(c: Config, p: Place) -> Iterable[Row]:
    """Logits over the target vocabulary, tied to the decoder's table."""
    size = read_target_vocab(c)
    shared = (
        "model.shared.weight" if c.flag("share_encoder_decoder_embeddings") else "model.decoder.embed_tokens.weight"
    )
    yield p.tensor("final_logits_bias", (1, size), "head", "vector", role="buffer")
    yield p.tensor("lm_head.weight", (size, c.hidden), "head", tied_to=f"model.{shared}.weight" if c.tied else None)


def marian_causal(c: Config, p: Place) -> Iterable[Row]:
    tied = "model.decoder.embed_tokens.weight" if c.tied else None
    yield p.tensor("lm_head.weight", (read_target_vocab(c), c.hidden), "head", tied_to=tied)


MARIAN_DECODER = (POSITIONS, DECODER_LAYERS)
MARIAN = Architecture(
    "marian",
    "Marian",
    At(
        "",
        (
            when("share_encoder_decoder_embeddings", Embedding("shared")),
            at("encoder", source_table, POSITIONS, ENCODER_LAYERS),
            at("decoder", target_table, *MARIAN_DECODER),
        ),
    ),
    heads={
        "MarianModel": Head(),
        "MarianMTModel": Head("model.", (marian_logits,)),
        "MarianForCausalLM": Head(
            "model.",
            (marian_causal,),
            at("decoder", lambda c, p: [p.table("embed_tokens", read_target_vocab(c), c.hidden)], *MARIAN_DECODER),
        ),
    },
    natural="MarianMTModel",
    dims=EVEN_DIMS,
    norm="layernorm",
    position="sinusoidal",
    embedding="shared.weight",
    example="Helsinki-NLP/opus-mt-en-de",
    about="BART without a norm on the embeddings; its sinusoids are stored; source and target may differ in words.",
    supported=refuse_uneven_tables,
)


def refuse_prompts(c: Config) -> str | None:
    """Files have prompts of both stacks, the class those of the decoder alone."""
    return "use_prompt is not followed" if c.flag("use_prompt") else None


LED_ENCODER = stack(
    "layers",
    at("self_attn", windowed_attention("longformer_self_attn.", "output")),
    layer_norm("self_attn_layer_norm"),
    Mlp(width="encoder_ffn"),
    layer_norm("final_layer_norm"),
    count="encoder_layers",
    of="encoder",
)


def read_block_span(c: Config) -> int:
    """Three blocks around, the first and last, and some at random; those two see all, which is two for each more."""
    return (7 + c.whole("num_random_blocks")) * c.whole("block_size", least=1)


def bird_kinds(c: Config) -> list[str]:
    """Whether the encoder attends to blocks or to everything."""
    kind = c["attention_type"]
    if kind not in ("block_sparse", "original_full"):
        raise UnsupportedError(f"{c.model_type}: attention_type {kind!r:.40} is not known")
    return ["sliding_attention" if kind == "block_sparse" else "full_attention"] * c.encoder_layers


def global_tokens(c: Config, p: Place) -> Iterable[Row]:
    """The tokens that see everything."""
    yield p.table("embed_global", c.whole("num_global_tokens", least=1), c.hidden)


def norms_and_mlp(width: str = "ffn", *norms: str) -> tuple[Block, ...]:
    return (*(layer_norm(name) for name in norms), Mlp(width=width), layer_norm("final_layer_norm"))


BIRD_ENCODER = stack(
    "layers",
    at(
        "self_attn",
        Attention(
            ("self.query", "self.key", "self.value", "output"),
            bias="use_bias",
            kinds=bird_kinds,
            window="block_span",
            cached=False,
            causal=False,
        ),
    ),
    *norms_and_mlp("encoder_ffn", "self_attn_layer_norm"),
    count="encoder_layers",
    of="encoder",
)
BIRD_DECODER = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias="use_bias")),
    at("encoder_attn", CrossAttention(PROJECTIONS, bias="use_bias")),
    *norms_and_mlp("ffn", "self_attn_layer_norm", "encoder_attn_layer_norm"),
)


def with_global_tokens(*blocks: Block) -> Block:
    """Blocks that the global tokens pass through as well, which come once with a text and see all of it."""

    def pass_both(c: Config, p: Place) -> Iterable[Row]:
        count = c.whole("num_global_tokens", least=1)
        for block in blocks:
            for row in block(c, p):
                yield row
                if isinstance(row, State):
                    flops = count * row.flops_per_pos * row.repeats
                    yield State("full", flops_per_token=flops, stack=row.stack, causal=False)
                elif row.op == "matmul":
                    yield row._replace(stack="once", tied_to=row.name, copies=count)

    return pass_both


X_ENCODER = stack(
    "layers",
    with_global_tokens(
        at(
            "self_attn",
            Attention(
                PROJECTIONS,
                kinds=lambda c: ["sliding_attention"] * c.encoder_layers,
                window="block_span",
                cached=False,
                causal=False,
            ),
        ),
        *norms_and_mlp("encoder_ffn", "self_attn_layer_norm", "global_self_attn_layer_norm"),
    ),
    count="encoder_layers",
    of="encoder",
)
X_DECODER = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS)),
    at("encoder_attn", CrossAttention(PROJECTIONS)),
    *norms_and_mlp("ffn", "self_attn_layer_norm", "encoder_attn_layer_norm"),
)

register(
    MARIAN,
    seq2seq(
        "pegasus",
        "Pegasus",
        "Pegasus",
        (POSITIONS, *PRE),
        (POSITIONS, *PRE_DECODER),
        dims=EVEN_DIMS,
        position="sinusoidal",
        example="google/pegasus-xsum",
        about="BART with norms before the blocks and sinusoids, which are stored, trained to write missing sentences.",
    ),
    seq2seq(
        "m2m_100",
        "M2M100",
        "M2M-100",
        PRE,
        PRE_DECODER,
        logits=(LmHead(),),
        alone=None,
        position="sinusoidal",
        example="facebook/nllb-200-distilled-600M",
        about="mBART with sinusoids for positions, between any two of 100 or, as NLLB, 200 languages.",
    ),
    seq2seq(
        "blenderbot",
        "Blenderbot",
        "Blenderbot",
        (POSITIONS, *PRE),
        (POSITIONS, *PRE_DECODER),
        dims=EVEN_DIMS,
        example="facebook/blenderbot-400M-distill",
        about="A short encoder and a long decoder with norms before the blocks, for conversation.",
    ),
    seq2seq(
        "blenderbot-small",
        "BlenderbotSmall",
        "Blenderbot",
        (POSITIONS, ENCODER_LAYERS, FIRST_NORM),
        (POSITIONS, DECODER_LAYERS, FIRST_NORM),
        dims=EVEN_DIMS,
        example="facebook/blenderbot_small-90M",
        about="BART in small, for conversation.",
    ),
    seq2seq(
        "mvp",
        "Mvp",
        "MVP",
        (POSITIONS, ENCODER_LAYERS, FIRST_NORM),
        (POSITIONS, DECODER_LAYERS, FIRST_NORM),
        tasks=TASKS,
        supported=refuse_prompts,
        example="RUCAIBox/mvp",
        about="BART, trained on many tasks with labels.",
    ),
    seq2seq(
        "plbart",
        "PLBart",
        "PLBART",
        (POSITIONS, ENCODER_LAYERS, FIRST_NORM),
        (POSITIONS, DECODER_LAYERS, FIRST_NORM),
        tasks={"ForSequenceClassification": CLASSIFIER},
        example="uclanlp/plbart-base",
        about="BART for programs and what is said of them.",
    ),
    seq2seq(
        "led",
        "LED",
        "Longformer",
        (Embedding("embed_positions", "source_positions", part="position"), LED_ENCODER, FIRST_NORM),
        (POSITIONS, DECODER_LAYERS, FIRST_NORM),
        alone=None,
        tasks={"ForQuestionAnswering": LabelHead("qa_outputs", bias=True)},
        base="led.",
        dims={
            **BART_DIMS,
            "positions": "max_decoder_position_embeddings",
            "source_positions": "max_encoder_position_embeddings",
            "context": lambda c: c.maybe("max_decoder_position_embeddings"),
        },
        example="allenai/led-base-16384",
        about="BART with Longformer's attention in the encoder, for sources of 16,384 tokens.",
    ),
    seq2seq(
        "bigbird_pegasus",
        "BigBirdPegasus",
        "Pegasus",
        (POSITIONS, BIRD_ENCODER, FIRST_NORM),
        (POSITIONS, BIRD_DECODER, FIRST_NORM),
        alone=Renamed("", LmHead(tie_of=lambda c: False)),
        tasks=TASKS,
        dims={**EVEN_DIMS, "block_span": read_block_span},
        example="google/bigbird-pegasus-large-arxiv",
        about="Pegasus with an encoder that attends to blocks: its neighbours, the first and last, and some at random.",
    ),
    seq2seq(
        "pegasus_x",
        "PegasusX",
        "Pegasus",
        (global_tokens, X_ENCODER, LAST_NORM),
        (X_DECODER, LAST_NORM),
        logits=(LmHead(),),
        alone=None,
        dims={
            **EVEN_DIMS,
            "block_span": lambda c: c.whole("block_size", least=1) + c.whole("num_global_tokens"),
        },
        position="sinusoidal",
        example="google/pegasus-x-large",
        about="Pegasus with an encoder that attends within blocks and through a few tokens that see everything.",
    ),
)
