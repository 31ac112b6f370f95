"""Configs and analyses, each stored once under the hash of its content. Few statements for a whole batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from zoo.db.bulk import insert_rows, reserve_ids, select_rows, update_rows
from zoo.db.derive import Derived, analysis_version
from zoo.db.spelling import SpelledConfig
from zoo.db.tables import DERIVED_KEYS, Analysis, AnalysisBody, Config, ConfigBody, Part

#: Bound parameters in one IN (…).
CHUNK = 1000
#: Cores whose analysis is remembered from batch to batch, at some 250 bytes each.
REMEMBERED = 100_000
_ANALYSIS_COLUMNS = ("reason", *DERIVED_KEYS)


class StoredConfig(NamedTuple):
    """Where a config stands in the database, and its analysis."""

    config_id: int
    analysis_id: int


def find_configs(connection: Connection, hashes: Collection[str]) -> dict[str, StoredConfig]:
    """Those of ``hashes`` that are stored."""
    rows = select_rows(connection, Config, ("sha256", "id", "analysis_id"), "sha256", hashes)
    return {row[0]: StoredConfig(row[1], row[2]) for row in rows}


class ConfigStore:
    """Stores new configs, each analysed; configs that differ in nothing that counts are analysed once.

    What is remembered from batch to batch is bounded, and is looked up again before it is used: a transaction may have
    been rolled back since.
    """

    def __init__(self) -> None:
        self._digests: dict[bytes, str] = {}  # name of a core -> digest of its analysis

    def store(self, connection: Connection, configs: Sequence[SpelledConfig]) -> dict[str, StoredConfig]:
        """Store ``configs`` (none of them is stored yet); where each is, by hash."""
        if not configs:
            return {}
        analyses = self._store_analyses(connection, configs)
        version = analysis_version()
        ids = reserve_ids(connection, Config, len(configs))
        found = [StoredConfig(row_id, analyses[each.name_core()]) for row_id, each in zip(ids, configs, strict=True)]
        pairs = list(zip(found, configs, strict=True))
        rows = [(place.config_id, each.sha256, place.analysis_id, version) for place, each in pairs]
        insert_rows(connection, Config, ("id", "sha256", "analysis_id", "analyzed_by"), rows)
        bodies = [(place.config_id, each.text) for place, each in pairs]
        insert_rows(connection, ConfigBody, ("config_id", "text"), bodies)
        return {each.sha256: place for place, each in pairs}

    def _store_analyses(self, connection: Connection, configs: Sequence[SpelledConfig]) -> dict[bytes, int]:
        """Ids of the analyses of ``configs``, by the names of their cores."""
        wanted: dict[bytes, SpelledConfig] = {}
        for each in configs:
            wanted.setdefault(each.name_core(), each)  # the first of a core may carry its analysis
        digests = {name: self._digests[name] for name in wanted if name in self._digests}
        ids = _find_analyses(connection, set(digests.values()))
        missing = [each for name, each in wanted.items() if digests.get(name) not in ids]
        ids |= store_analyses(connection, [each.derive() for each in missing])
        digests |= {each.name_core(): each.derive().digest for each in missing}
        self._remember(digests)
        return {name: ids[digest] for name, digest in digests.items()}

    def _remember(self, digests: Mapping[bytes, str]) -> None:
        for name, digest in digests.items():
            self._digests.pop(name, None)  # the last used comes last
            self._digests[name] = digest
        while len(self._digests) > REMEMBERED:
            del self._digests[next(iter(self._digests))]


def store_analyses(connection: Connection, derived: Iterable[Derived], *, rewrite: bool = False) -> dict[str, int]:
    """Ids of the analyses by digest; new ones are stored; ``rewrite`` fills the others' columns anew."""
    by_digest = {each.digest: each for each in derived}
    known = _find_analyses(connection, by_digest)
    if rewrite:
        rows = [(*_list_values(by_digest[digest]), analysis_id) for digest, analysis_id in known.items()]
        update_rows(connection, Analysis, _ANALYSIS_COLUMNS, rows)
    new = [each for digest, each in by_digest.items() if digest not in known]
    ids = dict(zip((each.digest for each in new), reserve_ids(connection, Analysis, len(new)), strict=True))
    rows = [(ids[each.digest], each.digest, *_list_values(each)) for each in new]
    insert_rows(connection, Analysis, ("id", "digest", *_ANALYSIS_COLUMNS), rows)
    insert_rows(connection, AnalysisBody, ("analysis_id", "text"), [(ids[each.digest], each.text) for each in new])
    parts = [(ids[each.digest], *part) for each in new for part in each.parts]
    insert_rows(connection, Part, ("analysis_id", "part", "params", "active"), parts)
    return known | ids


def _list_values(derived: Derived) -> list[Any]:
    return [derived.columns[key] for key in _ANALYSIS_COLUMNS]


def delete_unused_analyses(connection: Connection) -> None:
    """Remove analyses that no config points to any more."""
    unused = select(Analysis.id).where(~select(Config.id).where(Config.analysis_id == Analysis.id).exists())
    for table, column in ((AnalysisBody, AnalysisBody.analysis_id), (Part, Part.analysis_id), (Analysis, Analysis.id)):
        connection.execute(delete(table).where(column.in_(unused)))


def read_documents(connection: Connection, analysis_ids: Collection[int]) -> dict[int, str]:
    """The JSON texts of analyses, by id."""
    rows = select_rows(connection, AnalysisBody, ("analysis_id", "text"), "analysis_id", analysis_ids)
    return {row[0]: row[1] for row in rows}


def select_in(connection: Connection, query: Any, column: Any, values: Iterable[Any]) -> list[Any]:
    """Rows of ``query`` whose ``column`` is one of ``values``, in as few statements as parameters allow."""
    wanted: Sequence[Any] = list(values)
    rows: list[Any] = []
    for start in range(0, len(wanted), CHUNK):
        rows += connection.execute(query.where(column.in_(wanted[start : start + CHUNK]))).all()
    return rows


def _find_analyses(connection: Connection, digests: Collection[str]) -> dict[str, int]:
    return {row[0]: row[1] for row in select_rows(connection, Analysis, ("digest", "id"), "digest", digests)}
