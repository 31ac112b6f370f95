"""The page in a real Chromium: what its script does, what it looks like to those who cannot see, what it never does."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from tests.report.browser import Browser, Page, Visit, open_browser
from tests.report.fakes import make_rows, make_view
from tests.report.test_safety import ATTACKS, attack_rows
from zoo.report.render import render_html

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN_AXE = """async (tags) => {
  const found = await axe.run(document, { runOnly: tags });
  return found.violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 200)}`);
}"""

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Six models side by side, thirty ranked, and the hostile ones."""
    folder = tmp_path_factory.mktemp("pages")
    views = {
        "six": make_view(make_rows(6)),
        "thirty": make_view(make_rows(30)),
        "hostile": make_view(attack_rows()[:12], title=" ".join(ATTACKS), notes=tuple(ATTACKS)),
        "dark": make_view(make_rows(2), theme="dark"),
        "compared": make_view(make_rows(5)[2:], base="mistralai/Mixtral-8x7B-v0.1"),
    }
    paths = {}
    for name, view in views.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(render_html(view), encoding="utf-8")
    return paths


@pytest.fixture
def visit(browser: Browser, pages: dict[str, Path]) -> Iterator[Open]:
    visits: list[Visit] = []

    def visit(name: str, **settings: Any) -> Visit:
        visits.append(Visit(browser, pages[name], **settings))
        return visits[-1]

    yield visit
    for each in visits:
        assert each.said == []
        assert all(url.startswith("file:") and url.endswith(".html") for url in each.asked), each.asked
        each.close()


def read_column(page: Page, table: str, column: int) -> list[str]:
    cells = page.locator(f"#{table} tbody tr:visible > :nth-child({column + 1})")
    return [text.split("\n")[0] for text in cells.all_inner_texts()]


def test_columns_are_sorted_by_mouse_and_by_keyboard(visit: Open) -> None:
    page = visit("six").page
    button = page.locator("#at-a-glance thead button").nth(1)
    button.click()
    rising = read_column(page, "at-a-glance", 1)
    assert rising == ["109 M", "124 M", "1.00 B", "7.24 B", "8.03 B", "46.7 B"]
    assert page.locator("#at-a-glance th[aria-sort=ascending]").count() == 1
    button.press("Enter")
    assert read_column(page, "at-a-glance", 1) == rising[::-1]
    assert page.locator("#at-a-glance th[aria-sort=descending]").inner_text().startswith("Parameters")


def test_what_has_no_value_stands_at_the_end_either_way(visit: Open) -> None:
    page = visit("six").page
    heads = page.locator("#key-2 thead th")
    names = [name.split("\n")[0] for name in heads.all_inner_texts()]
    index = next(i for i, name in enumerate(names) if "RoPE" in name)
    for _ in range(2):
        heads.nth(index).get_by_role("button").click()
        column = read_column(page, "key-2", index)
        dashes = [text == "–" for text in column]
        assert dashes == sorted(dashes)
        assert any(dashes)


def test_one_filter_shows_the_same_models_in_tables_and_figures(visit: Open) -> None:
    page = visit("six").page
    page.get_by_label("Show models with").fill("sparse")
    assert page.get_by_role("status").inner_text() == "1 of 6 models"
    assert read_column(page, "at-a-glance", 0) == ["Mixtral-8x7B-v0.1"]
    assert page.locator("#figure-cache-chart polyline.curve:visible").count() == 1
    page.get_by_label("Show models with").fill("")
    assert len(read_column(page, "at-a-glance", 0)) == 6
    assert page.locator("#figure-cache-chart polyline.curve:visible").count() == 5


def test_the_filter_hides_models_that_are_columns(visit: Open) -> None:
    page = visit("compared").page
    page.get_by_label("Show models with").fill("mixtral")
    assert page.locator("#key thead th[data-model]:visible").count() == 1
    assert page.locator("#key tbody tr").first.locator("td.num:visible").count() == 1
    page.get_by_label("Show models with").fill("")
    assert page.locator("#key thead th[data-model]:visible").count() == 3


def test_a_model_lights_up_everywhere_and_can_be_held(visit: Open) -> None:
    page = visit("six").page
    dimmed = "#figure-cache-chart polyline.curve:not(.on)"
    page.locator("#at-a-glance tbody tr").nth(3).hover()
    assert page.locator("html.dim").count() == 1
    assert page.locator(f"html.dim {dimmed}").count() == 4
    page.mouse.move(2, 2)
    assert page.locator("html.dim").count() == 0
    chip = page.get_by_role("button", name="Llama-3.1-8B", exact=True)
    chip.focus()
    chip.press("Space")
    page.mouse.move(3, 3)
    assert chip.get_attribute("aria-pressed") == "true"
    assert page.locator("html.dim tr.on").count() > 4
    chip.press("Space")
    assert chip.get_attribute("aria-pressed") == "false"


def test_a_mark_says_what_it_stands_for(visit: Open) -> None:
    page = visit("six").page
    page.locator("#figure-size-chart .mark").first.hover()
    assert "parameters" in page.locator(".tip").inner_text()


def test_columns_can_be_hidden_and_come_back(visit: Open) -> None:
    page = visit("six").page
    menu = page.locator("#answer .menu").first
    menu.locator("summary").press("Enter")
    box = menu.get_by_label("Active")
    box.press("Space")
    assert "Active" not in page.locator("#at-a-glance thead").inner_text()
    assert page.locator("#at-a-glance tbody tr").first.locator("td:visible").count() == 5
    box.press("Space")
    assert "Active" in page.locator("#at-a-glance thead").inner_text()
    box.press("Escape")
    assert menu.get_attribute("open") is None


def read_copy(visit: Visit, name: str) -> str:
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.page.get_by_role("button", name=name).first.click()
    visit.page.get_by_text("Copied as").wait_for()
    return str(visit.page.evaluate("navigator.clipboard.readText()"))


def test_a_table_is_copied_as_it_is_seen(visit: Open) -> None:
    seen = visit("six")
    seen.page.get_by_label("Show models with").fill("llama")
    rows = list(csv.reader(StringIO(read_copy(seen, "Copy as CSV: The models at a glance"))))
    assert rows[0][:2] == ["Model", "Parameters"]
    assert [row[1] for row in rows[1:]] == ["8030261248"]
    text = read_copy(seen, "Copy as Markdown: The models at a glance")
    assert text.splitlines()[1].startswith("| --- | --- |")
    assert "| 8.03 B |" in text


def test_a_copied_text_is_no_formula_for_a_spreadsheet(visit: Open, browser: Browser, tmp_path: Path) -> None:
    from tests.report.fakes import LLAMA, make_row

    path = tmp_path / "formula.html"
    path.write_text(render_html(make_view([make_row("acme/=cmd|x", LLAMA)])), encoding="utf-8")
    seen = Visit(browser, path)
    assert "'=cmd|x" in read_copy(seen, "Copy as CSV: The models at a glance")
    assert "=cmd\\|x" in read_copy(seen, "Copy as Markdown: The models at a glance")
    seen.close()


def test_headings_and_figures_can_be_linked_to(visit: Open) -> None:
    page = visit("six").page
    links = page.eval_on_selector_all("a.anchor", "links => links.map((link) => link.getAttribute('href'))")
    assert {"#cache", "#figure-cache-chart", "#why", "#model-0", "#answer"} <= set(links)
    assert page.evaluate("links => links.every((link) => document.querySelector(link))", links)


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_dark_is_what_the_system_says_unless_the_reader_chooses(visit: Open) -> None:
    page = visit("six", color_scheme="dark").page
    assert background(page) == "rgb(21, 24, 28)"
    fill = page.locator("#figure-cache-chart text.ink").first.evaluate("node => getComputedStyle(node).fill")
    assert fill == "rgb(233, 235, 238)"
    page.get_by_role("button", name="Theme: auto").click()
    assert background(page) == "rgb(255, 255, 255)"
    assert background(visit("dark", color_scheme="light").page) == "rgb(21, 24, 28)"


def test_it_prints_on_white_without_its_tools(visit: Open) -> None:
    page = visit("six", color_scheme="dark").page
    page.emulate_media(media="print")
    assert background(page) == "rgb(255, 255, 255)"
    assert page.locator(".bar:visible, .tools:visible, .contents:visible, .anchor:visible").count() == 0
    assert page.pdf().startswith(b"%PDF")


def test_it_is_whole_without_a_script(visit: Open) -> None:
    page = visit("six", java_script_enabled=False).page
    assert len(read_column(page, "at-a-glance", 0)) == 6
    assert page.locator("button").count() == 0
    page.locator("#figure-cache-chart summary").click()
    assert page.locator("#cache-points").is_visible()


@pytest.mark.parametrize("name", ["six", "thirty", "hostile"])
def test_a_phone_shows_it_without_scrolling_sideways(visit: Open, name: str) -> None:
    page = visit(name, viewport={"width": 360, "height": 740}).page
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize(("name", "scheme"), [("compared", "light"), ("compared", "dark"), ("thirty", "light")])
def test_axe_finds_nothing_to_complain_of(visit: Open, name: str, scheme: str) -> None:
    page = visit(name, color_scheme=scheme, bypass_csp=True).page
    page.evaluate(AXE)
    assert page.evaluate(RUN_AXE, RULES) == []


def test_many_rows_can_be_searched_and_sorted(visit: Open) -> None:
    page = visit("thirty").page
    page.get_by_label("Show models with").fill("sliding gemma")
    assert page.get_by_role("status").inner_text() == "0 of 30 models"
    page.get_by_label("Show models with").fill("mistral")
    assert read_column(page, "ranked", 0) == ["Mixtral-8x7B-v0.1", "Mistral-7B-v0.1"]
    page.get_by_label("Show models with").fill("")
    page.get_by_label("Filter the rows of: 30 models").fill("mixtral")
    assert read_column(page, "ranked", 0) == ["Mixtral-8x7B-v0.1"]


def test_hostile_names_run_nothing(visit: Open) -> None:
    seen = visit("hostile")
    dialogs: list[str] = []
    seen.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    seen.page.mouse.move(200, 300)
    for button in seen.page.locator(".models button").all()[:4]:
        button.click()
    assert dialogs == []
    assert "<script>alert(1)</script>" in seen.page.locator("h1").inner_text()
    assert seen.page.locator("img, iframe, object, embed, link, base, form").count() == 0


def test_the_policy_would_stop_a_script_that_got_in(browser: Browser, pages: dict[str, Path]) -> None:
    seen = Visit(browser, pages["six"])
    seen.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hit = 1\">')")
    script = "Object.assign(document.createElement('script'), {text: 'window.hit = 1'})"
    seen.page.evaluate(f"document.body.append({script})")
    seen.page.wait_for_timeout(100)
    assert seen.page.evaluate("window.hit") is None
    assert any("Content Security Policy" in said for said in seen.said)
    seen.close()


def test_a_notebook_shows_a_comparison_in_a_frame(browser: Browser, tmp_path: Path) -> None:
    from zoo.report.notebook import Comparison

    shown = Comparison(make_view(make_rows(2)))._repr_html_()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body>{shown}<p id=after>after</p>", encoding="utf-8")
    seen = Visit(browser, path)
    frame = seen.page.frame_locator("iframe")
    assert "8.03 B" in frame.locator("#at-a-glance").inner_text()
    frame.locator("#at-a-glance thead button").nth(1).click()
    assert frame.locator("th[aria-sort=ascending]").count() == 1
    assert seen.page.locator("#after").is_visible()
    assert seen.said == []
    seen.close()
