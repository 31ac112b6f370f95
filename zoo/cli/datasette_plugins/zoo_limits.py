"""A plugin for Datasette, which loads it from this folder: the limits of ``zoo sql`` for its connections too."""

from __future__ import annotations

import sqlite3

from pluggy import HookimplMarker  # comes with Datasette

from zoo.db.readonly import LIMITS

hookimpl = HookimplMarker("datasette")


@hookimpl
def prepare_connection(conn: sqlite3.Connection) -> None:
    """No value over 5 MB (``hex(zeroblob(4e8))`` would take all memory), no attached database."""
    for limit, value in LIMITS.items():
        conn.setlimit(limit, value)
