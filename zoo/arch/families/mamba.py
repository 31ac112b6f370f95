"""Mamba and Falcon-Mamba: no attention, one selective state space per layer."""

from __future__ import annotations

from zoo.arch.config import Dim
from zoo.arch.heads import Embedding, LmHead, decoder
from zoo.arch.layers import at
from zoo.arch.norms import rms
from zoo.arch.recurrent import Mamba, read_dt_rank
from zoo.arch.registry import Architecture, Head, register

MAMBA_DIMS: dict[str, Dim] = {
    "heads": lambda c: 0,
    "kv_heads": lambda c: 0,
    "head_dim": lambda c: 0,
    "ffn": lambda c: c.ssm_inner,
    # A file that was saved with its inner width keeps it: the class sets what it is given after what it works out.
    "ssm_inner": lambda c: c.maybe("intermediate_size", least=1) or c.whole("expand", least=1) * c.hidden,
    "ssm_state": "state_size",
    "ssm_conv": lambda c: c.whole("conv_kernel", least=1),
    "ssm_rank": read_dt_rank("time_step_rank"),
}


def mamba(model_type: str, prefix: str, family: str, example: str, about: str) -> Architecture:
    """A stack of mixers with a norm before each, and no MLP."""
    return decoder(
        model_type,
        prefix,
        family,
        rms("norm"),
        at("mixer", Mamba(bias="use_bias", conv_bias="use_conv_bias")),
        embed=Embedding("embeddings"),
        final=rms("norm_f"),
        heads={f"{prefix}Model": Head(), f"{prefix}ForCausalLM": Head("backbone.", (LmHead(),))},
        dims=MAMBA_DIMS,
        position="none",
        example=example,
        about=about,
    )


register(
    mamba(
        "mamba",
        "Mamba",
        "Mamba",
        "state-spaces/mamba-2.8b-hf",
        "No attention and no cache that grows: each layer carries a state of fixed size through the sequence.",
    ),
    mamba(
        "falcon_mamba",
        "FalconMamba",
        "Falcon",
        "tiiuae/falcon-mamba-7b",
        "Mamba's layers with norms without weights on the time step and the state's inputs.",
    ),
)
