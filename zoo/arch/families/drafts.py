"""Drafts for speculative decoding, by the code of SpecForge: DFlash, DSpark and EAGLE-3.

Their files name the type of an ordinary model, whose sizes they borrow, and a class that no such type has. All share
the target's input embedding, DFlash and DSpark its head too; what is the target's is not counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.arch.attention import Attention, states_of
from zoo.arch.config import Config, UnsupportedError, check_whole, read_positive
from zoo.arch.layers import At, at, every, layer_types, stack
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

#: What ``dflash_config`` may say besides what a class reads; it shapes nothing.
HARMLESS = {"mask_token_id", "target_layer_ids", "training_mode", "prefix_weight_base"}
MARKOV = {"attention_mode", "projector_type", "markov_rank", "markov_head_type", "confidence_head_alpha"}
MARKOV |= {"enable_confidence_head", "confidence_head_with_markov"}


def read_settings(c: Config) -> Mapping[str, Any]:
    settings = c["dflash_config"]
    if not isinstance(settings, Mapping):
        raise UnsupportedError(f"{c.model_type}: dflash_config is not an object")
    return settings


def is_biased(c: Config) -> bool:
    """Qwen3's attention, which has no biases unless the file asks for them."""
    return "attention_bias" in c and c.flag("attention_bias")


def read_targets(c: Config) -> int:
    """How many layers of the target the draft looks into."""
    listed = read_settings(c).get("target_layer_ids")
    if not isinstance(listed, list) or not listed:
        raise UnsupportedError(f"{c.model_type}: dflash_config.target_layer_ids is not a list of layers")
    return len(listed)


def look_into_target(c: Config, p: Place) -> Iterable[Row]:
    """What layers of the target found, side by side, in the width of the draft."""
    yield from p.linear("fc", c.targets * c.hidden, c.hidden, "projector")
    yield from p.vector("hidden_norm", c.hidden, "norm")


BACKBONE = (
    stack(
        "layers",
        at(
            "self_attn",
            Attention(bias=is_biased, kinds=layer_types(every("full_attention")), causal=False, extra=QK_NORM),
        ),
        at("mlp", GatedMlp()),
        rms("input_layernorm"),
        rms("post_attention_layernorm"),
    ),
    rms("norm"),
    look_into_target,
)


def weigh_previous(c: Config, p: Place) -> Iterable[Row]:
    """A correction by the token before, of low rank, and a guess of how many tokens will be accepted."""
    settings = read_settings(c)
    rank = check_whole(settings.get("markov_rank"), f"{c.model_type}: dflash_config.markov_rank", 1)
    below = p.at("markov_head")
    yield below.tensor("markov_w1.weight", (c.vocab, rank), "head", "lookup")
    yield from below.linear("markov_w2", rank, c.vocab, "head")
    if settings.get("enable_confidence_head", bool(settings.get("confidence_head_alpha"))):
        width = c.hidden + (rank if settings.get("confidence_head_with_markov") else 0)
        yield from p.linear("confidence_head.proj", width, 1, "head", True)


def refuse_other_settings(c: Config, known: set[str]) -> str | None:
    found = sorted(key for key, value in read_settings(c).items() if value and key not in known)
    return f"dflash_config.{found[0]:.40} is set, which is not followed" if found else None


def refuse_projectors(c: Config) -> str | None:
    return refuse_other_settings(c, HARMLESS)


def refuse_other_heads(c: Config) -> str | None:
    """Only the plain head of low rank is known by a published total; older files name it beside ``dflash_config``."""
    settings = read_settings(c)
    wanted = {"projector_type": "dspark", "markov_head_type": "vanilla"}
    other = next((key for key, value in wanted.items() if settings.get(key) != value), None)
    if other:
        return f"dflash_config.{other} is {settings.get(other)!r:.40}, not {wanted[other]}"
    return refuse_other_settings(c, HARMLESS | MARKOV)


def attend_to_both(c: Config, p: Place) -> Iterable[Row]:
    """The one layer reads the token and the target's features side by side, so that q, k and v are twice as wide."""
    for name, heads in (("q_proj", c.heads), ("k_proj", c.kv_heads), ("v_proj", c.kv_heads)):
        yield from p.linear(name, 2 * c.hidden, heads * c.head_dim, "attention")
    yield from p.linear("o_proj", c.heads * c.head_dim, c.hidden, "attention")
    yield from states_of(c, p, None)


def look_into_three(c: Config, p: Place) -> Iterable[Row]:
    target = c.maybe("target_hidden_size", least=1) or c.hidden
    yield from p.linear("fc", 3 * target, c.hidden, "projector")


def speak_less(c: Config, p: Place) -> Iterable[Row]:
    """A head over the tokens that the draft may say, and which of the target's these are."""
    size = c.whole("draft_vocab_size", least=1)
    yield p.tensor("lm_head.weight", (size, c.hidden), "head")
    yield p.tensor("d2t", (size,), "head", "vector", role="buffer")
    yield p.tensor("t2d", (c.vocab,), "head", "vector", role="buffer")


def refuse_other_eagles(c: Config) -> str | None:
    if c.layers != 1:
        return f"num_hidden_layers is {c.layers}, where the class has one layer"
    switches = ("fc_norm", "additional_fc", "reuse_target_lm_head", "attention_bias", "mlp_bias")
    found = next((key for key in switches if c.raw.get(key)), None)
    if found:
        return f"{found} is set, which is not followed"
    said = c.raw.get("eagle_config") or {}
    listed = said.get("eagle_aux_hidden_state_layer_ids") if isinstance(said, Mapping) else None
    return None if listed is None or len(listed) == 3 else "eagle_config does not name three layers of the target"


LAYER = at(
    "midlayer",
    at("self_attn", attend_to_both),
    at("mlp", GatedMlp()),
    rms("hidden_norm"),
    rms("input_layernorm"),
    rms("post_attention_layernorm"),
)


def one_layer(c: Config, p: Place) -> Iterable[Row]:
    return LAYER(c, p._replace(layers=range(1)))


def dflash(model_type: str, name: str, *more: Any, **facts: Any) -> Architecture:
    return Architecture(
        model_type,
        "Drafts",
        At("", (*BACKBONE, *more)),
        {name: Head()},
        name,
        {"head_dim": read_positive("head_dim"), "targets": read_targets, "tied": lambda c: False},
        embedding="",
        **facts,
    )


register(
    dflash(
        "dflash_draft",
        "DFlashDraftModel",
        supported=refuse_projectors,
        example="z-lab/Qwen3-8B-DFlash-b16",
        about="Drafts a block of tokens at once, from what some layers of its target have found.",
        verified="Totals of Qwen3-4B-DFlash, 8B and Kimi-K2.5-DFlash: 537,427,200, 1,048,626,432, 3,479,277,056.",
    ),
    dflash(
        "dspark_draft",
        "DSparkDraftModel",
        weigh_previous,
        supported=refuse_other_heads,
        example="RadixArk/Kimi-K3-DSpark",
        about="DFlash with a correction by the token before, and a guess of how many tokens will be accepted.",
        verified="Hub total of Kimi-K3-DSpark: 2,249,289,601.",
    ),
    Architecture(
        "eagle3_draft",
        "Drafts",
        At("", (look_into_three, one_layer, rms("norm"), speak_less)),
        {"LlamaForCausalLMEagle3": Head()},
        "LlamaForCausalLMEagle3",
        {"tied": lambda c: False},
        embedding="",
        supported=refuse_other_eagles,
        example="taobao-mnn/Qwen3-VL-8B-Instruct-Eagle3",
        about="One layer that drafts token by token from three layers of its target, over a vocabulary of its own.",
        verified="Hub total of Qwen3-VL-8B-Instruct-Eagle3: 399,707,776, with two tables of 183,936 tokens.",
    ),
)
