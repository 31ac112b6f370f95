"""Qwen4-Exp: Qwen3.5's layers in four residual streams, attention to picked tokens, and tables of hashed n-grams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.qwen3_vl import TEXT_ALONE, vision_model, whole_model
from zoo.arch.families.qwen_next import EXPERTS, MOE, every_fourth_full, gated_attention
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.recurrent import GatedDelta
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block, Place, Row, Tensor

#: More tables than this, each as large as a prime of its own, no real model has.
MAX_TABLES = 4096
#: Bases with which the Miller-Rabin test is exact below 3.4e14 (OEIS A014233).
WITNESSES = (2, 3, 5, 7, 11, 13, 17)


def is_prime(number: int) -> bool:
    """Whether ``number``, below 3.4e14, is prime (Miller-Rabin)."""
    if number < 2 or any(number % witness == 0 for witness in WITNESSES):
        return number in WITNESSES
    twos = ((number - 1) & (1 - number)).bit_length() - 1
    odd = (number - 1) >> twos
    for witness in WITNESSES:
        power = pow(witness, odd, number)
        if power in (1, number - 1):
            continue
        if not any((power := power * power % number) == number - 1 for _ in range(twos - 1)):
            return False
    return True


@cache
def list_primes(start: int, count: int) -> tuple[int, ...]:
    """The first ``count`` primes that are at least ``start``."""
    primes: list[int] = []
    while len(primes) < count:
        if is_prime(start):
            primes.append(start)
        start += 1
    return tuple(primes)


def read_kinds(c: Config) -> Sequence[str]:
    """Attention, where it is full by name, is to the tokens that an indexer picks."""
    kinds = named_kinds(every_fourth_full)(c)
    return ["indexed_attention" if kind == "full_attention" else kind for kind in kinds]


def picked_attention(c: Config, p: Place) -> Iterable[Row]:
    """Gated attention to at most ``indexer_budget`` tokens, in whole blocks, and those of the unfinished block.

    Kept per token: keys and values, and the indexer's one key. An index is scored for each block of
    ``indexer_compress_ratio`` keys, which are averaged.
    """
    if c["indexer_kv_heads"] != 1:
        raise UnsupportedError(f"{c.model_type}: {c.path}indexer_kv_heads is {c['indexer_kv_heads']!r:.40}, not 1")
    heads, width = c.whole("indexer_n_heads", least=1), c.whole("indexer_head_dim", least=1)
    ratio = c.whole("indexer_compress_ratio", least=1)
    seen = c.whole("indexer_budget", least=1) + ratio - 1
    yield from (row for row in gated_attention(c, p) if isinstance(row, Tensor))
    below = p.at("indexer")
    yield from below.linear("index_qk_proj", c.hidden, (heads + 1) * width, "attention")
    for name in ("q_layernorm", "k_layernorm"):
        yield from below.vector(name, width, "norm")
    per_token, flops, scan = 2 * c.kv_heads * c.head_dim, 4 * c.heads * c.head_dim, 2 * heads * width // ratio
    yield p.state("full", per_token=per_token, materialized=per_token, vectors=2 * c.kv_heads)
    yield p.state("full", window=seen, flops_per_pos=flops, decode_flops_per_pos=flops)
    yield p.state("full", per_token=width, materialized=width, flops_per_pos=scan, decode_flops_per_pos=scan)


def gated_residual(name: str, *, inject: bool = True) -> Block:
    """Hyper-connection: a low-rank mix of the residual streams into a block, and a weight for each on the way out."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        streams, rank = c.whole("hc_count", least=2), c.whole("hc_lowrank", least=1)
        below = p.at(name)
        yield from below.vector("hc_norm", streams * c.hidden, "norm")
        yield from below.linear("input_mix_weight_down", streams * c.hidden, rank, "other")
        yield from below.linear("input_mix_weight_up", rank, streams * c.hidden, "other")
        if inject:
            yield from below.linear("block_inject_weight", streams * c.hidden, streams, "other")

    return rows


def read_ple_layers(c: Config) -> list[int]:
    """The layers, from 0, that have a table of n-grams; the file counts from 1."""
    value = c["ple_layer_ids"]
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise UnsupportedError(f"{c.model_type}: {c.path}ple_layer_ids is not a list of layers")
    layers = sorted({check_whole(layer, f"{c.model_type}: {c.path}ple_layer_ids", 1) - 1 for layer in value})
    if layers and layers[-1] >= c.layers:
        raise UnsupportedError(f"{c.model_type}: {c.path}ple_layer_ids names layer {layers[-1] + 1} of {c.layers}")
    return layers


def ngram_table(c: Config, p: Place, index: int, width: int) -> Iterable[Row]:
    """Rows for hashed n-grams: each head has as many as the next prime, all are padded to a multiple together.

    The multipliers of the hash, the sizes and the offsets are stored beside it, and are no parameters.
    """
    size = c.whole("ngram_size", least=2)
    heads = (size - 1) * c.whole("heads_per_ngram", least=1)
    if width % heads:
        raise UnsupportedError(f"{c.model_type}: ple_embed_dim {width} is not a multiple of the {heads} n-gram heads")
    if (index + 1) * heads > MAX_TABLES:
        raise UnsupportedError(f"{c.model_type}: {(index + 1) * heads} n-gram heads are out of range")
    primes = list_primes(c.whole("ngram_vocab_size_base"), (index + 1) * heads)[index * heads :]
    multiple = c.whole("make_ngram_vocab_size_divisible_by", least=1)
    yield p.table("ngram_embedding", -(-sum(primes) // multiple) * multiple, width // heads)
    for name, length in (
        ("layer_multipliers", size),
        ("ngram_heads_vocab_sizes", heads),
        ("ngram_heads_offsets", heads),
    ):
        yield p.tensor(name, (length,), "embedding", "vector", role="buffer")


def per_layer_embedding(c: Config, p: Place) -> Iterable[Row]:
    """In the layers of ``ple_layer_ids``: what the last tokens spell, looked up and mixed into every stream.

    A convolution dilated by ``ngram_size`` follows, of which the last inputs are kept for each sequence. (The few
    token ids before are not counted: an engine has them anyway.)
    """
    for index, layer in enumerate(read_ple_layers(c)):
        place = p._replace(layers=[layer]).at("ple")
        embedded = c.maybe("ple_embed_dim", least=1) or c.hidden
        streams, kernel = c.whole("hc_count", least=2) * c.hidden, c.whole("ple_conv_kernel_size", least=1)
        yield from ngram_table(c, place.at("ple_embedding"), index, embedded)
        yield from place.linear("key_proj", embedded, streams, "other")
        yield from place.linear("value_proj", embedded, c.hidden, "other")
        for name in ("norm_key", "norm_query", "norm_conv"):
            yield from place.vector(name, streams, "norm")
        yield place.tensor("conv1d.weight", (streams, 1, kernel), "other", "conv")
        yield place.state("conv", fixed=streams * (kernel - 1) * c.whole("ngram_size"))


register(
    vision_model("qwen4_exp_vision", "Qwen4Exp"),
    decoder(
        "qwen4_exp_text",
        "Qwen4Exp",
        "Qwen",
        by_kind(
            read_kinds,
            linear_attention=at("linear_attn", GatedDelta(fused=False)),
            indexed_attention=at("self_attn", picked_attention),
        ),
        at("mlp", MOE),
        per_layer_embedding,
        gated_residual("attn_hyper_connection"),
        gated_residual("mlp_hyper_connection"),
        final=gated_residual("hyper_connection_mixer", inject=False),
        heads={"Qwen4ExpTextModel": Head(), "Qwen4ExpForCausalLM": Head("model.", (LmHead(),))},
        dims=EXPERTS
        | {
            "ffn": lambda c: c.expert_ffn,
            "head_dim": lambda c: c.whole("head_dim", least=1),
            "kv_heads": lambda c: c.whole("num_key_value_heads", least=1),
            "window": lambda c: None,
        },
        about="Four residual streams; three layers of the gated delta rule to one that attends to picked tokens.",
    ),
    whole_model(
        "qwen4_exp",
        "Qwen4Exp",
        "",
        "Qwen4-Exp's language model behind Qwen3-VL's vision tower.",
        Qwen4ExpForCausalLM=TEXT_ALONE,
    ),
)
