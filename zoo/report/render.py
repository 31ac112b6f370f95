"""The view through the templates: one HTML file that stands alone, and the same as a PDF."""

from __future__ import annotations

import base64
import gc
import hashlib
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from zoo.errors import UsageError, ZooError
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


class TemplateProblem(UsageError):
    """A template of one's own cannot be read, or asks for something that there is not; names file and line."""


def render_html(view: ReportView, templates: Path | None = None) -> str:
    """The whole page: styles, fonts and script inside, and a policy that lets nothing else in.

    Files in ``templates`` stand in for those of the same name among zoo's own.

    Raises:
        TemplateProblem: a template there is wrong.
    """
    return _render(view, "html", Sources(templates))


def render_pdf(view: ReportView, templates: Path | None = None) -> bytes:
    """A tagged PDF (PDF/UA-1) of the same templates; loads nothing but what is inside them.

    Byte-identical for the same view where ``SOURCE_DATE_EPOCH`` is set.

    Raises:
        PdfUnavailable: the system libraries are missing.
        TemplateProblem: a template is wrong.
    """
    markup = _render(view, "pdf", Sources(templates))
    html_class, fetcher = _load_weasyprint()
    with _pause_collector():
        document = html_class(string=markup, url_fetcher=fetcher)
        return bytes(document.write_pdf(pdf_variant="pdf/ua-1"))


class Sources:
    """Where templates, styles and script are read from: a folder of one's own first, zoo's behind it.

    Raises:
        UsageError: the folder is not there, or holds none of the files.
    """

    def __init__(self, own: Path | None = None) -> None:
        self.folders = [templates_dir()] if own is None else [own, templates_dir()]
        known = {path.name for path in templates_dir().iterdir() if path.is_file()}
        if own is not None and not own.is_dir():
            raise UsageError(f"--template {own} is no folder")
        if own is not None and not known & {path.name for path in own.iterdir()}:
            raise UsageError(f"--template {own} has none of the files of a report: {', '.join(sorted(known))}")

    def read(self, name: str) -> str:
        """The text of ``name``, from the first folder that has it."""
        return next(f / name for f in self.folders if (f / name).is_file()).read_text(encoding="utf-8")

    def make_environment(self) -> Environment:
        """Jinja that escapes everything and knows no undefined names; a template of one's own is kept to the view."""
        kind = Environment if len(self.folders) == 1 else ImmutableSandboxedEnvironment
        return kind(
            loader=FileSystemLoader(self.folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )


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


def _render(view: ReportView, medium: Medium, sources: Sources) -> str:
    script = _tidy(sources.read("report.js")) if medium == "html" else ""
    style = _tidy(join_styles(sources, medium, view.paper))
    try:
        page = (
            sources.make_environment()
            .get_template("base.html")
            .render(
                report=view,
                medium=medium,
                style=Markup(style),  # noqa: S704  # our own files, no text from outside
                script=Markup(script),  # noqa: S704  # the same
                policy=write_policy(style, script),
            )
        )
    except (TemplateError, TypeError) as error:
        raise TemplateProblem(f"{_name_place(error)}: {error}") from error
    return _tidy(page)


def _name_place(error: Exception) -> str:
    """File and line of the template that failed, as far as they are known."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.name or 'a template'}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith((".html", ".css"))]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "a template"


def _tidy(text: str) -> str:
    """Without blank lines and spaces at the ends of lines. Styles and script are tidied before they are hashed."""
    return "".join(f"{line.rstrip()}\n" for line in text.split("\n") if line.strip())


def join_styles(sources: Sources, medium: Medium, paper: str = "a4") -> str:
    """Fonts and style sheets of a medium, one text. A browser gets the print rules too, for printing."""
    shared = _write_fonts(medium) + sources.read("shared.css")
    printed = sources.read("print.css")
    if paper == "letter":
        printed += "@page { size: letter; }\n@page wide { size: letter landscape; }\n"
    if medium == "pdf":
        return shared + printed
    return f"{shared}{sources.read('screen.css')}@media print {{\n{printed}}}\n"


def _write_fonts(medium: Medium) -> str:
    rules = []
    for family, file, weights in FONTS:
        data = base64.b64encode((templates_dir() / "fonts" / file).read_bytes()).decode("ascii")
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
