"""``zoo fit``: what fits where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.alone import Result, run_alone
from tests.metrics.configs import DEEPSEEK_V3, GPT_OSS_120B, LLAMA_8B
from zoo.devices import load_devices


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "llama" / "config.json", LLAMA_8B)


def write(path: Path, config: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return path


def fit(*words: object) -> Result:
    return run_alone("fit", *map(str, words))


def test_one_device_is_told_in_full(model: Path) -> None:
    result = fit(model, "--gpu", "RTX 4090", "--context", "32k")
    assert result.code == 0
    for said in ("15.0 GiB (bfloat16)", "4.0 GiB (bfloat16), steady state", "54,415 tokens", "at most 52 tokens/s"):
        assert said in result.out
    assert "real quantisation" in result.err


def test_a_model_that_does_not_fit_ends_with_1(model: Path) -> None:
    result = fit(model, "--gpu", "T4")
    assert result.code == 1
    assert "Missing" in result.out
    assert "int4" in result.out


def test_without_a_device_all_are_listed(model: Path) -> None:
    result = fit(model.parent)
    assert result.code == 0
    for device in load_devices():
        assert device.name in result.out
    assert max(map(len, result.out.splitlines())) <= 80


def test_json_holds_plain_numbers(model: Path) -> None:
    result = fit(model, "--gpu", "4090", "--context", "32k", "--json")
    document = json.loads(result.out)
    assert document["weights_bytes"] == 16_060_522_496
    assert document["longest_context_tokens"] == 54_415
    assert document["max_context_tokens"] == 131_072
    assert [one["weights_dtype"] for one in document["by_weights_dtype"]] == ["bfloat16", "float8", "int4"]
    document = json.loads(fit(model, "--json").out)
    assert len(document["devices"]) == len(load_devices())


def test_several_devices_share_a_model(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", DEEPSEEK_V3)
    result = fit(path, "--gpu", "h200", "--gpus", 8, "--context", "128k", "--batch", 4)
    assert result.code == 0
    assert "8 × H200" in result.out
    assert "on each" in result.out
    assert "163,840 (all)" in fit(path, "--gpu", "h200", "--gpus", 8, "--weights-dtype", "int4").out
    assert "the latent cache is whole on each device" in result.err
    assert "8 × H200" in fit(path, "--gpus", 8).out


def test_types_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", GPT_OSS_120B)
    result = fit(path, "--gpu", "H200", "--weights-dtype", "int4", "--kv-dtype", "fp8", "--json")
    document = json.loads(result.out)
    assert (document["weights_dtype"], document["kv_dtype"]) == ("int4", "float8")
    assert document["by_weights_dtype"] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--gpu", "RTX 4091"], 1, "no device matches"),
        (["--gpu", "H100"], 2, "one of several devices"),
        (["--context", "1M"], 2, "made for 131,072 tokens"),
        (["--context", "much"], 2, "is not tokens"),
        (["--weights-dtype", "q17"], 2, "unknown data type"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(model: Path, words: list[str], code: int, said: str) -> None:
    result = fit(model, *words)
    assert result.code == code
    assert said in result.err


def test_a_model_without_numbers_gives_its_reason(tmp_path: Path) -> None:
    result = fit(write(tmp_path / "config.json", {"model_type": "nobody-knows"}))
    assert result.code == 3
    assert "'nobody-knows' is not known" in result.err
