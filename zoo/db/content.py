"""Configs and analyses, each stored once under the hash of its content. Few statements for a whole batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from zoo.config_text import canonical_json, hash_canonical, parse_config
from zoo.db.derive import Derived, analysis_version, derive_cached
from zoo.db.tables import Analysis, AnalysisBody, Config, ConfigBody, Part, table_of

#: Bound parameters in one IN (…).
CHUNK = 1000


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
    text = canonical_json(config)
    if "\ufffd" in text:  # characters may have been replaced: what is analysed is what is stored
        config = parse_config(text, source="config")
    return CanonicalConfig(hash_canonical(text), text, config)


def find_configs(connection: Connection, hashes: Iterable[str]) -> dict[str, StoredConfig]:
    """Those of ``hashes`` that are stored."""
    query = select(Config.sha256, Config.id, Config.analysis_id)
    return {row[0]: StoredConfig(row[1], row[2]) for row in select_in(connection, query, Config.sha256, hashes)}


def store_configs(connection: Connection, configs: Mapping[str, CanonicalConfig]) -> dict[str, StoredConfig]:
    """Store ``configs`` (by hash; none of them is stored yet), each analysed."""
    if not configs:
        return {}
    derived = {sha256: derive_cached(spelled.config) for sha256, spelled in configs.items()}
    analyses = store_analyses(connection, derived.values())
    version = analysis_version()
    connection.execute(
        insert(table_of(Config)),
        [{"sha256": s, "analysis_id": analyses[d.digest], "analyzed_by": version} for s, d in derived.items()],
    )
    stored = find_configs(connection, configs)
    connection.execute(
        insert(table_of(ConfigBody)), [{"config_id": stored[s].config_id, "text": c.text} for s, c in configs.items()]
    )
    return stored


def store_analyses(connection: Connection, derived: Iterable[Derived], *, rewrite: bool = False) -> dict[str, int]:
    """Ids of the analyses by digest; new ones are stored; ``rewrite`` fills the others' columns anew."""
    by_digest = {each.digest: each for each in derived}
    known = _find_analyses(connection, by_digest)
    new = [each for digest, each in by_digest.items() if digest not in known]
    if rewrite:
        for digest, analysis_id in known.items():
            table = table_of(Analysis)
            connection.execute(update(table).where(table.c.id == analysis_id).values(by_digest[digest].columns))
    if not new:
        return known
    connection.execute(insert(table_of(Analysis)), [{"digest": each.digest, **each.columns} for each in new])
    known |= (ids := _find_analyses(connection, [each.digest for each in new]))
    bodies = [{"analysis_id": ids[each.digest], "text": each.text} for each in new]
    connection.execute(insert(table_of(AnalysisBody)), bodies)
    parts = [
        {"analysis_id": ids[each.digest], "part": part, "params": params, "active": active}
        for each in new
        for part, params, active in each.parts
    ]
    if parts:
        connection.execute(insert(table_of(Part)), parts)
    return known


def delete_unused_analyses(connection: Connection) -> None:
    """Remove analyses that no config points to any more."""
    unused = select(Analysis.id).where(~select(Config.id).where(Config.analysis_id == Analysis.id).exists())
    for table, column in ((AnalysisBody, AnalysisBody.analysis_id), (Part, Part.analysis_id), (Analysis, Analysis.id)):
        connection.execute(delete(table).where(column.in_(unused)))


def read_documents(connection: Connection, analysis_ids: Iterable[int]) -> dict[int, str]:
    """The JSON texts of analyses, by id."""
    query = select(AnalysisBody.analysis_id, AnalysisBody.text)
    return {row[0]: row[1] for row in select_in(connection, query, AnalysisBody.analysis_id, analysis_ids)}


def select_in(connection: Connection, query: Any, column: Any, values: Iterable[Any]) -> list[Any]:
    """Rows of ``query`` whose ``column`` is one of ``values``, in as few statements as parameters allow."""
    wanted: Sequence[Any] = list(values)
    rows: list[Any] = []
    for start in range(0, len(wanted), CHUNK):
        rows += connection.execute(query.where(column.in_(wanted[start : start + CHUNK]))).all()
    return rows


def _find_analyses(connection: Connection, digests: Iterable[str]) -> dict[str, int]:
    query = select(Analysis.digest, Analysis.id)
    return {row[0]: row[1] for row in select_in(connection, query, Analysis.digest, digests)}
