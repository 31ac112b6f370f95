"""More dense decoders that are Llama with a detail changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.arch.attention import Attention
from zoo.arch.config import Config
from zoo.arch.families.gpt_oss import attention_sinks
from zoo.arch.families.llama import LLAMA, PRE_NORMS
from zoo.arch.heads import LabelHead, causal_heads, decoder
from zoo.arch.layers import at, named_kinds, when
from zoo.arch.mlp import GatedMlp, Mlp
from zoo.arch.norms import layer_norm, rms
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Row, State


def first_of_four_full(c: Config) -> Sequence[str]:
    """Full attention in layers 0, 4, 8 and so on."""
    return ["sliding_attention" if layer % 4 else "full_attention" for layer in range(c.layers)]


def alternate_windows(c: Config) -> Sequence[str]:
    """Every other layer slides, from layer 0 on."""
    return ["full_attention" if layer % 2 else "sliding_attention" for layer in range(c.layers)]


def lambdas(c: Config, p: Place) -> Iterable[Row]:
    """What the second of two softmaxes is weighted with before it is taken from the first (arXiv:2410.05258)."""
    for name in ("lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"):
        yield p.tensor(name, (c.head_dim,), "attention", "vector")


def attend_twice(c: Config, p: Place) -> Iterable[Row]:
    """Each head reads two halves of the values, side by side: 2 x heads x (key width + 2 value widths) a position.

    (The class computes Q K^T again for the second half, which is not counted.)
    """
    flops = 2 * c.heads * (c.head_dim + 2 * c.v_head_dim)
    for row in Attention(bias="attention_bias", extra=(lambdas,))(c, p):
        if isinstance(row, State):
            yield row._replace(flops_per_pos=flops, decode_flops_per_pos=flops)
        else:
            yield row


def refuse_odd_kv_heads(c: Config) -> str | None:
    return f"num_key_value_heads {c.kv_heads} cannot be split in two" if c.kv_heads % 2 else None


def refuse_other_internlm(c: Config) -> str | None:
    """One key for the biases of q, k and v, one for all others: the class has both or neither."""
    return None if c.flag("attention_bias") == c.flag("mlp_bias") else "qkv_bias differs from bias"


def refuse_other_iquest(c: Config) -> str | None:
    """What the model's own code has and the class has not."""
    return next((f"{key} is set" for key in ("clip_qkv", "use_sliding_window") if c.get(key)), None)


def llama_classes(prefix: str) -> dict[str, Head]:
    """The classes of Llama, and the name that files give the causal one."""
    heads = causal_heads("Llama", questions="transformer.")
    return heads | {f"{prefix}ForCausalLM": heads["LlamaForCausalLM"]}


def plain(prefix: str, **more: bool) -> dict[str, Head]:
    """The base model and the causal class; ``sequence`` for a classifier too."""
    sequence = LabelHead("score") if more.get("sequence") else None
    return causal_heads(prefix, sequence=sequence, tokens=None)


def granite_swa() -> Architecture:
    attention = Attention(bias="attention_bias", kinds=named_kinds(first_of_four_full), extra=(attention_sinks,))
    return decoder(
        "granite_swa",
        "GraniteSWA",
        "Granite",
        at("self_attn", attention),
        at("mlp", GatedMlp(bias="mlp_bias")),
        *PRE_NORMS,
        heads=plain("GraniteSWA"),
        example="ibm-granite/granite-swash-2b",
        about="Granite with sinks, and three layers that attend to a window of 128 to one with full attention.",
    )


register(
    granite_swa(),
    decoder(
        "cwm",
        "Cwm",
        "CWM",
        at("self_attn", Attention(kinds=named_kinds(first_of_four_full))),
        at("mlp", GatedMlp(bias="mlp_bias")),
        *PRE_NORMS,
        heads=plain("Cwm"),
        example="facebook/cwm",
        about="Llama's layers, three with a window of 8,192 to one with full attention.",
    ),
    decoder(
        "bitnet",
        "BitNet",
        "BitNet",
        at("self_attn", Attention(bias="attention_bias"), rms("attn_sub_norm")),
        at("mlp", GatedMlp(), rms("ffn_sub_norm", "ffn")),
        *PRE_NORMS,
        heads=plain("BitNet"),
        example="microsoft/bitnet-b1.58-2B-4T",
        about="Llama's layers with a norm before each projection back, trained to weights of -1, 0 and 1.",
    ),
    decoder(
        "nanochat",
        "NanoChat",
        "nanochat",
        at("self_attn", Attention(bias="attention_bias")),
        at("mlp", Mlp(bias=False)),
        final=None,
        heads=plain("NanoChat"),
        example="karpathy/nanochat-d32",
        about="Norms without weights and a plain MLP with squared ReLU: matrices are all that is stored.",
    ),
    decoder(
        "vaultgemma",
        "VaultGemma",
        "Gemma",
        at("self_attn", Attention(bias="attention_bias", kinds=named_kinds(alternate_windows))),
        at("mlp", GatedMlp()),
        rms("input_layernorm"),
        rms("pre_feedforward_layernorm"),
        heads=plain("VaultGemma"),
        example="google/vaultgemma-1b",
        about="Gemma 2 without the norms after the blocks, trained with differential privacy.",
    ),
    decoder(
        "diffllama",
        "DiffLlama",
        "DiffLlama",
        at("self_attn", attend_twice),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        heads=causal_heads("DiffLlama", questions="transformer."),
        supported=refuse_odd_kv_heads,
        example="kajuma/DiffLlama-0.3B-handcut",
        about="Llama's layers in which one attention is taken from another, weighted by what it has learned.",
    ),
    decoder(
        "internlm3",
        "Llama",
        "InternLM",
        *LLAMA,
        heads=llama_classes("InternLM3"),
        supported=refuse_other_internlm,
        example="internlm/internlm3-8b-instruct",
        about="Llama's layers with two KV heads of 128, read by Llama's own classes.",
    ),
    decoder(
        "iquestcoder",
        "Llama",
        "IQuest-Coder",
        *LLAMA,
        heads=llama_classes("IQuestCoder"),
        supported=refuse_other_iquest,
        example="IQuestLab/IQuest-Coder-V1-40B-Instruct",
        about="Llama's layers, 80 of them, read by Llama's own classes.",
    ),
    decoder(
        "hyperclovax",
        "HyperCLOVAX",
        "HyperCLOVA X",
        *LLAMA,
        when("use_post_norm", rms("post_norm1"), rms("post_norm2")),
        heads=plain("HyperCLOVAX"),
        example="naver-hyperclovax/HyperCLOVAX-SEED-Think-14B",
        about="Granite's multipliers on Llama's layers, with a norm after each block as well as before it.",
    ),
    decoder(
        "jais2",
        "Jais2",
        "Jais",
        at("self_attn", Attention(bias="attention_bias")),
        at("mlp", Mlp(("up_proj", "down_proj"), bias="mlp_bias")),
        layer_norm("input_layernorm"),
        layer_norm("post_attention_layernorm"),
        final=layer_norm("norm"),
        heads=plain("Jais2"),
        norm="layernorm",
        example="inceptionai/Jais-2-8B-Chat",
        about="LayerNorms, biases on every matrix and a plain MLP with squared ReLU, 8 times as wide as the layers.",
    ),
)
