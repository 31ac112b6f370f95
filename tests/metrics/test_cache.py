"""What a sequence keeps against what small models kept while they ran (``python -m tests.oracle cache``).

The ledger says what serving engines keep. Where transformers keeps it otherwise, the difference is one of
``CONVENTIONS``; without any of them the numbers of a layer are equal to the element, at every length.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.cache import LENGTHS, SOURCE, generates
from tests.oracle.check import built_by_transformers
from tests.oracle.vary import load_required
from zoo.arch import build_ledger
from zoo.arch.rows import State

RECORDED = Path(__file__).parents[1] / "data" / "cache.jsonl.gz"
WINDOWED = ("sliding", "chunked")

#: Ways in which transformers 5.23 keeps something else than serving engines do, and than the ledger says.
CONVENTIONS = {
    "window": "a layer with a window of w keeps the last w - 1 tokens; the newest is added when it comes",
    "columns": "a convolution keeps as many columns as its kernel has, one more than is read (but for RecurrentGemma)",
    "query heads": "Falcon's newer decoder writes keys and values out for every query head",
    "mask alone": "GPT-Neo and MiniMax mask what is outside of a window, but keep it",
    "stray window": "a key sliding_window that the type does not have shortens the cache, though no mask follows it",
    "own count": "HRM and LongCat count a layer of the cache for each pass or attention, not for each layer",
    "prompt": "CPM-Ant keeps its learned prompt before the tokens",
    "spare layers": "xLSTM makes room for num_hidden_layers where num_blocks is fewer",
    "unfinished": "DeepSeek-V4 keeps the tokens that make up no entry yet: those there are, not the most there can be",
    "whole entries": "DeepSeek-V4 has an entry once its tokens are complete, not a share of it for each token",
    "anew": "Idefics works keys and values of the image out for each token anew; engines keep them",
    "twice": "DeepSeek-V4's layers that only slide keep their one vector as key and as value",
}

SEEING = (
    "blip-2",
    "instructblip",
    "instructblipvideo",
)
SECTIONS = ("deepseek_ocr2_text", "diffusion_gemma_text", "emu3_text_model", "unlimited_ocr_text")
#: Types of which nothing is recorded, and why.
NOT_RUN = {
    **dict.fromkeys(SEEING, "its text is decoded only with an image"),
    **dict.fromkeys(SECTIONS, "transformers has no class for the section alone; the whole model is recorded"),
    "voxtral_realtime": "its text is decoded only along with sound",
    "pi0": "it decodes actions, and only along with the state of a robot",
    "blt": "its patches come from a model of their own, of fixed sizes",
    "granite4_vision": "its class gives no cache back; llava_next and granite are recorded",
    "granite4_vision_text": "its class gives no cache back; llava_next and granite are recorded",
    **dict.fromkeys(("qwen2_5_omni", "qwen3_omni_moe"), "it generates by way of its talker; the thinker is recorded"),
    "openai-gpt": "its class keeps nothing and computes all anew; engines keep keys and values",
}


@dataclass(frozen=True)
class Run:
    """One recorded model; ``without`` is a convention that is left out, to see that it is needed."""

    config: dict[str, Any]
    kept: dict[str, list[Any]]
    without: str = ""

    @cached_property
    def ledger(self) -> Any:
        return build_ledger(self.config)

    @property
    def model_type(self) -> str:
        return str(self.config["model_type"])

    def follows(self, convention: str, *types: str) -> bool:
        assert convention in CONVENTIONS
        return convention != self.without and (not types or self.model_type in types)

    @cached_property
    def states(self) -> list[State]:
        return [s for s in self.ledger.states if s.stack not in ("vision", "audio", "encoder")]

    def said(self, tokens: int, side: str) -> dict[int | None, int]:
        """Elements that transformers kept, by layer."""
        return add_up((layer, prod(shape)) for layer, where, _, shape in self.kept[str(tokens)] if where == side)

    def counted(self, tokens: int, cross: bool) -> dict[int | None, int]:
        """Elements that the ledger says, kept as transformers keeps them, by layer."""
        states = [s for s in self.states if (s.kind == "cross") is cross]
        return add_up((layer, self.hold(s, layer, tokens)) for s in states for layer in s.layers or (None,))

    def hold(self, state: State, layer: int | None, tokens: int) -> int:
        """Elements of ``state`` in one layer."""
        if state.kind == "cross":
            if self.follows("anew", "idefics"):
                return 0
            return state.fixed or state.per_token * SOURCE
        if self.model_type == "deepseek_v4":
            return self.hold_entries(state, layer, tokens)
        held, per_token, window = tokens, state.per_token, state.window
        if window is not None and not self.follows("mask alone", "gpt_neo", "minimax"):
            held = min(tokens, window - self.follows("window"))
        stray = self.config.get("sliding_window")
        if stray and self.follows("stray window", "qwen3_vl_moe_text"):
            held = min(tokens, stray - 1)
        if self.config.get("new_decoder_architecture") and self.follows("query heads", "falcon"):
            per_token = per_token * self.ledger.text.heads // self.ledger.text.kv_heads
        if self.follows("prompt", "cpmant"):
            held += self.ledger.config.whole("prompt_length")
        return per_token * held + state.fixed + self.count_spare(state, layer)

    def count_spare(self, state: State, layer: int | None) -> int:
        """Elements of the column of a convolution that transformers keeps and never reads."""
        if state.kind != "conv" or self.model_type == "recurrent_gemma" or not self.follows("columns"):
            return 0
        convs = [t for t in self.ledger.tensors if t.op == "conv" and layer in (t.layers or ())]
        sizes = [(t.shape[0], t.shape[-1]) if len(t.shape) == 3 else t.shape[::-1] for t in convs]
        for some in (*([size] for size in sizes), sizes):  # a state of one convolution, or of all of the layer
            if some and sum(channels * (kernel - 1) for channels, kernel in some) == state.fixed:
                return sum(channels for channels, _ in some)
        return 0

    def hold_entries(self, state: State, layer: int | None, tokens: int) -> int:
        """DeepSeek-V4: raw entries in a window, compressed ones, and what is not yet compressed."""
        raw = self.ledger.text.window
        waiting = [s for s in self.states if s.per_token and s.window not in (None, raw) and layer in (s.layers or ())]
        rate = (waiting[0].window or 0) + 1 if waiting else None
        if state.kind == "full":
            held = tokens // rate * rate if rate and self.follows("whole entries") else tokens
            return state.per_token * min(held, state.window or held)
        if state.window is not None and state.window == raw:
            held = min(tokens, state.window - self.follows("window"))
            return state.per_token * held * (2 if rate is None and self.follows("twice") else 1)
        assert rate is not None
        if not self.follows("unfinished"):
            return state.per_token * min(tokens, rate - 1) + state.fixed
        return state.per_token * (tokens % rate) + (state.fixed if tokens >= rate else 0)

    def agrees(self) -> bool:
        """Whether every layer keeps as much as transformers says, at every length."""
        for tokens in LENGTHS:
            said, counted = self.said(tokens, "self"), self.counted(tokens, cross=False)
            apart = self.said(tokens, "cross")
            if apart:
                if apart != self.counted(tokens, cross=True):
                    return False
            else:  # Mllama: layers of cross-attention stand among the others
                counted = add_up((*counted.items(), *self.counted(tokens, cross=True).items()))
            if self.follows("spare layers", "xlstm"):
                blocks = self.ledger.text.layers
                said = {layer: size for layer, size in said.items() if layer is not None and layer < blocks}
            if None in said or self.follows("own count", "hrm_text", "longcat_flash"):
                said, counted = {None: sum(said.values())}, {None: sum(counted.values())}
            if said != counted:
                return False
        return True


def add_up(sizes: Iterable[tuple[int | None, int]]) -> dict[int | None, int]:
    """Sums by layer, without those where there is nothing."""
    found: dict[int | None, int] = {}
    for layer, size in sizes:
        if size:
            found[layer] = found.get(layer, 0) + size
    return found


def read_runs() -> list[Run]:
    lines = [json.loads(line) for line in gzip.decompress(RECORDED.read_bytes()).decode().splitlines()[1:]]
    return [Run(line["config"], line["kept"]) for line in lines]


RUNS = read_runs()
BY_TYPE = sorted({run.model_type for run in RUNS})


@pytest.mark.parametrize("model_type", BY_TYPE)
def test_a_sequence_keeps_what_transformers_kept(model_type: str) -> None:
    runs = [run for run in RUNS if run.model_type == model_type]
    assert [run.config for run in runs if not run.agrees()] == []


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_is_needed(convention: str) -> None:
    assert any(not Run(run.config, run.kept, without=convention).agrees() for run in RUNS)


def test_every_type_that_generates_is_recorded_or_there_is_a_reason() -> None:
    required = load_required()
    known = {name for name in built_by_transformers() if generates({"model_type": name, **required.get(name, {})})}
    assert known - set(BY_TYPE) <= set(NOT_RUN)
    assert not set(NOT_RUN) & set(BY_TYPE)
    assert set(NOT_RUN) <= known
