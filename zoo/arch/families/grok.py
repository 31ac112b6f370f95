"""Grok-1, as it was ported to PyTorch: its code is in the repository of the port (hpcai-tech/grok-1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zoo.arch.attention import Attention
from zoo.arch.config import Config, split_heads
from zoo.arch.families.remote_dense import LM_HEAD, lm_heads
from zoo.arch.families.remote_moe import SeparateExperts
from zoo.arch.heads import decoder
from zoo.arch.layers import at
from zoo.arch.mlp import Moe
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row


@dataclass(frozen=True)
class ScaleNorm:
    """RMSNorm whose weight is called ``scale``."""

    name: str

    def __call__(self, c: Config, p: Place) -> Iterable[Row]:
        yield p.tensor(f"{self.name}.scale", (c.hidden,), "norm", "vector")


register(
    decoder(
        "grok-1",
        "Grok1",
        "Grok",
        at("attn", Attention()),
        at("moe_block", Moe(experts=SeparateExperts(("linear", "linear_v", "linear_1")))),
        ScaleNorm("pre_attn_norm"),
        ScaleNorm("post_attn_norm"),
        ScaleNorm("pre_moe_norm"),
        ScaleNorm("post_moe_norm"),
        final=ScaleNorm("norm"),
        heads=lm_heads("Grok1ModelForCausalLM", base="model.", model="Grok1Model", lm=LM_HEAD),
        dims={
            "head_dim": split_heads,
            "experts": "num_experts",
            "experts_per_token": "num_experts_per_tok",
            "activation": lambda c: "gelu",
        },
        example="hpcai-tech/grok-1",
        about="8 gated experts of which a token takes 2, with norms before and after each block and a tied head.",
        verified=(
            "xai-org/grok-1, published as 314B: 770 files, one a tensor, all experts of a matrix in one; 1.61 GB for "
            "such a matrix, 6.29 MB for keys or values, 318 GB in all with the embedding in 32 bits."
        ),
    ),
)
