"""Configs and analyses, each stored once under the hash of its content. Few statements for a whole batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from zoo.config_text import canonical_json, hash_canonical, parse_config
from zoo.db.bulk import insert_rows, reserve_ids, select_rows, update_rows
from zoo.db.derive import Derived, analysis_version, pack_core
from zoo.db.tables import DERIVED_KEYS, Analysis, AnalysisBody, Config, ConfigBody, Part
from zoo.db.worker import Deriver

#: Bound parameters in one IN (…).
CHUNK = 1000
#: Cores whose analysis is remembered from batch to batch, at some 250 bytes each.
REMEMBERED = 100_000
_ANALYSIS_COLUMNS = ("reason", *DERIVED_KEYS)


class StoredConfig(NamedTuple):
    """Where a config stands in the database, and its analysis."""

    config_id: int
    analysis_id: int


class CanonicalConfig(NamedTuple):
    """A config as it is stored: its one spelling and the hash of it."""

    sha256: str
    text: str
    config: Mapping[str, Any]


def spell_config(config: Mapping[str, Any]) -> CanonicalConfig:
    """The spelling of ``config`` that is stored."""
    text = canonical_json(config)
    if not text.isascii() and "\ufffd" in text:  # characters may have been replaced: what is analysed is what is stored
        config = parse_config(text, source="config")
    return CanonicalConfig(hash_canonical(text), text, config)


def find_configs(connection: Connection, hashes: Collection[str]) -> dict[str, StoredConfig]:
    """Those of ``hashes`` that are stored."""
    rows = select_rows(connection, Config, ("sha256", "id", "analysis_id"), "sha256", hashes)
    return {row[0]: StoredConfig(row[1], row[2]) for row in rows}


class ConfigStore:
    """Stores new configs, each analysed; configs that differ in nothing that counts are analysed once.

    What is remembered from batch to batch is bounded, and is looked up again before it is used: a transaction may have
    been rolled back since.
    """

    def __init__(self, deriver: Deriver | None = None) -> None:
        self.deriver = deriver or Deriver()
        self._digests: dict[bytes, str] = {}  # hash of a core -> digest of its analysis

    def announce(self, configs: Iterable[CanonicalConfig]) -> dict[str, bytes]:
        """Have ``configs`` analysed while something else is done; the core of each, by its hash."""
        cores = {config.sha256: pack_core(config.config) for config in configs}
        for core in set(cores.values()):
            if _name_core(core) not in self._digests:
                self.deriver.submit(core)
        self.deriver.pump()
        return cores

    def store(
        self, connection: Connection, configs: Sequence[CanonicalConfig], cores: Mapping[str, bytes]
    ) -> dict[str, StoredConfig]:
        """Store ``configs`` (none of them is stored yet); where each is, by hash."""
        if not configs:
            return {}
        wanted = {cores[config.sha256] for config in configs}
        digests = {core: self._digests.get(_name_core(core)) for core in wanted}
        ids = _find_analyses(connection, {digest for digest in digests.values() if digest})
        missing = [core for core in wanted if digests[core] not in ids]
        for core in missing:
            self.deriver.submit(core)
        derived = {core: self.deriver.take(core) for core in missing}
        ids |= store_analyses(connection, derived.values())
        known = {core: derived[core].digest if core in derived else str(digests[core]) for core in wanted}
        self._remember(known)
        self.deriver.forget(wanted)
        version = analysis_version()
        found = {
            config.sha256: StoredConfig(config_id, ids[known[cores[config.sha256]]])
            for config, config_id in zip(configs, reserve_ids(connection, Config, len(configs)), strict=True)
        }
        rows = [(place.config_id, sha256, place.analysis_id, version) for sha256, place in found.items()]
        insert_rows(connection, Config, ("id", "sha256", "analysis_id", "analyzed_by"), rows)
        bodies = [(found[config.sha256].config_id, config.text) for config in configs]
        insert_rows(connection, ConfigBody, ("config_id", "text"), bodies)
        return found

    def _remember(self, digests: Mapping[bytes, str]) -> None:
        for core, digest in digests.items():
            name = _name_core(core)
            self._digests.pop(name, None)  # the last used comes last
            self._digests[name] = digest
        while len(self._digests) > REMEMBERED:
            del self._digests[next(iter(self._digests))]


def _name_core(core: bytes) -> bytes:
    return blake2b(core, digest_size=16).digest()


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
