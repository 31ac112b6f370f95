"""Step 3.7: a mixture with more heads in the layers that slide, behind a tower with two convolutions at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import MAX_LAYERS, MULTI_HEAD, Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.llava import refuse_flat
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.towers import scale_residuals
from zoo.arch.families.vision import PROJECTIONS, VISION_DIMS, Patches, Positions, Projector, Tower
from zoo.arch.heads import Embedding
from zoo.arch.layers import At, ByKind, at, resized, stack
from zoo.arch.mlp import Experts, GatedMlp, Mlp, Moe, Router
from zoo.arch.norms import QK_NORM, layer_norm, rms
from zoo.arch.per_layer import Overrides, PerLayer
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, Tensor


def count_extra(c: Config) -> int:
    """Layers that predict further tokens; lists name them after the others, and the class leaves them out."""
    return check_whole(c.get("num_nextn_predict_layers", 0), f"{c.model_type}: num_nextn_predict_layers")


def listed(key: str, otherwise: Callable[[Config], Sequence[str]]) -> Callable[[Config], Sequence[str]]:
    """The kinds that the list ``key`` gives, without those of layers that predict further tokens."""

    def read(c: Config) -> Sequence[str]:
        if c[key] is None:
            return otherwise(c)
        words = c.words(key)
        if len(words) not in (c.layers, c.layers + count_extra(c)):
            raise UnsupportedError(f"{c.model_type}: {c.path}{key} names {len(words)} layers, not {c.layers}")
        return words[: c.layers]

    return read


def list_sparse(c: Config) -> set[int]:
    """The layers that ``moe_layers_enum`` names to have experts, else all but the first three."""
    named = c.get("moe_layers_enum")
    if named is None:
        return set(range(3, c.layers))
    words = named.split(",") if isinstance(named, str) else named
    if not isinstance(words, list) or not all(str(word).strip().isdigit() for word in words if str(word).strip()):
        raise UnsupportedError(f"{c.model_type}: {c.path}moe_layers_enum is not a list of layers")
    return {int(word) for word in words if str(word).strip()}


def read_sparse(c: Config) -> Sequence[str]:
    sparse = list_sparse(c)
    return ["sparse" if layer in sparse else "dense" for layer in range(c.layers)]


def read_extra(c: Config, key: str) -> Sequence[str] | None:
    """The kinds of the layers that predict further tokens: after the others' or by themselves; None where not said."""
    count, own = count_extra(c), c.get(f"mtp_{key}")
    if own is not None:
        return c.words(f"mtp_{key}", count)
    if c[key] is not None:
        words = c.words(key)
        return words[c.layers :] if len(words) == c.layers + count else None
    if key == "layer_types":
        return ["full_attention"] * count
    sparse = list_sparse(c)
    return ["sparse" if layer in sparse else "dense" for layer in range(c.layers, c.layers + count)]


def predict_further(c: Config, p: Place) -> Iterable[Row]:
    """Layers that predict further tokens, as checkpoints store them after the others, where their kinds are known.

    Each has a projection of two normalised inputs and a norm; its copy of the output head is left out.
    """
    count = count_extra(c)
    if count > MAX_LAYERS:
        raise UnsupportedError(f"{c.model_type}: num_nextn_predict_layers is {count}, out of range")
    spans, mlps = (read_extra(c, key) if count else None for key in ("layer_types", "mlp_layer_types"))
    for layer, span, mlp in zip(range(c.layers, c.layers + count), spans or (), mlps or (), strict=False):
        place = Place(f"{p.prefix}layers.{{}}.", [layer], role="mtp")
        if span not in ("full_attention", "sliding_attention") or mlp not in MLPS:
            raise UnsupportedError(f"{c.model_type}: layers of kind {span!r:.40} or {mlp!r:.40} are not known")
        attention = Attention(bias="attention_bias", extra=INSIDE)
        widened = resized({"heads": read_sliding_heads}, attention) if span == "sliding_attention" else attention
        ends = (rms("enorm"), rms("hnorm"), at("shared_head", rms("norm")))
        blocks: tuple[Block, ...] = (at("self_attn", widened), at("mlp", MLPS[mlp]), *PRE_NORMS, *ends)
        for block in blocks:
            yield from (row._replace(role="mtp") for row in block(c, place) if isinstance(row, Tensor))
        yield from place.linear("eh_proj", 2 * c.hidden, c.hidden, "other")


def read_sliding_heads(c: Config) -> int:
    """Query heads of the layers that slide; older files say them in a section of their own."""
    heads = c.maybe("num_sliding_attention_heads", least=1)
    if heads is not None:
        return heads
    other, same = c.get("attention_other_setting"), c.whole("num_attention_heads", least=1)
    if other and not isinstance(other, Mapping):
        raise UnsupportedError(f"{c.model_type}: {c.path}attention_other_setting is not an object")
    return check_whole(other.get("num_attention_heads", same) if other else same, f"{c.model_type}: heads", 1)


def gate(c: Config, p: Place) -> Iterable[Row]:
    """What attention found is gated: a number for each head, or for each element."""
    per_head = c.get("gating", True) in (True, "per-head")
    return p.linear("g_proj", c.hidden, c.heads * (1 if per_head else c.head_dim), "attention")


def widen_sliding(c: Config) -> Overrides:
    """Layers that slide have query heads of their own number."""
    sliding = [layer for layer, kind in enumerate(KINDS(c)) if kind == "sliding_attention"]
    heads = read_sliding_heads(c) if sliding else 0
    return {layer: {"num_attention_heads": heads} for layer in sliding}


KINDS = listed("layer_types", lambda c: ["full_attention"] * c.layers)
INSIDE = (*QK_NORM, gate)
ATTENTION = Attention(bias="attention_bias", kinds=KINDS, extra=INSIDE)
SHARED = at("shared_experts", GatedMlp(bias="mlp_bias", width="shared_ffn", part="shared_experts"))
MLPS: Mapping[str, Block] = {
    "dense": GatedMlp(bias="mlp_bias"),
    "sparse": Moe(Router(correction="e_score_correction_bias"), Experts(), shared=(SHARED,)),
}
TEXT_DIMS: dict[str, Dim] = {
    "experts": "n_routed_experts",
    "experts_per_token": "num_experts_per_tok",
    "shared_experts": lambda c: 1,
    "expert_ffn": "moe_intermediate_size",
    "shared_ffn": "share_expert_dim",
}
TEXT = At(
    "",
    (
        Embedding(),
        stack(
            "layers",
            at(
                "self_attn",
                PerLayer(("num_attention_heads", "num_key_value_heads", "attention_bias"), widen_sliding, (ATTENTION,)),
            ),
            at(
                "mlp",
                ByKind(listed("mlp_layer_types", read_sparse), {kind: (mlp,) for kind, mlp in MLPS.items()}),
            ),
            *PRE_NORMS,
        ),
        rms("norm"),
        predict_further,
    ),
)


def read_ffn(c: Config) -> int:
    """The hidden size times ``mlp_ratio``, rounded down, whatever ``intermediate_size`` says."""
    ratio = c["mlp_ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio < 1000:
        raise UnsupportedError(f"{c.model_type}: {c.path}mlp_ratio is {ratio!r:.40}, not a ratio")
    return int(c.hidden * ratio)


def either(older: str, key: str) -> Callable[[Config], int]:
    """The value of the key's older name where the file has it."""
    return lambda c: c.whole(older if older in c.raw else key, least=1)


def convolve(c: Config, p: Place) -> Iterable[Row]:
    """Two convolutions over 3 x 3 patches with stride 2, each of which doubles the width."""
    for name, width in (("downsampler1", c.hidden), ("downsampler2", 2 * c.hidden)):
        yield p.tensor(f"{name}.weight", (2 * width, width, 3, 3), "vision")
        yield p.tensor(f"{name}.bias", (2 * width,), "vision", "vector")


TOWER_DIMS: dict[str, Dim] = {
    **VISION_DIMS,
    **MULTI_HEAD,
    "hidden": either("width", "hidden_size"),
    "layers": either("layers", "num_hidden_layers"),
    "heads": either("heads", "num_attention_heads"),
    "ffn": read_ffn,
}
TOWER = Tower(
    "vision_model",
    (
        at("embeddings", Patches("patch_embedding"), Positions()),
        layer_norm("pre_layernorm"),
        stack(
            "layers",
            at("self_attn", Attention(PROJECTIONS, bias=True, cached=False, causal=False)),
            at("mlp", Mlp()),
            layer_norm("layernorm_before"),
            layer_norm("layernorm_after"),
            scale_residuals,
        ),
        convolve,
    ),
    dims=TOWER_DIMS,
)


def read_text(c: Config) -> Config:
    return c.section("text_config", TEXT_DIMS)


def speak(c: Config, p: Place) -> Iterable[Row]:
    return TEXT(read_text(c), p)


def project(c: Config, p: Place) -> Iterable[Row]:
    vision = c.section("vision_config", TOWER_DIMS)
    bias = c.flag("projector_bias")
    yield from p.linear("multi_modal_projector", 4 * vision.hidden, read_text(c).hidden, "projector", bias)


register(
    seeing(
        *("step3p7", "Step", "Step3p7", TOWER, at("language_model", speak), Projector((project,))),
        text=read_text,
        supported=refuse_flat,
        example="stepfun-ai/Step-3.7-Flash",
        about="8 of 288 experts; gated attention with a window in three layers of four, which have more query heads.",
    ),
)
