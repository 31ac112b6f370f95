"""What ``zoo doctor`` looks at: the environment that zoo runs in. Nothing is changed, and nothing secret is said."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, NamedTuple

from zoo.errors import HubError, ZooError
from zoo.units import format_bytes

#: Libraries whose version decides how zoo behaves.
LIBRARIES = ("sqlalchemy", "alembic", "huggingface_hub", "pandas", "jinja2", "weasyprint", "typer", "rich", "pyarrow")
EXTRAS = {"psycopg": "PostgreSQL", "datasette": "zoo serve", "transformers": "the live oracle of the tests"}
#: Seconds that the Hub gets to answer.
PATIENCE = 3.0

State = Literal["ok", "note", "problem"]


class Finding(NamedTuple):
    """One thing that was looked at. "note" is worth knowing and stops nothing; "problem" stops something."""

    topic: str
    what: str
    state: State
    text: str


def examine(db_url: str | None) -> Iterator[Finding]:
    """Everything, in order. A thing that cannot be looked at is a finding, too."""
    yield from look_at_versions()
    yield from guard("database", lambda: look_at_database(db_url))
    yield from guard("pdf", look_at_pdf)
    yield from guard("hub", look_at_hub)


def guard(topic: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """What ``look`` finds, or the sentence with which it gave up."""
    try:
        return look()
    except ZooError as error:
        return [Finding(topic, topic, "problem", str(error))]


def look_at_versions() -> Iterator[Finding]:
    """zoo, Python, the system, and the libraries."""
    from zoo import __version__

    yield Finding("versions", "zoo", "ok", f"{__version__}, in {Path(__file__).resolve().parent}")
    yield Finding(
        "versions", "Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    for name in LIBRARIES:
        found = find_version(name)
        yield Finding("versions", name, "ok" if found else "problem", found or "is missing: install zoo again")
    for name, use in EXTRAS.items():
        found = find_version(name)
        yield Finding("versions", name, "ok" if found else "note", found or f"is not installed (only for {use})")


def find_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def look_at_database(db_url: str | None) -> list[Finding]:
    """Where it is, of which schema, and what is in it. Raises ZooError for one that cannot be read."""
    from zoo.db.status import read_status

    status = read_status(db_url)
    where = Finding("database", "database", "ok", str(status["database"]))
    if status["schema"] == "absent":
        return [where, Finding("database", "schema", "note", "there is none yet: zoo sync makes it")]
    if status["schema"] != "current":
        text = "older than this zoo: the next command that uses it upgrades it"
        return [where, Finding("database", "schema", "note", text)]
    size = f", {format_bytes(status['bytes'])}" if status["bytes"] is not None else ""
    found = [where, Finding("database", "schema", "ok", f"current ({status['revision']})")]
    found.append(Finding("database", "models", "ok", f"{status['models']:,}{size}"))
    if status["to_recompute"]:
        text = f"{status['to_recompute']:,} were computed by another version of zoo: zoo db upgrade computes them again"
        found.append(Finding("database", "numbers", "note", text))
    return found


def look_at_pdf() -> list[Finding]:
    """The system libraries that WeasyPrint loads, and the fonts that zoo brings."""
    from zoo.paths import templates_dir

    fonts = templates_dir() / "fonts"
    names = sorted(path.name for path in fonts.glob("*.woff2")) if fonts.is_dir() else []
    has_fonts = Finding("pdf", "bundled fonts", "ok", ", ".join(names))
    if not names:
        has_fonts = Finding("pdf", "bundled fonts", "problem", "are missing: install zoo again")
    return [look_at_pango(), has_fonts]


def look_at_pango() -> Finding:
    try:
        from weasyprint.text.ffi import pango
    except OSError as error:
        from zoo.report.render import LIBRARIES as NEEDED

        missing = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding("pdf", "Pango", "problem", f"cannot be loaded ({missing}): {NEEDED}")
    number = int(pango.pango_version())
    return Finding("pdf", "Pango", "ok", f"{number // 10_000}.{number // 100 % 100}.{number % 100}")


def look_at_hub() -> list[Finding]:
    """The local cache, whether there is a token (never which), and whether the Hub answers."""
    from huggingface_hub import constants, get_token

    cache = Path(constants.HF_HUB_CACHE)
    found = [
        Finding(
            "hub", "cache", "ok" if cache.is_dir() else "note", f"{cache}{'' if cache.is_dir() else ' (not there)'}"
        ),
        Finding("hub", "token", "ok", "yes" if get_token() else "no"),
    ]
    return [*found, reach_hub()]


def reach_hub() -> Finding:
    """Whether the Hub can be used: never a problem by itself, as zoo works without it."""
    from zoo.sources.hub import probe
    from zoo.sources.hub_settings import read_settings

    try:
        settings = replace(read_settings(), probe_timeout=PATIENCE)
        probe(settings)
    except HubError as error:
        return Finding("hub", "Hub", "note", str(error))
    return Finding("hub", "Hub", "ok", f"{settings.shown_endpoint} answers")
