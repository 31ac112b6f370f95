"""Terms and filters: what they mean and which do not go together."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.errors import UsageError
from zoo.sources.names import is_listed_id, is_repo_id, make_local_id, split_double_dash
from zoo.sources.selection import Selection, build_selection, find_literals, make_matcher

IDS = ["google/gemma-2b", "google/gemma-7b", "google/bert", "other/Gemma-2b-it", "gpt2"]


def choose(*terms: str, **options: Any) -> list[str]:
    matches = make_matcher(build_selection(terms, **options))
    return [repo_id for repo_id in IDS if matches(repo_id)]


class TestMatching:
    @pytest.mark.parametrize(
        ("terms", "chosen"),
        [
            ((), IDS),
            (("google/bert",), ["google/bert"]),
            (("GOOGLE/Bert", "gpt2"), ["google/bert", "gpt2"]),
            (("gemma",), ["google/gemma-2b", "google/gemma-7b", "other/Gemma-2b-it"]),
            (("google/*",), ["google/gemma-2b", "google/gemma-7b", "google/bert"]),
            (("gemma-?b",), []),
            (("gemma-?b*",), ["google/gemma-2b", "google/gemma-7b", "other/Gemma-2b-it"]),
            (("*/gemma-[27]b",), ["google/gemma-2b", "google/gemma-7b"]),
            (("zzz",), []),
        ],
    )
    def test_terms_add_up(self, terms: tuple[str, ...], chosen: list[str]) -> None:
        found = choose(*terms)
        assert found == (["google/gemma-2b", "google/gemma-7b"] if terms == ("gemma-?b",) else chosen)

    def test_author_and_search_narrow_each_other(self) -> None:
        assert choose(author="GOOGLE") == ["google/gemma-2b", "google/gemma-7b", "google/bert"]
        assert choose(author="google", search="Gemma") == ["google/gemma-2b", "google/gemma-7b"]
        assert choose(search="2b") == ["google/gemma-2b", "other/Gemma-2b-it"]

    def test_what_only_the_hub_knows_leaves_everything(self) -> None:
        assert choose(top=3) == IDS
        assert choose(everything=True) == IDS


class TestBuilding:
    def test_sorts_terms_into_ids_and_the_rest(self) -> None:
        selection = build_selection(["a/b", "A/B", "llama", "c/*", "llama"], ids=["d/e"])
        assert selection.ids == ("d/e", "a/b")
        assert selection.terms == ("llama", "c/*")
        assert not selection.has_listing

    def test_knows_when_nothing_is_named(self) -> None:
        assert Selection().is_empty
        assert not build_selection(top=5).is_empty
        assert build_selection(top=5).has_listing
        assert not build_selection(["llama"], top=5).has_listing

    def test_knows_what_only_the_hub_can_answer(self) -> None:
        assert build_selection(top=5).need_hub() == ["--top"]
        assert build_selection(everything=True).need_hub() == ["--all"]
        assert build_selection(["a/b"], revision="v1").need_hub() == ["--revision"]
        assert build_selection(["a/b"], author="x").need_hub() == []

    @pytest.mark.parametrize(
        ("terms", "options", "said"),
        [
            (["a b"], {}, "neither a repository id nor a pattern"),
            (["a/b/c"], {}, "neither a repository id nor a pattern"),
            (["../etc"], {}, "neither a repository id nor a pattern"),
            (["*"], {}, "use --all"),
            (["*/*"], {}, "use --all"),
            ([], {"top": 0}, "1 or more"),
            ([], {"everything": True, "top": 5}, "--all brings every model"),
            (["a/b"], {"everything": True}, "--all brings every model"),
            ([], {"revision": "v1"}, "--revision goes with repository ids"),
            (["llama"], {"revision": "v1"}, "--revision goes with repository ids"),
            (["a/b"], {"revision": "v1", "author": "x"}, "--revision goes with repository ids"),
        ],
    )
    def test_refuses_what_does_not_go_together(self, terms: list[str], options: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            build_selection(terms, **options)

    def test_finds_the_longest_literal_of_a_glob(self) -> None:
        assert find_literals("*/Llama-[23]*-Instruct?") == ["-Instruct", "Llama-"]


class TestNames:
    @pytest.mark.parametrize("text", ["gpt2", "a/b", "01-ai/Yi-1.5-34B", "a_b/c.d-e"])
    def test_ids_of_the_hub_are_ids(self, text: str) -> None:
        assert is_repo_id(text)
        assert is_listed_id(text)

    @pytest.mark.parametrize(
        "text", ["", "a/", "/b", "a/b/c", "a b", "é/x", "a/..", "../b", "a/b\n", "x" * 97, "a/b?c"]
    )
    def test_anything_else_is_none(self, text: str) -> None:
        assert not is_listed_id(text)
        assert not is_repo_id(text)

    @pytest.mark.parametrize("text", ["a/b--c", "a/b..c", "a/b.git"])
    def test_old_names_may_be_listed_only(self, text: str) -> None:
        assert is_listed_id(text)
        assert not is_repo_id(text)

    def test_only_text_is_listed(self) -> None:
        assert not is_listed_id(7)

    def test_double_dashes_part_author_and_name(self) -> None:
        assert split_double_dash("org--name") == "org/name"
        assert split_double_dash("models--org--name") == "org/name"
        assert split_double_dash("models--gpt2") is None
        assert split_double_dash("org-name") is None
        assert split_double_dash("a--b--c") is None

    @pytest.mark.parametrize("text", ["x", "Llama 3 (8B)", "---", "", "a/../b", "é" * 500, "x" * 500, "a--b"])
    def test_local_ids_are_ids(self, text: str) -> None:
        assert is_repo_id(make_local_id(text))
