"""Active parameters against what vendors publish, in the convention that each of them follows.

Three are in use: all that a token passes through with the row of the input embedding counted as the whole table
("with"), without the input embedding ("without"), and without the head as well ("neither"). A published figure is the
count in one of them, rounded to the nearest in the digits it is printed with; of one, the rest is cut off instead.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest

from zoo.metrics.analysis import analyze
from zoo.metrics.sums import Params
from zoo.sources.snapshot import read_snapshot


@cache
def read_configs() -> dict[str, Any]:
    return {record.repo_id: record.config for record in read_snapshot()}


def count_active(repo_id: str) -> dict[str, int]:
    params = analyze(read_configs()[repo_id]).params
    assert isinstance(params, Params)
    outer = params.active_by_part.get("head", 0)
    return {
        "with": params.active,
        "without": params.active_non_embedding,
        "neither": params.active_non_embedding - outer,
    }


#: Billions as printed, with the convention. Sources: model cards and reports of the vendors, but for those marked.
PUBLISHED = [
    ("openai/gpt-oss-120b", "5.13", "without"),  # card, arXiv:2508.10925
    ("openai/gpt-oss-20b", "3.61", "without"),  # card
    ("mistralai/Mixtral-8x7B-Instruct-v0.1", "12.9", "with"),  # arXiv:2401.04088: 13B
    ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "3.6", "with"),  # card: with embeddings
    ("nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16", "55", "without"),  # its name
    ("allenai/OLMoE-1B-7B-0924", "1.2", "without"),  # card; 1.3 in its paper is with
    ("allenai/OLMoE-1B-7B-0924", "1.3", "with"),
    ("deepseek-ai/DeepSeek-V3", "37.55", "with"),  # the 37B of the card, as the report counts it
    ("deepseek-ai/DeepSeek-V3", "37", "without"),  # card
    ("deepseek-ai/DeepSeek-R1", "37", "without"),  # card
    ("deepseek-ai/DeepSeek-V2", "21", "with"),  # card
    ("deepseek-ai/DeepSeek-V4-Flash", "13", "without"),  # as others list it
    ("deepseek-ai/DeepSeek-V4-Pro", "49", "without"),  # as others list it
    ("moonshotai/Kimi-K2-Instruct", "32", "without"),  # as others list it
    ("moonshotai/Kimi-K2.5", "32", "without"),  # as others list it
    ("MiniMaxAI/MiniMax-M2.5", "10", "without"),  # as others list it
    ("XiaomiMiMo/MiMo-V2-Flash", "15", "with"),  # as others list it
    ("Qwen/Qwen3-235B-A22B", "22", "with"),  # NVIDIA's documentation
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", "3", "neither"),  # NVIDIA's documentation
    ("Qwen/Qwen3-Coder-Next", "3", "neither"),  # as others list it
    ("ai21labs/AI21-Jamba-Mini-1.5", "12", "with"),  # card
    ("ibm-granite/granite-4.0-h-tiny", "1", "with"),  # card
    ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "17", "without"),  # its name
    ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", "17", "without"),  # its name
    ("zai-org/GLM-4.5-Air", "12", "neither"),  # card
    ("zai-org/GLM-5", "40", "neither"),  # as others list it
]
#: Figures that are cut off, not rounded.
CUT = [
    ("Qwen/Qwen3-30B-A3B", "3.3", "with"),  # card: 3.353
]


def digits_of(text: str) -> int:
    return len(text.partition(".")[2])


@pytest.mark.parametrize(("repo_id", "said", "convention"), PUBLISHED)
def test_active_parameters_are_what_the_vendor_publishes(repo_id: str, said: str, convention: str) -> None:
    assert f"{count_active(repo_id)[convention] / 1e9:.{digits_of(said)}f}" == said


@pytest.mark.parametrize(("repo_id", "said", "convention"), CUT)
def test_some_figures_are_cut_off(repo_id: str, said: str, convention: str) -> None:
    scale = 10 ** digits_of(said)
    assert math.floor(count_active(repo_id)[convention] / 1e9 * scale) / scale == float(said)


def test_every_convention_is_in_use() -> None:
    assert {convention for _, _, convention in PUBLISHED} == {"with", "without", "neither"}
