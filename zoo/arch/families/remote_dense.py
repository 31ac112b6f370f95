"""Dense decoders whose code is in their own repositories: Qwen 1, InternLM, Baichuan, MiniCPM and EXAONE 3.

transformers has no classes for these, so there are no declared defaults: a key that a file does not have is missing.
Switches that no stored total vouches for are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo.arch.attention import Attention, FusedAttention
from zoo.arch.config import Config, Dim, split_heads
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.heads import Embedding, LmHead, decoder
from zoo.arch.layers import at
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import rms
from zoo.arch.registry import Head, register
from zoo.arch.rows import Block


def refuse_unproven(proven: Mapping[str, Any], never: tuple[str, ...] = ()) -> Callable[[Config], str | None]:
    """Refuses other values than the ``proven`` ones where a file says them, and any value of ``never`` but null."""

    def refuse(c: Config) -> str | None:
        for key, value in proven.items():
            if key in c.raw and c.raw[key] != value:
                return f"{key} is {c.raw[key]!r:.40}, for which no stored total was found to check against"
        found = next((key for key in never if c.raw.get(key)), None)
        return found and f"{found} is set, which is not followed"

    return refuse


def says_tied(c: Config) -> bool:
    """What the file says of the tie; without the key it is missing, as no default is declared."""
    return c.flag("tie_word_embeddings")


def lm_heads(*names: str, base: str, model: str, lm: Block) -> dict[str, Head]:
    """The base model and its classes with a language-modelling head."""
    return {model: Head(), **dict.fromkeys(names, Head(base, (lm,)))}


LM_HEAD = LmHead(tie_of=says_tied)
EQUAL_HEADS: Mapping[str, Dim] = {"kv_heads": lambda c: c.heads, "head_dim": split_heads}


def refuse_qwen(c: Config) -> str | None:
    if c.whole("kv_channels") * c.heads != c.hidden:
        return f"{c.heads} heads of kv_channels {c['kv_channels']} do not add up to hidden_size {c.hidden}"
    return refuse_unproven({"no_bias": True}, ("visual", "audio"))(c)


register(
    decoder(
        "qwen",
        "QWen",
        "Qwen",
        rms("ln_1"),
        at("attn", FusedAttention(("c_attn", "c_proj"), bias=True, o_bias=False)),
        rms("ln_2"),
        at("mlp", GatedMlp(("w1", "w2", "c_proj"))),
        embed=Embedding("wte"),
        final=rms("ln_f"),
        layers="h",
        heads=lm_heads("QWenLMHeadModel", base="transformer.", model="QWenModel", lm=LM_HEAD),
        # The key is of gate and up together: each is half as wide.
        dims={**EQUAL_HEADS, "ffn": lambda c: c.whole("intermediate_size") // 2, "activation": lambda c: "silu"},
        supported=refuse_qwen,
        example="Qwen/Qwen-7B",
        about="The first Qwen: Llama's layers with a bias on q, k and v; intermediate_size is of gate and up together.",
        verified="Hub totals of Qwen-1_8B, 7B, 14B and 72B: 1,836,828,672 to 72,287,920,128.",
    ),
    decoder(
        "internlm",
        "InternLM",
        "InternLM",
        at("self_attn", Attention()),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        heads=lm_heads("InternLMForCausalLM", base="model.", model="InternLMModel", lm=LM_HEAD),
        dims=EQUAL_HEADS,
        supported=refuse_unproven({"bias": False}),
        example="internlm/internlm-20b",
        about="Llama's layers; the 7B model's biases on every attention projection are not followed.",
        verified="Index of internlm-20b: names of all tensors, 40,177,428,480 bytes in bfloat16.",
    ),
    decoder(
        "internlm2",
        "InternLM2",
        "InternLM",
        at("attention", FusedAttention(("wqkv", "wo"))),
        at("feed_forward", GatedMlp(("w1", "w3", "w2"))),
        rms("attention_norm"),
        rms("ffn_norm"),
        embed=Embedding("tok_embeddings"),
        heads=lm_heads(
            "InternLM2ForCausalLM", base="model.", model="InternLM2Model", lm=LmHead("output", tie_of=says_tied)
        ),
        dims={"head_dim": split_heads},
        supported=refuse_unproven({"bias": False}),
        example="internlm/internlm2_5-7b-chat",
        about="Llama's sizes with q, k and v interleaved by group in one matrix.",
        verified="Totals of internlm2_5-1_8b, 7b and 20b-chat: 1,889,110,016, 7,737,708,544 and 19,861,149,696.",
    ),
    decoder(
        "baichuan",
        "Baichuan",
        "Baichuan",
        at("self_attn", FusedAttention(("W_pack", "o_proj"))),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        # The first model's class is spelt otherwise; Baichuan 2 normalises the rows of its head when they are used.
        heads=lm_heads("BaiChuanForCausalLM", "BaichuanForCausalLM", base="model.", model="BaichuanModel", lm=LM_HEAD),
        dims=EQUAL_HEADS,
        supported=refuse_unproven({}, ("num_key_value_heads", "attention_bias", "mlp_bias", "vision_config", "moe")),
        example="baichuan-inc/Baichuan2-7B-Chat",
        about="Llama's layers with q, k and v in one matrix; the 13B models have ALiBi in place of rotary positions.",
        verified="Published totals of Baichuan-7B and 13B: 7,000,559,616 and 13,264,901,120.",
    ),
    decoder(
        "minicpm",
        "MiniCPM",
        "MiniCPM",
        at("self_attn", Attention()),
        at("mlp", GatedMlp()),
        *PRE_NORMS,
        heads=lm_heads(
            "MiniCPMForCausalLM",
            base="model.",
            model="MiniCPMModel",
            # configuration_minicpm.py (MiniCPMConfig): tie_word_embeddings=True; the 2B files do not say it.
            lm=LmHead(tie_of=lambda c: "tie_word_embeddings" not in c or says_tied(c)),
        ),
        dims={"head_dim": split_heads},
        supported=refuse_unproven({"attention_bias": False}, ("num_experts", "sparse_config")),
        example="openbmb/MiniCPM-2B-sft-bf16",
        about="Llama's layers with scaled embeddings, residuals and logits; tied unless the file says otherwise.",
        verified="Totals of MiniCPM-2B, 2,724,880,896, and of MiniCPM4-8B's index, 8,185,253,888.",
    ),
    decoder(
        "exaone",
        "Exaone",
        "EXAONE",
        rms("ln_1"),
        at("attn", at("attention", Attention(("q_proj", "k_proj", "v_proj", "out_proj")))),
        rms("ln_2"),
        at("mlp", GatedMlp(("c_fc_0", "c_fc_1", "c_proj"))),
        embed=Embedding("wte"),
        final=rms("ln_f"),
        layers="h",
        heads=lm_heads("ExaoneForCausalLM", base="transformer.", model="ExaoneModel", lm=LM_HEAD),
        dims={"layers": "num_layers"},
        example="LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct",
        about="Llama's layers under GPT-2's names.",
        verified="Hub totals of EXAONE-3.5-2.4B, 7.8B and 32B-Instruct: 2,405,327,360 to 32,003,200,000.",
    ),
)
