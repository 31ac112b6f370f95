"""What the Hub says is text: nothing of it runs in a browser, and nothing of it makes the PDF load anything."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from tests.report.fakes import LLAMA, UNKNOWN, make_row, make_view
from tests.report.test_render import Page
from zoo.report import render
from zoo.report.markdown import render_markdown
from zoo.report.render import render_html, render_pdf
from zoo.report.view import ReportView

ATTACKS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style><style>*{background:url(http://127.0.0.1:9/a)}</style>",
    "</title><img src=x onerror=alert(3)>",
    '"><svg onload=alert(4)><image href="file:///etc/passwd"/></svg>',
    "'><iframe src=data:text/html,<script>alert(5)</script>></iframe>",
    "<link rel=stylesheet href=http://127.0.0.1:9/b.css>",
    "<object data=file:///etc/hostname></object>",
    "@import url(file:///etc/passwd); @font-face{src:url(http://127.0.0.1:9/c)}",
    "javascript:alert(6)",
    "{{ 7 * 7 }}{% include 'base.html' %}",
    "]]><!--<x>",
    "<style>@import 'data:text/css,*{display:none}'</style>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(7)>#x'/></svg>",
    "[x](javascript:alert(8)) ![x](http://127.0.0.1:9/d.png) `x` | x |",
)


def attack_rows() -> list[Any]:
    """Each attack in every place that a stranger can write into."""
    rows = []
    for index, attack in enumerate(ATTACKS):
        config = LLAMA | {
            "num_hidden_layers": 2 + index, "hidden_act": attack, "torch_dtype": attack, "license": attack,
            "quantization_config": {"quant_method": attack}, attack: attack, "rope_scaling": {attack: attack},
        }  # fmt: skip
        rows.append(
            make_row(
                f"{attack}/{attack}", config, license=attack, gated=attack, pipeline_tag=attack, base_model=attack,
                tags=attack, created_at=attack, sha=attack, origin=attack, source=attack, config_source=attack,
                problem=("failed", attack),
                reported={"total": 5, "by_dtype": {attack: 5}, "check": attack, "explanation": attack},
                gone_at="2026-01-01T00:00:00+00:00",
            )
        )  # fmt: skip
        rows.append(make_row(f"odd/{attack}", UNKNOWN | {"model_type": attack}))
    return rows


@pytest.fixture(scope="module", params=[slice(0, 14), slice(14, 30), slice(None)], ids=["few", "others", "ranked"])
def view(request: pytest.FixtureRequest) -> ReportView:
    return make_view(attack_rows()[request.param], title=" ".join(ATTACKS), notes=ATTACKS)


@pytest.fixture(scope="module")
def parsed(view: ReportView) -> Page:
    return Page(render_html(view))


def test_no_element_comes_from_a_stranger(parsed: Page) -> None:
    tags = [tag for tag, _ in parsed.tags]
    assert [parsed.outside.count(tag) for tag in ("script", "style", "title")] == [1, 1, 1]
    assert not {"img", "image", "iframe", "link", "object", "embed", "base", "form", "foreignobject"} & set(tags)
    assert parsed.open == []


def test_no_attribute_can_run_or_load(parsed: Page) -> None:
    for tag, attributes in parsed.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("src", "srcset", "style", "action", "formaction", "data", "xlink:href"), (tag, name)
            if name == "href":
                assert (value or "").startswith("#")


def test_the_script_and_the_style_are_our_own_to_the_letter(view: ReportView, parsed: Page) -> None:
    plain = render_html(make_view([make_row("acme/llama", LLAMA)]))
    for tag in ("script", "style"):
        pattern = f"<{tag}>(.*?)</{tag}>"
        assert re.findall(pattern, render_html(view), re.DOTALL) == re.findall(pattern, plain, re.DOTALL)


def test_templates_in_a_name_are_not_run(view: ReportView) -> None:
    assert "{{ 7 * 7 }}" in render_html(view)


def test_markdown_shows_what_is_hostile_as_text(view: ReportView) -> None:
    text = render_markdown(view)
    assert re.findall(r"(?<!\\)[<>]", text) == []
    assert re.findall(r"(?<!\\)!?\[", text) == []
    assert "\\<script\\>alert(1)\\</script\\>" in text


def test_the_pdf_loads_nothing_but_its_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    html_class, fetcher = render._load_weasyprint()
    fetch = type(fetcher).fetch

    def record(self: Any, url: str, headers: Any = None) -> Any:
        asked.append(url[:40])
        return fetch(self, url, headers)

    monkeypatch.setattr(type(fetcher), "fetch", record)
    monkeypatch.setattr(render, "_load_weasyprint", lambda: (html_class, fetcher))
    pdf = render_pdf(make_view(attack_rows()[:4], title=" ".join(ATTACKS), notes=ATTACKS))
    assert asked
    assert {url.split(",")[0] for url in asked} == {"data:font/woff2;base64"}
    reader = PdfReader(BytesIO(pdf))
    assert reader.attachments == {}
    assert "<script>alert(1)</script>" in reader.pages[0].extract_text().replace("\n", "")
    links = [a.get_object() for page in reader.pages for a in page.get("/Annots", [])]
    assert not [link for link in links if "/URI" in str(link.get("/A", ""))]
    assert "/JavaScript" not in str(reader.trailer["/Root"])
