"""What an earlier sync knows of a model, and when that spares a request."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from zoo.sources.record import HubFacts, Problem

#: Problems that a commit has for good: asked again only when there is another commit.
LASTING = ("malformed", "too_large", "no_config")
_COMMIT_CHARS = 12


class KnownModel(NamedTuple):
    """A model as the database has it. ``sha``: the commit whose whole config is stored."""

    hub_id: str | None = None
    sha: str | None = None
    problem: Problem | None = None
    last_modified: datetime | None = None
    synced_at: datetime | None = None  #: when a sync last saw it
    repo_id: str | None = None  #: the name that it stands under, where that is another than was asked for


def mark_commit(problem: Problem, sha: str | None) -> Problem:
    """``problem`` with the commit that it was found at, where it lasts as long as that."""
    if sha is None or problem.kind not in LASTING:
        return problem
    return problem._replace(message=f"{problem.message} (commit {sha[:_COMMIT_CHARS]})")


def recall_problem(known: KnownModel | None, sha: str | None, facts: HubFacts, *, has_token: bool) -> Problem | None:
    """The problem that ``known`` has and that would be found again, without asking."""
    problem = known.problem if known else None
    if known is None or problem is None:
        return None
    if problem.kind in LASTING and sha is not None and problem.message.endswith(f"(commit {sha[:_COMMIT_CHARS]})"):
        return problem
    # Access can be granted with no new commit: those who name the model ask again.
    if not (has_token and problem.kind == "gated" and facts.gated and facts.last_modified):
        return None
    return problem if known.last_modified == facts.last_modified.replace(microsecond=0) else None
