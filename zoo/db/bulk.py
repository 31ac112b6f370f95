"""Many rows in few statements: plain SQL and tuples, as SQLAlchemy's own way costs more than the writing itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from zoo.db.tables import Base, table_of


def insert_rows(
    connection: Connection,
    entity: type[Base],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    ignore: bool = False,
    renew: tuple[str, ...] = (),
) -> None:
    """INSERT ``rows``, values in the order of ``columns``.

    Rows that are there already are an error; with ``ignore``, they are passed over; with ``renew`` (the column to
    overwrite, then those that tell rows apart), only that column of theirs is written.

    Moments are text here, as ``zoo.db.types.format_time`` writes it.
    """
    if not rows:
        return
    marks = ", ".join([_mark(connection)] * len(columns))
    names = ", ".join(f'"{name}"' for name in columns)
    end = " ON CONFLICT DO NOTHING" if ignore else ""
    if renew:
        end = f" ON CONFLICT ({', '.join(renew[1:])}) DO UPDATE SET {renew[0]} = excluded.{renew[0]}"
    statement = f"INSERT INTO {table_of(entity).name} ({names}) VALUES ({marks}){end}"  # noqa: S608
    connection.exec_driver_sql(statement, [tuple(row) for row in rows])


def update_rows(
    connection: Connection, entity: type[Base], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """UPDATE ``rows``: values in the order of ``columns``, then the id."""
    if not rows:
        return
    mark = _mark(connection)
    changes = ", ".join(f'"{name}" = {mark}' for name in columns)
    statement = f"UPDATE {table_of(entity).name} SET {changes} WHERE id = {mark}"  # noqa: S608
    connection.exec_driver_sql(statement, [tuple(row) for row in rows])


def select_rows(
    connection: Connection, entity: type[Base], columns: Sequence[str], key: str, values: Collection[Any]
) -> list[tuple[Any, ...]]:
    """``columns`` of the rows whose ``key`` is one of ``values``: one statement, however many those are."""
    if not values:
        return []
    names = ", ".join(f'"{name}"' for name in columns)
    sqlite = connection.dialect.name == "sqlite"
    test = "IN (SELECT value FROM json_each(?))" if sqlite else "= ANY(%s)"
    wanted = json.dumps(list(values)) if sqlite else list(values)
    statement = f'SELECT {names} FROM {table_of(entity).name} WHERE "{key}" {test}'  # noqa: S608
    return [tuple(row) for row in connection.exec_driver_sql(statement, (wanted,)).cursor.fetchall()]


def reserve_ids(connection: Connection, entity: type[Base], count: int) -> Iterable[int]:
    """``count`` ids for new rows, rising. Only the one writer may ask (SQLite: in its transaction)."""
    if not count:
        return ()
    table = table_of(entity)
    if connection.dialect.name == "sqlite":
        last = connection.exec_driver_sql(f"SELECT COALESCE(MAX(id), 0) FROM {table.name}").scalar_one()  # noqa: S608
        return range(last + 1, last + 1 + count)
    statement = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
    return [row[0] for row in connection.exec_driver_sql(statement, (table.name, count))]


def column_names(table: Table) -> tuple[str, ...]:
    """Names of the columns of ``table``, in order."""
    return tuple(column.name for column in table.columns)


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.name == "sqlite" else "%s"
