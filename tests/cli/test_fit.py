"""``zoo fit``: what fits where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.alone import Result, run_alone
from tests.cli.conftest import Run
from tests.metrics.configs import BERT_BASE, DEEPSEEK_V3, GPT_OSS_120B, LLAMA_8B
from tests.metrics.test_memory import QWEN36_27B
from zoo.devices import GIB, load_devices


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
    for said in (
        "2.4 GiB for the engine",
        "15.0 GiB (bfloat16)",
        "4.0 GiB (bfloat16), steady state",
        "in blocks of 16 tokens",
        "15.0 GiB + 128 KiB a token",
        "54,415 tokens",
        "54,400 tokens",
        "at most 52 tokens/s",
        "computed in",
    ):
        assert said in result.out
    assert "what a format does to quality is in no figure" in result.err
    assert "Ada white paper" in result.err
    assert max(map(len, result.out.splitlines())) <= 80


def test_a_model_that_does_not_fit_ends_with_1(model: Path) -> None:
    result = fit(model, "--gpu", "T4")
    assert result.code == 1
    assert "Missing" in result.out
    assert "awq-int4" in result.out


def test_windows_states_and_blocks_are_told(tmp_path: Path) -> None:
    result = fit(write(tmp_path / "config.json", GPT_OSS_120B), "--gpu", "H200", "--batch", 8)
    assert "a token to 128 tokens, then" in result.out
    assert "if tokens spread evenly over the experts" in result.out
    assert "each (a bound" in result.out
    result = fit(write(tmp_path / "config.json", QWEN36_27B), "--gpu", "H200", "--context", "1k")
    assert "in blocks of 784 tokens" in result.out
    assert "State" in result.out


def test_what_only_the_steady_state_holds_is_said(model: Path) -> None:
    result = fit(model, "--gpu", "RTX 4090", "--context", "54415", "--json")
    assert json.loads(result.out)["fits"] is True
    assert json.loads(result.out)["fits_reserved"] is False
    assert "not as an engine reserves it" in fit(model, "--gpu", "RTX 4090", "--context", "54415").out


def test_without_a_device_as_few_of_each_as_hold_it_are_listed(model: Path) -> None:
    result = fit(model.parent)
    assert result.code == 0
    assert "2 × T4" in result.out
    assert "ordered by the number of devices" in result.err
    assert "3 of the devices do not hold it" in result.err
    assert max(map(len, result.out.splitlines())) <= 80
    document = json.loads(fit(model, "--json").out)
    numbers = [(one["gpus"], one["gpus"] * one["memory_bytes"]) for one in document["devices"]]
    assert numbers == sorted(numbers)
    assert len(json.loads(fit(model, "--json", "--limit", 3).out)["devices"]) == 3


def test_prices_choose_the_devices(model: Path) -> None:
    result = fit(model, "--price", "T4=0.2,H200=3,L4=0.5")
    assert [line.split("  ")[0] for line in result.out.splitlines()[4:7]] == ["2 × T4", "L4", "H200"]
    assert "0.40" in result.out
    assert "ordered by price" in result.err


def test_a_model_that_nothing_holds_ends_with_1(tmp_path: Path) -> None:
    huge = write(tmp_path / "config.json", DEEPSEEK_V3 | {"num_hidden_layers": 3000})
    result = fit(huge, "--context", "1k", "--price", "T4=1")
    assert result.code == 1
    assert "1 of the devices do not hold it" in result.err


def test_json_holds_plain_numbers(model: Path) -> None:
    result = fit(model, "--gpu", "4090", "--context", "32k", "--json")
    document = json.loads(result.out)
    assert document["weights_bytes"] == 16_060_522_496
    assert document["longest_context_tokens"] == 54_415
    assert document["max_context_tokens"] == 131_072
    assert document["steady"]["slope_bytes_per_token"] == 131_072
    assert document["reserved"]["step_bytes"] == 16 * 131_072
    assert document["by_weights_dtype"][0]["weights_dtype"] == "bfloat16"
    assert document["stages"] == [
        {
            "first_layer": 0,
            "layers": 32,
            "weights_bytes": 16_060_522_496,
            "cache_bytes": 4 << 30,
            "state_bytes": 0,
            "reserved_bytes": 4 << 30,
        }
    ]
    document = json.loads(fit(model, "--json", "--gpus", 1).out)
    assert len(document["devices"]) == len(load_devices())


def test_several_devices_share_a_model(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", DEEPSEEK_V3)
    result = fit(path, "--gpu", "h200", "--gpus", 8, "--context", "128k", "--batch", 4)
    assert result.code == 0
    assert "8 × H200" in result.out
    assert "on each" in result.out
    assert "the latent cache is whole on each device" in result.err
    assert "next-token-prediction layers (11,610,068,224 parameters) are not loaded" in result.err
    assert "163,840 (all)" in fit(path, "--gpu", "h200", "--gpus", 8, "--weights-dtype", "int4").out
    assert "8 × H200" in fit(path, "--gpus", 8).out


def test_stages_and_experts_are_dealt_out(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", DEEPSEEK_V3)
    result = fit(path, "--gpu", "H100 SXM", "--tp", 8, "--pp", 2)
    assert "16 × H100 SXM (in 2 stages)" in result.out
    assert "layers by stage: 31, 30" in result.err
    document = json.loads(fit(path, "--gpu", "H200", "--expert-parallel", 16, "--batch", 32, "--json").out)
    assert (document["gpus"], document["expert_parallel"], document["tensor_parallel"]) == (16, 16, 1)
    assert any("repeated in 16 groups" in note for note in document["notes"])


def test_types_formats_and_overhead_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", GPT_OSS_120B)
    result = fit(path, "--gpu", "H200", "--weights", "int4", "--kv-dtype", "fp8", "--overhead", "2GiB", "--json")
    document = json.loads(result.out)
    assert (document["weights_dtype"], document["kv_dtype"]) == ("int4", "float8")
    assert document["by_weights_dtype"] == []
    assert document["overhead_bytes"] == 2 << 30
    result = fit(path, "--gpu", "H200", "--weights-dtype", "gguf-q4_k_m", "--kv-dtype", "q8_0")
    assert "gguf-q4_k_m is sized by an average rate" in result.err
    assert "llama.cpp:q8_0" in result.out
    assert "with scales, bytes per token" in fit(path, "--gpu", "H200", "--kv-dtype", "fp8").err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--gpu", "RTX 4091"], 1, "no device matches"),
        (["--gpu", "H100"], 2, "one of several devices"),
        (["--context", "1M"], 2, "made for 131,072 tokens"),
        (["--context", "much"], 2, "is not tokens"),
        (["--weights-dtype", "q17"], 2, "unknown data type"),
        (["--gpu", "H200", "--kv-dtype", "q17"], 2, "unknown data type"),
        (["--gpu", "H200", "--overhead", "much"], 2, "is no overhead"),
        (["--price", "H200"], 2, "is no price"),
        (["--gpus", "8", "--tp", "3"], 2, "takes 3 devices, not 8"),
        (["--reverse", "--gpu", "H200"], 2, "and no MODEL"),
        (["--sort", "needed"], 2, "go with --reverse"),
        (["--models", "llama"], 2, "go with --reverse"),
        (["--gpu", "H200", "--price", "H200=1"], 2, "leave --gpu away"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(model: Path, words: list[str], code: int, said: str) -> None:
    result = fit(model, *words)
    assert result.code == code
    assert said in result.err


def test_a_stretched_context_goes_beyond_what_is_declared(model: Path) -> None:
    result = fit(model, "--gpu", "H200", "--context", "256k", "--stretched")
    assert result.code == 0
    assert "32.0 GiB (bfloat16), steady state" in result.out
    longest = (int(141 * GIB * 0.9) - 16_060_522_496) // 131_072
    assert f"{longest:,} tokens" in result.out  # no longer cut at what the model declares
    assert "--stretched allows them" in fit(model, "--gpu", "H200", "--context", "256k").err


def test_the_catalogue_is_listed_with_its_sources() -> None:
    result = fit("--devices")
    assert result.code == 0
    for device in load_devices():
        assert device.name in result.out
        assert device.url in result.err
    document = json.loads(fit("--devices", "--json").out)
    assert len(document) == len(load_devices())
    assert document[0]["flops"]["float16"] == 125e12


def test_a_model_or_reverse_must_be_named() -> None:
    assert "name a MODEL" in fit().err
    assert "name it with --gpu" in fit("--reverse").err


def test_an_encoder_has_no_cache_to_speak_of(tmp_path: Path) -> None:
    result = fit(write(tmp_path / "config.json", BERT_BASE), "--gpu", "M4 Max", "--json")
    document = json.loads(result.out)
    assert document["decode_tokens_per_second_at_most"] is document["prefill_seconds_at_least"] is None
    assert document["reserved"]["block_tokens"] is None
    assert not any("counted by" in note for note in document["notes"])
    assert "512 (all) tokens" in fit(tmp_path / "config.json", "--gpu", "M4 Max").out


def test_a_hostile_name_is_cleaned(tmp_path: Path) -> None:
    path = write(tmp_path / "ev\x1b[2Jil" / "config.json", LLAMA_8B)
    result = fit(path, "--gpu", "H200")
    assert "\x1b" not in result.out + result.err


def test_a_model_without_numbers_gives_its_reason(tmp_path: Path) -> None:
    result = fit(write(tmp_path / "config.json", {"model_type": "nobody-knows"}))
    assert result.code == 3
    assert "'nobody-knows' is not known" in result.err


def test_gemma_4_at_the_rate_of_all_its_layers_as_vllm_metal_logged_it(run: Run) -> None:
    # vllm-metal issue 505: with all 60 layers charged in full, 262,144 tokens of gemma-4-31B-it take 220.0 GiB.
    document = json.loads(run("fit", "google/gemma-4-31B-it", "--gpu", "M3 Ultra", "--json").out)
    assert document["steady"]["slope_bytes_per_token"] * 262_144 == 220 << 30
    assert document["steady"]["windows_full_at_tokens"] == 1024


def test_a_cache_that_is_not_laid_out_is_said(run: Run) -> None:
    found = run("fit", "deepseek-ai/DeepSeek-V4-Flash", "--gpu", "MI355X", "--tp", "4")
    assert found.code == 0
    assert "reserved" not in found.out
    assert "what engines reserve is not given" in found.err
    document = json.loads(run("fit", "deepseek-ai/DeepSeek-V4-Flash", "--gpu", "MI355X", "--tp", "4", "--json").out)
    assert document["reserved_bytes"] is document["stages"][0]["reserved_bytes"] is None


def test_reverse_lists_what_fits_the_largest_first(run: Run) -> None:
    found = run("fit", "--reverse", "--gpu", "RTX 4090", "--context", "32k", "--limit", "5")
    assert found.code == 0
    rows = found.out.splitlines()
    assert rows[0] == "RTX 4090: one sequence of 32,768 tokens"
    assert len(rows) == 3 + 5
    assert "awq-int4 *" in rows[3]
    for said in ("models looked at: ", "too large: ", "5 of", "* not as stored", "(+N)", "is a bound"):
        assert said in found.err


def test_reverse_in_json_holds_all_models_and_their_figures(run: Run) -> None:
    document = json.loads(run("fit", "--reverse", "--gpu", "RTX 4090", "--context", "32k", "--json").out)
    models = document["models"]
    assert document["fitting"] == len(models) > 50
    counts = sum(len(one["twins"]) + 1 for one in models)
    others = document["too_large"] + document["made_for_fewer_tokens"] + document["without_numbers"]
    assert document["looked_at"] == counts + others
    sizes = [one["params_total"] for one in models]
    assert sizes == sorted(sizes, reverse=True)
    for one in models:
        assert one["needed_bytes"] <= document["usable_bytes"]
        assert one["fits"] is True
        assert (one["longest_context_tokens"] or 1 << 60) >= 32_768


def test_reverse_takes_formats_sequences_and_terms(run: Run) -> None:
    words = (
        "--models",
        "llama",
        "--weights",
        "gguf-q4_k_m",
        "--sequences",
        "4",
        "--kv-dtype",
        "fp8",
        "--sort",
        "needed",
    )
    document = json.loads(run("fit", "--reverse", "--gpu", "L4", *words, "--json").out)
    assert {one["weights_dtype"] for one in document["models"]} == {"gguf-q4_k_m"}
    assert {one["batch"] for one in document["models"]} == {4}
    needs = [one["needed_bytes"] for one in document["models"]]
    assert needs == sorted(needs)
    table = run("fit", "--reverse", "--gpu", "L4", "--gpus", "2", "--models", "llama", "--sequences", "2")
    assert table.out.startswith("2 × L4: 2 sequences of 8,192 tokens")
    far = run("fit", "--reverse", "--gpu", "H200", "--models", "gpt2", "--context", "8k", "--stretched")
    assert "made for fewer tokens: 0" in far.err
    two = json.loads(run("fit", "--reverse", "--gpu", "L4", "--gpus", "2", "--models", "llama", "--json").out)
    assert two["gpus"] == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--sort", "beauty"), 2, "nothing to sort by"),
        (("--weights", "q17"), 2, "unknown data type"),
        (("--kv-dtype", "q17"), 2, "unknown data type"),
        (("--models", "no-such-model"), 1, "no model matches"),
        (("--models", "deepseek-ai/DeepSeek-V3"), 1, "no model that fits"),
    ],
)
def test_reverse_refuses_what_it_cannot_answer(run: Run, words: tuple[str, ...], code: int, said: str) -> None:
    found = run("fit", "--reverse", "--gpu", "RTX 4090", *words)
    assert found.code == code
    assert said in found.err
