"""Mamba-2 alone, and beside attention: Bamba, Falcon-H1, Nemotron-H."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, Config, Dim, UnsupportedError, check_whole
from zoo.arch.heads import Embedding, LmHead, causal_heads, decoder
from zoo.arch.layers import OLDER_KINDS, ByKind, at, by_kind, when
from zoo.arch.mlp import GatedMlp, Router
from zoo.arch.norms import rms
from zoo.arch.recurrent import Mamba2
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block, Place, Row, Tensor


def renamed(old: str, new: str) -> Dim:
    """A whole number under an old name that some files have, which goes before the new."""
    return lambda c: c.whole(old if old in c.raw else new, least=1)


MAMBA2_DIMS: dict[str, Dim] = {
    "heads": lambda c: 0,
    "kv_heads": lambda c: 0,
    "head_dim": lambda c: 0,
    "ffn": lambda c: c.ssm_inner,
    "ssm_inner": lambda c: c.whole("expand", least=1) * c.hidden,
    "ssm_heads": "num_heads",
    "ssm_head_dim": lambda c: split_inner(c),
    "ssm_groups": "n_groups",
    "ssm_state": "state_size",
    "ssm_conv": lambda c: c.whole("conv_kernel", least=1),
}
BAMBA_DIMS: dict[str, Dim] = {
    "ssm_inner": lambda c: c.whole("mamba_expand", least=1) * c.hidden,
    "ssm_heads": "mamba_n_heads",
    "ssm_head_dim": lambda c: split_inner(c),
    "ssm_groups": "mamba_n_groups",
    "ssm_state": "mamba_d_state",
    "ssm_conv": lambda c: c.whole("mamba_d_conv", least=1),
}
GATED_NORM = rms("norm", "ssm_inner")
NORMS = (rms("input_layernorm"), rms("pre_ff_layernorm"))
FEED_FORWARD = at("feed_forward", GatedMlp(bias="mlp_bias"))


def split_inner(c: Config) -> int:
    """The inner width over the heads, which the classes require to come out even."""
    if c.ssm_heads == 0 or c.ssm_inner % c.ssm_heads:
        raise UnsupportedError(f"{c.model_type}: {c.ssm_inner} channels are not a multiple of {c.ssm_heads} heads")
    return int(c.ssm_inner // c.ssm_heads)


def attention_at_indices(c: Config) -> Sequence[str]:
    """Attention in the layers that ``attn_layer_indices`` lists, Mamba in the others."""
    listed = c["attn_layer_indices"] or []
    if not isinstance(listed, list | tuple):
        raise UnsupportedError(f"{c.model_type}: attn_layer_indices is not a list of layers")
    layers = {check_whole(layer, f"{c.model_type}: attn_layer_indices") for layer in listed}
    return ["attention" if layer in layers else "mamba" for layer in range(c.layers)]


def read_inner(c: Config) -> int:
    """``mamba_d_ssm``, else ``mamba_expand`` times the hidden size."""
    given = c.maybe("mamba_d_ssm", least=1)
    return c.whole("mamba_expand", least=1) * c.hidden if given is None else given


register(
    decoder(
        "mamba2",
        "Mamba2",
        "Mamba",
        rms("norm"),
        at("mixer", Mamba2(bias="use_bias", conv_bias="use_conv_bias", norm=GATED_NORM)),
        embed=Embedding("embeddings"),
        final=rms("norm_f"),
        heads={"Mamba2Model": Head(), "Mamba2ForCausalLM": Head("backbone.", (LmHead(),))},
        dims=MAMBA2_DIMS,
        position="none",
        example="mistralai/Mamba-Codestral-7B-v0.1",
        about="Mamba with one decay per head, so that it runs as matrix products over chunks.",
    ),
    decoder(
        "bamba",
        "Bamba",
        "Granite",
        FEED_FORWARD,
        *NORMS,
        by_kind(
            attention_at_indices,
            attention=at("self_attn", Attention(bias="attention_bias")),
            mamba=at("mamba", Mamba2(bias="mamba_proj_bias", conv_bias="mamba_conv_bias", norm=GATED_NORM)),
        ),
        final=rms("final_layernorm"),
        heads=causal_heads("Bamba", sequence=None, tokens=None),
        dims=BAMBA_DIMS,
        example="ibm-ai-platform/Bamba-9B-v2",
        about="Mamba-2 layers with attention in those that the config lists, an MLP after each.",
    ),
    decoder(
        "falcon_h1",
        "FalconH1",
        "Falcon",
        FEED_FORWARD,
        at(
            "mamba",
            Mamba2(
                bias="mamba_proj_bias",
                out_bias="projectors_bias",
                conv_bias="mamba_conv_bias",
                norm=when("mamba_rms_norm", GATED_NORM),
            ),
        ),
        at("self_attn", Attention(bias="attention_bias")),
        *NORMS,
        final=rms("final_layernorm"),
        heads=causal_heads("FalconH1", sequence=None, tokens=None),
        dims=BAMBA_DIMS | {"ssm_inner": read_inner},
        example="tiiuae/Falcon-H1-7B-Instruct",
        about="Attention and Mamba-2 side by side in every layer, their outputs added.",
    ),
)

PATTERN: Mapping[str, str] = {"M": "linear_attention", "E": "moe", "*": "full_attention", "-": "mlp"}


def nemotron_kinds(c: Config) -> Sequence[str]:
    """One word for each layer, from the list or from the older pattern ("M-M*-"); it also says how many."""
    if c["layers_block_type"] is not None:
        return [OLDER_KINDS.get(word, word) for word in c.words("layers_block_type")]
    pattern = c.get("hybrid_override_pattern")
    if pattern is None:
        return list(PATTERN.values())
    if not isinstance(pattern, str) or not set(pattern) <= PATTERN.keys():
        raise UnsupportedError(f"{c.model_type}: hybrid_override_pattern {pattern!r:.60} is not made of M, E, * and -")
    return [PATTERN[letter] for letter in pattern]


def squared_mlp(c: Config, p: Place) -> Iterable[Row]:
    """Two matrices with a squared ReLU between."""
    bias = c.flag("mlp_bias")
    yield from p.linear("up_proj", c.hidden, c.ffn, "mlp", bias)
    yield from p.linear("down_proj", c.ffn, c.hidden, "mlp", bias)


def nemotron_moe(c: Config, p: Place) -> Iterable[Row]:
    """Plain experts, in a latent of ``moe_latent_size`` where that is set, and one shared MLP."""
    experts, used, width, bias = c.experts, c.experts_per_token, c.expert_ffn, c.flag("mlp_bias")
    if not 0 < used <= experts:
        raise UnsupportedError(f"{c.model_type}: {used} of {experts} experts per token is out of range")
    latent = c.maybe("moe_latent_size", least=1)
    inputs = c.hidden if latent is None else latent
    yield p.tensor("experts.up_proj", (experts, width, inputs), "experts", used=used, of=experts)
    yield p.tensor("experts.down_proj", (experts, inputs, width), "experts", used=used, of=experts)
    yield from Router(correction="e_score_correction_bias")(c, p)
    shared = p.at("shared_experts")
    yield from shared.linear("up_proj", c.hidden, c.shared_ffn, "shared_experts", bias)
    yield from shared.linear("down_proj", c.shared_ffn, c.hidden, "shared_experts", bias)
    if latent is not None:  # every token passes through these two, into the latent and out of it
        yield from p.linear("fc1_latent_proj", c.hidden, latent, "experts", bias)
        yield from p.linear("fc2_latent_proj", latent, c.hidden, "experts", bias)


NEMOTRON_MAMBA = Mamba2(
    bias="use_bias", conv_bias=lambda c: bool(c.conv_bias), norm=GATED_NORM, dtype="mamba_ssm_cache_dtype"
)
NEMOTRON_MIXERS: Mapping[str, Block] = {
    "linear_attention": NEMOTRON_MAMBA,
    "full_attention": Attention(),
    "mlp": squared_mlp,
    "moe": nemotron_moe,
}


def read_mtp_kinds(c: Config) -> Sequence[str]:
    """The layers that predict one more token: a list, or the older pattern."""
    if c["mtp_layers_block_type"] is not None:
        return [OLDER_KINDS.get(word, word) for word in c.words("mtp_layers_block_type")]
    pattern = c.get("mtp_hybrid_override_pattern")
    if pattern is None:
        return []
    if not isinstance(pattern, str) or not set(pattern) <= PATTERN.keys():
        raise UnsupportedError(f"{c.model_type}: mtp_hybrid_override_pattern {pattern!r:.60} is no pattern")
    return [PATTERN[letter] for letter in pattern]


def final_norm_and_mtp(c: Config, p: Place) -> Iterable[Row]:
    """The final norm, and what predicts further tokens, as checkpoints store it (``mtp.layers.…``).

    The first layer of each joins two normalised inputs by a projection, the last ends in a norm.
    """
    yield from rms("norm_f")(c, p)
    count = c.maybe("num_nextn_predict_layers") or 0
    kinds = read_mtp_kinds(c) if count else []
    if count * len(kinds) > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: {count} x {len(kinds)} layers for further tokens are out of range")
    for layer, kind in enumerate(list(kinds) * count):
        place = Place("mtp.layers.{}.", [layer], role="mtp")
        mixer = NEMOTRON_MIXERS.get(kind)
        if mixer is None:
            raise UnsupportedError(f"{c.model_type}: layers of kind {kind!r:.40} are not known")
        names = [*(("enorm", "hnorm") if layer % len(kinds) == 0 else ()), "norm"]
        names += ["final_layernorm"] if (layer + 1) % len(kinds) == 0 else []
        blocks: tuple[Block, ...] = (at("mixer", mixer), *(rms(name) for name in names))
        for block in blocks:
            yield from (row._replace(role="mtp") for row in block(c, place) if isinstance(row, Tensor))
        if layer % len(kinds) == 0:
            yield from place.linear("eh_proj", 2 * c.hidden, c.hidden, "other")


register(
    decoder(
        "nemotron_h",
        "NemotronH",
        "Nemotron",
        rms("norm"),
        at(
            "mixer",
            ByKind(nemotron_kinds, {kind: (mixer,) for kind, mixer in NEMOTRON_MIXERS.items()}),
        ),
        embed=Embedding("embeddings"),
        final=final_norm_and_mtp,
        heads=causal_heads("NemotronH", sequence=None, tokens=None),
        dims={
            "layers": lambda c: len(nemotron_kinds(c)),
            "experts": "n_routed_experts",
            "experts_per_token": "num_experts_per_tok",
            "expert_ffn": "moe_intermediate_size",
            "shared_experts": lambda c: 1,
            "shared_ffn": "moe_shared_expert_intermediate_size",
            "ssm_inner": lambda c: c.whole("mamba_num_heads", least=1) * c.whole("mamba_head_dim", least=1),
            "ssm_heads": "mamba_num_heads",
            "ssm_head_dim": "mamba_head_dim",
            "ssm_groups": renamed("mamba_n_groups", "n_groups"),
            "ssm_state": "ssm_state_size",
            "ssm_conv": renamed("mamba_d_conv", "conv_kernel"),
            "conv_bias": lambda c: c.flag("mamba_conv_bias" if "mamba_conv_bias" in c.raw else "use_conv_bias"),
            "tied": lambda c: False,  # the class ties nothing, whatever the config says
            "activation": lambda c: c.get("mlp_hidden_act"),
        },
        position="none",
        example="nvidia/Nemotron-H-8B-Base-8K",
        about="Each layer is one block alone: Mamba-2, attention, an MLP or experts, as a pattern spells them.",
    )
)
