"""Nemotron-NAS (DeciLM): Llama with layers of their own sizes, as a search left them, and without what it dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from zoo.arch.attention import Attention
from zoo.arch.config import Config, UnsupportedError, check_whole, split_heads
from zoo.arch.families.remote_dense import LM_HEAD, lm_heads, refuse_unproven
from zoo.arch.heads import decoder
from zoo.arch.layers import resized
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: What a layer's attention and MLP may say; any other key that is set changes the model in a way not followed.
SAID = {
    "attention": ("n_heads_in_group", "no_op", "replace_with_linear"),
    "ffn": ("ffn_mult", "no_op"),
}


def read_blocks(c: Config, half: str) -> Sequence[Mapping[str, Any]]:
    """What ``block_configs`` says of the attention, or of the MLP, of each layer."""
    blocks = c["block_configs"]
    where = f"{c.model_type}: block_configs"
    if not isinstance(blocks, list) or len(blocks) != c.layers:
        raise UnsupportedError(f"{where} is not a list of {c.layers} layers")
    found = []
    for layer, block in enumerate(blocks):
        said = block.get(half) if isinstance(block, Mapping) else None
        if not isinstance(said, Mapping):
            raise UnsupportedError(f"{where} does not say what the {half} of layer {layer} is")
        if strange := sorted(key for key, value in said.items() if value and key not in SAID[half]):
            raise UnsupportedError(f"{where} sets {strange[0]!r:.40} in layer {layer}, which is not followed")
        found.append(said)
    return found


def group_blocks(c: Config, half: str, read_size: Callable[[Mapping[str, Any]], int]) -> dict[int | str, list[int]]:
    """The layers of each size; those of which only a matrix is left under "linear". Dropped ones are not there."""
    groups: dict[int | str, list[int]] = {}
    for layer, said in enumerate(read_blocks(c, half)):
        if said.get("no_op"):
            continue
        size = "linear" if said.get("replace_with_linear") else read_size(said)
        groups.setdefault(size, []).append(layer)
    return groups


def group_heads(c: Config) -> dict[int | str, list[int]]:
    """The layers by their number of key and value heads: query heads / ``n_heads_in_group``."""

    def read_size(said: Mapping[str, Any]) -> int:
        group = check_whole(said.get("n_heads_in_group"), f"{c.model_type}: n_heads_in_group", 1)
        if c.heads % group:
            raise UnsupportedError(f"{c.model_type}: {c.heads} heads do not fall into groups of {group}")
        return int(c.heads // group)

    return group_blocks(c, "attention", read_size)


def group_widths(c: Config) -> dict[int | str, list[int]]:
    """The layers by the width of their MLP: two thirds of hidden size x ``ffn_mult``, up to a multiple of 256."""

    def read_size(said: Mapping[str, Any]) -> int:
        factor = said.get("ffn_mult")
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor <= 64:
            raise UnsupportedError(f"{c.model_type}: ffn_mult is {factor!r:.40}, not a factor above 0")
        return 256 * ((int(2 * factor * c.hidden / 3) + 255) // 256)

    return group_blocks(c, "ffn", read_size)


def always(size: int) -> Callable[[Config], int]:
    return lambda _: size


def own_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention with as many key and value heads as the layer has, a matrix in its place, or nothing."""
    for size, layers in group_heads(c).items():
        place = p._replace(layers=layers)
        if isinstance(size, str):
            yield from place.linear("self_attn.linear_attn", c.hidden, c.hidden, "attention")
        else:
            yield from resized({"kv_heads": always(size)}, Attention())(c, place.at("self_attn"))
        yield from rms("input_layernorm")(c, place)


def own_mlp(c: Config, p: Place) -> Iterable[Row]:
    """A gated MLP as wide as the layer has it, or nothing."""
    for size, layers in group_widths(c).items():
        place = p._replace(layers=layers)
        if isinstance(size, int):
            yield from resized({"ffn": always(size)}, GatedMlp())(c, place.at("mlp"))
        yield from rms("post_attention_layernorm")(c, place)


def largest(groups: dict[int | str, list[int]]) -> int | None:
    return max((size for size in groups if isinstance(size, int)), default=None)


register(
    decoder(
        "nemotron-nas",
        "DeciLM",
        "Nemotron",
        own_attention,
        own_mlp,
        heads=lm_heads("DeciLMForCausalLM", base="model.", model="DeciLMModel", lm=LM_HEAD),
        dims={
            "head_dim": split_heads,
            "kv_heads": lambda c: largest(group_heads(c)),
            "ffn": lambda c: largest(group_widths(c)),
        },
        supported=refuse_unproven({"attention_bias": False, "mlp_bias": False}),
        example="nvidia/Llama-3_3-Nemotron-Super-49B-v1",
        about="Llama pruned by search: many layers have no attention, and each an MLP of its own width.",
        verified="Hub total of Llama-3_3-Nemotron-Super-49B-v1: 49,867,145,216.",
    ),
)
