"""One batch of records in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from zoo.db.bulk import insert_rows
from zoo.db.checking import ParamsChecker
from zoo.db.content import CHUNK, ConfigStore, StoredConfig, find_configs
from zoo.db.events import list_events, write_events
from zoo.db.merge import Merged, clean_value, merge_record
from zoo.db.models import ExistingRows, write_models
from zoo.db.spelling import SpelledConfig, spell_config
from zoo.db.tables import Revision, SyncError
from zoo.sources.record import ModelRecord

#: PostgreSQL indexes no text of more than some 2,700 bytes.
MAX_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class SaveCounts:
    """What became of the records of a batch; each is counted once."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: int = 0


@dataclass(frozen=True, slots=True)
class Saving:
    """One record on its way: the row that was there, what follows, and its config where it has one."""

    record: ModelRecord
    old: Mapping[str, Any] | None
    merged: Merged
    stored: StoredConfig | None


class Batch:
    """Saves records on ``connection``, which is in a transaction; ``now`` is the moment that they are seen."""

    def __init__(self, connection: Connection, configs: ConfigStore, now: str) -> None:
        self.connection, self.configs, self.now = connection, configs, now
        self._stored: dict[str, StoredConfig] = {}
        self._analyses: dict[int, int] = {}  # ids of analyses by those of configs
        self._checker = ParamsChecker(connection)

    def save(self, records: Sequence[ModelRecord]) -> SaveCounts:
        """Save ``records``, however many."""
        outcomes: Counter[str] = Counter()
        for wave in split_waves(records):
            outcomes.update(self._save_wave(wave))
        return SaveCounts(*(outcomes[name] for name in ("new", "changed", "unchanged", "problem")))

    def _save_wave(self, wave: Sequence[ModelRecord]) -> list[str]:
        spelled = [None if record.config is None else spell_config(record.config) for record in wave]
        self._store_configs(each for each in spelled if each is not None)
        rows = ExistingRows(self.connection, wave)
        saving = []
        for record, config in zip(wave, spelled, strict=True):
            stored = None if config is None else self._stored[config.sha256]
            old = rows.find(record)
            merged = merge_record(old, record, stored.config_id if stored else None, self.now)
            saving.append(Saving(record, old, merged, stored))
        pairs = [(each.old, each.merged.row) for each in saving if each.merged.row]
        self._checker.check(pairs, self._analyses)
        write_models(self.connection, pairs)
        joined = dict(rows.remove_renamed(self.connection))
        self._write_revisions(saving)
        write_events(self.connection, list_events(pairs, joined), self.now)
        self._write_errors(wave)
        return [each.merged.outcome for each in saving]

    def _store_configs(self, configs: Iterable[SpelledConfig]) -> None:
        """See to it that ``configs`` are stored, and note where."""
        unknown: dict[str, SpelledConfig] = {}
        for each in configs:
            if each.sha256 not in self._stored:
                unknown.setdefault(each.sha256, each)  # the first of several may carry its analysis
        self._keep(find_configs(self.connection, unknown))
        new = [each for sha256, each in unknown.items() if sha256 not in self._stored]
        self._keep(self.configs.store(self.connection, new))

    def _keep(self, stored: Mapping[str, StoredConfig]) -> None:
        self._stored |= stored
        self._analyses |= {each.config_id: each.analysis_id for each in stored.values()}

    def _write_revisions(self, saving: Sequence[Saving]) -> None:
        """Every revision whose config was seen; of the outranked only what is whole and has a commit (the cache's)."""
        rows = [
            (e.merged.row["id"], clean_value(e.record.sha) or "", e.stored.config_id, e.record.source, self.now)
            for e in saving
            if e.stored and e.merged.row
            if e.merged.took_config or (e.record.sha and e.record.source == "cache")
        ]
        columns = ("model_id", "sha", "config_id", "source", "seen_at")
        insert_rows(self.connection, Revision, columns, rows, ignore=True)

    def _write_errors(self, records: Sequence[ModelRecord]) -> None:
        problems = [(record.repo_id, *record.problem) for record in records if record.problem]
        rows = [
            (clean_value(repo_id), kind, clean_value(message)[:MAX_MESSAGE], self.now, self.now)
            for repo_id, kind, message in problems
        ]
        columns = ("repo_id", "kind", "message", "first_seen", "seen_at")
        renew = ("seen_at", "repo_id", "kind", "message")
        insert_rows(self.connection, SyncError, columns, rows, renew=renew)


def split_waves(records: Sequence[ModelRecord]) -> Iterator[list[ModelRecord]]:
    """``records`` in order, in runs of up to 1,000 that name no repository twice."""
    wave: list[ModelRecord] = []
    names: set[str] = set()
    for record in records:
        own = [record.repo_id.lower()]
        if record.renamed_from:
            own.append(record.renamed_from.lower())
        if record.facts.hub_id:
            own.append(record.facts.hub_id)
        if len(wave) == CHUNK or not names.isdisjoint(own):
            yield wave
            wave, names = [], set()
        wave.append(record)
        names.update(own)
    if wave:
        yield wave
