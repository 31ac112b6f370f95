"""PerceptionLM and FastVLM: any text model behind a tower that timm knows by name, and two matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zoo.arch.config import Config, MissingKeyError, check_whole
from zoo.arch.families.llava import TEXT, VISION, is_tied_anywhere, read_text, read_vision, refuse_flat
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.vision import Projector
from zoo.arch.layers import at
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


def read_embed_dim(c: Config) -> int:
    """The width of what the tower sees, which the class looks for among the tower's arguments alone."""
    given = read_vision(c).get("model_args")
    if not isinstance(given, Mapping) or given.get("embed_dim") is None:
        raise MissingKeyError(c.model_type, "vision_config.model_args.embed_dim")
    return check_whole(given["embed_dim"], f"{c.model_type}: vision_config.model_args.embed_dim", 1)


def project(c: Config, p: Place) -> Iterable[Row]:
    text = read_text(c).hidden
    yield from p.linear("linear_1", read_embed_dim(c), text, "projector", True)
    yield from p.linear("linear_2", text, text, "projector", True)


def project_fast(c: Config, p: Place) -> Iterable[Row]:
    text, bias = read_text(c).hidden, c.flag("multimodal_projector_bias")
    yield from p.linear("linear_1", read_vision(c).whole("hidden_size", least=1), text, "projector", bias)
    yield from p.linear("linear_2", text, text, "projector", bias)


def is_tied(c: Config) -> bool:
    """As the whole says; where it says nothing, as its text does."""
    return bool(read_text(c).tied if c["tie_word_embeddings"] is None else c.tied)


def refuse_features(c: Config) -> str | None:
    """FastVLM takes all features of the last layer, and its class refuses any other wish."""
    if c["vision_feature_layer"] != -1:
        return "vision_feature_layer is not -1"
    if c["vision_feature_select_strategy"] != "full":
        return "vision_feature_select_strategy is not 'full'"
    return refuse_flat(c)


register(
    seeing(
        *("perception_lm", "PerceptionLM", "PerceptionLM", VISION),
        at("multi_modal_projector", Projector((project,))),
        TEXT,
        tie=is_tied,
        example="facebook/Perception-LM-1B",
        about="Llama behind the Perception Encoder, whose features are taken before its last layers.",
    ),
    seeing(
        *("fast_vlm", "FastVLM", "FastVlm", VISION),
        at("multi_modal_projector", Projector((project_fast,))),
        TEXT,
        tie=is_tied_anywhere,
        supported=refuse_features,
        example="KamilaMila/FastVLM-0.5B",
        about="Qwen2 behind FastViTHD: convolutions, and attention in the last two of five stages.",
    ),
)
