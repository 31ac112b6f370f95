"""Pi0: PaliGemma sees and reads, and a small Gemma beside it turns what its layers kept into movements."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config
from zoo.arch.families.llava import read_text
from zoo.arch.families.llava_kin import find_supported
from zoo.arch.layers import At, Section, open_section
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def read_seen(c: Config) -> Config:
    """The text's section of the model that sees."""
    return read_text(open_section(c, "vlm_config"))


def read_expert(c: Config) -> Config:
    """The section of the model that moves: its vocabulary is that of the text, whatever the file says."""
    inner = open_section(c, "dit_config")
    inner.raw = {**inner.raw, "vocab_size": read_seen(c).vocab, "use_bidirectional_attention": True}
    return inner


def act(c: Config, p: Place) -> Iterable[Row]:
    """The layers that movements pass, and no token of the prompt: they read the other model's cache and keep none."""
    inner = read_expert(c)
    return find_supported(inner).body(inner, p.at("dit")._replace(part="other", stack="vision"))


def embed_movements(c: Config, p: Place) -> Iterable[Row]:
    """The robot's state, a noisy movement and the time of the denoising go in; a movement comes out."""
    place, width = p._replace(part="other", stack="vision"), read_expert(c).hidden
    states, actions = c.whole("max_state_dim", least=1), c.whole("max_action_dim", least=1)
    below = place.at("embed_action_time")
    yield from below.linear("action_in_proj", actions, width, "other", True)
    yield from below.linear("state_proj", states, width, "other", True)
    yield from below.linear("action_time_mlp_in", 2 * width, width, "other", True)
    yield from below.linear("action_time_mlp_out", width, width, "other", True)
    yield from place.linear("action_out_proj", width, actions, "other", True)


def refuse_odd(c: Config) -> str | None:
    """Sines and cosines of the time share the width."""
    width = read_expert(c).hidden
    return f"dit_config.hidden_size {width} is odd" if width % 2 else None


register(
    Architecture(
        "pi0",
        "Pi",
        At("", (act, Section("vlm_config", "vlm"))),
        heads={"PI0Model": Head(), "PI0ForConditionalGeneration": Head("model.", (embed_movements,))},
        natural="PI0ForConditionalGeneration",
        text=read_seen,
        supported=refuse_odd,
        embedding="vlm.language_model.embed_tokens.weight",
        example="lerobot/pi0_base",
        about="A Gemma of 300 million parameters denoises movements, reading the cache that PaliGemma left.",
    ),
)
