"""The walk over all models of the Hub: how far it has come, so that it goes on there after whatever stopped it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from zoo.sources.facts import parse_time


@dataclass(frozen=True, slots=True)
class WalkState:
    """Everything up to ``next`` has been saved. ``endpoint`` and ``full`` say which walk it is."""

    endpoint: str
    began: datetime
    full: bool = False  #: configs are fetched again whose commit is known
    next: str | None = None  #: path and query of the next page; None: at the beginning, or at the end
    listed: int = 0  #: models on the pages so far
    ended: datetime | None = None

    def to_json(self) -> str:
        document = {**asdict(self), "began": self.began.isoformat()}
        return json.dumps(document | {"ended": self.ended.isoformat() if self.ended else None})


def read_walk(text: str | None) -> WalkState | None:
    """The state that :meth:`WalkState.to_json` wrote; None for anything else."""
    try:
        document: Any = json.loads(text or "null")
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    began, following = parse_time(document.get("began")), document.get("next")
    if began is None or not (following is None or str(following).startswith("/")):
        return None
    return WalkState(
        endpoint=str(document.get("endpoint")),
        began=began,
        full=document.get("full") is True,
        next=following,
        listed=int(document.get("listed") or 0),
        ended=parse_time(document.get("ended")),
    )


def begin_walk(last: WalkState | None, endpoint: str, *, full: bool) -> WalkState:
    """Where to start: at the page where ``last`` stopped when it was the same walk and has not ended, else anew."""
    if last and last.ended is None and (last.endpoint, last.full) == (endpoint, full):
        return last
    return WalkState(endpoint, datetime.now(UTC), full)


@dataclass
class Walk:
    """Told of each model that is listed and of each that is saved; moves ``state`` on, page by page, in their order.

    ``keep`` is called with every new state: only when all models up to it are in the database. Used in one thread.
    """

    state: WalkState
    keep: Callable[[WalkState], None] = lambda state: None
    resumed: bool = False  #: an earlier run has begun it
    _open: dict[int, set[str]] = field(default_factory=dict)  #: page -> models that are not saved yet
    _ends: dict[int, tuple[str | None, int]] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.state.ended is not None

    def restart(self) -> None:
        """The Hub does not know the stored page any more: from the beginning."""
        self.state = WalkState(self.state.endpoint, datetime.now(UTC), self.state.full)

    def note_listed(self, page: int, repo_id: str) -> None:
        self._open.setdefault(page, set()).add(repo_id)

    def note_page(self, page: int, following: str | None, count: int) -> None:
        """``page`` has been listed to its end: ``count`` models; ``following``: path and query of the next."""
        self._open.setdefault(page, set())
        self._ends[page] = (following, count)
        self._move_on()

    def note_saved(self, repo_ids: Iterable[str]) -> None:
        for repo_id in repo_ids:
            for waiting in self._open.values():
                waiting.discard(repo_id)
        self._move_on()

    def _move_on(self) -> None:
        before = self.state
        for page in sorted(self._open):
            if self._open[page] or page not in self._ends:
                break
            following, count = self._ends.pop(page)
            del self._open[page]
            old = self.state
            ended = datetime.now(UTC) if following is None else None
            self.state = WalkState(old.endpoint, old.began, old.full, following, old.listed + count, ended)
        if self.state is not before:
            self.keep(self.state)
