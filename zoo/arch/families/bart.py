"""BART and mBART: an encoder and a decoder with learned positions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention, CrossAttention
from zoo.arch.config import MULTI_HEAD, Config, Dim, read_labels
from zoo.arch.families.bert import Dense
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def share_embedding(c: Config, p: Place) -> Iterable[Row]:
    """Each stack has a table of its own, which is the shared one where the model is tied."""
    yield p.table("embed_tokens", c.vocab, c.hidden)._replace(tied_to=p.embedding if c.tied else None)


def three_labels(c: Config) -> int:
    """As many labels as are named, else three: a premise entails a hypothesis, contradicts it, or neither."""
    if c.get("id2label") is not None or c.get("num_labels") is not None:
        return read_labels(c)
    return 3


BART_DIMS: dict[str, Dim] = {
    **MULTI_HEAD,
    "heads": lambda c: c.whole("decoder_attention_heads", least=1),
    "layers": "decoder_layers",
    "encoder_layers": "encoder_layers",
    "ffn": "decoder_ffn_dim",
    "encoder_ffn": "encoder_ffn_dim",
    "positions": lambda c: c.whole("max_position_embeddings") + 2,  # the first two rows are never used
    "activation": lambda c: c.get("activation_function"),
}
ENCODER_LAYERS = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias=True, cached=False, causal=False)),
    layer_norm("self_attn_layer_norm"),
    Mlp(width="encoder_ffn"),
    layer_norm("final_layer_norm"),
    count="encoder_layers",
    of="encoder",
)
DECODER_LAYERS = stack(
    "layers",
    at("self_attn", Attention(PROJECTIONS, bias=True)),
    layer_norm("self_attn_layer_norm"),
    at("encoder_attn", CrossAttention(PROJECTIONS, bias=True)),
    layer_norm("encoder_attn_layer_norm"),
    Mlp(),
    layer_norm("final_layer_norm"),
)
POSITIONS = Embedding("embed_positions", "positions", part="position")


@dataclass(frozen=True)
class Renamed:
    """Blocks that are tied to another table than the architecture's."""

    embedding: str
    block: Block

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield from self.block(c, p._replace(embedding=self.embedding))


def logits_bias(c: Config, p: Place) -> Iterable[Row]:
    """Added to the logits; stored, but no parameter."""
    yield p.tensor("final_logits_bias", (1, c.vocab), "head", "vector", role="buffer")


def bart(model_type: str, prefix: str, *final: Block, labels: Dim, example: str, about: str) -> Architecture:
    """BART, or the same with a ``final`` norm after each stack."""
    around: tuple[Block, ...] = (layer_norm("layernorm_embedding"), *final)
    encoder = at("encoder", share_embedding, POSITIONS, ENCODER_LAYERS, *around)
    decoder = at("decoder", share_embedding, POSITIONS, DECODER_LAYERS, *around)
    alone = at("decoder", Embedding("embed_tokens"), POSITIONS, DECODER_LAYERS, *around)
    classifier = at("classification_head", Dense("dense"), LabelHead("out_proj", bias=True))
    return Architecture(
        model_type,
        "BART",
        At("", (Embedding("shared"), encoder, decoder)),
        heads={
            f"{prefix}Model": Head(),
            f"{prefix}ForConditionalGeneration": Head("model.", (logits_bias, LmHead())),
            f"{prefix}ForCausalLM": Head("model.", (Renamed("model.decoder.embed_tokens.weight", LmHead()),), alone),
            f"{prefix}ForSequenceClassification": Head("model.", (classifier,)),
            f"{prefix}ForQuestionAnswering": Head("model.", (LabelHead("qa_outputs", bias=True, outputs=2),)),
        },
        natural=f"{prefix}ForConditionalGeneration",
        dims={**BART_DIMS, "labels": labels},
        norm="layernorm",
        position="learned",
        embedding="shared.weight",
        example=example,
        about=about,
    )


register(
    bart(
        "bart",
        "Bart",
        labels=three_labels,
        example="facebook/bart-large",
        about="BERT's encoder and GPT's decoder in one, with a norm after each block and one shared table.",
    ),
    bart(
        "mbart",
        "MBart",
        layer_norm("layer_norm"),
        labels=read_labels,
        example="facebook/mbart-large-50",
        about="BART with norms before the blocks and one after each stack, for many languages.",
    ),
)
