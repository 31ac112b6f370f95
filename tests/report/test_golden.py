"""Components look as they were when someone looked at them (``python -m tests.report.golden`` renews them)."""

from __future__ import annotations

import pytest

from tests.report.golden import FOLDER, PIECES


@pytest.mark.parametrize("name", PIECES)
def test_a_component_is_as_it_was(name: str) -> None:
    assert PIECES[name]() == (FOLDER / name).read_text(encoding="utf-8")
