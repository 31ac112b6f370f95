"""What the products cost by which classes run recurrent layers, block by block of tokens, on a processor.

Zoo counts the updates of the state instead, token by token: they are the least that an engine has to do. The blocks are
padded to their full size, and what is done element by element torch does not count.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.metrics.flops_runs import Run
from zoo.arch.rows import State

#: A scan: from the run and one state in it to the FLOPs of one layer.
Scan = Callable[[Run, State], int]
#: Tokens in a block of the delta rule.
BLOCK = 64


def pad(tokens: int, block: int) -> int:
    return -(-tokens // block) * block


def read_out(run: Run, state: State) -> int:
    """Mamba-1: token by token, of which the read-out is a product; decay and input are done element by element."""
    return 2 * state.fixed * run.tokens


def scan_blocks(run: Run, state: State) -> int:
    """Mamba-2 (arXiv:2405.21060, section 6): within blocks, into states, from block to block, and out of states."""
    c = run.ledger.text
    block = c.get("chunk_size") or c.get("mamba_chunk_size") or 256
    heads, width, size = c.dim("ssm_heads"), c.dim("ssm_head_dim"), c.dim("ssm_state")
    tokens = pad(run.tokens, block)
    within = tokens * block * (size + width)
    return 2 * int(heads) * int(within + 2 * tokens * size * width + (tokens // block + 1) ** 2 * size * width)


def correct_blocks(run: Run, state: State) -> int:
    """The gated delta rule (arXiv:2412.06464, section 3.3), but for triangular systems, which torch does not count."""
    c = run.ledger.text
    key, value = c.whole("linear_key_head_dim"), c.whole("linear_value_head_dim")
    return 2 * (state.fixed // (key * value)) * pad(run.tokens, BLOCK) * (BLOCK * (2 * key + value) + 3 * key * value)


def correct_channels(run: Run, state: State) -> int:
    """Kimi's delta rule: as above with a decay for each channel, so that scores are done element by element."""
    inner = next(s.fixed for s in run.states if s.kind == "conv") // (3 * (find_kernel(run) - 1))
    width = state.fixed // inner
    return 2 * inner * pad(run.tokens, BLOCK) * (3 * BLOCK + 3 * width)


def find_kernel(run: Run) -> int:
    return next(t.shape[-1] for t in run.weights if t.op == "conv")


def decay_blocks(run: Run, state: State) -> int:
    """Lightning attention: scores and values of all pairs in a block, and a state between blocks."""
    c = run.ledger.text
    assert run.tokens <= c.whole("block_size")
    return int(4 * c.heads * run.tokens * c.head_dim * (run.tokens + c.head_dim))


def write_and_read(run: Run, state: State) -> int:
    """xLSTM: token by token, writing and reading the matrix, and a product with the normaliser; the decay is none."""
    c = run.ledger.text
    matrix = c.key_width * c.value_width // c.heads
    return int(2 * run.tokens * (2 * matrix + c.key_width))


def do_elements(run: Run, state: State) -> int:
    """RWKV and RecurrentGemma: nothing but element by element."""
    return 0


MAMBA_2 = ("bamba", "falcon_h1", "granitemoehybrid", "mamba2", "nemotron_h", "nemotron_h_omni", "zamba2")
SCANS: dict[str, Scan] = {
    **dict.fromkeys(("falcon_mamba", "jamba", "mamba", "zamba"), read_out),
    **dict.fromkeys(MAMBA_2, scan_blocks),
    **dict.fromkeys(("bailing_hybrid", "glm5_next", "glm5_next_text", "kimi_linear"), correct_channels),
    **dict.fromkeys(("recurrent_gemma", "rwkv"), do_elements),
    "minimax": decay_blocks,
    "xlstm": write_and_read,
}


def find_scan(model_type: str) -> Scan:
    return SCANS.get(model_type, correct_blocks)
