"""UltraVBERT: UltraBERT behind a SigLIP tower."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config
from zoo.arch.families.encoder_pairs import shuffle_patches
from zoo.arch.families.llava import read_text
from zoo.arch.families.vision import Projector
from zoo.arch.heads import LabelHead, LmHead
from zoo.arch.layers import At, at, text_section, vision_section
from zoo.arch.norms import rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row


def image_norm(c: Config, p: Place) -> Iterable[Row]:
    """A norm of what the tower gives, as words come without one."""
    yield from rms("norm")(read_text(c), p)


def narrow_words(c: Config, p: Place) -> Iterable[Row]:
    """A bottleneck before the logits."""
    text = read_text(c)
    below, width = p.at("projection_head"), text.whole("prediction_head_size", least=1)
    yield from below.linear("linear1", text.hidden, width, "head")
    yield from below.linear("linear2", width, text.hidden, "head")


def refuse_other_text(c: Config) -> str | None:
    """The class takes any text model; what it asks of it, only its own is known to have."""
    kind = read_text(c).model_type
    return None if kind == "ultrabert" else f"text_config of type {kind!r:.40} is not followed"


LABELS = LabelHead("classifier", bias=True, inner=read_text)

register(
    Architecture(
        "ultravbert",
        "UltraBERT",
        At(
            "",
            (
                vision_section(name="vision_model"),
                at("connector", Projector((shuffle_patches, image_norm))),
                text_section(name="text_model"),
            ),
        ),
        heads={
            "UltraVBertModel": Head(),
            "UltraVBertForMaskedLM": Head(
                "model.", (narrow_words, LmHead(inner=read_text, tie_of=lambda c: bool(c.tied)))
            ),
            "UltraVBertForSequenceClassification": Head("model.", (LABELS,)),
            "UltraVBertForTokenClassification": Head("model.", (LABELS,)),
        },
        natural="UltraVBertForMaskedLM",
        text=read_text,
        embedding="text_model.embed_tokens.weight",
        supported=refuse_other_text,
        example="athrael-soju/UltraVBERT",
        about="UltraBERT with a SigLIP tower, sixteen patches of which become one token, normed as words are not.",
    )
)
