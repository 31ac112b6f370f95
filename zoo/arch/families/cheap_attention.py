"""Encoders that mix tokens at less than the square of their number: Fourier, landmarks, blocks, hashing."""

from __future__ import annotations

from collections.abc import Iterable

from zoo.arch.config import Config, UnsupportedError
from zoo.arch.families.bert import BERT_DIMS, CHOICES, LABELS, PREDICTIONS, QUESTIONS, Dense, bert_embeddings
from zoo.arch.families.bert_kin import (
    CLASSIFIER,
    FEED_FORWARD,
    OUTPUT_NORM,
    PAIR_TASKS,
    Tasks,
    encoder,
    encoder_heads,
    encoder_layers,
)
from zoo.arch.layers import at, stack
from zoo.arch.registry import register
from zoo.arch.rows import Place, Row

#: Tokens of a block of MRA, which its kernels fix.
MRA_BLOCK = 32
#: Newton steps to a pseudo-inverse in Nyströmformer, and the square matrices multiplied in each.
INVERSE_STEPS, INVERSE_PRODUCTS = 6, 4

#: No class keeps a pooler: what one reads is the first token itself.
UNPOOLED: Tasks = {
    "Model": (),
    "ForMaskedLM": (PREDICTIONS,),
    "ForSequenceClassification": (CLASSIFIER,),
    "ForMultipleChoice": (Dense("pre_classifier"), CHOICES),
    "ForTokenClassification": (LABELS,),
    "ForQuestionAnswering": (QUESTIONS,),
}
#: Positions are numbered from 2.
SHIFTED = {**BERT_DIMS, "positions": lambda c: c.whole("max_position_embeddings", least=1) + 2}
#: Every class of BERT but the decoder, and all with the pooler.
FOURIER_TASKS: Tasks = {task: blocks for task, blocks in PAIR_TASKS.items() if task != "ForCausalLM"}


def projections(c: Config, p: Place) -> Iterable[Row]:
    """Queries, keys, values and output, all of one width."""
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        yield from p.linear(name, c.hidden, c.hidden, "attention", True)


def convolve_values(c: Config, p: Place, kernel: int) -> Iterable[Row]:
    """A kernel for each head, run over its values beside the attention."""
    yield p.tensor("self.conv.weight", (c.heads, 1, kernel, 1), "attention", "conv")


def repeat_kernel(c: Config, kernel: int) -> int:
    """FLOPs a token of that convolution beyond one use of each weight: all channels of a head share its kernel."""
    return 2 * int(c.heads) * kernel * (int(c.head_dim) - 1)


def landmark_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention by way of landmarks, means of segments of the text (arXiv:2102.03902, section 3).

    With m landmarks a token pays 8 m d + 2 m² FLOPs in a head of width d. A text pays 2 m² d and 48 m³ more for the
    pseudo-inverse; as the class takes no other length than segment_means_seq_len, that is shared out among its tokens.
    As many landmarks as tokens are plain attention.
    """
    yield from projections(c, p)
    kernel = c.whole("conv_kernel_size", least=1)
    yield from convolve_values(c, p, kernel)
    marks, length = c.whole("num_landmarks", least=1), c.whole("segment_means_seq_len", least=1)
    more, width = repeat_kernel(c, kernel), c.head_dim
    if marks == length:
        flops = 4 * c.heads * width
        yield p.state("full", flops_per_pos=flops, decode_flops_per_pos=flops, flops_per_token=more, causal=False)
        return
    once = 2 * marks**2 * width + 2 * INVERSE_STEPS * INVERSE_PRODUCTS * marks**3
    each = 8 * marks * width + 2 * marks**2
    yield p.state("linear", flops_per_token=more + c.heads * each + c.heads * once // length, causal=False)


def refuse_landmarks(c: Config) -> str | None:
    """A switch under which the class asks its config for a key as if it were a dictionary."""
    return "inv_coeff_init_option, which the class cannot be built with" if c.flag("inv_coeff_init_option") else None


def block_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention between the pairs of blocks that matter most, by means of blocks in between (arXiv:2207.10284).

    The number of pairs is fixed for the longest text, where a token sees ``block_per_row`` blocks of 32; a shorter text
    is padded to it. Means are multiplied once for 32 x 32 pairs of tokens: for scores, and in full mode for values too.
    """
    yield from projections(c, p)
    blocks = c.whole("max_position_embeddings") // MRA_BLOCK
    seen, flops = MRA_BLOCK * min(c.whole("block_per_row"), blocks), 4 * c.hidden
    if seen:
        yield p.state("sliding", window=seen, flops_per_pos=flops, decode_flops_per_pos=flops, causal=False)
    coarse = (flops if is_exact(c) else flops // 2) // MRA_BLOCK**2
    yield p.state("full", flops_per_pos=coarse, decode_flops_per_pos=coarse, causal=False)


def is_exact(c: Config) -> bool:
    """Whether what the chosen blocks leave out is still there as means (``full``), or lost (``sparse``)."""
    mode = c["approx_mode"]
    if mode not in ("full", "sparse"):
        raise UnsupportedError(f"{c.model_type}: approx_mode {mode!r:.40} is not known")
    return bool(mode == "full")


def numbered_positions(c: Config, p: Place) -> Iterable[Row]:
    """The numbers of the positions, stored with the weights."""
    positions = c.whole("max_position_embeddings", least=1)
    yield p.tensor("embeddings.position_ids", (1, positions), "position", "vector", role="buffer")


def hashed_attention(c: Config, p: Place) -> Iterable[Row]:
    """Attention by the odds that query and key fall into one bucket (arXiv:2111.09714, section 3).

    Worked out for all pairs with ``use_expectation``; else drawn: each token adds its values to a bucket of each of
    ``num_hash`` tables and sums as many. Codes are cheap with the fast hash, else products with random vectors.
    """
    yield from projections(c, p)
    more, hashes, code = 0, c.whole("num_hash", least=1), c.whole("hash_code_len", least=1)
    if (kernel := c.maybe("conv_window", least=1)) is not None:
        yield from convolve_values(c, p, kernel)
        more = repeat_kernel(c, kernel)
    if c.flag("use_expectation"):
        flops = 4 * c.hidden
        yield p.state("full", flops_per_pos=flops, decode_flops_per_pos=flops, flops_per_token=more, causal=False)
        return
    drawn = 0 if c.flag("use_fast_hash") else 4 * c.hidden * hashes * code
    yield p.state("linear", flops_per_token=more + drawn + 2 * hashes * c.hidden, causal=False)


def project_words(c: Config, p: Place) -> Iterable[Row]:
    """A square projection after the embeddings."""
    yield from p.linear("embeddings.projection", c.hidden, c.hidden, "embedding", True)


def refuse_matrices(c: Config) -> str | None:
    """With it, matrices of the transform are stored with the weights where SciPy is installed, else not."""
    fixed = c.flag("use_tpu_fourier_optimizations") and c.whole("max_position_embeddings") <= 4096
    return "use_tpu_fourier_optimizations, which stores matrices on some machines only" if fixed else None


register(
    encoder(
        "fnet",
        "FNet",
        (
            bert_embeddings(),
            project_words,
            stack("encoder.layer", at("fourier", OUTPUT_NORM), FEED_FORWARD, OUTPUT_NORM),
        ),
        encoder_heads("FNet", "fnet", FOURIER_TASKS, FOURIER_TASKS),
        supported=refuse_matrices,
        example="google/fnet-base",
        about="BERT with a Fourier transform in place of attention, which stores and multiplies nothing.",
    ),
    encoder(
        "nystromformer",
        "Nystromformer",
        (bert_embeddings(), encoder_layers(landmark_attention)),
        encoder_heads("Nystromformer", "nystromformer", UNPOOLED),
        dims=SHIFTED,
        supported=refuse_landmarks,
        example="uw-madison/nystromformer-512",
        about="BERT that attends by way of landmarks, the means of segments, and convolves the values.",
    ),
    encoder(
        "mra",
        "MRA",
        (bert_embeddings(), numbered_positions, encoder_layers(block_attention)),
        encoder_heads("Mra", "mra", UNPOOLED),
        dims=SHIFTED,
        example="uw-madison/mra-base-512-4",
        about="BERT that attends to the few blocks of 32 tokens that matter most, and to the means of the others.",
    ),
    encoder(
        "yoso",
        "YOSO",
        (bert_embeddings(), encoder_layers(hashed_attention)),
        encoder_heads("Yoso", "yoso", UNPOOLED),
        dims=SHIFTED,
        example="uw-madison/yoso-4096",
        about="BERT whose attention is the chance that two hashes agree, worked out for all pairs or drawn.",
    ),
)
