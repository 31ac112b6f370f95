"""DeepSeek-OCR 2 as its own repository's files describe it: transformers' model, in other words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from zoo.arch.config import Config, UnsupportedError, check_whole
from zoo.arch.heads import LmHead
from zoo.arch.layers import open_section
from zoo.arch.registry import Architecture, Head, find_architecture, register
from zoo.arch.rows import Place, Row

#: The towers that the files know by name, and their sizes in the code beside them.
SAM: dict[str, Any] = {"width": 768, "layers": 12, "heads": 12, "global_attn_indexes": [2, 5, 8, 11]}
SAM_SIZES: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 1024,
    "num_channels": 3,
    "patch_size": 16,
    "window_size": 14,
}
QWEN2: dict[str, Any] = {
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
}
#: Keys that say nothing of sizes to the class: those of latents, which ``use_mla`` switches off, and names of classes.
UNREAD = ("architectures", "auto_map", "kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim")


def read_part(c: Config, key: str) -> Mapping[str, Any]:
    part = c.raw.get(key)
    if not isinstance(part, Mapping):
        raise UnsupportedError(f"{c.model_type}: {key} is missing or no object")
    return part


def translate(c: Config) -> Config:
    """The config of ``deepseek_ocr2`` that says the same."""
    language = read_part(c, "language_config")
    layers = check_whole(language.get("num_hidden_layers"), f"{c.model_type}: language_config.num_hidden_layers", 1)
    dense = check_whole(language.get("first_k_dense_replace"), f"{c.model_type}: language_config.first_k_dense_replace")
    kinds = ["dense"] * min(dense, layers) + ["sparse"] * max(layers - dense, 0)
    text = {key: value for key, value in language.items() if key not in UNREAD} | {"mlp_layer_types": kinds}
    vision = {"sam_config": SAM_SIZES, "encoder_config": QWEN2}
    whole = {"text_config": text, "vision_config": vision, "tie_word_embeddings": False}
    inner = Config(whole, "deepseek_ocr2", find_architecture("deepseek_ocr2").dims, path="")
    inner.read = c.read
    return inner


def read_text(c: Config) -> Config:
    return open_section(translate(c), "text_config")


def refuse_other_towers(c: Config) -> str | None:
    """Only the towers of the one model, whose sizes its code holds, and only its text: no latents, one head."""
    width = read_part(c, "vision_config").get("width")
    towers = width if isinstance(width, Mapping) else {}
    sam = towers.get("sam_vit_b")
    if towers.keys() != {"qwen2-0-5b", "sam_vit_b"} or not isinstance(sam, Mapping):
        return "vision_config.width does not name the two towers of DeepSeek-OCR 2"
    if wrong := next((key for key, value in SAM.items() if sam.get(key, value) != value), None):
        return f"vision_config.width.sam_vit_b.{wrong} is {sam[wrong]!r:.40}, for which no stored total was found"
    language, projector = read_part(c, "language_config"), read_part(c, "projector_config")
    if projector.get("projector_type") != "linear" or projector.get("n_embed") != language.get("hidden_size"):
        return "projector_config is not one matrix to the width of the text"
    if language.get("use_mla") is not False or language.get("lm_head") is not True:
        return "language_config asks for latents, or for no head"
    return None


def read_pages(c: Config, p: Place) -> Iterable[Row]:
    return find_architecture("deepseek_ocr2").body(translate(c), p)


register(
    Architecture(
        "deepseek_vl_v2",
        "DeepSeek",
        read_pages,
        heads={"DeepseekOCR2ForCausalLM": Head("model.", (LmHead(inner=read_text, tie_of=lambda c: False),))},
        natural="DeepseekOCR2ForCausalLM",
        text=read_text,
        embedding="language_model.embed_tokens.weight",
        supported=refuse_other_towers,
        example="deepseek-ai/DeepSeek-OCR-2",
        about="SAM's patches pass a small Qwen2, whose learned queries become the positions of a page.",
        verified="Hub total of DeepSeek-OCR-2: 3,389,119,360.",
    )
)
