"""A language model that sees: any text model behind any vision tower and a projector (LLaVA, Mistral 3, Gemma 3)."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.vision import Projector
from zoo.arch.heads import LabelHead, LmHead
from zoo.arch.layers import At, at, open_section, text_section, vision_section
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

EMBEDDING = "language_model.embed_tokens.weight"


def read_text(c: Config) -> Config:
    return open_section(c, "text_config")


def read_vision(c: Config) -> Config:
    return open_section(c, "vision_config")


def is_tied_anywhere(c: Config) -> bool:
    """Tied where the whole says so, or its text does: older files kept the key there."""
    return bool(c.tied or read_text(c).tied)


def count_features(c: Config) -> int:
    """From how many layers of the tower features are taken: one, or as many as are listed."""
    layers = c["vision_feature_layer"]
    if isinstance(layers, list | tuple):
        return len(layers)
    if isinstance(layers, bool) or not isinstance(layers, int):
        raise UnsupportedError(f"{c.model_type}: vision_feature_layer is {layers!r:.60}, not a layer or a list of them")
    return 1


def two_layers(c: Config, p: Place) -> Iterable[Row]:
    """LLaVA's projector: from the features to the text's width, and once more."""
    text, vision = read_text(c).hidden, read_vision(c).hidden
    bias = c.flag("multimodal_projector_bias")
    yield from p.linear("linear_1", vision * count_features(c), text, "projector", bias)
    yield from p.linear("linear_2", text, text, "projector", bias)


def merge_patches(c: Config, p: Place) -> Iterable[Row]:
    """Mistral 3 makes one of ``spatial_merge_size`` x ``spatial_merge_size`` neighbours first."""
    vision = read_vision(c).hidden
    yield from p.vector("norm", vision, "projector")
    merged = vision * c.whole("spatial_merge_size", least=1) ** 2
    yield from p.linear("patch_merger.merging_layer", merged, vision, "projector")


def pool_patches(c: Config, p: Place) -> Iterable[Row]:
    """Gemma 3 averages neighbours and has one matrix, stored [vision, text]."""
    text, vision = read_text(c).hidden, read_vision(c).hidden
    yield p.tensor("mm_input_projection_weight", (vision, text), "projector")
    yield from p.vector("mm_soft_emb_norm", vision, "projector")


TEXT = text_section()
VISION = vision_section()
LM_HEAD = LmHead(inner=read_text)


#: Sizes of a text model, which a file that is older than the sections of its type keeps at the top.
TEXT_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


def refuse_flat(c: Config) -> str | None:
    """The classes look for the text's sizes in its section alone, and would take their defaults instead."""
    if c.raw.get("text_config") is None:
        found = next((key for key in TEXT_SIZES if key in c.raw and key not in c.spec.defaults), None)
        return found and f"{found} is at the top, where the class does not look, and there is no text_config"
    return None


register(
    Architecture(
        "llava",
        "LLaVA",
        At("", (VISION, at("multi_modal_projector", Projector((two_layers,))), TEXT)),
        heads={
            "LlavaModel": Head(),
            "LlavaForConditionalGeneration": Head("model.", (LmHead(inner=read_text, tie_of=is_tied_anywhere),)),
        },
        natural="LlavaForConditionalGeneration",
        text=read_text,
        supported=refuse_flat,
        embedding=EMBEDDING,
        example="llava-hf/llava-1.5-7b-hf",
        about="Patches of an image pass a vision tower and two matrices, and stand among the tokens of a text model.",
    ),
    Architecture(
        "mistral3",
        "Mistral",
        At("", (VISION, at("multi_modal_projector", Projector((merge_patches, two_layers))), TEXT)),
        heads={"Mistral3Model": Head(), "Mistral3ForConditionalGeneration": Head("model.", (LM_HEAD,))},
        natural="Mistral3ForConditionalGeneration",
        text=read_text,
        supported=refuse_flat,
        embedding=EMBEDDING,
        example="mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        about="Mistral behind Pixtral's tower, four patches merged into one; tied unless the config says otherwise.",
    ),
    Architecture(
        "gemma3",
        "Gemma",
        At("", (VISION, at("multi_modal_projector", Projector((pool_patches,))), TEXT)),
        heads={
            "Gemma3Model": Head(),
            "Gemma3ForConditionalGeneration": Head("model.", (LM_HEAD,)),
            "Gemma3ForSequenceClassification": Head("model.", (LabelHead("score", inner=read_text),)),
        },
        natural="Gemma3ForConditionalGeneration",
        text=read_text,
        supported=refuse_flat,
        embedding=EMBEDDING,
        example="google/gemma-3-4b-it",
        about="Gemma 3 behind a SigLIP tower, every image pooled to 256 positions.",
    ),
)
