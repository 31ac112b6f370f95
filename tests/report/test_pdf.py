"""The PDF by its text, its outline, its fonts and its pages."""

from __future__ import annotations

import builtins
import gc
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import pytest
from pypdf import PageObject, PdfReader

from tests.report.fakes import EPOCH, NOW, make_rows, make_view
from zoo.report import render
from zoo.report.render import PdfUnavailable, render_pdf
from zoo.report.svg import measure_text

#: Enough to have every kind of table on many pages, at half of the time.
SECTIONS = ("answer", "key_parameters", "parameters", "attention", "cache", "memory", "method", "glossary")


class Span(NamedTuple):
    """A piece of text, from its left to its right end, in points."""

    left: float
    right: float
    text: str


class PageText(NamedTuple):
    text: str
    spans: list[Span]


@pytest.fixture(scope="module")
def twenty() -> PdfReader:
    shown = make_view(make_rows(20), title="Twenty models", sections=SECTIONS)
    return PdfReader(BytesIO(render_pdf(shown)))


@pytest.fixture(scope="module")
def page_texts(twenty: PdfReader) -> list[PageText]:
    return [read_page(page) for page in twenty.pages]


@pytest.fixture(scope="module")
def pages(page_texts: list[PageText]) -> list[str]:
    return [page.text for page in page_texts]


def read_page(page: PageObject) -> PageText:
    """All text, and where it stands; that of drawings, which is scaled otherwise, has no place here."""
    spans: list[Span] = []

    def see(text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
        text = text.strip()
        if text and text.isascii() and cm[0] == 0.75:
            left = 0.75 * tm[4] + cm[4]
            spans.append(Span(left, left + 0.75 * measure_text(text, size * tm[0]), text))

    return PageText(page.extract_text(visitor_text=see), spans)


def list_titles(outline: list[Any]) -> Iterator[str]:
    for item in outline:
        if isinstance(item, list):
            yield from list_titles(item)
        else:
            yield item.title


def test_the_numbers_are_in_the_text(pages: list[str]) -> None:
    text = "\n".join(pages)
    for number in ("8,030,261,248", "7,241,732,096", "46,702,792,704", "12,879,925,248", "124,439,808", "131,072 B"):
        assert number in text


def test_the_answer_stands_on_the_first_page(pages: list[str]) -> None:
    assert "In short" in pages[0]
    assert "The models at a glance" in pages[0]
    assert pages[0].count("Llama-variation") > 10


def test_pages_are_numbered_and_carry_the_title(pages: list[str]) -> None:
    for number, text in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in text
        assert "Twenty models" in text


def test_bookmarks_name_the_sections(twenty: PdfReader) -> None:
    titles = list(list_titles(twenty.outline))
    assert titles[:3] == ["Twenty models", "In short", "Contents"]
    assert {"Key parameters", "KV cache", "Glossary", "How it is counted"} <= set(titles)


def test_it_says_what_it_is(twenty: PdfReader) -> None:
    assert twenty.metadata is not None
    assert twenty.metadata.title == "Twenty models"
    catalog: Any = twenty.trailer["/Root"]
    assert catalog["/Lang"] == "en"
    assert catalog["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in catalog
    assert b"pdfuaid" in catalog["/Metadata"].get_object().get_data()


def test_all_fonts_are_ours_and_embedded(twenty: PdfReader) -> None:
    names, embedded = set(), set()
    for page in twenty.pages:
        fonts: Any = page["/Resources"]["/Font"]
        for font in fonts.values():
            (descendant,) = font.get_object()["/DescendantFonts"]
            descriptor = descendant.get_object()["/FontDescriptor"].get_object()
            names.add(re.sub(r"^/[A-Z]+\+", "", descriptor["/FontName"]))
            embedded.add(bool({"/FontFile2", "/FontFile3"} & set(descriptor)))
    assert embedded == {True}
    assert all(name.startswith(("Inter", "Zoo-Symbols")) for name in names)


def test_no_column_is_cut_off_with_twenty_models(twenty: PdfReader, page_texts: list[PageText]) -> None:
    margin = 15 / 25.4 * 72
    right = float(twenty.pages[0].mediabox.width) - margin
    for page in page_texts:
        assert len(page.spans) > 10
        assert [span for span in page.spans if span.left < margin - 1 or span.right > right + 4] == []


def test_heads_of_tables_are_repeated_on_every_page(pages: list[str]) -> None:
    continued = [
        text for text in pages if re.search(r"^Llama-variation.*\n(?:GPTQ)?", text) or text.startswith("Model ")
    ]
    assert len(continued) > 3
    assert all(text.startswith("Model ") for text in continued)


def test_the_same_view_and_epoch_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    shown = make_view(make_rows(1))
    first = render_pdf(shown)
    assert first == render_pdf(shown)
    metadata = PdfReader(BytesIO(first)).metadata
    assert metadata is not None
    assert metadata.creation_date == metadata.modification_date == NOW


@pytest.mark.parametrize(("paper", "size"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_the_ranking_lies_on_its_side_on_either_paper(paper: str, size: tuple[int, int]) -> None:
    shown = make_view(make_rows(24), sections=("answer", "ranking"), paper=paper)
    reader = PdfReader(BytesIO(render_pdf(shown)))
    sizes = [(round(page.mediabox.width), round(page.mediabox.height)) for page in reader.pages]
    assert sizes[0] == size
    assert sizes[-1] == size[::-1]
    last = read_page(reader.pages[-1])
    assert "24 models, the largest first" in last.text.replace("\n", " ")
    margin = 12 / 25.4 * 72
    assert [span for span in last.spans if span.right > size[1] - margin + 4] == []


def test_contents_lead_to_the_sections(twenty: PdfReader) -> None:
    links = [a.get_object() for a in twenty.pages[0].get("/Annots", []) + twenty.pages[1].get("/Annots", [])]
    targets = {str(link["/Dest"]) for link in links if "/Dest" in link}
    assert {"key_parameters", "cache", "glossary"} <= targets


def test_every_figure_says_what_it_shows(twenty: PdfReader) -> None:
    def walk(node: Any) -> Iterator[Any]:
        node = node.get_object()
        if isinstance(node, dict):
            yield node
            kids = node.get("/K", [])
            for kid in kids if isinstance(kids, list) else [kids]:
                if not isinstance(kid, int):
                    yield from walk(kid)

    root: Any = twenty.trailer["/Root"]
    figures = [node for node in walk(root["/StructTreeRoot"]) if node.get("/S") == "/Figure"]
    assert any("Cache of one sequence at" in str(figure.get("/Alt")) for figure in figures)
    assert all(figure.get("/Alt") for figure in figures)
    assert {"/Table", "/TH", "/TD", "/H1", "/H2"} <= {node.get("/S") for node in walk(root["/StructTreeRoot"])}


def test_pages_are_drawn_in_black_on_white_within_their_margins(twenty: PdfReader) -> None:
    import pypdfium2

    stream = twenty.stream
    stream.seek(0)
    document = pypdfium2.PdfDocument(stream.read())
    for number in range(len(document)):
        image = document[number].render(scale=0.5, grayscale=True).to_numpy()
        assert (image < 160).sum() > 50, number  # something is written
        edge = round(0.5 * 12 / 25.4 * 72)
        assert image[:, :edge].min() == image[:, -edge:].min() == 255, number


def test_the_garbage_collector_is_back_afterwards() -> None:
    assert gc.isenabled()
    with render._pause_collector():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(RuntimeError), render._pause_collector():
        raise RuntimeError
    assert gc.isenabled()
    gc.disable()
    try:
        with render._pause_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_missing_system_libraries_are_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *rest: Any) -> Any:
        if name.startswith("weasyprint"):
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(PdfUnavailable, match="apt-get install libpangoft2") as caught:
        render_pdf(make_view(make_rows(1)))
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/hostname",
        "http://127.0.0.1:9/x",
        "ftp://127.0.0.1/x",
        "data:text/html,hello",
        "data:image/svg+xml,<svg/>",
    ],
)
def test_nothing_but_the_fonts_can_be_fetched(address: str) -> None:
    _, fetcher = render._load_weasyprint()
    with pytest.raises(ValueError, match="loads nothing"):
        fetcher(address)
    assert fetcher(f"{render.FONT_ADDRESS}AAAA").read() == b"\0\0\0"
