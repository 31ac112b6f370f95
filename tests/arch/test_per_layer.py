"""``per_layer_config``: sizes of single layers, followed where the class follows them and refused elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.arch.ledgers import cached, total
from zoo.arch import build_ledger
from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import fingerprint_ledger

Json = dict[str, Any]

GEMMA: Json = {
    "model_type": "gemma4_text",
    "hidden_size": 32,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 24,
    "vocab_size": 64,
    "hidden_size_per_layer_input": 0,
}
STEP_TEXT: Json = {"num_hidden_layers": 3, "hidden_size": 32, "num_attention_heads": 4, "head_dim": 8}
STEP: Json = {"model_type": "step3p7", "text_config": STEP_TEXT | {"num_key_value_heads": 2, "vocab_size": 64}}
DOTS: Json = {"model_type": "dots3_note_text", "num_hidden_layers": 4}


def attention(head: int, kv_heads: int) -> int:
    """Weights of a layer of GEMMA: four projections and two norms."""
    return 32 * head * (2 * 4 + 2 * kv_heads) + 2 * head


def with_text(config: Json, **more: Any) -> Json:
    return config | {"text_config": config["text_config"] | more}


@given(
    layers=st.dictionaries(
        st.integers(0, 4),
        st.fixed_dictionaries({}, optional={"head_dim": st.just(8), "num_key_value_heads": st.just(2)}),
    ),
    head=st.sampled_from([4, 8, 16, 512]),
    kv_heads=st.sampled_from([1, 2, 4]),
    digits=st.integers(1, 3),
)
def test_layers_have_the_sizes_that_the_file_gives_them(
    layers: dict[int, Json], head: int, kv_heads: int, digits: int
) -> None:
    said = {**layers, 5: {"head_dim": head, "num_key_value_heads": kv_heads}}
    config = GEMMA | {"per_layer_config": {str(layer).zfill(digits): sizes for layer, sizes in said.items()}}
    uniform = GEMMA | {"per_layer_config": {}}
    assert total(config) - total(uniform) == attention(head, kv_heads) - attention(8, 2)
    assert cached(config) == {"sliding": 5 * 2 * 2 * 8, "full": 2 * kv_heads * head}


@given(head=st.sampled_from([8, 16, 512]), kv_heads=st.sampled_from([None, 1, 2]), shared=st.booleans())
def test_what_the_class_works_out_and_what_it_then_writes_are_the_same(
    head: int, kv_heads: int | None, shared: bool
) -> None:
    base = GEMMA | {"attention_k_eq_v": shared}
    derived = base | {"global_head_dim": head, "num_global_key_value_heads": kv_heads}
    sizes = {"head_dim": head} | ({"num_key_value_heads": kv_heads} if shared and kv_heads else {})
    written = base | {"per_layer_config": {"5": sizes}}
    assert fingerprint_ledger(build_ledger(derived)) == fingerprint_ledger(build_ledger(written))


@pytest.mark.parametrize("said", [{}, None, {"05": {"skip": []}}])
def test_an_empty_list_of_sizes_leaves_all_layers_alike(said: Any) -> None:
    assert cached(GEMMA | {"per_layer_config": said, "global_head_dim": 99}) == {"sliding": 5 * 32, "full": 32}


def test_step_3_7_has_the_heads_that_its_layers_name() -> None:
    kinds = ["full_attention", "sliding_attention", "full_attention"]
    derived = with_text(STEP, layer_types=kinds, sliding_window=8, num_sliding_attention_heads=6)
    written = with_text(derived, per_layer_config={"1": {"num_attention_heads": 6}})
    assert total(derived) == total(written)
    assert total(written) - total(with_text(derived, per_layer_config={})) == 2 * (2 * 8 * 32 + 32)


def test_dots_3_note_keeps_the_kinds_of_layers_once_sizes_are_written_out() -> None:
    full = DOTS | {"layer_types": ["full_attention"] * 4}
    assert cached(full) == {"full": 4 * (512 + 64 + 128)}  # an indexer, unless asked otherwise
    assert cached(full | {"per_layer_config": {}}) == {"full": 4 * (512 + 64)}
    older = DOTS | {"layer_types": ["deepseek_sparse_attention"] * 4, "use_dsa": False}
    assert cached(older) == cached(full)


REFUSED: list[tuple[Json, str]] = [
    (GEMMA | {"per_layer_config": {"5": {"intermediate_size": 8}}}, "changes 'intermediate_size' in single layers"),
    (GEMMA | {"per_layer_config": {"5": {"skip": ["mlp"]}}}, "changes 'skip' in single layers"),
    (GEMMA | {"per_layer_config": {"6": {"head_dim": 16}}}, "names layer '6'"),
    (GEMMA | {"per_layer_config": {"-1": {"head_dim": 16}}}, "names layer '-1'"),
    (GEMMA | {"per_layer_config": {"5": {"head_dim": 16}, "05": {"head_dim": 4}}}, "names layer '05'"),
    (GEMMA | {"per_layer_config": {"9" * 99: {}}}, "names layer '9999"),
    (GEMMA | {"per_layer_config": [{}]}, "per_layer_config is not an object"),
    (GEMMA | {"per_layer_config": {"5": 16}}, "of layer 5 is not an object"),
    (GEMMA | {"per_layer_config": {"5": {"head_dim": "wide"}}}, "head_dim is 'wide', not a whole number"),
    (GEMMA | {"per_layer_config": {"4": {"head_dim": 16}}}, "layers of kind 'sliding_attention' different sizes"),
    (with_text(STEP, per_layer_config={"0": {"head_dim": 16}}), "text_config.per_layer_config changes 'head_dim'"),
    (DOTS | {"per_layer_config": {"0": {"index_topk": 8}}}, "changes 'index_topk'"),
    (DOTS | {"per_layer_config": {"0": {"v_head_dim": 8}}}, "layers of kind 'indexed_attention' different sizes"),
    (DOTS | {"num_key_value_heads": 8}, "num_key_value_heads is not the number of heads"),
    (
        {"model_type": "gemma4", "text_config": GEMMA, "vision_config": {"per_layer_config": {"0": {"head_dim": 8}}}},
        "vision_config.per_layer_config changes single layers, which is not followed",
    ),
    (
        {"model_type": "llama", "a": {"b": {"per_layer_config": {"0": {"head_dim": 8}}}}},
        "a.b.per_layer_config changes single layers, which is not followed",
    ),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED, ids=[row[1] for row in REFUSED])
def test_sizes_that_are_not_followed_are_refused_with_the_reason(config: Json, reason: str) -> None:
    with pytest.raises(UnsupportedError) as raised:
        build_ledger(config)
    assert reason in str(raised.value)
