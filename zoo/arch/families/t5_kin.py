"""LongT5 with attention in windows; Switch Transformers and NLLB-MoE with experts; FSMT with two vocabularies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.bart import BART_DIMS, DECODER_LAYERS, ENCODER_LAYERS, PROJECTIONS, share_embedding
from zoo.arch.families.t5 import FEED_FORWARD, T5_DIMS, RelativePositions, shared_table
from zoo.arch.families.t5 import PROJECTIONS as T5_PROJECTIONS
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, by_kind, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

NORM = rms("layer_norm")
POSITIONS = RelativePositions()


def encoder_of(attention: Block, feed_forward: Block) -> Block:
    """Embedding, layers and final norm of an encoder."""
    layers = stack(
        "block", at("layer.0", attention, NORM), at("layer.1", feed_forward), count="encoder_layers", of="encoder"
    )
    return at("encoder", share_embedding, layers, rms("final_layer_norm"))


def decoder_of(feed_forward: Block) -> Block:
    """The same with causal attention, and cross-attention between."""
    layers = stack(
        "block",
        at("layer.0", at("SelfAttention", Attention(T5_PROJECTIONS, extra=(POSITIONS,))), NORM),
        at("layer.1", at("EncDecAttention", CrossAttention(T5_PROJECTIONS)), NORM),
        at("layer.2", feed_forward),
    )
    return at("decoder", share_embedding, layers, rms("final_layer_norm"))


def seq2seq(prefix: str, encoder: Block, decoder: Block) -> tuple[At, dict[str, Head]]:
    """The base model of both stacks and the classes that have it or its encoder."""
    heads = {
        f"{prefix}Model": Head(),
        f"{prefix}ForConditionalGeneration": Head("", (LmHead(),)),
        f"{prefix}EncoderModel": Head("", body=At("", (shared_table, encoder))),
    }
    return At("", (shared_table, encoder, decoder)), heads


def local_kinds(c: Config) -> Sequence[str]:
    return ["sliding_attention"] * c.encoder_layers


def global_positions(c: Config, p: Place) -> Iterable[Row]:
    """Distances to the summaries of blocks, in the first layer for all, and a norm of the summaries in each.

    There is a summary for every ``global_block_size`` tokens: a key and a value more, which every token attends to.
    """
    buckets, block = c.whole("relative_attention_num_buckets", least=1), c.whole("global_block_size", least=1)
    width = c.heads * c.head_dim
    flops, projected = 4 * width // block, 4 * c.hidden * width // block
    yield p.state("full", flops_per_pos=flops, decode_flops_per_pos=flops, flops_per_token=projected, causal=False)
    yield p._replace(layers=[0]).table("global_relative_attention_bias", buckets, c.heads, "position")
    yield from rms("global_input_layer_norm")(c, p)


def is_local(c: Config) -> bool:
    """Whether the encoder sees its window alone, or summaries of all blocks too."""
    kind = c["encoder_attention_type"]
    if kind not in ("local", "transient-global"):
        raise UnsupportedError(f"{c.model_type}: encoder_attention_type {kind!r:.40} is not known")
    return bool(kind == "local")


def windowed(*extra: Block) -> Attention:
    return Attention(T5_PROJECTIONS, kinds=local_kinds, cached=False, causal=False, extra=(POSITIONS, *extra))


LONG_BODY, LONG_HEADS = seq2seq(
    "LongT5",
    encoder_of(
        when(
            is_local,
            at("LocalSelfAttention", windowed()),
            otherwise=(at("TransientGlobalSelfAttention", windowed(global_positions)),),
        ),
        At("", FEED_FORWARD),
    ),
    decoder_of(At("", FEED_FORWARD)),
)


@dataclass(frozen=True)
class NamedExperts:
    """Experts with tensors of their own, named by number: two matrices each, with ``bias`` biases too."""

    names: tuple[str, str]
    width: str
    bias: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        experts, used, width = c.experts, c.experts_per_token, c.dim(self.width)
        if not 0 < used <= experts <= 4096:
            raise UnsupportedError(f"{c.model_type}: {used} of {experts} experts per token is out of range")
        yield from p.linear("router.classifier", c.hidden, experts, "router", c.flag("router_bias"))
        up, down = self.names
        below = p.at("experts.expert_{}")
        rows = (
            *below.linear(up, c.hidden, width, "experts", self.bias),
            *below.linear(down, width, c.hidden, "experts", self.bias),
        )
        yield from (row._replace(copies=experts, used=used, of=experts) for row in rows)


def refuse_other_depth(c: Config) -> str | None:
    """Where the mixtures stand follows num_layers alone, whatever num_hidden_layers says."""
    said = c.raw.get("num_hidden_layers")
    return "num_hidden_layers is there, but not num_layers" if said not in (None, c.raw.get("num_layers")) else None


def switch_kinds(count: str, sparse: str) -> Block:
    """A dense layer, or where ``i mod step`` is 1 a mixture, with ``sparse`` mixtures among ``count`` layers."""

    def read_kinds(c: Config) -> Sequence[str]:
        layers, mixtures = c.dim(count), c.whole(sparse)
        step = layers // mixtures if mixtures else layers
        return ["sparse" if step == 1 or (step and layer % step == 1) else "dense" for layer in range(layers)]

    dense, mixture = Mlp(("wi", "wo"), bias=False), NamedExperts(("wi", "wo"), "ffn")
    return At("", (at("mlp", by_kind(read_kinds, dense=dense, sparse=mixture)), NORM))


SELF_ATTENTION = Attention(T5_PROJECTIONS, cached=False, causal=False, extra=(POSITIONS,))
SWITCH_BODY, SWITCH_HEADS = seq2seq(
    "SwitchTransformers",
    encoder_of(at("SelfAttention", SELF_ATTENTION), switch_kinds("encoder_layers", "num_sparse_encoder_layers")),
    decoder_of(switch_kinds("layers", "num_sparse_decoder_layers")),
)


def nllb_feed_forward(count: str, step: str, width: str) -> Block:
    """A dense layer, or every ``step``-th a mixture of which a token passes through two."""

    def read_kinds(c: Config) -> Sequence[str]:
        every = c.whole(step)
        return ["sparse" if every and (layer + 1) % every == 0 else "dense" for layer in range(c.dim(count))]

    mixture = NamedExperts(("fc1", "fc2"), width, bias=True)
    return At("", (at("ffn", by_kind(read_kinds, dense=Mlp(width=width), sparse=mixture)), layer_norm("ff_layer_norm")))


NLLB_ENCODER = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias=True, cached=False, causal=False)),
    layer_norm("self_attn_layer_norm"),
    nllb_feed_forward("encoder_layers", "encoder_sparse_step", "encoder_ffn"),
    count="encoder_layers",
    of="encoder",
)
NLLB_DECODER = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias=True)),
    layer_norm("self_attn_layer_norm"),
    at("cross_attention", CrossAttention(PROJECTIONS, bias=True)),
    layer_norm("cross_attention_layer_norm"),
    nllb_feed_forward("layers", "decoder_sparse_step", "ffn"),
)


def read_sinusoids(c: Config) -> int:
    """Positions are numbered from the padding token on, which is 1 unless the config says otherwise."""
    padding = check_whole(c.get("pad_token_id", 1), f"{c.model_type}: pad_token_id")
    return c.whole("max_position_embeddings", least=1) + padding + 1


def refuse_uneven_tie(c: Config) -> str | None:
    uneven = c.tied and c.vocab != c.source_vocab
    return "tie_word_embeddings between vocabularies of different sizes" if uneven else None


def target_words(c: Config, p: Place) -> Iterable[Row]:
    """The decoder's table, which is the encoder's where the model is tied."""
    yield p.table("embed_tokens", c.vocab, c.hidden)._replace(tied_to=p.embedding if c.tied else None)


def fsmt_logits(c: Config, p: Place) -> Iterable[Row]:
    """Logits over the target vocabulary: the table again, or one of their own; inside the decoder."""
    tied = p.embedding if c.tied else None
    yield p.tensor("output_projection.weight", (c.vocab, c.hidden), "head", tied_to=tied)


FSMT_POSITIONS = Embedding("embed_positions", "positions", part="position")

register(
    Architecture(
        "longt5",
        "T5",
        LONG_BODY,
        LONG_HEADS,
        natural="LongT5ForConditionalGeneration",
        dims={**T5_DIMS, "window": lambda c: 2 * c.whole("local_radius", least=1) + 1},
        position="relative",
        embedding="shared.weight",
        example="google/long-t5-tglobal-base",
        about="T5 with an encoder that attends to 127 tokens on each side and, in some models, to summaries of blocks.",
    ),
    Architecture(
        "switch_transformers",
        "T5",
        SWITCH_BODY,
        SWITCH_HEADS,
        natural="SwitchTransformersForConditionalGeneration",
        dims={
            **T5_DIMS,
            "tied": lambda c: c.flag("tie_word_embeddings"),
            "activation": lambda c: c.get("dense_act_fn"),
            "experts": "num_experts",
            "experts_per_token": lambda c: 1,
        },
        supported=refuse_other_depth,
        position="relative",
        embedding="shared.weight",
        example="google/switch-base-8",
        about="T5 with a mixture in every other or fourth layer, of which a token passes through one expert.",
    ),
    Architecture(
        "nllb-moe",
        "M2M-100",
        At(
            "",
            (
                Embedding("shared"),
                at("encoder", share_embedding, NLLB_ENCODER, layer_norm("layer_norm")),
                at("decoder", share_embedding, NLLB_DECODER, layer_norm("layer_norm")),
            ),
        ),
        heads={"NllbMoeModel": Head(), "NllbMoeForConditionalGeneration": Head("model.", (LmHead(),))},
        natural="NllbMoeForConditionalGeneration",
        dims={**BART_DIMS, "experts": "num_experts", "experts_per_token": lambda c: 2},
        norm="layernorm",
        position="sinusoidal",
        embedding="shared.weight",
        example="facebook/nllb-moe-54b",
        about="M2M-100 with 128 experts in every fourth layer, of which a token passes through two.",
    ),
    Architecture(
        "fsmt",
        "FSMT",
        At(
            "",
            (
                at("encoder", Embedding("embed_tokens", "source_vocab"), FSMT_POSITIONS, ENCODER_LAYERS),
                at("decoder", target_words, FSMT_POSITIONS, DECODER_LAYERS, fsmt_logits),
            ),
        ),
        heads={"FSMTModel": Head(), "FSMTForConditionalGeneration": Head("model.")},
        natural="FSMTForConditionalGeneration",
        dims={
            **BART_DIMS,
            "vocab": lambda c: c.whole("tgt_vocab_size", least=1),
            "source_vocab": "src_vocab_size",
            "positions": read_sinusoids,
        },
        norm="layernorm",
        position="sinusoidal",
        embedding="encoder.embed_tokens.weight",
        supported=refuse_uneven_tie,
        example="facebook/wmt19-en-de",
        about="Translation between two vocabularies; the table of sinusoids is stored.",
    ),
)
