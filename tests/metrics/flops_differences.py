"""Where torch counts something else than zoo: why, in which types, and how much.

Each figure is the FLOPs that torch counts more than zoo does if every query meets every key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.metrics.flops_runs import Run
from zoo.metrics.sums import count_pairs


@dataclass(frozen=True)
class Difference:
    """Why torch counts ``figure`` FLOPs more than zoo (fewer where it is negative) for the types named."""

    reason: str
    types: tuple[str, ...]
    figure: Callable[[Run], int]


def pad_convolutions(run: Run) -> int:
    return sum(2 * t.elements * (t.shape[-1] - 1) for t in run.weights if t.op == "conv" and len(t.shape) == 3)


def pad_zaya(run: Run) -> int:
    """The first convolution works out what the second sees before the first token, and one value is of that token."""
    first = run.weigh("conv_qk_depthwise") * (run.ledger.text.whole("cca_time1") - 1)
    return first + run.weigh("v_proj_delayed")


def see_prompt(run: Run) -> int:
    prompt = run.ledger.text.whole("prompt_length")
    inside = sum(2 * t.elements for t in run.weights if t.layers is not None)
    return prompt * inside + run.squares * ((run.tokens + prompt) ** 2 - run.tokens**2) // run.tokens**2


def attend_elsewhere(run: Run) -> int:
    """Every other token of each stream, of which a query sees its own alone."""
    text = run.ledger.config
    pairs = text.whole("ngram") * run.tokens * (run.tokens - 1)
    return 4 * text.whole("hidden_size") * pairs * text.whole("num_decoder_layers")


def overlap_blocks(run: Run) -> int:
    """Longformer's windows: scores in blocks of two half windows, values in blocks of three."""
    more = 0
    for state in run.states:
        if state.kind == "sliding" and state.window:
            half = state.window // 2
            pairs = (run.tokens // half - 1) * 4 * half**2 + run.tokens * 3 * half
            more += state.repeats * (state.flops_per_pos // 2 * pairs - state.flops_per_pos * run.tokens**2)
    return more


def attend_to_spans(run: Run) -> int:
    """What is attended to in place of all."""
    return sum(s.flops_per_pos * s.repeats * (count_pairs(s, run.tokens) - run.tokens**2) for s in run.states)


def attend_to_edges(run: Run) -> int:
    """As blocks: the first and last two see and are seen otherwise than those between."""
    text = run.ledger.text
    layers, edge = (
        sum(s.repeats for s in run.states),
        text.whole("block_size") ** 2 * (12 + 2 * text.whole("num_random_blocks")),
    )
    return attend_to_spans(run) - run.states[0].flops_per_pos * edge * layers


def stagger_blocks(run: Run) -> int:
    """Blocks see themselves and the global tokens, these all; every other layer is shifted by half a block."""
    text = run.ledger.config
    block, few, layers = text.whole("block_size"), text.whole("num_global_tokens"), text.whole("encoder_layers")
    flops = 4 * text.whole("d_model")
    projections = sum(2 * t.elements for t in run.weights if t.stack == "encoder" and ".self_attn." in t.name) // layers
    more = 0
    for layer in range(layers):
        tokens = run.tokens + (block if layer % 2 else 0)
        pairs = tokens * (block + few) + few * (few + tokens) - run.tokens**2 - few * run.tokens
        more += flops * pairs + projections * (tokens - run.tokens)
    return more


def sum_blocks(run: Run) -> int:
    """Tokens are summed up to summaries by a product with ones and zeros."""
    text = run.ledger.config
    if text["encoder_attention_type"] == "local":
        return 0
    summaries = run.tokens // text.whole("global_block_size")
    return 2 * run.tokens * summaries * text.whole("d_model") * text.whole("num_layers")


def score_finished(run: Run) -> int:
    """Of blocks of keys, a query scores those that are complete."""
    text = run.ledger.text
    ratio = text.whole("indexer_compress_ratio")
    (state,) = [s for s in run.states if s.flops_per_pos and s.window is None]
    finished = sum((token + 1) // ratio for token in range(run.tokens))
    return state.repeats * (state.flops_per_pos * ratio * finished - state.flops_per_pos * run.tokens**2)


def score_pools(run: Run) -> int:
    """Scores of pools, which for one token are not whole FLOPs."""
    text = run.ledger.text
    pools = run.tokens // text.whole("index_kpool")
    each = 2 * text.whole("index_n_heads") * (text.whole("index_head_dim") + 1)
    scans = [s for s in run.states if s.flops_per_pos and s.window is None]
    return sum(s.repeats * (each * run.tokens * pools - s.flops_per_pos * run.tokens**2) for s in scans)


def choose_nothing(run: Run) -> int:
    """What the model drawn chose is not recorded: a whole number of experts, and no more than were to be chosen."""
    one = sum(2 * t.elements // (t.of * t.repeats) for t in run.weights if t.of > 1)
    spared = run.counted - run.said
    (used,) = {t.used for t in run.weights if t.of > 1}
    layers = run.ledger.config.whole("num_layers")
    assert spared % one == 0
    assert 0 <= spared // one <= used * run.tokens * layers
    return -spared


def leave_out(run: Run) -> int:
    """The layers that attend to a protein are passed over."""
    own = sum(2 * t.elements * run.passing(t.stack) for t in run.weights if ".adapter." in t.name)
    return -own - sum(s.flops_per_pos * s.repeats * run.tokens * run.source for s in run.states if s.kind == "cross")


def take_steps(run: Run) -> int:
    return run.weigh("x_proj_weight", "dt_proj_weight") * run.tokens


CAUSAL = (
    *("bamba", "falcon_h1", "falcon_mamba", "granitemoehybrid", "jamba", "mamba", "mamba2", "nemotron_h"),
    *("nemotron_h_omni", "zamba", "zamba2", "bailing_hybrid", "glm5_next", "glm5_next_text", "kimi_linear"),
    *("minicpmv4_6", "olmo_hybrid", "qwen3_5", "qwen3_5_moe", "qwen3_5_text"),
    *("qwen3_next", "qwen4_exp", "qwen4_exp_text", "inkling2", "inkling2_text", "inkling_mm_model", "inkling_text"),
    *("lfm2_vl", "lfm3", "lfm3_vl"),
)
DIFFERENCES = {
    "padding": Difference("convolutions run on over the padding before the first token", CAUSAL, pad_convolutions),
    "two paddings": Difference("two convolutions and a delay are each padded", ("zaya",), pad_zaya),
    "element by element": Difference(
        "a convolution whose weights each token makes is not done as one",
        ("inkling2_text",),
        lambda run: -sum(2 * t.elements * run.tokens for t in run.weights if t.op == "conv" and len(t.shape) == 2),
    ),
    "prompt": Difference("a learned prompt stands before the tokens", ("cpmant",), see_prompt),
    "streams": Difference("all of a stream is multiplied before it is masked", ("prophetnet",), attend_elsewhere),
    "half windows": Difference("windows are run as blocks that overlap", ("led", "longformer"), overlap_blocks),
    "spans": Difference("only what is near, or of one hash, is multiplied", ("reformer",), attend_to_spans),
    "edges": Difference("blocks at both ends are run apart", ("big_bird",), attend_to_edges),
    "shifted": Difference("blocks are padded to be shifted", ("pegasus_x",), stagger_blocks),
    "summaries": Difference("sums are done as products", ("longt5",), sum_blocks),
    "finished": Difference("blocks are scored once complete", ("qwen4_exp", "qwen4_exp_text"), score_finished),
    "fractions": Difference("FLOPs for a position are rounded up", ("glm5_next", "glm5_next_text"), score_pools),
    "chance": Difference("what serves a token may be nothing", ("longcat_flash",), choose_nothing),
    "no protein": Difference("without one, nothing attends to it", ("evolla",), leave_out),
    "steps": Difference("projections of a scan are counted with it", ("zamba",), lambda run: -take_steps(run)),
    "twice": Difference(
        "scores are worked out again for the other half of the values", ("diffllama",), lambda run: run.squares // 3
    ),
    "ahead": Difference(
        "distances to both sides are projected and scored, of which a query needs half",
        ("xlnet",),
        lambda run: run.weigh("r") * run.tokens + run.squares // 3,
    ),
    "block and prompt": Difference(
        "the block that is written reads the prompt, too",
        ("diffusion_gemma",),
        lambda run: sum(s.flops_per_pos * s.repeats for s in run.states if s.stack == "decoder") * run.tokens**2,
    ),
    "on demand": Difference(
        "contacts are predicted when asked for", ("esm",), lambda run: -run.weigh("contact_head") * run.tokens
    ),
    "idle": Difference(
        "with use_bottleneck_attention another weight goes unused",
        ("mobilebert",),
        lambda run: -sum(2 * t.elements for t in run.weights if ".bottleneck.attention." in t.name) * run.tokens,
    ),
}


def find_differences(run: Run) -> list[Difference]:
    return [difference for difference in DIFFERENCES.values() if run.model_type in difference.types]
