"""``zoo db check``: whether what is stored is what it says it is. Reads everything, changes nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, ForeignKeyConstraint, and_, func, select
from sqlalchemy.exc import DatabaseError

from zoo.config_text import hash_canonical
from zoo.db.checking import ParamsChecker
from zoo.db.derive import analysis_version, digest_analysis, list_columns
from zoo.db.engine import make_engine, resolve_url
from zoo.db.migrate import compare_schema, known_revisions
from zoo.db.session import look
from zoo.db.spelling import SpelledConfig
from zoo.db.tables import Analysis, AnalysisBody, Base, Config, ConfigBody, Model, Part, Revision, table_of
from zoo.errors import BadInput, DatabaseProblem

#: Rows that are looked at in one go.
CHUNK = 1000
#: Analyses that are remembered by what they follow from, at some 200 bytes each.
REMEMBERED = 200_000

#: Told which check is at work, and how many rows it has looked at since it was called last.
Watch = Callable[[str, int], None]


class Finding(NamedTuple):
    """One thing that was looked at."""

    check: str
    ok: bool
    detail: str


def check_database(url: str | None, watch: Watch = lambda check, rows: None) -> list[Finding]:
    """Everything that can be checked of the database at ``url``; with a damaged schema or file, that is all.

    Raises:
        DatabaseProblem: there is no database, or it cannot be read at all.
    """
    target = resolve_url(url)
    state = look(target)
    if state == "absent":
        raise DatabaseProblem("there is no database to check: run zoo sync first, or name one with --db")
    schema = Finding("schema", state == "current", f"{state} (this zoo knows {known_revisions()[-1]})")
    if not schema.ok:
        return [schema._replace(detail=f"{schema.detail}: run zoo db upgrade")]
    engine = make_engine(target)
    try:
        with engine.connect() as connection:
            findings = [_check_schema(connection, schema), check_integrity(connection, watch)]
            if all(finding.ok for finding in findings):
                findings += [run(connection, watch) for run in _CHECKS]
            return findings
    finally:
        engine.dispose()


def _check_schema(connection: Connection, found: Finding) -> Finding:
    differences = compare_schema(connection)
    return Finding("schema", False, f"not as zoo makes it: {'; '.join(differences)}") if differences else found


def check_integrity(connection: Connection, watch: Watch) -> Finding:
    """The file itself. A PostgreSQL server keeps checksums of its own."""
    watch("integrity", 0)
    if connection.dialect.name != "sqlite":
        return Finding("integrity", True, "left to the server")
    try:
        said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(5)")]
    except (DatabaseError, DatabaseProblem) as error:
        said = [str(error)]
    return Finding("integrity", said == ["ok"], "; ".join(" ".join(line.split()) for line in said))


def check_keys(connection: Connection, watch: Watch) -> Finding:
    """Every reference points to a row."""
    watch("foreign keys", 0)
    broken = [
        f"{table.name}.{key.column_keys[0]} ({count:,})"
        for table in Base.metadata.sorted_tables
        for key in table.foreign_key_constraints
        if (count := _count_dangling(connection, key))
    ]
    return Finding(
        "foreign keys", not broken, f"rows that point nowhere: {', '.join(broken)}" if broken else "all hold"
    )


def _count_dangling(connection: Connection, key: ForeignKeyConstraint) -> int:
    target = key.referred_table.alias()
    pairs = [(element.parent, target.c[element.column.name]) for element in key.elements]
    there = select(target).where(and_(*(own == other for own, other in pairs))).exists()
    set_at_all = and_(*(own.is_not(None) for own, _ in pairs))
    return connection.scalar(select(func.count()).select_from(key.table).where(set_at_all, ~there)) or 0


def check_configs(connection: Connection, watch: Watch) -> Finding:
    """The hash under which a config is stored is the hash of its text."""
    query = select(Config.id, Config.sha256, ConfigBody.text).outerjoin(ConfigBody, ConfigBody.config_id == Config.id)
    total, wrong = 0, []
    for rows in _read_chunks(connection, query, Config.id, "configs", watch):
        total += len(rows)
        wrong += [sha256[:12] for _, sha256, text in rows if text is None or hash_canonical(text) != sha256]
    return _summarise("configs", total, wrong, "match their hash")


def check_analyses(connection: Connection, watch: Watch) -> Finding:
    """Columns, parts and JSON of an analysis say the same."""
    query = select(table_of(Analysis), AnalysisBody.text.label("body")).outerjoin(
        AnalysisBody, AnalysisBody.analysis_id == Analysis.id
    )
    total, wrong = 0, []
    for rows in _read_chunks(connection, query, Analysis.id, "analyses", watch):
        total += len(rows)
        parts = _read_parts(connection, rows[0].id, rows[-1].id)
        wrong += [f"{row.id} ({row.digest[:12]})" for row in rows if not _agrees(row._mapping, parts[row.id])]
    return _summarise("analyses", total, wrong, "agree with their JSON")


def _read_parts(connection: Connection, first: int, last: int) -> defaultdict[int, set[tuple[str, int, int]]]:
    part = table_of(Part).c
    query = select(part.analysis_id, part.part, part.params, part.active).where(part.analysis_id.between(first, last))
    parts: defaultdict[int, set[tuple[str, int, int]]] = defaultdict(set)
    for analysis_id, *values in connection.execute(query):
        parts[analysis_id].add(tuple(values))
    return parts


def _agrees(row: Any, parts: set[tuple[str, int, int]]) -> bool:
    if row["body"] is None or digest_analysis(row["body"], parts) != row["digest"]:
        return False
    return all(row[key] == value for key, value in list_columns(json.loads(row["body"])).items())


def check_derived(connection: Connection, watch: Watch) -> Finding:
    """Every config has the analysis that this version of zoo makes of it."""
    stale = connection.scalar(select(func.count()).select_from(Config).where(Config.analyzed_by != analysis_version()))
    total = connection.scalar(select(func.count()).select_from(Config)) or 0
    if stale:
        said = f"{stale:,} of {total:,} were computed by another version: run zoo db upgrade"
        return Finding("derived numbers", False, said)
    query = (
        select(Config.id, Config.sha256, ConfigBody.text, Analysis.digest)
        .join(ConfigBody, ConfigBody.config_id == Config.id)
        .join(Analysis, Analysis.id == Config.analysis_id)
    )
    digests: dict[bytes, str] = {}
    wrong: list[str] = []
    for rows in _read_chunks(connection, query, Config.id, "derived numbers", watch):
        wrong += [sha256[:12] for _, sha256, text, digest in rows if _derive_digest(text, sha256, digests) != digest]
    return _summarise("derived numbers", total, wrong, "are what follows from their config")


def _derive_digest(text: str, sha256: str, digests: dict[bytes, str]) -> str | None:
    config = SpelledConfig(sha256, text)
    try:
        name = config.name_core()
    except BadInput:  # the check of hashes tells of it
        return None
    if name not in digests:
        if len(digests) >= REMEMBERED:
            digests.clear()
        digests[name] = config.derive().digest
    return digests[name]


def check_models(connection: Connection, watch: Watch) -> Finding:
    """A model with a config has the revision that it came with, the key of its name, and the verdict on its numbers."""
    columns = ("id", "repo_id", "repo_key", "config_id", "reported_params", "reported_by_dtype", "params_check")
    model = table_of(Model).c
    seen = select(Revision.id).where(Revision.model_id == Model.id, Revision.config_id == Model.config_id).exists()
    query = select(*(model[key] for key in columns), model["check_explanation"], seen.label("seen"))
    total, wrong = 0, []
    for rows in _read_chunks(connection, query, Model.id, "models", watch):
        total += len(rows)
        wrong += _find_wrong_models(connection, rows)
    return _summarise("models", total, wrong, "have their revision, key and verdict")


def _find_wrong_models(connection: Connection, rows: Sequence[Any]) -> list[str]:
    again = [dict(row._mapping) for row in rows]
    ids = {row["config_id"] for row in again if row["config_id"] is not None}
    there = set(connection.scalars(select(Config.id).where(Config.id.in_(ids))))
    # Dangling references are told of by the check of keys.
    ParamsChecker(connection).check_rows([r for r in again if r["config_id"] is None or r["config_id"] in there], {})
    return [
        row["repo_id"]
        for row, old in zip(again, rows, strict=True)
        if (row["config_id"] is not None and not row["seen"])
        or row["repo_key"] != row["repo_id"].lower()
        or (row["params_check"], row["check_explanation"]) != (old.params_check, old.check_explanation)
    ]


def _read_chunks(connection: Connection, query: Any, key: Any, check: str, watch: Watch) -> Iterator[Sequence[Any]]:
    """Rows of ``query`` by rising ``key``, which is their first column; never many of them at once."""
    last = None
    while True:
        after = query if last is None else query.where(key > last)
        rows = connection.execute(after.order_by(key).limit(CHUNK)).all()
        watch(check, len(rows))
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _summarise(check: str, total: int, wrong: list[str], meaning: str) -> Finding:
    if not wrong:
        return Finding(check, True, f"{total:,} {meaning}")
    return Finding(check, False, f"{len(wrong):,} of {total:,} do not: {', '.join(wrong[:5])}")


_CHECKS: tuple[Callable[[Connection, Watch], Finding], ...] = (
    check_keys,
    check_configs,
    check_analyses,
    check_derived,
    check_models,
)
