"""``zoo.compare``: a report in a notebook, which shows itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from zoo.report.view import Options, ReportView, Theme

#: Height of the report in a notebook, in CSS pixels.
HEIGHT = 720


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """A report of some models. A notebook shows it; ``save`` writes it, ``view`` holds everything that it says."""

    view: ReportView

    def __repr__(self) -> str:
        """Title and sentences, for a plain prompt."""
        from zoo.report.blocks import Summary

        blocks = [block for section in self.view.sections for block in section.blocks]
        said = [f"{s.topic}: {s.text}" for b in blocks if isinstance(b, Summary) for s in b.sentences]
        return "\n".join([self.view.title, self.view.subtitle, *said])

    def _repr_html_(self) -> str:
        """The whole page in a frame of its own: nothing of it reaches the notebook, nothing of that changes it."""
        from zoo.report.render import render_html

        page = escape(render_html(self.view), quote=True)
        return (
            f'<iframe sandbox="allow-scripts" title="{escape(self.view.title, quote=True)}" width="100%" '
            f'height="{HEIGHT}" srcdoc="{page}"></iframe>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the report to ``path`` in the format that its ending names: html, pdf, md, json or xlsx.

        Raises:
            UsageError: there is no such format.
        """
        target = Path(path)
        target.write_bytes(find_writer(target.suffix.removeprefix("."))(self.view, None))
        return target


#: A format: from the view, and a folder of templates of one's own, to the bytes of a file.
Writer = Callable[["ReportView", Path | None], bytes]
FORMATS = ("html", "pdf", "md", "json", "xlsx")


def find_writer(name: str) -> Writer:
    """What writes the format ``name``. Raises UsageError where there is none."""
    from zoo.report.data import render_json
    from zoo.report.markdown import render_markdown
    from zoo.report.render import render_html, render_pdf
    from zoo.report.workbook import render_xlsx

    writers: dict[str, Writer] = {
        "html": lambda view, own: render_html(view, own).encode("utf-8"),
        "pdf": render_pdf,
        "md": lambda view, own: render_markdown(view).encode("utf-8"),
        "json": lambda view, own: render_json(view).encode("utf-8"),
        "xlsx": lambda view, own: render_xlsx(view),
    }
    if name not in writers:
        raise UsageError(f"no format {name!r:.40}: use {', '.join(FORMATS)}")
    return writers[name]


def compare(
    models: str | Sequence[str],
    *,
    context: int | str = "32k",
    compare_to: str | None = None,
    sections: Sequence[str] = (),
    title: str | None = None,
    theme: Theme = "auto",
    top: int | None = None,
    all_models: bool = False,
    db: str | None = None,
) -> Comparison:
    """A report of the models that ``models`` name, as ``zoo report`` makes it.

    ``models``: terms as ``--models`` takes them; ``context`` in tokens, or as people say it ("128k"); ``compare_to``: a
    model that the others are compared to.

    Raises:
        NoMatch: a term matches nothing.
        UsageError: a section or a theme that there is not.
    """
    from zoo.db.session import open_engine
    from zoo.report.view import Options
    from zoo.units import parse_context

    tokens = parse_context(context) if isinstance(context, str) else context
    terms = [models] if isinstance(models, str) else list(models)
    options = Options(context=tokens, title=title, sections=tuple(sections), theme=theme)
    view, _ = collect_view(open_engine(db), terms, options, base=compare_to, top=top, all_models=all_models)
    return Comparison(view)


def collect_view(
    engine: Engine,
    terms: Sequence[str],
    options: Options,
    *,
    base: str | None = None,
    top: int | None = None,
    all_models: bool = False,
) -> tuple[ReportView, list[str]]:
    """Select the models, the base among them, and work out all that the report says; and what was left out."""
    from zoo import __version__
    from zoo.db.select import select_models
    from zoo.report.view import build_view, read_moment

    now = read_moment(os.environ.get("SOURCE_DATE_EPOCH"))
    wanted = list(terms)
    if base is not None:
        base = select_models(engine, [base], top=1).rows[0].repo_id
        wanted += [base] if any(wanted) else []  # no term at all means every model
    selection = select_models(engine, wanted, top=top, all_models=all_models)
    notes = selection.notes
    view = build_view(selection.rows, replace(options, base=base, notes=tuple(notes)), now=now, version=__version__)
    return view, notes
