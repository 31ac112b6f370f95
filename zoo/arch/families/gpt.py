"""The GPT line: GPT-2, GPT-BigCode, GPT-Neo, GPT-NeoX, GPT-J and CodeGen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.arch.attention import Attention, FusedAttention, conv1d
from zoo.arch.config import MULTI_HEAD, Config, Dim, UnsupportedError, check_whole, read_positive
from zoo.arch.heads import Embedding, LabelHead, LmHead, causal_heads, decoder
from zoo.arch.layers import When, at, is_on, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import layer_norm
from zoo.arch.registry import Head, register
from zoo.arch.rows import Place, Row

TOKENS = LabelHead("classifier", bias=True)
#: Learned positions: one row for each of them.
POSITIONS = Embedding("wpe", rows="context", part="position")
MLP = ("c_fc", "c_proj")


def four_times_unless(key: str) -> Dim:
    """The width of the MLP: four times the hidden size where ``key`` is null."""
    return lambda c: 4 * c.hidden if c[key] is None else c.whole(key, least=1)


GPT_DIMS: Mapping[str, Dim] = {
    **MULTI_HEAD,
    "ffn": four_times_unless("n_inner"),
    "context": read_positive("max_position_embeddings"),
}


def transformer_heads(prefix: str, base: str = "transformer.") -> dict[str, Head]:
    """The classes of the older decoders, whose base model stands below ``transformer``."""
    return causal_heads(prefix, base, tokens=TOKENS, questions=base)


def refuse_cross_queries(c: Config) -> str | None:
    """The class has no cross-attention for multi-query attention."""
    return (
        "add_cross_attention and multi_query exclude each other"
        if c.flag("add_cross_attention") and c.flag("multi_query")
        else None
    )


@dataclass(frozen=True)
class FusedCrossAttention:
    """Attention to an encoder, with key and value in one matrix: there with ``add_cross_attention``."""

    conv1d: bool = False

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        linear = conv1d if self.conv1d else Place.linear
        yield from linear(p._replace(stack="cross"), "c_attn", c.hidden, 2 * c.hidden, "attention", True)
        yield from linear(p, "q_attn", c.hidden, c.hidden, "attention", True)
        yield from linear(p, "c_proj", c.hidden, c.hidden, "attention", True)
        flops, size = 4 * c.hidden, 2 * c.hidden
        yield p.state(
            "cross",
            per_token=size,
            materialized=size,
            flops_per_pos=flops,
            decode_flops_per_pos=flops,
            causal=False,
        )


def cross_attention(*, conv1d: bool = False) -> When:
    """What a layer has besides when the decoder is put behind an encoder."""
    attention = at("crossattention", FusedCrossAttention(conv1d))
    return when("add_cross_attention", attention, layer_norm("ln_cross_attn"))


@dataclass(frozen=True)
class ChoiceHead:
    """The second head of ``GPT2DoubleHeadsModel``: one score for each choice, from a summary of the sequence."""

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        if is_on(c, "summary_use_proj"):
            outputs = 1 if is_on(c, "summary_proj_to_labels") else c.hidden
            yield from p.linear("multiple_choice_head.summary", c.hidden, outputs, "head", True)


def neo_kinds(c: Config) -> Sequence[str]:
    """``attention_types`` written out: [[["global", "local"], 12]] is the pair twelve times."""
    types: Any = [[["global", "local"], 12]] if c["attention_types"] is None else c["attention_types"]
    kinds: list[str] = []
    try:
        for words, times in types:
            repeats = min(check_whole(times, "the repetition"), c.layers + 1)  # one too many is enough to refuse it
            kinds += [f"{word}_attention" for word in words] * repeats
    except (TypeError, ValueError) as error:
        raise UnsupportedError(
            f"{c.model_type}: {c.path}attention_types is not a list of [[kind, …], times]"
        ) from error
    if len(kinds) != c.layers:
        raise UnsupportedError(f"{c.model_type}: attention_types names other layers than the {c.layers} there are")
    return kinds


register(
    decoder(
        "gpt2",
        "GPT2",
        "GPT-2",
        at("attn", FusedAttention(("c_attn", "c_proj"), bias=True, conv1d=True)),
        when(
            "add_cross_attention", at("crossattention", FusedCrossAttention(conv1d=True)), layer_norm("ln_cross_attn")
        ),
        at("mlp", Mlp(MLP, conv1d=True)),
        layer_norm("ln_1"),
        layer_norm("ln_2"),
        embed=Embedding("wte"),
        before=(POSITIONS,),
        final=layer_norm("ln_f"),
        layers="h",
        dims=GPT_DIMS,
        heads={
            "GPT2Model": Head(),
            "GPT2LMHeadModel": Head("transformer.", (LmHead(),)),
            "GPT2DoubleHeadsModel": Head("transformer.", (LmHead(), ChoiceHead())),
            "GPT2ForSequenceClassification": Head("transformer.", (LabelHead("score"),)),
            "GPT2ForTokenClassification": Head("transformer.", (TOKENS,)),
            "GPT2ForQuestionAnswering": Head("transformer.", (LabelHead("qa_outputs", bias=True, outputs=2),)),
        },
        norm="layernorm",
        position="learned",
        example="openai-community/gpt2",
        about="The pre-norm decoder with learned positions, biases everywhere, GELU and a tied head.",
    ),
    decoder(
        "gpt_bigcode",
        "GPTBigCode",
        "StarCoder",
        at("attn", FusedAttention(("c_attn", "c_proj"), bias=True)),
        cross_attention(),
        at("mlp", Mlp(MLP)),
        layer_norm("ln_1"),
        layer_norm("ln_2"),
        embed=Embedding("wte"),
        before=(POSITIONS,),
        final=layer_norm("ln_f"),
        layers="h",
        dims={**GPT_DIMS, "kv_heads": lambda c: 1 if c.flag("multi_query") else c.heads},
        heads=causal_heads("GPTBigCode", "transformer.", tokens=TOKENS),
        norm="layernorm",
        position="learned",
        supported=refuse_cross_queries,
        example="bigcode/starcoder",
        about="GPT-2 with one key and one value head for all queries (multi-query attention).",
    ),
    decoder(
        "gpt_neo",
        "GPTNeo",
        "GPT-Neo",
        at(
            "attn.attention",
            Attention(("q_proj", "k_proj", "v_proj", "out_proj"), o_bias=True, kinds=neo_kinds),
        ),
        at("mlp", Mlp(MLP)),
        layer_norm("ln_1"),
        layer_norm("ln_2"),
        embed=Embedding("wte"),
        before=(POSITIONS,),
        final=layer_norm("ln_f"),
        layers="h",
        dims={**GPT_DIMS, "ffn": four_times_unless("intermediate_size"), "window": read_positive("window_size")},
        heads=transformer_heads("GPTNeo"),
        norm="layernorm",
        position="learned",
        example="EleutherAI/gpt-neo-2.7B",
        about="GPT-2 with q, k and v apart and without bias; every other layer attends to 256 tokens only.",
    ),
    decoder(
        "gpt_neox",
        "GPTNeoX",
        "GPT-NeoX",
        at("attention", FusedAttention(("query_key_value", "dense"), bias="attention_bias")),
        at("mlp", Mlp(("dense_h_to_4h", "dense_4h_to_h"))),
        layer_norm("input_layernorm"),
        layer_norm("post_attention_layernorm"),
        embed=Embedding("embed_in"),
        final=layer_norm("final_layer_norm"),
        dims=MULTI_HEAD,
        heads=transformer_heads("GPTNeoX", "gpt_neox."),
        norm="layernorm",
        example="EleutherAI/pythia-6.9b",
        about="Attention and MLP in parallel, each behind its own LayerNorm, biased, with an untied head.",
    ),
    decoder(
        "gptj",
        "GPTJ",
        "GPT-J",
        at("attn", Attention(("q_proj", "k_proj", "v_proj", "out_proj"))),
        at("mlp", Mlp(("fc_in", "fc_out"))),
        layer_norm("ln_1"),
        embed=Embedding("wte"),
        final=layer_norm("ln_f"),
        layers="h",
        dims=GPT_DIMS,
        heads={
            "GPTJModel": Head(),
            "GPTJForCausalLM": Head("transformer.", (LmHead(bias=True),)),
            "GPTJForSequenceClassification": Head("transformer.", (LabelHead("score"),)),
            "GPTJForQuestionAnswering": Head("transformer.", (LabelHead("qa_outputs", bias=True),)),
        },
        norm="layernorm",
        example="EleutherAI/gpt-j-6b",
        about="Attention without bias and a biased MLP in parallel behind one LayerNorm; the head has a bias.",
    ),
    decoder(
        "codegen",
        "CodeGen",
        "CodeGen",
        at("attn", FusedAttention(("qkv_proj", "out_proj"))),
        at("mlp", Mlp(("fc_in", "fc_out"))),
        layer_norm("ln_1"),
        embed=Embedding("wte"),
        final=layer_norm("ln_f"),
        layers="h",
        dims=GPT_DIMS,
        heads=causal_heads("CodeGen", "transformer.", lm=LmHead(bias=True), sequence=None, tokens=None),
        norm="layernorm",
        example="Salesforce/codegen-2B-mono",
        about="GPT-J with q, k and v in one matrix.",
    ),
)
