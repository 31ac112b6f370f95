"""The page is tried in a real browser wherever there is one; ``make test`` brings one where it may."""

from __future__ import annotations

from tests.report.browser import find_chromium

collect_ignore = [] if find_chromium() else ["test_browser.py"]


def pytest_report_header() -> list[str]:
    return ["no Chromium on this machine: the page of the report is not tried in a browser"] if collect_ignore else []
