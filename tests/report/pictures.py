"""The pictures of the documentation: ``python -m tests.report.pictures`` draws them anew from the bundled snapshot."""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from tests.report.browser import Browser, Visit, open_browser

DOCS = Path(__file__).parents[2] / "docs"
MODELS = (
    "meta-llama/Llama-3.1-8B", "mistralai/Mistral-7B-v0.3", "Qwen/Qwen3-30B-A3B-Instruct-2507", "google/gemma-2-2b",
    "deepseek-ai/DeepSeek-V2", "openai/gpt-oss-120b",
)  # fmt: skip
#: Colours of a picture: few, so that the files stay small.
COLORS = 128


def take_page(browser: Browser, path: Path, name: str, scheme: str, start: str, height: int) -> None:
    """A picture of the page from the element ``start`` on."""
    size = {"width": 1180, "height": height}
    visit = Visit(browser, path, color_scheme=scheme, viewport=size)
    top = visit.page.locator(start).bounding_box()
    assert top is not None
    # From where it stands, so that what sticks to the top of the window does not cover it.
    clip = {"x": 0, "y": max(0, top["y"] - 24), "width": size["width"], "height": height}
    save_small(visit.page.screenshot(full_page=True, clip=clip), name)
    visit.close()


def take_sheet(pdf: bytes, name: str, text: str) -> None:
    """A picture of the first page of a PDF that has ``text`` on it."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    for page in document:
        if text in page.get_textpage().get_text_range():
            target = BytesIO()
            page.render(scale=1.6).to_pil().save(target, "PNG")
            save_small(target.getvalue(), name)
            return
    raise LookupError(text)


def save_small(png: bytes, name: str) -> None:
    from PIL import Image

    image = Image.open(BytesIO(png)).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    image.save(DOCS / name, optimize=True)


def main() -> None:
    import zoo
    from zoo.db.session import open_engine
    from zoo.db.store import DatabaseStore
    from zoo.report.notebook import find_writer
    from zoo.sources.snapshot import read_snapshot

    with tempfile.TemporaryDirectory() as folder, open_browser() as browser:
        db = f"{folder}/zoo.sqlite"
        DatabaseStore(open_engine(db, write=True)).save(list(read_snapshot()))
        few, many = zoo.compare(MODELS, db=db), zoo.compare("", all_models=True, db=db)
        page, ranked = few.save(f"{folder}/few.html"), many.save(f"{folder}/many.html")
        take_page(browser, page, "report.png", "light", ".masthead", 1000)
        take_page(browser, page, "report-dark.png", "dark", "#figure-cache-chart", 1150)
        take_page(browser, ranked, "report-many.png", "light", "#charts", 1000)
        take_sheet(find_writer("pdf")(few.view, None), "report-sheet.png", "One sheet a model")


if __name__ == "__main__":
    sys.exit(main())
