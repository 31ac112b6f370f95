"""dots 3 Note's text model: latent attention with an indexer, and in most layers wider latents with a window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import LatentAttention
from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.families.deepseek import DEEPSEEK, MOE_V3, PRE_NORMS
from zoo.arch.families.indexed import PickedLatent, indexer
from zoo.arch.heads import LmHead, decoder
from zoo.arch.layers import at, by_kind, named_kinds
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block, Place, Row, State

#: Sizes of the layers with a window, where a file does not say otherwise (with "swa_" before the name).
IN_WINDOWS = {
    "num_attention_heads": 64,
    "num_key_value_heads": 64,
    "q_lora_rank": 1024,
    "kv_lora_rank": 1024,
    "head_dim": 256,
    "qk_nope_head_dim": 192,
    "v_head_dim": 128,
}


def read_switch(c: Config, key: str) -> bool:
    """A switch that only files of the model's own code have; on where it is missing."""
    return c.flag(key) if key in c else True


def attention_kinds(c: Config) -> Sequence[str]:
    """``layer_types``, in which ``use_dsa`` decides whether full attention has an indexer."""
    indexed = read_switch(c, "use_dsa")
    full = "indexed_attention" if indexed else "full_attention"
    if c["layer_types"] is None:
        slides = read_switch(c, "use_sliding_window")
        whole = [not slides or layer < 2 or layer % 4 == 1 for layer in range(c.layers)]
        return [full if is_whole else "sliding_attention" for is_whole in whole]
    kinds = named_kinds(lambda c: [])(c)
    return [full if kind in ("full_attention", "indexed_attention") else kind for kind in kinds]


def mlp_kinds(c: Config) -> Sequence[str]:
    """After the dense layers, experts in those that ``moe_layer_freq`` lists, or whose number it divides."""
    dense = check_whole(c.get("first_k_dense_replace", 1), f"{c.model_type}: first_k_dense_replace")
    step = c.get("moe_layer_freq", 1)
    if not isinstance(step, list):
        step = check_whole(step, f"{c.model_type}: moe_layer_freq", 1)
        step = [layer % step == 0 for layer in range(c.layers)]
    if len(step) != c.layers:
        raise UnsupportedError(f"{c.model_type}: moe_layer_freq is not a list of one for each layer")
    return ["sparse" if layer >= dense and step[layer] else "dense" for layer in range(c.layers)]


def size_windows(c: Config) -> Config:
    """The config as layers with a window see it."""
    sizes = {key: c.get(f"swa_{key}", default) for key, default in IN_WINDOWS.items()}
    rest = c.get("swa_qk_rope_head_dim")
    if rest is None and isinstance(sizes["head_dim"], int) and isinstance(sizes["qk_nope_head_dim"], int):
        rest = sizes["head_dim"] - sizes["qk_nope_head_dim"]
    raw = {**c.raw, **sizes, "qk_rope_head_dim": rest}
    return Config(raw, c.model_type, c.dims, parent=c.parent, path=c.path, spec=c.spec)


def windowed(*blocks: Block) -> Block:
    """Blocks with the sizes of layers that slide, which keep no more than their window."""

    def rows(c: Config, p: Place) -> Iterable[Row]:
        for block in blocks:
            for row in block(size_windows(c), p):
                yield row._replace(kind="sliding", window=c.window) if isinstance(row, State) else row

    return rows


def key_norm_and_gate(c: Config, p: Place) -> Iterable[Row]:
    """A norm on the rotary key by itself, and how much of what each head found is passed on."""
    yield from rms("k_rope_only_layernorm", lambda c: c.whole("qk_rope_head_dim", least=1))(c, p)
    yield from p.linear("g_proj", c.hidden, c.heads, "attention")


def refuse_other_sizes(c: Config) -> str | None:
    """What the class refuses."""
    for sizes in (c, size_windows(c)):
        if sizes["q_lora_rank"] is None:
            return "q_lora_rank is null"
    return None


def read_window(c: Config) -> int | None:
    said = c.maybe("sliding_window", least=1)
    return (
        check_whole(c.get("sliding_window_size", 512), f"{c.model_type}: sliding_window_size", 1)
        if said is None
        else said
    )


def read_shared_width(c: Config) -> int:
    """The width of one shared expert by either of its names, times how many there are."""
    older = c.maybe("moe_shared_expert_intermediate_size")
    width = c.whole("shared_experts_intermediate_size") if older is None else older
    return int(width * c.shared_experts)


MLPS = named_kinds(mlp_kinds, "mlp_layer_types")

register(
    decoder(
        "dots3_note_text",
        "Dots3Note",
        "dots",
        at(
            "self_attn",
            by_kind(
                attention_kinds,
                full_attention=(LatentAttention(), key_norm_and_gate),
                indexed_attention=(PickedLatent(), at("indexer", indexer), key_norm_and_gate),
                sliding_attention=windowed(LatentAttention(), key_norm_and_gate),
            ),
        ),
        at("mlp", by_kind(MLPS, dense=GatedMlp(), sparse=MOE_V3)),
        *PRE_NORMS,
        heads={"Dots3NoteTextModel": Head(), "Dots3NoteForCausalLM": Head("model.", (LmHead(),))},
        dims={
            **DEEPSEEK,
            "kv_heads": lambda c: c.heads,
            "window": read_window,
            "shared_ffn": read_shared_width,
        },
        supported=refuse_other_sizes,
        about="Three layers with a window of 512 and wide latents to one whose indexer picks 2,048 tokens.",
    ),
)
