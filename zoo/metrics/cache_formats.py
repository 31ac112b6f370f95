"""Formats in which serving engines keep a quantised cache: how many bytes a token takes, scales included.

A plain data type (``--kv-dtype fp8``) counts the values alone, which is what an engine keeps whose scales are one for
a whole tensor (vLLM's fp8). Where an engine stores scales with the tokens, its format is one of :data:`FORMATS`, from
vLLM 0.33 (``v1/kv_cache_interface.py``) and llama.cpp (``ggml-common.h``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from zoo.arch.rows import State

#: The rules by which ``kv_cache`` counts, whatever the data type: the latent of MLA, windows and chunks at their full
#: span, kernel - 1 columns of a convolution, nothing in layers that share; no scales but those of an indexer's keys.
RULES = "vLLM's rules, no scales"
#: Bytes of a float32 scale.
SCALE = 4
#: The sizes that vLLM's packed formats for latent attention are made for: rank of the latent, rotary width.
DEEPSEEK_LATENT = (512, 64)

#: Bits of one token in one layer of a state; None where the format cannot hold it.
Rule = Callable[[State], int | None]


def scale_each_vector(bits: int) -> Rule:
    """Values of ``bits`` and a float32 scale for each key and each value vector of a token."""

    def count(state: State) -> int | None:
        if state.latent or not state.vectors:
            return None
        return state.per_token * bits + 8 * SCALE * state.vectors

    return count


def scale_blocks(size: int, values: int, *, latent: bool) -> Rule:
    """Blocks of ``size`` bytes for ``values`` values, its scale among them; a vector must be whole blocks."""

    def count(state: State) -> int | None:
        if not state.vectors or (state.latent and not latent) or state.per_token % (state.vectors * values):
            return None
        return 8 * size * (state.per_token // values)

    return count


def pack_latent(value_bits: int, values_per_scale: int, scale: int, rotary_bits: int) -> Rule:
    """The latent in ``value_bits`` with a scale of ``scale`` bytes for some of them, the rotary key beside it."""

    def count(state: State) -> int | None:
        rank = state.per_token - state.rotary
        if not state.latent or (rank, state.rotary) != DEEPSEEK_LATENT:
            return None
        scales = rank // values_per_scale * scale
        return rank * value_bits + state.rotary * rotary_bits + 8 * scales

    return count


#: By the name that the engine has for it.
FORMATS: Mapping[str, Rule] = {
    "vllm:fp8_per_token_head": scale_each_vector(8),
    "vllm:int8_per_token_head": scale_each_vector(8),
    "vllm:int4_per_token_head": scale_each_vector(4),
    "vllm:nvfp4": scale_blocks(9, 16, latent=False),
    "vllm:fp8_ds_mla": pack_latent(8, 128, SCALE, 16),
    "vllm:nvfp4_ds_mla": pack_latent(4, 16, 1, 8),
    "llama.cpp:q8_0": scale_blocks(34, 32, latent=True),
    "llama.cpp:q4_0": scale_blocks(18, 32, latent=True),
}


def list_formats(states: Iterable[State]) -> dict[str, int | None]:
    """Bytes of one token over all layers, at the rate of the first tokens, by format; None where it cannot hold one."""
    kept = [(state, state.repeats) for state in states if state.per_token]
    return {name: count_format(kept, name, rule) for name, rule in FORMATS.items()}


def count_format(kept: Sequence[tuple[State, int]], name: str, rule: Rule) -> int | None:
    """Bytes of one token in states that keep any, each so many times, in one format; None where it cannot hold one."""
    bits = 0
    for state, repeats in kept:
        own = state.token_bytes  # a format of vLLM's own
        one = rule(state) if own is None else 8 * own if name.startswith("vllm:") else None
        if one is None:
            return None
        bits += one * repeats
    return (bits + 7) // 8 if bits else None
