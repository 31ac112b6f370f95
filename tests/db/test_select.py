"""What ``--models`` means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.records import LLAMA_PARAMS, make_config, make_problem, make_record
from zoo.db.select import Candidate, Selection, rank_candidate, select_models, split_terms
from zoo.db.store import DatabaseStore
from zoo.errors import NoMatch
from zoo.sources.record import HubFacts


def make_model(repo_id: str, layers: int, downloads: int | None = None, **facts: Any) -> Any:
    return make_record(
        repo_id, config=make_config(num_hidden_layers=layers), facts=HubFacts(downloads=downloads, **facts)
    )


@pytest.fixture
def zoo(store: DatabaseStore, engine: Engine) -> Engine:
    """Twins of two and three layers, a few others, one without a config, one that is unsupported."""
    mistral = make_config(model_type="mistral", architectures=["MistralForCausalLM"], sliding_window=None)
    store.save([
        make_model("meta/Alpha-base", 2, 50), make_model("meta/Alpha-chat", 2, 80), make_model("you/alpha-copy", 2, 10),
        make_model("meta/Beta", 3, 70), make_model("other/beta", 3, 90), make_model("meta/Gamma_x", 4, None),
        make_record("mixed/delta", config=mistral, facts=HubFacts(downloads=5)),
        make_record("odd/alpha-thing", config={"model_type": "nonesuch"}, facts=HubFacts(downloads=10**9)),
        make_problem("gated", "meta/secret-alpha"),
    ])  # fmt: skip
    return engine


def names(selection: Selection) -> list[str]:
    return [row.repo_id for row in selection.rows]


def test_a_repo_id_names_one_model_whatever_its_case(zoo: Engine) -> None:
    chosen = select_models(zoo, ["META/alpha-BASE"])
    assert names(chosen) == ["meta/Alpha-base"]
    assert chosen.notes == []


def test_a_name_without_its_author_names_all_who_have_it(zoo: Engine) -> None:
    assert names(select_models(zoo, ["beta"])) == ["other/beta", "meta/Beta"]


def test_a_family_or_model_type_names_its_members(zoo: Engine) -> None:
    assert names(select_models(zoo, ["Mistral"])) == ["mixed/delta"]
    assert "meta/Gamma_x" in names(select_models(zoo, ["llama"]))


def test_a_piece_of_a_name_matches_and_twins_are_one_row(zoo: Engine) -> None:
    chosen = select_models(zoo, ["alpha"])
    assert names(chosen) == ["meta/Alpha-chat", "odd/alpha-thing", "meta/secret-alpha"]
    assert chosen.rows[0].twin_ids == ("meta/Alpha-base", "you/alpha-copy")
    assert chosen.rows[0].twins == 2
    assert chosen.notes == [
        "alpha: 5 models, 2 of them counted with one of the same architecture and sizes (--all shows each)"
    ]


def test_all_shows_every_match(zoo: Engine) -> None:
    chosen = select_models(zoo, ["alpha"], all_models=True)
    assert len(chosen.rows) == 5
    assert chosen.notes == []


def test_top_keeps_the_most_downloaded_and_says_what_is_left_out(zoo: Engine) -> None:
    chosen = select_models(zoo, ["llama"], top=1)
    assert names(chosen) == ["other/beta"]
    assert chosen.notes == [
        "llama: 6 models, 1 of them counted with one of the same architecture and sizes; "
        "the 1 model downloaded most are kept, 4 left out (--top N or --all shows more)"
    ]
    assert names(select_models(zoo, ["llama"], top=2, all_models=True)) == ["other/beta", "meta/Alpha-chat"]
    assert len(select_models(zoo, ["llama"], top=2, unique_fingerprints=False).rows) == 2


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("meta/*", ["meta/Alpha-chat", "meta/Beta", "meta/Gamma_x", "meta/secret-alpha"]),
        ("META/B?ta", ["meta/Beta"]),
        ("*beta", ["other/beta"]),
        ("gamma_*", ["meta/Gamma_x"]),
        ("*/[bg]*", ["other/beta", "meta/Gamma_x"]),
    ],
)
def test_a_glob_matches_ids_or_names(zoo: Engine, glob: str, expected: list[str]) -> None:
    assert names(select_models(zoo, [glob])) == expected


@pytest.mark.parametrize("term", ["gamma%", "g_mma", "bet\\a", "meta/B*x", "'; DROP TABLE model; --"])
def test_signs_of_sql_are_only_signs(zoo: Engine, term: str) -> None:
    with pytest.raises(NoMatch):
        select_models(zoo, [term])


def test_terms_come_by_commas_and_keep_their_order(zoo: Engine) -> None:
    assert split_terms(["a, b", "", ",c"]) == ["a", "b", "c"]
    assert names(select_models(zoo, ["meta/Gamma_x,mistral"])) == ["meta/Gamma_x", "mixed/delta"]


def test_what_one_term_chose_another_does_not_repeat(zoo: Engine) -> None:
    chosen = select_models(zoo, ["meta/Alpha-base", "alpha", "meta/Alpha-base"])
    assert names(chosen) == ["meta/Alpha-base", "odd/alpha-thing", "meta/secret-alpha"]
    assert set(chosen.rows[0].twin_ids) == {"meta/Alpha-chat", "you/alpha-copy"}
    again = select_models(zoo, ["alpha", "alpha"])
    assert again.rows[0].twin_ids == ("meta/Alpha-base", "you/alpha-copy")


def test_twins_that_are_both_named_are_both_shown(zoo: Engine) -> None:
    assert len(select_models(zoo, ["meta/Beta", "other/beta"]).rows) == 2


def test_no_term_means_everything(zoo: Engine) -> None:
    assert len(select_models(zoo, [], all_models=True).rows) == 9


def test_a_term_that_matches_nothing_suggests_near_names(zoo: Engine) -> None:
    with pytest.raises(NoMatch, match="no model matches 'gama_x'") as caught:
        select_models(zoo, ["gama_x"])
    assert caught.value.near == ("meta/Gamma_x",)
    with pytest.raises(NoMatch) as caught:
        select_models(zoo, ["lama"])
    assert {word.lower() for word in caught.value.near} == {"llama"}


def test_a_row_carries_all_that_is_known(zoo: Engine) -> None:
    row = select_models(zoo, ["meta/Alpha-base"]).rows[0]
    assert row.row["params_total"] == LLAMA_PARAMS
    assert row.row["synced_at"] == "2026-03-01T12:00:05Z"
    assert row.row["tied_embeddings"] is False
    assert row.analysis is not None
    assert row.analysis["repo_id"] == "meta/Alpha-base"
    assert row.config["num_hidden_layers"] == 2
    assert row.reported["check"] == "unchecked"
    assert (row.source, row.config_source, row.origin, row.problem, row.gone_at) == (
        "hub",
        "hub",
        "the Hub",
        None,
        None,
    )


def test_a_row_without_a_config_says_why(zoo: Engine) -> None:
    row = select_models(zoo, ["meta/secret-alpha"]).rows[0]
    assert (row.analysis, row.config) == (None, {})
    assert row.problem == ("gated", "it cannot be read")


def test_numbers_come_first_and_what_is_gone_last(store: DatabaseStore, engine: Engine) -> None:
    store.save(
        [make_model("a/x1", 2, 100), make_model("a/x2", 3, 1), make_record("a/x3", config={}), make_model("a/x4", 5)]
    )
    store.mark_gone(["a/x1"])
    assert names(select_models(engine, ["a/x"])) == ["a/x2", "a/x4", "a/x1", "a/x3"]


def test_where_downloads_are_unknown_the_original_stands_before_what_derives_from_it(
    store: DatabaseStore, engine: Engine
) -> None:
    early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    store.save([
        make_model("a/copy", 2, base_model=("a/original",), created_at=early),
        make_model("b/later", 2, created_at=late), make_model("a/original", 2, created_at=early),
    ])  # fmt: skip
    assert select_models(engine, ["llama"]).rows[0].repo_id == "a/original"


CANDIDATES = st.builds(
    Candidate,
    st.text("ab/", min_size=1, max_size=4),
    st.none(),
    st.sampled_from([None, "ledger", "estimate", "unsupported"]),
    st.none() | st.integers(0, 3),
    st.none() | st.just("a/b"),
    st.none() | st.just("2025-01-01T00:00:00Z"),
    st.none(),
)


@given(st.lists(CANDIDATES, unique_by=lambda each: each.repo_id), st.randoms())
def test_the_ranking_does_not_depend_on_the_order(candidates: list[Candidate], random: Any) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)
    assert sorted(shuffled, key=rank_candidate) == sorted(candidates, key=rank_candidate)


def test_of_the_snapshot_llama_and_mistral_give_models_that_people_know(snapshot: Engine) -> None:
    chosen = select_models(snapshot, ["llama,mistral"])
    shown = {repo_id for row in chosen.rows for repo_id in (row.repo_id, *row.twin_ids)}
    assert {"meta-llama/Llama-3.1-8B", "mistralai/Mistral-7B-v0.1"} <= shown
    assert len(chosen.rows) == 10
    assert all(row.row["method"] == "ledger" for row in chosen.rows)
