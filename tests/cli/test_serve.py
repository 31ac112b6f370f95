from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from zoo.cli import serve


def test_serve_without_datasette_says_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "find_spec", lambda name: None)
    said = run("serve")
    assert said.code == 2
    assert "pip install 'zoo[serve]'" in said.err


def test_serve_shows_sqlite_files_only(run: Run, monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    from zoo.db.session import open_engine

    open_engine(postgres_url, write=True)
    monkeypatch.setattr(serve, "find_spec", lambda name: name)
    said = run("serve", "--db", postgres_url)
    assert said.code == 2
    assert "zoo export all --format sqlite" in said.err


def test_serve_runs_datasette_on_this_machine_only(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, snapshot_path: Path
) -> None:
    package = tmp_path / "datasette"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        f"import sys; open({str(tmp_path / 'words')!r}, 'w').write(chr(10).join(sys.argv[1:])); sys.exit(4)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(serve, "find_spec", lambda name: name)
    assert run("serve", "--port", 8123, "--open").code == 4
    words = (tmp_path / "words").read_text().splitlines()
    assert words[:6] == ["serve", str(snapshot_path), "--host", "127.0.0.1", "--port", "8123"]
    assert "--open" in words
    assert words[words.index("allow_download") + 1] == "off"


def test_the_plugin_limits_what_a_page_may_eat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(serve.__file__).parent / "datasette_plugins"))
    import zoo_limits  # type: ignore[import-not-found] # it is no module of the package: Datasette loads it by its path

    monkeypatch.delitem(sys.modules, "zoo_limits")
    with closing(sqlite3.connect(":memory:")) as connection:
        zoo_limits.prepare_connection(connection)
        with pytest.raises(sqlite3.Error, match="too big"):
            connection.execute("SELECT hex(zeroblob(400000000))").fetchall()
        with pytest.raises(sqlite3.Error, match="attached"):
            connection.execute("ATTACH ':memory:' AS other")
