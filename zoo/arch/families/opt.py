"""OPT: learned positions with an offset, and for the 350M model a narrower embedding and post-norm."""

from __future__ import annotations

from zoo.arch.attention import Attention
from zoo.arch.config import MULTI_HEAD, Config, read_positive
from zoo.arch.heads import Embedding, LabelHead, LmHead
from zoo.arch.layers import at, stack, when
from zoo.arch.mlp import Mlp
from zoo.arch.norms import Norm
from zoo.arch.registry import Architecture, Head, register
from zoo.arch.rows import Place, Tensor


def read_embed_width(c: Config) -> int:
    """``word_embed_proj_dim``; null means the hidden size."""
    width = c.maybe("word_embed_proj_dim", least=1)
    return int(c.hidden) if width is None else width


def is_projected(c: Config) -> bool:
    return bool(c.embed_width != c.hidden)


def has_final_norm(c: Config) -> bool:
    return c.flag("do_layer_norm_before") and not c.flag("_remove_final_layer_norm")


def project_in(c: Config, p: Place) -> tuple[Tensor, ...]:
    """From the width of the embedding to that of the layers."""
    return p.linear("project_in", c.embed_width, c.hidden, "other")


def project_out(c: Config, p: Place) -> tuple[Tensor, ...]:
    """From the width of the layers back to that of the embedding."""
    return p.linear("project_out", c.hidden, c.embed_width, "other")


def opt_norm(name: str) -> Norm:
    return Norm(name, bias=True, weight="layer_norm_elementwise_affine")


OPT = at(
    "decoder",
    Embedding(width="embed_width"),
    Embedding("embed_positions", rows="positions", part="position"),
    when(is_projected, project_in, project_out),
    stack(
        "layers",
        at("self_attn", Attention(("q_proj", "k_proj", "v_proj", "out_proj"), bias="enable_bias")),
        opt_norm("self_attn_layer_norm"),
        Mlp(bias="enable_bias"),
        opt_norm("final_layer_norm"),
    ),
    when(has_final_norm, opt_norm("final_layer_norm")),
)

register(
    Architecture(
        "opt",
        "OPT",
        OPT,
        {
            "OPTModel": Head(),
            "OPTForCausalLM": Head("model.", (LmHead(width="embed_width"),)),
            "OPTForSequenceClassification": Head("model.", (LabelHead("score", width="embed_width"),)),
            "OPTForQuestionAnswering": Head(
                "model.", (LabelHead("qa_outputs", bias=True, outputs=2, width="embed_width"),)
            ),
        },
        "OPTForCausalLM",
        {
            **MULTI_HEAD,
            "ffn": read_positive("ffn_dim"),
            "embed_width": read_embed_width,
            # The table keeps two rows before position 0, from the padding convention of fairseq.
            "positions": lambda c: c.whole("max_position_embeddings") + 2,
        },
        norm="layernorm",
        position="learned",
        embedding="decoder.embed_tokens.weight",
        example="facebook/opt-1.3b",
        about="GPT-3's layout with q, k and v apart; the 350M model projects a 512 wide embedding in and out.",
    ),
)
