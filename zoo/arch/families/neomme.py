"""NeoMME: an encoder of text and page images alike, with windows that differ from layer to layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.vision import Projector
from zoo.arch.layers import At, at, layer_types, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.per_layer import Overrides, PerLayer
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row, State

LONG_WINDOW = 1024


def every_sixth(c: Config) -> Sequence[str]:
    """Full attention in every sixth layer and in the last."""
    full = [(layer + 1) % 6 == 0 or layer == c.layers - 1 for layer in range(c.layers)]
    return ["full_attention" if is_full else "sliding_attention" for is_full in full]


def read_kinds(c: Config) -> Sequence[str]:
    kinds = layer_types(every_sixth)(c)
    if strange := set(kinds) - {"full_attention", "sliding_attention"}:
        raise UnsupportedError(f"{c.model_type}: layers of kind {min(strange)!r:.40} are not known")
    if "full_attention" not in kinds:
        raise UnsupportedError(f"{c.model_type}: no layer has full attention")
    return kinds


def alternate_windows(c: Config) -> Overrides:
    """No window in full attention, a longer one in every second layer of the others."""
    changes: dict[int, dict[str, int | None]] = {}
    sliding = 0
    for layer, kind in enumerate(read_kinds(c)):
        if kind == "full_attention":
            changes[layer] = {"sliding_window": None}
        elif sliding := sliding + 1:
            changes[layer] = {} if sliding % 2 else {"sliding_window": LONG_WINDOW}
    return changes


def attend(c: Config, p: Place) -> Iterable[Row]:
    """Attention both ways, within ``sliding_window`` to each side where the layer has one; its output is gated.

    What a head found is cleared of its own value as far as its ``alpha`` says; norms of queries and keys store nothing.
    """
    window = c.maybe("sliding_window", least=1)
    if window is None and "sliding_attention" in {read_kinds(c)[layer] for layer in p.layers or ()}:
        raise UnsupportedError(f"{c.model_type}: sliding_attention layers have no sliding_window")
    names, width = ("q_proj", "k_proj", "v_proj", "output_projection.o_proj"), c.heads * c.head_dim
    for row in Attention(names, bias="attention_bias", cached=False, causal=False)(c, p):
        if isinstance(row, State) and window is not None:
            yield row._replace(kind="sliding", window=2 * window + 1)
        else:
            yield row
    yield p.tensor("exclusive_self_attention.alpha", (c.heads,), "attention", "vector")
    yield from p.linear("output_projection.gate_proj", c.hidden, width, "attention")


def mix_in(c: Config, p: Place) -> Iterable[Row]:
    """How much of the hidden state, and how much of what first came in, enters the layer."""
    yield p.tensor("lambdas", (2,), "other", "vector")


def embed(c: Config, p: Place) -> Iterable[Row]:
    """A table narrower than the hidden size, and one more of values, which two layers add to theirs."""
    below = p.at("embed_tokens")
    yield below.table("word_embeddings", c.vocab, c.rank)
    yield from below.linear("embedding_projection", c.rank, c.hidden, "embedding")
    yield p.table("value_embeddings", c.vocab, c.kv_heads * c.head_dim)


def embed_patches(c: Config, p: Place) -> Iterable[Row]:
    pixels = 3 * c.whole("patch_size", least=1) ** 2
    below = p.at("patch_embeddings")._replace(part="vision")
    yield from layer_norm("norm", lambda c: pixels)(c, below)
    yield from below.linear("up_proj", pixels, 2 * c.hidden, "vision")
    yield from below.linear("down_proj", 2 * c.hidden, c.hidden, "vision", True)


def predict(c: Config, p: Place) -> Iterable[Row]:
    """Both matrices of the embedding again, the other way round."""
    inner = p.embedding.replace("word_embeddings", "embedding_projection") if c.tied else None
    yield p.tensor("unembedding_projection.weight", (c.hidden, c.rank), "head", tied_to=inner)
    yield p.tensor("lm_head.weight", (c.vocab, c.rank), "head", tied_to=p.embedding if c.tied else None)


def retrieve(c: Config, p: Place) -> Iterable[Row]:
    yield from p.linear("multi_vector_head.proj", c.hidden, c.whole("embedding_dim", least=1), "head")


def refuse_groups(c: Config) -> str | None:
    """The class repeats keys and values a whole number of times."""
    return f"{c.heads} heads do not share {c.kv_heads} keys and values" if c.heads % c.kv_heads else None


register(
    Architecture(
        "neomme",
        "NeoMME",
        At(
            "",
            (
                embed,
                Projector((embed_patches,)),
                stack(
                    "layers",
                    at("self_attn", PerLayer(("sliding_window",), alternate_windows, (attend,))),
                    at("mlp", Mlp(("up_proj", "down_proj"), bias="mlp_bias")),
                    mix_in,
                ),
            ),
        ),
        heads={
            "NeoMMEModel": Head(),
            "NeoMMEForMaskedLM": Head("model.", (predict,)),
            "NeoMMEForRetrieval": Head("model.", (retrieve,)),
        },
        natural="NeoMMEForMaskedLM",
        dims={
            "rank": lambda c: c.whole("embedding_rank", least=1),
            "kv_heads": lambda c: c.whole("num_key_value_heads", least=1),
            "head_dim": lambda c: c.whole("head_dim", least=1),
        },
        supported=refuse_groups,
        embedding="embed_tokens.word_embeddings.weight",
        example="Hcompany/NeoMME-260M",
        about="An encoder of text and page images, with windows of 256 and 1,024 in turn and gated attention.",
    ),
)
