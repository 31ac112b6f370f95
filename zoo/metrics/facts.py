"""Descriptive facts of a ledger: shape, attention, experts. Read from the same Config view as the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.arch.config import Config, MissingKeyError
from zoo.arch.ledger import Ledger
from zoo.arch.rows import State

#: Keys of ``attention.layers``.
LAYER_KINDS = ("full", "sliding", "chunked", "linear", "ssm", "conv", "none")
#: Beyond it a base of rotary frequencies is a slip (or infinity), not a base.
MAX_THETA = 1e30
#: Widths of latent attention: of a head's plain and rotary part, and ranks of the latents; null in others.
LATENT_KEYS = ("qk_nope_head_dim", "qk_rope_head_dim", "kv_lora_rank", "q_lora_rank")
_ATTENDING = ("full", "sliding", "chunked")


def read_dim(c: Config, name: str) -> Any:
    """A dimension, or None where the type has none of that name."""
    try:
        return c.dim(name)
    except MissingKeyError:
        return None


def shape_facts(ledger: Ledger) -> dict[str, Any]:
    """The ``shape`` object: sizes of the language model (or of the only model there is)."""
    c, architecture = ledger.text, ledger.text_architecture
    return {
        "layers": read_dim(c, "layers"),
        "hidden_size": read_dim(c, "hidden"),
        "intermediate_size": read_dim(c, "ffn"),
        "vocab_size": read_dim(c, "vocab"),
        "max_context": read_dim(c, "context"),
        "activation": read_dim(c, "activation"),
        "norm": architecture.norm,
        "position": name_position(ledger),
        "rope_theta": read_rope_theta(c) if name_position(ledger) == "rope" else None,
    }


def name_position(ledger: Ledger) -> str:
    """How positions are told; a type may have a switch that puts biases by distance in place of its rotation."""
    return "alibi" if ledger.text.get("alibi") is True else ledger.text_architecture.position


def read_rope_theta(c: Config) -> float | None:
    """Base of the rotary frequencies: of full attention where kinds differ; the type's own default where not said."""
    parameters = c.get("rope_parameters")
    for holder in (c.raw, parameters, *(parameters.values() if isinstance(parameters, Mapping) else ())):
        if isinstance(holder, Mapping):
            theta = holder.get("rope_theta", holder.get("rotary_emb_base"))
            if isinstance(theta, int | float) and not isinstance(theta, bool) and 0 < theta < MAX_THETA:
                return float(theta)
    default = c.spec.defaults.get("default_theta")
    if isinstance(default, Mapping):
        default = default.get("global", default.get("full_attention"))
    return float(default) if isinstance(default, int | float) else None


def layer_kinds(ledger: Ledger) -> list[str]:
    """What each layer of the main stack does with earlier tokens, by its first state ("none" where it keeps none)."""
    count = read_dim(ledger.text, "layers") or 0
    kinds = ["none"] * count
    for state in ledger.states:
        if state.stack == "decoder" and state.kind != "cross":
            for layer in state.layers or ():
                if layer < count and kinds[layer] in ("none", "conv"):
                    kinds[layer] = state.kind
    return kinds


def count_kinds(ledger: Ledger) -> dict[str, int]:
    """How many layers of the main stack are of each of :data:`LAYER_KINDS`."""
    counts = dict.fromkeys(LAYER_KINDS, 0)
    count = read_dim(ledger.text, "layers") or 0
    own = [s for s in ledger.states if s.stack == "decoder" and s.kind != "cross"]
    if len(own) == 1 and own[0].layers == range(count):  # all alike, as in most models
        counts[own[0].kind] = count
        return counts
    for kind in layer_kinds(ledger):
        counts[kind] += 1
    return counts


def attention_facts(ledger: Ledger) -> dict[str, Any]:
    """The ``attention`` object. Head sizes are null in a model without attention."""
    c = ledger.text
    own = [s for s in ledger.states if s.stack not in ("vision", "audio")]
    attends = any(s.kind in _ATTENDING for s in own)
    latent = LATENT_KEYS if any(s.latent for s in own) else ()
    heads = read_dim(c, "heads") if attends else None
    kv_heads = read_dim(c, "kv_heads") if attends else None
    return {
        "kind": name_attention(own, heads, kv_heads),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": read_dim(c, "head_dim") if attends else None,
        "v_head_dim": read_dim(c, "v_head_dim") if attends else None,
        "queries_per_kv": heads // kv_heads if heads and kv_heads else None,
        "window": find_window(own),
        "layers": count_kinds(ledger),
        **{key: c.get(key) if key in latent else None for key in LATENT_KEYS},
    }


def find_window(states: list[State]) -> int | None:
    """The span of the windowed layers among those that ``attention.layers`` counts: not of an encoder beside them."""
    windowed = [s for s in states if s.kind in ("sliding", "chunked") and s.stack == "decoder"]
    return next((s.window for s in windowed if s.flops_per_pos), None)


def name_attention(states: list[State], heads: int | None, kv_heads: int | None) -> str:
    """mha, gqa, mqa or mla; linear or ssm; hybrid where attention and recurrence are mixed; none."""
    recurrent = {s.kind for s in states} & {"linear", "ssm", "conv"}
    if any(s.kind in _ATTENDING for s in states):
        if recurrent:
            return "hybrid"
        if any(s.latent for s in states):
            return "mla"
        if kv_heads == 1 and heads != 1:
            return "mqa"
        return "mha" if kv_heads == heads else "gqa"
    if "linear" in recurrent:
        return "linear"
    return "ssm" if recurrent else "none"


def expert_facts(ledger: Ledger) -> dict[str, int]:
    """The ``experts`` object: routed experts of a sparse layer, top-k, shared experts, and how many such layers."""
    layers = {layer for t in ledger.tensors if t.part == "experts" and t.role == "param" for layer in t.layers or ()}
    if not layers:
        return {"routed": 0, "per_token": 0, "shared": 0, "layers": 0}
    c = ledger.text
    return {
        "routed": c.experts,
        "per_token": c.experts_per_token,
        "shared": c.shared_experts,
        "layers": len(layers),
    }
