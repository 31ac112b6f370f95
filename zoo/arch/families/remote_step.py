"""Step 3.5, by the code in its own repository: Step 3.7's language model under other names and keys."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.attention import Attention
from zoo.arch.config import Config, Dim, UnsupportedError
from zoo.arch.families.llama import PRE_NORMS
from zoo.arch.families.remote_dense import LM_HEAD, lm_heads, refuse_unproven
from zoo.arch.families.step import KINDS, count_extra, gate, read_sliding_heads, read_sparse, widen_sliding
from zoo.arch.heads import decoder
from zoo.arch.layers import at, by_kind, resized
from zoo.arch.mlp import GatedMlp
from zoo.arch.norms import QK_NORM, rms
from zoo.arch.per_layer import PerLayer
from zoo.arch.registry import register
from zoo.arch.rows import Block, Place, Row, Tensor


def experts(c: Config, p: Place) -> Iterable[Row]:
    """288 experts, each matrix in one tensor for all, a bias that balances them, and an expert for every token."""
    count, used, width = c.experts, c.experts_per_token, c.expert_ffn
    if not 0 < used <= count:
        raise UnsupportedError(f"{c.model_type}: {used} of {count} experts per token is out of range")
    below = p.at("moe")
    yield from below.linear("gate", c.hidden, count, "router")
    yield below.tensor("router_bias", (count,), "router", "vector", role="buffer")
    for name, shape in (
        ("gate_proj", (count, width, c.hidden)),
        ("up_proj", (count, width, c.hidden)),
        ("down_proj", (count, c.hidden, width)),
    ):
        yield below.tensor(f"{name}.weight", shape, "experts", used=used, of=count)
    yield from GatedMlp(width="shared_ffn", part="shared_experts")(c, p.at("share_expert"))


ATTENTION = Attention(kinds=KINDS, extra=(*QK_NORM, gate))
FEED_FORWARD = by_kind(read_sparse, dense=at("mlp", GatedMlp()), sparse=experts)


def further_tokens(c: Config, p: Place) -> Iterable[Row]:
    """The final norm, and the layers behind that take a token further: sliding and dense, each with its own head."""
    yield from rms("norm")(c, p)
    count = count_extra(c)
    if count == 0:
        return
    place = p._replace(prefix=f"{p.prefix}layers.{{}}.", layers=range(c.layers, c.layers + count), role="mtp")
    heads = read_sliding_heads(c)
    attention = resized({"heads": lambda _: heads}, Attention(extra=(*QK_NORM, gate)))
    layer: tuple[Block, ...] = (at("self_attn", attention), at("mlp", GatedMlp()), *PRE_NORMS)
    layer += (rms("enorm"), rms("hnorm"), at("transformer.shared_head", rms("norm")))
    for block in layer:
        yield from (row for row in block(c, place) if isinstance(row, Tensor))
    yield from place.linear("eh_proj", 2 * c.hidden, c.hidden, "other")
    yield from place.linear("transformer.shared_head.output", c.hidden, c.vocab, "head")


def refuse_mixed_depth(c: Config) -> str | None:
    """Files that seem to count the layers which predict further tokens among the others cannot be told apart."""
    if c["moe_layers_enum"] is None or read_sparse(c)[-1:] != ["sparse"]:
        return "the last of num_hidden_layers is not in moe_layers_enum: it may count layers that predict further"
    return refuse_unproven({"use_head_wise_attn_gate": True, "use_qk_norm": True, "use_moe_router_bias": True})(c)


DIMS: dict[str, Dim] = {
    "kv_heads": "num_attention_groups",
    "head_dim": "head_dim",
    "experts": "moe_num_experts",
    "experts_per_token": "moe_top_k",
    "shared_experts": lambda c: 1,
    "expert_ffn": "moe_intermediate_size",
    "shared_ffn": "share_expert_dim",
}

register(
    decoder(
        "step3p5",
        "Step3p5",
        "Step",
        at("self_attn", PerLayer(("num_attention_heads",), widen_sliding, (ATTENTION,))),
        FEED_FORWARD,
        *PRE_NORMS,
        final=further_tokens,
        heads=lm_heads("Step3p5ForCausalLM", base="model.", model="Step3p5Model", lm=LM_HEAD),
        dims=DIMS,
        supported=refuse_mixed_depth,
        example="stepfun-ai/Step-3.5-Flash",
        about="8 of 288 experts; gated attention with a window in three layers of four, which have more query heads.",
        verified="Total of Step-3.5-Flash: 199,384,301,376, of which 2,428,171,008 in layers that predict further.",
    ),
)
