"""Evolla: Llama that answers about a protein, which an encoder reads as a sequence of residues and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, MULTI_HEAD, Config, Dim, TypeSpec, UnsupportedError
from zoo.arch.families.llama import LLAMA
from zoo.arch.families.vision import Projector
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, by_kind, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

#: What the encoder's class declares; it is no type of its own.
PROTEIN_DEFAULTS: Mapping[str, Any] = {
    "vocab_size": 446,
    "hidden_size": 1280,
    "num_hidden_layers": 33,
    "num_attention_heads": 20,
    "intermediate_size": 5120,
    "max_position_embeddings": 1026,
    "position_embedding_type": "rotary",
    "emb_layer_norm_before": False,
    "is_decoder": False,
    "add_cross_attention": False,
}
PROTEIN_DIMS: dict[str, Dim] = {**MULTI_HEAD, "half_head": lambda c: ((c.maybe("head_dim") or c.head_dim) + 1) // 2}
NAMES = ("self.query", "self.key", "self.value", "output.dense")


def has_positions(c: Config) -> bool:
    """Learned positions, in place of rotary or none."""
    return bool(c["position_embedding_type"] == "absolute")


def rotate(c: Config, p: Place) -> Iterable[Row]:
    """The frequencies of rotary positions are stored, whether they are used or not."""
    yield p.tensor("rotary_embeddings.inv_freq", (c.half_head,), "other", "vector", role="buffer")


READER = At(
    "model",
    (
        at(
            "embeddings",
            Embedding("word_embeddings"),
            when("emb_layer_norm_before", layer_norm("layer_norm")),
            when(has_positions, Embedding("position_embeddings", "context", part="position")),
        ),
        rotate,
        at(
            "encoder",
            stack(
                "layer",
                at("attention", Attention(NAMES, bias=True, cached=False, causal=False), layer_norm("LayerNorm")),
                Mlp(("intermediate.dense", "output.dense")),
                layer_norm("LayerNorm"),
            ),
            layer_norm("emb_layer_norm_after"),
        ),
    ),
)


def read_protein(c: Config) -> Config:
    """The section of the encoder, which is of one type always."""
    raw = c["protein_encoder_config"]
    if raw is not None and not isinstance(raw, Mapping):
        raise UnsupportedError(f"{c.model_type}: {c.path}protein_encoder_config is not an object")
    spec, path = TypeSpec(PROTEIN_DEFAULTS, {}, {}), f"{c.path}protein_encoder_config."
    return Config(raw or {}, c.model_type, PROTEIN_DIMS, parent=c, path=path, spec=spec)


def read_residues(c: Config, p: Place) -> Iterable[Row]:
    """A tower as those for images are: what it costs is not the text's."""
    yield from READER(read_protein(c), p._replace(part="other", stack="vision"))


def compress(c: Config, p: Place) -> Iterable[Row]:
    """Learned latents attend to the residues, layer by layer, and pass a matrix into the width of the text."""
    width, depth = read_protein(c).hidden, c.whole("resampler_depth")
    if depth > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: resampler_depth is {depth}, out of range")
    inside = c.whole("resampler_heads", least=1) * c.whole("resampler_dim_head", least=1)
    ffn = width * c.whole("resampler_ff_mult", least=1)
    yield p.tensor("latents", (c.latents, width), "projector", "lookup")
    if depth:
        layer = p.at("layers.{}")._replace(layers=range(depth))
        attention, mlp = layer.at("0"), layer.at("1")
        for name in ("norm_media", "norm_latents"):
            yield from attention.vector(name, width, "projector", True)
        yield from attention.linear("to_q", width, inside, "projector")
        yield from attention.linear("to_kv", width, 2 * inside, "projector")
        yield from attention.linear("to_out", inside, width, "projector")
        yield from mlp.vector("norm", width, "projector", True)
        yield from mlp.linear("fc1", width, ffn, "projector")
        yield from mlp.linear("fc2", ffn, width, "projector")
    yield from p.vector("norm", c.hidden, "projector", True)
    yield from p.linear("protein_projector", width, c.hidden, "projector", True)


def adapting(c: Config) -> Sequence[str]:
    """``aligner_num_add_layers`` layers, evenly spaced, attend to the protein."""
    step = max(c.layers // c.whole("aligner_num_add_layers", least=1), 1)
    return ["plain" if (layer + 1) % step else "adapted" for layer in range(c.layers)]


def attend_to_protein(c: Config, p: Place) -> Iterable[Row]:
    """Gated attention to the latents and a gated MLP; keys and values are made anew at each step, none are kept."""
    width = c.heads * (c.hidden // c.heads)
    if width != c.hidden:
        raise UnsupportedError(f"{c.model_type}: hidden_size {c.hidden} is not a multiple of its {c.heads} heads")
    ffn = c.hidden * c.whole("aligner_ffn_mult", least=1)
    yield from p.linear("query", c.hidden, width, "attention", True)
    for name in ("key_protein", "value_protein"):
        yield from p._replace(stack="cross").linear(name, c.hidden, width, "attention", True)
    yield from rms("attention_norm")(c, p)
    yield from p.linear("out_proj", c.hidden, c.hidden, "attention", c.flag("aligner_enable_bias"))
    yield from layer_norm("ff.norm")(c, p)
    yield from p.linear("ff.fc1", c.hidden, ffn, "mlp")
    yield from p.linear("ff.fc2", ffn, c.hidden, "mlp")
    yield p.tensor("gate_attention", (1,), "attention", "vector")
    yield p.tensor("gate_ffw", (1,), "mlp", "vector")
    flops = 4 * width
    yield p.state("cross", window=c.latents, flops_per_pos=flops, decode_flops_per_pos=flops, causal=False)


def refuse_decoding(c: Config) -> str | None:
    """The encoder's class would have more layers as a decoder."""
    protein = read_protein(c)
    if protein.flag("add_cross_attention") or protein.flag("is_decoder"):
        return "protein_encoder_config is that of a decoder"
    return None


register(
    Architecture(
        "evolla",
        "Evolla",
        At(
            "",
            (
                Embedding(),
                at("protein_encoder", read_residues, at("sequence_compressor_resampler", Projector((compress,)))),
                stack("layers", *LLAMA, by_kind(adapting, plain=(), adapted=at("adapter", attend_to_protein))),
                rms("norm"),
            ),
        ),
        heads={
            "EvollaModel": Head(),
            "EvollaForProteinText2Text": Head("model.", (LmHead(tie_of=lambda _: False),)),
        },
        natural="EvollaForProteinText2Text",
        dims={"latents": lambda c: c.whole("resampler_num_latents", least=1)},
        supported=refuse_decoding,
        example="westlake-repl/Evolla-10B-hf",
        about="Llama that answers about a protein; every fourth layer attends to 64 latents of what an encoder read.",
    )
)
