"""Text models behind towers of other families: DeepSeek-VL, Aria, VideoLLaMA 3, EXAONE 4.5, HyperCLOVA X, Ovis2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError, check_whole
from zoo.arch.families.llava import TEXT, VISION, is_tied_anywhere, read_text, read_vision, refuse_flat
from zoo.arch.families.llava_kin import find_supported, seeing
from zoo.arch.families.qwen_vl import TOWER_2_5
from zoo.arch.families.towers import tower
from zoo.arch.families.vision import ENCODER, PROJECTIONS, VISION_DIMS, Patches, Positions, Projector, Tower
from zoo.arch.heads import LmHead
from zoo.arch.layers import At, at, open_section, stack, vision_section
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def rename_section(c: Config, key: str, names: Mapping[str, str]) -> Config:
    """The whole config with the older type of a section replaced by the newer, as the class does."""
    section = c.raw.get(key)
    said = section.get("model_type") if isinstance(section, Mapping) else None
    if not isinstance(section, Mapping) or not isinstance(said, str) or said not in names:
        return c
    raw = {**c.raw, key: {**section, "model_type": names[said]}}
    whole = Config(raw, c.model_type, c.dims, parent=c.parent, path=c.path, spec=c.spec)
    whole.read = c.read
    return whole


def align(c: Config, p: Place) -> Iterable[Row]:
    """DeepSeek-VL's projector: two biased matrices."""
    text = read_text(c).hidden
    yield from p.linear("linear1", read_vision(c).hidden, text, "projector", True)
    yield from p.linear("linear2", text, text, "projector", True)


def count_queries(c: Config) -> int:
    """Aria's queries, as many as the largest image asks for; 256 unless the file says how many."""
    table = c["projector_patch_to_query_dict"]
    if table is None:
        return 256
    if not isinstance(table, Mapping) or not table:
        raise UnsupportedError(f"{c.model_type}: projector_patch_to_query_dict is not a table")
    return max(check_whole(value, f"{c.model_type}: projector_patch_to_query_dict", 1) for value in table.values())


def query_patches(c: Config, p: Place) -> Iterable[Row]:
    """Aria's projector: learned queries attend to the patches, through two projections each of q, k and v."""
    width, text = read_vision(c).hidden, read_text(c).hidden
    yield p.tensor("query", (count_queries(c), width), "projector", "lookup")
    below = p.at("cross_attn")
    for name in ("q_proj", "k_proj", "v_proj"):
        yield from below.linear(name, width, width, "projector")
    yield below.tensor("multihead_attn.in_proj_weight", (3 * width, width), "projector")
    yield below.tensor("multihead_attn.in_proj_bias", (3 * width,), "projector", "vector")
    yield from below.linear("multihead_attn.out_proj", width, width, "projector", True)
    yield from below.linear("linear", width, width, "projector", True)
    yield from below.vector("layer_norm", width, "projector", True)
    yield from below.vector("layer_norm_kv", width, "projector", True)
    yield from p.vector("layer_norm", width, "projector", True)
    yield from p.linear("feed_forward.linear_in", width, text, "projector")
    yield from p.linear("feed_forward.linear_out", text, text, "projector")


def read_out(c: Config, p: Place) -> Iterable[Row]:
    """VideoLLaMA 3's projector: two biased matrices."""
    text = read_text(c).hidden
    yield from p.linear("readout.0", read_vision(c).hidden, text, "projector", True)
    yield from p.linear("readout.2", text, text, "projector", True)


def read_exaone(c: Config) -> Config:
    return read_text(rename_section(c, "text_config", {"exaone4_5_text": "exaone4"}))


def speak_exaone(c: Config, p: Place) -> Iterable[Row]:
    inner = read_exaone(c)
    return find_supported(inner).body(inner, p.at("language_model"))


def rename_tower(c: Config) -> Config:
    """HyperCLOVA X's files name all of Qwen2.5-VL where they mean its tower."""
    return rename_section(c, "vision_config", {"qwen2_5_vl": "qwen2_5_vl_vision"})


def see_hyperclova(c: Config, p: Place) -> Iterable[Row]:
    return vision_section(name="vision_model")(rename_tower(c), p)


def project_hyperclova(c: Config, p: Place) -> Iterable[Row]:
    vision = open_section(rename_tower(c), "vision_config")
    yield from p.linear("projector", vision.whole("out_hidden_size", least=1), read_text(c).hidden, "projector", True)


def count_words(c: Config) -> int:
    """Ovis2's visual words, without those that only say where an image begins and ends."""
    words = c.whole("vocab_size", least=1) - c.whole("num_visual_indicator_tokens")
    return check_whole(words, f"{c.model_type}: visual vocabulary", 1)


def visual_words(c: Config, p: Place) -> Iterable[Row]:
    """Each patch becomes a mixture of visual words, by a matrix, a norm and a softmax (arXiv:2405.20797)."""
    words = count_words(c)
    yield from p.linear("head_linear", c.hidden * c.whole("hidden_stride", least=1) ** 2, words, "projector")
    yield from p.vector("head_norm", words, "projector", True)


def visual_embeddings(c: Config, p: Place) -> Iterable[Row]:
    words = c.section("vision_config", VISION_DIMS).whole("vocab_size", least=1)
    yield p.table("visual_embeddings_table", words, c.hidden, "projector")


OVIS_ATTENTION = Attention(PROJECTIONS, bias="qkv_bias", cached=False, causal=False)
OVIS_LAYER = (
    at("attention", OVIS_ATTENTION),
    at("ffn", GatedMlp(bias="mlp_bias")),
    rms("rms_norm1"),
    rms("rms_norm2"),
)
OVIS_TOWER = Tower(
    "vision_tower",
    (
        at(
            "transformer",
            at("embeddings", Patches("patch_embedding", bias=True), Positions(), rms("rms_norm")),
            at("encoder", stack("layers", *OVIS_LAYER)),
            rms("rms_norm"),
        ),
        Projector((visual_words,)),
    ),
    dims=VISION_DIMS,
)
QWEN_BLOCKS = TOWER_2_5.blocks
EXAONE_TOWER: dict[str, Dim] = {
    **TOWER_2_5.dims,
    "kv_heads": lambda c: c.whole("num_key_value_heads", least=1),
    "vocab": lambda c: 0,
    "context": lambda c: None,
}

register(
    seeing(
        *("deepseek_vl", "DeepSeek", "DeepseekVL", vision_section(name="vision_model")),
        at("aligner", Projector((align,))),
        TEXT,
        example="deepseek-community/deepseek-vl-1.3b-chat",
        about="DeepSeek's first text model, which is Llama's, behind a SigLIP tower.",
    ),
    seeing(
        *("aria", "Aria", "Aria", VISION, at("multi_modal_projector", Projector((query_patches,))), TEXT),
        example="rhymes-ai/Aria",
        about="A mixture of small experts behind a SigLIP tower, of which learned queries make 128 or 256 positions.",
    ),
    tower(
        "video_llama_3_vision",
        "VideoLLaMA",
        at("embeddings", Patches("patch_embedding", bias=True)),
        ENCODER,
        layer_norm("post_layernorm"),
        name="VideoLlama3VisionModel",
        dims={"context": lambda c: None},
        position="rope",
        about="SigLIP with rotary positions in two dimensions, for images and frames of any shape.",
    ),
    seeing(
        *("video_llama_3", "VideoLLaMA", "VideoLlama3", vision_section(name="vision_model")),
        at("projector", Projector((read_out,))),
        TEXT,
        tie=is_tied_anywhere,
        example="lkhl/VideoLLaMA3-2B-Image-HF",
        about="Qwen2.5 behind SigLIP with rotary positions, for video.",
    ),
    tower(
        "exaone4_5_vision",
        "EXAONE",
        *QWEN_BLOCKS,
        name="Exaone4_5_VisionModel",
        dims=EXAONE_TOWER,
        norm="rmsnorm",
        position="rope",
        about="Qwen2.5-VL's tower with fewer keys and values than queries.",
    ),
    seeing(
        *("exaone4_5", "EXAONE", "Exaone4_5_", vision_section(name="visual"), speak_exaone),
        text=read_exaone,
        example="LGAI-EXAONE/EXAONE-4.5-33B",
        about="EXAONE 4 behind Qwen2.5-VL's tower with grouped queries.",
    ),
    tower(
        "qwen2_5_vl_vision",
        "Qwen",
        *QWEN_BLOCKS,
        name="Qwen2_5_VisionTransformerPretrainedModel",
        dims={**TOWER_2_5.dims, "vocab": lambda c: 0, "context": lambda c: None},
        norm="rmsnorm",
        position="rope",
        about="The tower of Qwen2.5-VL, by itself.",
    ),
    seeing(
        *("hyperclovax_vision_v2", "HyperCLOVA", "HyperCLOVAXVisionV2", see_hyperclova),
        *(Projector((project_hyperclova,)), TEXT),
        example="naver-hyperclovax/HyperCLOVAX-SEED-Think-32B",
        about="HyperCLOVA X behind Qwen2.5-VL's tower, and one more matrix.",
    ),
    Architecture(
        "ovis2",
        "Ovis",
        At("", (OVIS_TOWER, TEXT, Projector((visual_embeddings,)))),
        heads={
            "Ovis2Model": Head(),
            "Ovis2ForConditionalGeneration": Head("model.", (LmHead(inner=lambda c: read_text(c) if c.tied else c),)),
        },
        natural="Ovis2ForConditionalGeneration",
        text=read_text,
        embedding="language_model.embed_tokens.weight",
        supported=refuse_flat,
        example="thisisiron/Ovis2-1B-hf",
        about="Qwen2.5 whose images are mixtures of visual words, with an embedding of their own.",
    ),
)
