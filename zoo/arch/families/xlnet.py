"""XLNet: Transformer-XL's attention over what each layer saw before, trained on every order of the tokens."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, split_heads
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import At, at, stack
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row

BASE = "transformer."


def relative_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention to tokens, distances and segments at once (arXiv:1901.02860, section 3.3).

    Kept per token are the inputs of the layer, at most ``mem_len`` of them: keys and values are worked out again.
    A query pays for content, for distance and for values, and in decode for those keys and values.
    """
    shape = (c.heads, c.head_dim)
    for name in ("q", "k", "v", "o", "r"):
        yield p.tensor(name, (c.hidden, *shape), "attention")
    for name in ("r_r_bias", "r_s_bias", "r_w_bias"):
        yield p.tensor(name, shape, "attention", "vector")
    yield p.tensor("seg_embed", (2, *shape), "attention", "vector")
    yield from layer_norm("layer_norm")(c, p)
    memory = c.maybe("mem_len") or None
    flops = 6 * c.heads * c.head_dim
    yield p.state(
        "full" if memory is None else "sliding",
        per_token=c.hidden,
        materialized=c.hidden,
        window=memory,
        flops_per_pos=flops,
        decode_flops_per_pos=flops + 4 * c.hidden * c.hidden,
        causal=c["attn_type"] == "uni",
    )


def mask_embedding(c: Config, p: Place) -> Iterable[Row]:
    """What stands where a token is to be predicted."""
    yield p.tensor("mask_emb", (1, 1, c.hidden), "embedding", "vector")


def summary(c: Config, p: Place) -> Iterable[Row]:
    """From the last token to one vector."""
    if c.flag("summary_use_proj"):
        outputs = c.labels if c.get("summary_proj_to_labels") else c.hidden
        yield from p.linear("sequence_summary.summary", c.hidden, outputs, "head", True)


def span_head(c: Config, p: Place) -> Iterable[Row]:
    """Beginning, end (given the beginning) and whether there is an answer at all."""
    yield from p.linear("start_logits.dense", c.hidden, 1, "head", True)
    yield from p.linear("end_logits.dense_0", 2 * c.hidden, c.hidden, "head", True)
    yield p.tensor("end_logits.LayerNorm.weight", (c.hidden,), "head", "vector")
    yield p.tensor("end_logits.LayerNorm.bias", (c.hidden,), "head", "vector")
    yield from p.linear("end_logits.dense_1", c.hidden, 1, "head", True)
    yield from p.linear("answer_class.dense_0", 2 * c.hidden, c.hidden, "head", True)
    yield from p.linear("answer_class.dense_1", c.hidden, 1, "head")


register(
    Architecture(
        "xlnet",
        "XLNet",
        At(
            "",
            (
                Embedding("word_embedding"),
                mask_embedding,
                stack(
                    "layer",
                    at("rel_attn", relative_attention),
                    at("ff", layer_norm("layer_norm"), Mlp(("layer_1", "layer_2"))),
                ),
            ),
        ),
        heads={
            "XLNetModel": Head(),
            "XLNetLMHeadModel": Head(BASE, (LmHead("lm_loss", bias=True),)),
            "XLNetForSequenceClassification": Head(BASE, (summary, LabelHead("logits_proj", bias=True))),
            "XLNetForTokenClassification": Head(BASE, (LabelHead("classifier", bias=True),)),
            "XLNetForMultipleChoice": Head(BASE, (summary, LabelHead("logits_proj", bias=True, outputs=1))),
            "XLNetForQuestionAnsweringSimple": Head(BASE, (LabelHead("qa_outputs", bias=True),)),
            "XLNetForQuestionAnswering": Head(BASE, (span_head,)),
        },
        natural="XLNetLMHeadModel",
        dims={"kv_heads": lambda c: c.heads, "head_dim": split_heads, "ffn": "d_inner", "context": lambda c: None},
        norm="layernorm",
        position="relative",
        embedding="word_embedding.weight",
        example="xlnet/xlnet-base-cased",
        about="No positions stored: attention learns from distances, and remembers inputs instead of keys and values.",
    )
)
