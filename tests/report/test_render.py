"""The page: one file that stands alone, and whose policy lets nothing in."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from tests.report.fakes import make_rows, make_view
from zoo.paths import templates_dir
from zoo.report.render import Sources, render_html, write_policy


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(make_view(make_rows(6), notes=["llama: 9 models; 4 left out"]))


class Page(HTMLParser):
    """Counts and keeps what a test asks of a page; void elements aside, every element must be closed in order."""

    VOID = frozenset({"meta", "rect", "line", "circle", "polygon", "polyline", "input", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.outside: list[str] = []  # elements that are not part of a drawing
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if "svg" not in self.open:
            self.outside.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_elements_are_closed_and_ids_are_unique(page: str) -> None:
    parsed = Page(page)
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_every_reference_within_the_page_leads_somewhere(page: str) -> None:
    parsed = Page(page)
    ids = {attributes.get("id") for _, attributes in parsed.tags}
    named = {a["aria-labelledby"] for _, a in parsed.tags if a.get("aria-labelledby")}
    assert named <= ids
    assert {(a["href"] or "").removeprefix("#") for a in parsed.all("a")} <= ids


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    parsed = Page(page)
    assert not {"link", "img", "iframe", "object", "embed"} & {tag for tag, _ in parsed.tags}
    assert not [a for _, a in parsed.tags if a.get("src")]
    addresses = set(re.findall(r"url\((.{12})", page))
    assert addresses == {'"data:font/w'}
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}


def test_the_policy_allows_this_style_and_this_script_alone(page: str) -> None:
    policy = next(a["content"] or "" for a in Page(page).all("meta") if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_no_element_has_a_style_or_a_handler_of_its_own(page: str) -> None:
    names = {name for _, attributes in Page(page).tags for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}


def test_tables_can_be_read_out(page: str) -> None:
    parsed = Page(page)
    assert page.count("<caption") == len(parsed.all("table"))
    assert all(heading.get("scope") in ("col", "row") for heading in parsed.all("th"))
    assert all(a.get("role") == "img" or a.get("aria-hidden") for a in parsed.all("svg"))


def test_sections_follow_the_answer_and_dark_mode_is_there(page: str) -> None:
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert titles[:3] == ["In short", "Key parameters", "Where the parameters are"]
    assert "light-dark(" in page
    assert "llama: 9 models; 4 left out" in page


def test_the_page_stays_small(page: str) -> None:
    assert len(page) < 400_000
    assert len(render_html(make_view(make_rows(12)))) < 2_000_000


def test_the_same_view_gives_the_same_page(page: str) -> None:
    assert render_html(make_view(make_rows(6), notes=["llama: 9 models; 4 left out"])) == page


def test_a_title_of_ones_own_stands_in_heading_and_head() -> None:
    page = render_html(make_view(make_rows(1), title="Für <uns> & euch"))
    assert "<title>Für &lt;uns&gt; &amp; euch</title>" in page
    assert '<h1 data-short="Für &lt;uns&gt; &amp; euch">Für &lt;uns&gt; &amp; euch</h1>' in page


def test_templates_know_no_undefined_names(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text("{{ nothing.there }}")
    with pytest.raises(UndefinedError):
        Sources(tmp_path).make_environment().get_template("base.html").render()


def test_a_page_without_a_script_allows_none() -> None:
    assert "script-src 'none'" in write_policy("a", "")


def test_fonts_come_with_their_licenses() -> None:
    fonts = templates_dir() / "fonts"
    assert {path.name for path in fonts.glob("*.woff2")} == {"inter-latin.woff2", "symbols.woff2"}
    assert "SIL Open Font License" in (fonts / "inter-LICENSE.txt").read_text(encoding="utf-8")
    assert "Bitstream Vera" in (fonts / "symbols-LICENSE.txt").read_text(encoding="utf-8")


def test_every_letter_of_a_report_is_in_a_bundled_font(page: str) -> None:
    from fontTools.ttLib import TTFont

    fonts = templates_dir() / "fonts"
    known = {code for path in fonts.glob("*.woff2") for code in TTFont(path).getBestCmap()}
    text = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    assert {c for c in re.sub(r"<[^>]*>", "", text) if ord(c) not in known and c != "\n"} == set()
