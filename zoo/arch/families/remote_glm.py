"""ChatGLM: the first model, and the different one that ChatGLM2, ChatGLM3 and GLM-4-9B share under the same type."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import FusedAttention
from zoo.arch.config import Config, Dim, read_positive, split_heads
from zoo.arch.families.remote_dense import says_tied
from zoo.arch.heads import Embedding, LmHead
from zoo.arch.layers import At, at, stack, when
from zoo.arch.mlp import FusedGatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

#: Keys that only one of the two models' files have.
FIRST_KEYS = ("inner_hidden_size", "position_encoding_2d")
LATER_KEYS = ("padded_vocab_size", "ffn_hidden_size", "multi_query_group_num")


def is_first(c: Config) -> bool:
    return any(key in c.raw for key in FIRST_KEYS)


def choose(first: Dim, later: Dim) -> Dim:
    """A dimension that the two models read from different keys."""

    def read(c: Config) -> int | None:
        rule = first if is_first(c) else later
        value: int | None = c.whole(rule, least=1) if isinstance(rule, str) else rule(c)
        return value

    return read


def read_groups(c: Config) -> int:
    """Key and value heads: fewer than the query heads only with ``multi_query_attention``."""
    return c.whole("multi_query_group_num", least=1) if c.flag("multi_query_attention") else int(c.heads)


def refuse_mixed(c: Config) -> str | None:
    """A file must be clearly of one of the two models, and be without what no stored total vouches for."""
    if is_first(c) == any(key in c.raw for key in LATER_KEYS):
        return "the keys are not clearly of ChatGLM-6B, nor of ChatGLM2 and later"
    found = next((key for key in ("vision_config", "pre_seq_len", "add_bias_linear") if c.raw.get(key)), None)
    if found:
        return f"{found} is set, which is not followed"
    if is_first(c):
        return None
    if says_tied(c):
        return "tie_word_embeddings is on, which the code of ChatGLM2 and later does not do"
    off = next((key for key in ("rmsnorm", "post_layer_norm", "add_qkv_bias") if not c.flag(key)), None)
    return off and f"{off} is off, for which no stored total was found to check against"


def rotary_frequencies(c: Config, p: Place) -> Iterable[Row]:
    """Stored with the weights: half of each head turns, in pairs."""
    yield p.tensor("rotary_pos_emb.inv_freq", (c.head_dim // 4,), "position", "vector", role="buffer")


FIRST = (
    Embedding("word_embeddings"),
    stack(
        "layers",
        layer_norm("input_layernorm"),
        at("attention", FusedAttention(("query_key_value", "dense"), bias=True)),
        layer_norm("post_attention_layernorm"),
        at("mlp", Mlp(("dense_h_to_4h", "dense_4h_to_h"))),
    ),
    layer_norm("final_layernorm"),
)
LATER = (
    at("embedding", Embedding("word_embeddings")),
    rotary_frequencies,
    at(
        "encoder",
        stack(
            "layers",
            rms("input_layernorm"),
            at("self_attention", FusedAttention(("query_key_value", "dense"), bias=True, o_bias=False)),
            rms("post_attention_layernorm"),
            at("mlp", FusedGatedMlp(("dense_h_to_4h", "dense_4h_to_h"))),
        ),
        rms("final_layernorm"),
    ),
    LmHead("output_layer", tie_of=lambda c: False),
)


def first_head(c: Config, p: Place) -> Iterable[Row]:
    """ChatGLM-6B's head, tied unless its file says otherwise: transformers 4's default, and its files are silent."""
    return LmHead(tie_of=lambda c: "tie_word_embeddings" not in c or says_tied(c))(c, p)


#: The files name ``ChatGLMModel`` though what they hold is the whole model with its head.
WHOLE = Head("transformer.", (when(is_first, first_head),))

register(
    Architecture(
        "chatglm",
        "GLM",
        At("", (when(is_first, *FIRST, otherwise=LATER),)),
        {"ChatGLMModel": WHOLE, "ChatGLMForConditionalGeneration": WHOLE},
        "ChatGLMForConditionalGeneration",
        {
            "layers": "num_layers",
            "vocab": choose("vocab_size", "padded_vocab_size"),
            "ffn": choose("inner_hidden_size", "ffn_hidden_size"),
            "kv_heads": choose(lambda c: c.heads, read_groups),
            "head_dim": choose(split_heads, read_positive("kv_channels")),
            "context": choose("max_sequence_length", "seq_length"),
            "tied": lambda c: is_first(c) and ("tie_word_embeddings" not in c or says_tied(c)),
        },
        embedding="word_embeddings.weight",
        supported=refuse_mixed,
        example="zai-org/chatglm3-6b",
        about="Two models under one type: ChatGLM-6B with LayerNorm and biases; RMSNorm and few KV heads since.",
        verified="Totals of ChatGLM-6B, ChatGLM2-6B and GLM-4-9B-chat: 6,173,286,400, 6,243,584,000 and 9,399,951,360.",
    ),
)
