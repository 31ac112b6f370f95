"""The view through the templates: one HTML file that stands alone, and the same as a PDF."""

from __future__ import annotations

import base64
import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from zoo.errors import ZooError
from zoo.paths import templates_dir
from zoo.report.view import ReportView

Medium = Literal["html", "pdf"]

#: The bundled fonts: family, file, and the weights that it has (which browsers must be told, and WeasyPrint finds out).
FONTS = (("Inter", "inter-latin.woff2", "font-weight: 100 900; "), ("Zoo Symbols", "symbols.woff2", ""))

FONT_ADDRESS = "data:font/woff2;base64,"

#: What WeasyPrint cannot start without, by system.
LIBRARIES = (
    "the PDF needs Pango and HarfBuzz, which are not on this machine: "
    "`apt-get install libpangoft2-1.0-0 libharfbuzz-subset0` on Debian and Ubuntu, `dnf install pango` on Fedora, "
    "`brew install pango` on macOS; or ask for --format html alone"
)


class PdfUnavailable(ZooError):
    """The libraries that write a PDF are missing; the message names them."""


def render_html(view: ReportView, templates: Path | None = None) -> str:
    """The whole page: styles, fonts and script inside, and a policy that lets nothing else in."""
    return _render(view, "html", templates or templates_dir())


def render_pdf(view: ReportView, templates: Path | None = None) -> bytes:
    """A tagged PDF (PDF/UA-1) of the same templates; loads nothing but what is inside them.

    Byte-identical for the same view where ``SOURCE_DATE_EPOCH`` is set.

    Raises:
        PdfUnavailable: the system libraries are missing.
    """
    markup = _render(view, "pdf", templates or templates_dir())
    html_class, fetcher = _load_weasyprint()
    with _pause_collector():
        document = html_class(string=markup, url_fetcher=fetcher)
        return bytes(document.write_pdf(pdf_variant="pdf/ua-1"))


def _load_weasyprint() -> tuple[Any, Any]:
    """WeasyPrint's HTML class, and a fetcher that opens the embedded fonts only: no file, no network."""
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise PdfUnavailable(LIBRARIES) from error

    class FontFetcher(URLFetcher):  # type: ignore[misc]  # WeasyPrint has no types
        def __init__(self) -> None:
            super().__init__(allowed_protocols=("data",), allow_redirects=False)

        def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
            """Our fonts, and nothing else that may call itself data."""
            if not url.startswith(FONT_ADDRESS):
                raise ValueError(f"a report loads nothing: {url[:60]}")
            return super().fetch(url, headers)

    return HTML, FontFetcher()


@contextmanager
def _pause_collector() -> Iterator[None]:
    """Layout makes very many small objects, all of which stay: collecting them takes a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _render(view: ReportView, medium: Medium, templates: Path) -> str:
    environment = make_environment(templates)
    script = _tidy(_read(templates, "report.js")) if medium == "html" else ""
    style = _tidy(join_styles(templates, medium))
    page = environment.get_template("base.html").render(
        report=view,
        medium=medium,
        style=Markup(style),  # noqa: S704  # our own files, no text from outside
        script=Markup(script),  # noqa: S704  # the same
        policy=write_policy(style, script),
    )
    return _tidy(page)


def _tidy(text: str) -> str:
    """Without blank lines and spaces at the ends of lines. Styles and script are tidied before they are hashed."""
    return "".join(f"{line.rstrip()}\n" for line in text.split("\n") if line.strip())


def make_environment(templates: Path) -> Environment:
    """Jinja that escapes everything and knows no undefined names."""
    return Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def join_styles(templates: Path, medium: Medium) -> str:
    """Fonts and style sheets of a medium, one text. A browser gets the print rules too, for printing."""
    shared = _write_fonts(templates, medium) + _read(templates, "shared.css")
    if medium == "pdf":
        return shared + _read(templates, "print.css")
    return f"{shared}{_read(templates, 'screen.css')}@media print {{\n{_read(templates, 'print.css')}}}\n"


def _write_fonts(templates: Path, medium: Medium) -> str:
    rules = []
    for family, file, weights in FONTS:
        data = base64.b64encode((templates / "fonts" / file).read_bytes()).decode("ascii")
        rules.append(
            f'@font-face {{ font-family: "{family}"; {weights if medium == "html" else ""}font-display: block; '
            f'src: url("{FONT_ADDRESS}{data}") format("woff2"); }}\n'
        )
    return "".join(rules)


def write_policy(style: str, script: str) -> str:
    """Content-Security-Policy: our one style sheet and our one script by their hashes, fonts within, nothing else."""
    allowed: Mapping[str, str] = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "font-src": "data:",
        "script-src": _hash(script) if script else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _read(templates: Path, name: str) -> str:
    return (templates / name).read_text(encoding="utf-8")
