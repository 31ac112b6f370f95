"""Any image encoder and any decoder that can attend to it, put together: TrOCR, Donut, captioners."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.encoder_pairs import refuse_shared_halves
from zoo.arch.families.llava_kin import find_supported
from zoo.arch.layers import At, open_section
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row, State, Tensor


def count_more(extra: int) -> Callable[[Config], int]:
    """Patches, and ``extra`` learned tokens besides."""
    return lambda c: int(c.patches) + extra


#: Encoders that can be followed: how many positions come out, to which the decoder attends.
ENCODERS: Mapping[str, Callable[[Config], int]] = {
    "vit": count_more(1),
    "deit": count_more(2),
    "beit": count_more(1),
    "dinov2": count_more(1),
    "clip_vision_model": count_more(1),
    "siglip_vision_model": count_more(0),
    "swin": lambda c: int(c.outputs),
    "swinv2": lambda c: int(c.outputs),
    "donut-swin": lambda c: int(c.outputs),
}
#: Decoders that always attend to an encoder, and their classes.
ALWAYS = {
    "trocr": "TrOCRForCausalLM",
    "bart": "BartForCausalLM",
    "mbart": "MBartForCausalLM",
    "pegasus": "PegasusForCausalLM",
    "blenderbot": "BlenderbotForCausalLM",
    "blenderbot-small": "BlenderbotSmallForCausalLM",
    "mvp": "MvpForCausalLM",
    "plbart": "PLBartForCausalLM",
    "marian": "MarianForCausalLM",
}
#: Decoders that attend to one where their config says so.
SWITCHED = {
    "gpt2": "GPT2LMHeadModel",
    "gpt_bigcode": "GPTBigCodeForCausalLM",
    "xglm": "XGLMForCausalLM",
}
#: Encoders that their config turns into such decoders.
TURNED = {
    "bert": "BertLMHeadModel",
    "bert-generation": "BertGenerationDecoder",
    "roberta": "RobertaForCausalLM",
    "xlm-roberta": "XLMRobertaForCausalLM",
    "xlm-roberta-xl": "XLMRobertaXLForCausalLM",
    "camembert": "CamembertForCausalLM",
    "roberta-prelayernorm": "RobertaPreLayerNormForCausalLM",
    "data2vec-text": "Data2VecTextForCausalLM",
    "electra": "ElectraForCausalLM",
    "ernie": "ErnieForCausalLM",
    "megatron-bert": "MegatronBertForCausalLM",
    "rembert": "RemBertForCausalLM",
    "roformer": "RoFormerForCausalLM",
    "roc_bert": "RoCBertForCausalLM",
    "xmod": "XmodForCausalLM",
}
DECODERS = ALWAYS | SWITCHED | TURNED


def read_encoder(c: Config) -> Config:
    encoder = open_section(c, "encoder")
    if encoder.model_type not in ENCODERS:
        raise UnsupportedError(f"{c.model_type}: an encoder of type {encoder.model_type!r:.40} is not followed")
    return encoder


def read_decoder(c: Config) -> Config:
    """The decoder, which must be able to attend to an encoder, and be told to."""
    decoder = open_section(c, "decoder")
    kind = decoder.model_type
    if kind not in DECODERS:
        raise UnsupportedError(f"{c.model_type}: a decoder of type {kind!r:.40} is not followed")
    if kind in TURNED and not decoder.flag("is_decoder"):
        raise UnsupportedError(f"{c.model_type}: decoder.is_decoder is not set, so that {kind} stays an encoder")
    if kind not in ALWAYS and not decoder.flag("add_cross_attention"):
        raise UnsupportedError(f"{c.model_type}: decoder.add_cross_attention is not set: it cannot see the image")
    return decoder


def look(c: Config, p: Place) -> Iterable[Row]:
    """The encoder's class without a task, its pooler included."""
    encoder = read_encoder(c)
    return find_supported(encoder).body(encoder, p.at("encoder")._replace(part="vision", stack="vision"))


def write(c: Config, p: Place) -> Iterable[Row]:
    """The decoder with its head; what it attends to is as long as the image has positions."""
    decoder, length = read_decoder(c), count_positions(c)
    architecture = find_supported(decoder)
    head, place = architecture.heads[DECODERS[decoder.model_type]], p.at("decoder")
    inner = place.at(head.base.removesuffix("."))
    inner = inner._replace(embedding=inner.prefix + (head.embedding or architecture.embedding))
    rows = [*(head.body or architecture.body)(decoder, inner)]
    for block in head.blocks:
        rows += block(decoder, place._replace(embedding=inner.embedding))
    for row in rows:
        yield fix_source(row, length) if isinstance(row, State) else name_whole(row, place.prefix)


def count_positions(c: Config) -> int:
    """Positions that the encoder makes of an image of the size in its config."""
    encoder = read_encoder(c)
    return ENCODERS[encoder.model_type](encoder)


def fix_source(state: State, length: int) -> State:
    """Keys and values of the image are kept once, for as many positions as it has."""
    return state._replace(fixed=state.per_token * length, window=length) if state.kind == "cross" else state


def name_whole(tensor: Tensor, prefix: str) -> Tensor:
    """Blocks that name in full what they are tied to know nothing of the model around them."""
    if tensor.tied_to is None or tensor.tied_to.startswith(prefix):
        return tensor
    return tensor._replace(tied_to=prefix + tensor.tied_to)


def bridge_widths(c: Config, p: Place) -> Iterable[Row]:
    """A dense layer between two widths, unless the decoder's attention reads the encoder's."""
    encoder, decoder = read_encoder(c), read_decoder(c)
    said = decoder.maybe("cross_attention_hidden_size", least=1)
    if said is None and encoder.hidden != decoder.hidden:
        place = p._replace(stack="vision")
        yield from place.linear("enc_to_dec_proj", encoder.hidden, decoder.hidden, "projector", True)
    elif said is not None and said != encoder.hidden:
        raise UnsupportedError(f"{c.model_type}: decoder.cross_attention_hidden_size {said} is not the encoder's width")
    elif said is not None and decoder.model_type != "trocr" and said != decoder.hidden:
        raise UnsupportedError(f"{c.model_type}: decoder.cross_attention_hidden_size is not read by its type")


register(
    Architecture(
        "vision-encoder-decoder",
        "Vision encoder-decoder",
        At("", (look, write, bridge_widths)),
        heads={"VisionEncoderDecoderModel": Head()},
        natural="VisionEncoderDecoderModel",
        norm="layernorm",
        position="learned",
        text=read_decoder,
        supported=refuse_shared_halves,
        example="microsoft/trocr-base-handwritten",
        about="An image encoder and a text decoder that were two models, joined by cross-attention.",
    )
)
