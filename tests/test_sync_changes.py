"""What becomes of repositories on the Hub, and what the database says of it afterwards."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from tests.hub_wire import Fault
from tests.sync_fixtures import Synced, hub, synced, template
from zoo.db.session import open_engine

__all__ = ["hub", "synced", "template"]

CONFIG = {"model_type": "llama", "hidden_size": 64}
OTHER = {"model_type": "llama", "hidden_size": 128}


def revisions(synced: Synced, repo_id: str) -> list[int]:
    """``hidden_size`` of each revision of a model that was seen, in the order in which they were."""
    rows = synced.query(
        "SELECT b.text FROM revision r JOIN model m ON m.id = r.model_id JOIN config_body b USING (config_id)"
        " WHERE m.repo_id = ? ORDER BY r.id",
        repo_id,
    )
    return [json.loads(text)["hidden_size"] for (text,) in rows]


class TestRenames:
    def test_a_renamed_model_keeps_its_history_under_the_new_name(self, synced: Synced) -> None:
        repo = synced.hub.add("old/name", CONFIG)
        synced.sync()
        synced.hub.rename("old/name", "new/name")
        synced.hub.requests.clear()
        summary = synced.sync("old/name")
        assert (summary.usable, summary.renamed) == (1, 1)
        assert synced.query("SELECT repo_id, hub_id, gone_at FROM model") == [("new/name", repo.hub_id, None)]
        assert revisions(synced, "new/name") == [64]
        # The redirect and the info: its commit is known, under whatever name.
        assert [request.path for request in synced.hub.requests] == ["/api/models/old/name", "/api/models/new/name"]

    def test_a_walk_knows_a_renamed_model_by_its_id_and_asks_for_nothing(self, synced: Synced) -> None:
        synced.hub.add("old/name", CONFIG)
        synced.sync()
        synced.hub.rename("old/name", "new/name")
        synced.hub.requests.clear()
        summary = synced.sync()
        assert (summary.unchanged, summary.renamed, summary.by_kind) == (1, 1, {})
        assert len(synced.hub.requests) == 1
        assert synced.query("SELECT repo_id FROM model") == [("new/name",)]

    def test_a_renamed_model_that_changed_as_well_costs_one_request(self, synced: Synced) -> None:
        synced.hub.add("old/name", CONFIG)
        synced.sync()
        synced.hub.rename("old/name", "new/name")
        synced.hub.change("new/name", OTHER)
        synced.hub.requests.clear()
        summary = synced.sync()
        assert (summary.changed, summary.renamed) == (1, 1)
        assert len(synced.hub.requests) == 2
        assert revisions(synced, "new/name") == [64, 128]

    def test_a_name_that_leads_to_another_repository_now_is_no_rename(self, synced: Synced) -> None:
        synced.hub.add("old/name", CONFIG)
        synced.sync()
        del synced.hub.repos["old/name"]
        synced.hub.add("new/name", OTHER)
        synced.hub.renames["old/name"] = "new/name"
        assert synced.sync("old/name").by_kind == {"gone": 1}
        rows = synced.query("SELECT repo_id, problem_kind, gone_at IS NULL FROM model ORDER BY repo_id")
        assert rows == [("new/name", None, 1), ("old/name", "gone", 0)]
        assert (revisions(synced, "old/name"), revisions(synced, "new/name")) == ([64], [128])

    def test_a_name_that_is_taken_by_a_new_repository_is_read_anew(self, synced: Synced) -> None:
        synced.hub.add("org/a", CONFIG, _id="1" * 24)
        synced.sync()
        synced.hub.add("org/a", OTHER, _id="2" * 24)
        assert synced.sync().changed == 1
        assert synced.query("SELECT repo_id, hub_id FROM model") == [("org/a", "2" * 24)]

    def test_another_letter_case_is_the_same_model(self, synced: Synced) -> None:
        repo = synced.hub.add("Org/Model", CONFIG)
        synced.sync("org/model")
        assert synced.query("SELECT repo_id FROM model") == [("Org/Model",)]
        synced.hub.rename("org/model", "ORG/model")
        synced.hub.repos["org/model"].info["_id"] = repo.hub_id
        summary = synced.sync()
        assert (summary.unchanged, summary.renamed) == (1, 0)
        assert synced.query("SELECT repo_id FROM model") == [("ORG/model",)]


class TestAccess:
    def test_a_model_that_becomes_gated_keeps_its_config_and_says_so(self, synced: Synced) -> None:
        synced.hub.add("org/a", CONFIG)
        synced.sync()
        synced.hub.repos["org/a"].gated = "auto"
        synced.sync()
        assert synced.query("SELECT repo_id, gated, params_total > 0 FROM models") == [("org/a", "auto", 1)]
        synced.hub.change("org/a", OTHER)
        assert synced.sync().by_kind == {"gated": 1}
        assert synced.query("SELECT gated, problem_kind FROM model") == [("auto", "gated")]
        assert revisions(synced, "org/a") == [64]
        synced.hub.repos["org/a"].gated = False
        assert synced.sync().changed == 1
        assert synced.query("SELECT gated, problem_kind FROM model") == [(None, None)]
        assert revisions(synced, "org/a") == [64, 128]

    @pytest.mark.parametrize("words", [("org/a",), ()])
    def test_a_model_that_becomes_private_is_gone_and_comes_back(self, synced: Synced, words: tuple[str, ...]) -> None:
        synced.hub.add("org/a", CONFIG)
        synced.hub.add("org/b", CONFIG)
        synced.sync()
        age(synced)
        synced.hub.repos["org/a"].private = True
        assert synced.sync(*words).by_kind == {"gone": 1}
        ((gone_at, kind),) = synced.query("SELECT gone_at, problem_kind FROM model WHERE repo_id = 'org/a'")
        assert kind == "gone"
        assert datetime.fromisoformat(gone_at).date() == datetime.now(UTC).date()
        assert revisions(synced, "org/a") == [64]
        synced.hub.repos["org/a"].private = False
        assert synced.sync(*words).by_kind == {}
        assert synced.query("SELECT gone_at, problem_kind FROM model WHERE repo_id = 'org/a'") == [(None, None)]

    def test_a_gated_model_is_not_asked_for_in_every_walk(
        self, synced: Synced, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced.hub.add("org/a", CONFIG, gated="manual")
        synced.hub.tokens["hf_mine"] = set()
        monkeypatch.setenv("HF_TOKEN", "hf_mine")
        for asked in (2, 1, 1):
            synced.hub.requests.clear()
            assert synced.sync().by_kind == {"gated": 1}
            assert len(synced.hub.requests) == asked
        synced.hub.tokens["hf_mine"].add("org/a")  # access is granted: whoever names the model gets it
        assert synced.sync("org/a").usable == 1

    def test_a_token_sees_what_is_private(self, synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
        synced.hub.add("org/a", CONFIG, private=True)
        synced.hub.tokens["hf_mine"] = {"org/a"}
        monkeypatch.setenv("HF_TOKEN", "hf_mine")
        assert synced.sync().new == 1
        assert synced.query("SELECT private FROM model") == [(1,)]

    def test_a_model_that_is_switched_off_keeps_its_config(self, synced: Synced) -> None:
        synced.hub.add("org/a", CONFIG)
        synced.sync()
        synced.hub.repos["org/a"].disabled = True
        assert synced.sync().by_kind == {"disabled": 1}
        assert synced.query("SELECT disabled, problem_kind, config_id IS NULL FROM model") == [(1, "disabled", 0)]


class TestDeletions:
    def test_what_a_walk_no_longer_shows_is_asked_for_once_and_marked(self, synced: Synced) -> None:
        for name in "abc":
            synced.hub.add(f"org/{name}", CONFIG)
        synced.sync()
        age(synced)
        del synced.hub.repos["org/b"]
        synced.hub.requests.clear()
        summary = synced.sync()
        assert (summary.unchanged, summary.by_kind) == (2, {"gone": 1})
        assert [request.path for request in synced.hub.requests] == ["/api/models", "/api/models/org/b"]
        assert synced.query("SELECT repo_id FROM model WHERE gone_at IS NOT NULL") == [("org/b",)]
        assert synced.query("SELECT params_total > 0 FROM models WHERE repo_id = 'org/b'") == [(1,)]
        first = synced.query("SELECT gone_at FROM model WHERE repo_id = 'org/b'")
        synced.hub.requests.clear()
        assert synced.sync().by_kind == {}
        assert len(synced.hub.requests) == 1  # it is not asked for again and again
        assert synced.query("SELECT gone_at FROM model WHERE repo_id = 'org/b'") == first

    def test_a_listing_of_an_author_tells_of_that_author_only(self, synced: Synced) -> None:
        for name in ("org/a", "org/b", "other/c"):
            synced.hub.add(name, CONFIG)
        synced.sync()
        age(synced)
        del synced.hub.repos["org/b"], synced.hub.repos["other/c"]
        assert synced.sync(author="ORG").by_kind == {"gone": 1}
        assert synced.query("SELECT repo_id FROM model WHERE gone_at IS NOT NULL") == [("org/b",)]

    def test_a_config_that_is_deleted_stays_known(self, synced: Synced) -> None:
        synced.hub.add("org/a", CONFIG)
        synced.sync()
        del synced.hub.repos["org/a"].files["config.json"]
        assert synced.sync().by_kind == {"no_config": 1}
        assert revisions(synced, "org/a") == [64]

    def test_a_hub_that_goes_while_the_gone_are_looked_for_ends_the_run(self, synced: Synced) -> None:
        for name in "ab":
            synced.hub.add(f"org/{name}", CONFIG)
        synced.sync()
        age(synced)
        del synced.hub.repos["org/b"]
        synced.hub.break_next("/api/models/org/b|limit=1$", "reset", times=9999)
        synced.hub.chaos = lambda target: Fault(re.compile(""), "reset", 1) if "limit=1&" in f"{target}&" else None
        summary = synced.sync()
        assert summary.unchanged == 1
        assert summary.broken_off is not None
        synced.hub.chaos = lambda target: None
        synced.hub.heal()
        assert synced.sync().by_kind == {"gone": 1}

    def test_a_broken_walk_marks_nothing(self, synced: Synced) -> None:
        for number in range(1001):
            synced.hub.add(f"org/m{number:04}", files={"x.gguf": b""}, createdAt=f"{number:05}")
        synced.sync()
        age(synced)
        synced.hub.break_next("^/api/models$", "status", times=99, value=502)
        synced.hub.chaos = lambda path: None
        with pytest.raises(Exception, match="502"):
            synced.sync()
        assert synced.query("SELECT count(*) FROM model WHERE gone_at IS NOT NULL") == [(0,)]


class TestRevisions:
    def test_a_force_push_is_one_more_revision(self, synced: Synced) -> None:
        synced.hub.add("org/a", CONFIG)
        synced.sync()
        synced.hub.change("org/a", OTHER)
        assert synced.sync().changed == 1
        assert revisions(synced, "org/a") == [64, 128]
        synced.hub.change("org/a", CONFIG)  # back to the first: the same commit as it was
        assert synced.sync().changed == 1
        assert synced.query("SELECT m.sha = r.sha FROM model m JOIN revision r ON r.model_id = m.id ORDER BY r.id")[
            0
        ] == (1,)

    def test_a_commit_that_leaves_the_config_alone_costs_one_request_and_changes_nothing(self, synced: Synced) -> None:
        synced.hub.add("org/a", CONFIG)
        synced.sync()
        synced.hub.repos["org/a"].files["README.md"] = b"# other\n"
        synced.hub.requests.clear()
        summary = synced.sync()
        assert (summary.changed, summary.unchanged) == (0, 1)
        assert len(synced.hub.requests) == 2
        assert synced.query("SELECT count(*) FROM config") == [(1,)]
        assert synced.query("SELECT sha FROM model") == [(synced.hub.repos["org/a"].sha,)]

    def test_a_commit_that_is_replaced_between_listing_and_reading_is_followed(self, synced: Synced) -> None:
        synced.hub.add("org/a", OTHER)
        sha = synced.hub.repos["org/a"].sha
        synced.hub.repos["org/a"].info["sha"] = "0" * 40  # the listing's is old
        assert synced.sync().new == 1
        assert synced.query("SELECT sha FROM model") == [(sha,)]


def age(synced: Synced, seconds: int = 5) -> None:
    """As if the last sync had been a while ago: the database keeps whole seconds."""
    from sqlalchemy import text

    engine = open_engine(str(synced.path), write=True)
    with engine.begin() as connection:
        moved = "strftime('%Y-%m-%dT%H:%M:%SZ', synced_at, :by)"
        connection.execute(text(f"UPDATE model SET synced_at = {moved}"), {"by": f"-{seconds} seconds"})
    engine.dispose()
