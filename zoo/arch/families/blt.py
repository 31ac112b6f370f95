"""Byte Latent Transformer (arXiv:2412.09871): bytes in patches, a small model for the bytes and a large one between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole, divide
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, Stack, at, open_section, stack
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Block, Place, Row, State, Tensor

#: How many bytes are hashed together, where the file does not say.
GROUPS = (3, 4, 5, 6, 7, 8)

#: Zero heads of keys mean as many as of queries; a zero MLP means 8/3 of the width.
LAYER_DIMS: dict[str, Dim] = {
    "kv_heads": lambda c: c.maybe("num_key_value_heads") or c.heads,
    "head_dim": lambda c: divide(c, c.hidden, c.heads, "num_attention_heads"),
    "ffn": lambda c: c.maybe("intermediate_size") or int(8 * c.hidden / 3),
    "crossing": lambda c: c.layers if c.flag("cross_attn_all_layers") else 1,
}


def spans(c: Config) -> Sequence[str]:
    return ["full_attention" if c.window is None else "sliding_attention"] * c.layers


def bytes_layer(*, cached: bool) -> tuple[Block, ...]:
    """A layer over bytes, which sees no further than the window."""
    return (at("self_attn", Attention(kinds=spans, cached=cached)), at("mlp", GatedMlp()), *PRE_NORMS)


LOCAL = stack("layers", *bytes_layer(cached=True))
GLOBAL = stack("layers", at("self_attn", Attention()), at("mlp", GatedMlp()), *PRE_NORMS)


def cross(many: tuple[str, str]) -> Block:
    """Attention between the bytes of a patch and the ``cross_attn_k`` vectors that stand for it.

    ``many`` are the projections that read the vectors: more than once for a patch of one byte, which is what
    ``flops_per_token`` adds. Nothing is kept: no byte sees another patch.
    """

    def rows(c: Config, p: Place) -> Iterable[Row]:
        vectors, own = c.whole("cross_attn_k", least=1), c.heads * c.head_dim
        widths = {"q_proj": own, "k_proj": c.kv_heads * c.head_dim, "v_proj": c.kv_heads * c.head_dim}
        for name, width in widths.items():
            yield from p.linear(name, c.hidden, width, "attention")
        yield from p.linear("o_proj", own, c.hidden, "attention")
        yield from rms("q_norm")(c, p)
        yield from rms("k_norm")(c, p)
        again = c.hidden * sum(widths.get(name, own) for name in many)
        yield p.state("cross", flops_per_token=2 * (vectors - 1) * again + 4 * own * vectors, causal=False)

    return rows


def crossing(*many: str) -> Stack:
    first, second = many
    return stack("cross_attn_layers", cross((first, second)), count="crossing")


def widen(inputs: Callable[[Config], int]) -> Block:
    """The matrix that makes ``cross_attn_k`` vectors of one."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        outputs = c.hidden * c.whole("cross_attn_k", least=1)
        return p.linear("patch_embedding_projection", inputs(c), outputs, "other")

    return rows


ENCODER = At("", (LOCAL, widen(lambda c: c.hidden), Embedding(), crossing("q_proj", "o_proj")))
DECODER = At(
    "", (LOCAL, widen(lambda c: c.whole("hidden_size_global", least=1)), rms("norm"), crossing("k_proj", "v_proj"))
)


def read_local(c: Config, key: str) -> Config:
    """The section of one of the two small models, which share the window that the whole declares."""
    return c.section(key, {**LAYER_DIMS, "window": lambda _: c.maybe("local_attention_window_len", least=1)})


def read_global(c: Config) -> Config:
    return c.section("global_config", LAYER_DIMS)


def number_states(rows: Iterable[Row], after: int) -> Iterable[Row]:
    """The rows, their states numbered on from ``after``: the three models follow one another."""
    for row in rows:
        if isinstance(row, State) and row.kind != "cross" and row.layers is not None:
            yield row._replace(layers=[after + layer for layer in row.layers])
        else:
            yield row


def encode(c: Config, p: Place) -> Iterable[Row]:
    return ENCODER(read_local(c, "encoder_config"), p.at("local_encoder"))


def think(c: Config, p: Place) -> Iterable[Row]:
    """The large model, over patches, with a matrix before it where the vectors of a patch are not as wide together."""
    inner, small = read_global(c), read_local(c, "encoder_config")
    together, below = small.hidden * c.whole("cross_attn_k", least=1), p.at("global_transformer")
    yield from number_states(GLOBAL(inner, below), small.layers)
    if together != inner.hidden:
        yield from below.linear("token_embedding_projection", together, inner.hidden, "other")


def decode(c: Config, p: Place) -> Iterable[Row]:
    before = read_local(c, "encoder_config").layers + read_global(c).layers
    return number_states(DECODER(read_local(c, "decoder_config"), p.at("local_decoder")), before)


def embed_hashes(c: Config, p: Place) -> Iterable[Row]:
    """What is added to a byte: an embedding of each group of bytes that ends in it, by hash."""
    what, listed = f"{c.model_type}: {c.path}encoder_hash_byte_group_size", c["encoder_hash_byte_group_size"]
    if listed is not None and not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{what} is not a list of sizes")
    groups = [check_whole(size, what, 1) for size in listed or GROUPS]
    rows = c.whole("encoder_hash_byte_group_vocab", least=1) * len(groups)
    rows = check_whole(rows * c.whole("encoder_hash_byte_group_nb_functions", least=1), what)
    yield p.table("encoder_hash_tok_embedding", rows, read_local(c, "encoder_config").hidden)


def cut(c: Config, p: Place) -> Iterable[Row]:
    """A language model of its own, which ends a patch where it is unsure of the next byte; unused in other modes."""
    if not c.flag("patch_in_forward"):
        return
    used = c["patching_mode"] == "entropy"
    for row in PATCHER(open_section(c, "patcher_config"), p.at("patcher")._replace(part="other")):
        if used:
            yield row
        elif isinstance(row, Tensor):
            yield row._replace(used=0)


PATCHER = At(
    "",
    (
        stack("layers", *bytes_layer(cached=False)),
        Embedding(),
        rms("norm"),
        LmHead(tie_of=lambda c: False),
    ),
)


def read_decoder(c: Config) -> Config:
    """What the head is as wide as: the vocabulary of the whole, the width of the small decoder."""
    inner = read_local(c, "decoder_config")
    inner.dims = {**inner.dims, "vocab": lambda _: c.vocab}
    return inner


def refuse_uneven_tie(c: Config) -> str | None:
    """A tie replaces the encoder's table by the head, whatever the shape of either."""
    if not c.tied:
        return None
    small, head = read_local(c, "encoder_config"), read_decoder(c)
    even = (small.vocab, small.hidden) == (head.vocab, head.hidden)
    return None if even else "tie_word_embeddings ties a head and an embedding of different shapes"


def global_dim(name: str) -> Dim:
    return lambda c: read_global(c).dim(name)


register(
    Architecture(
        "blt_patcher",
        "BLT",
        PATCHER,
        heads={"BltPatcher": Head()},
        natural="BltPatcher",
        dims=LAYER_DIMS,
        about="The model that cuts bytes into patches for BLT; it reads the whole text again each time.",
    ),
    Architecture(
        "blt",
        "BLT",
        At("", (encode, think, decode, embed_hashes, cut)),
        heads={"BltModel": Head(), "BltForCausalLM": Head("model.", (LmHead(inner=read_decoder),))},
        natural="BltForCausalLM",
        dims={
            **{name: global_dim(name) for name in ("hidden", "heads", "kv_heads", "head_dim", "ffn", "activation")},
            "layers": lambda c: sum(
                section.layers
                for section in (read_local(c, "encoder_config"), read_global(c), read_local(c, "decoder_config"))
            ),
        },
        embedding="local_encoder.embed_tokens.weight",
        supported=refuse_uneven_tie,
        example="itazap/blt-1b-hf",
        about="A token is a byte; the large model sees patches, of which FLOPs and cache take each to be one byte.",
    ),
)
