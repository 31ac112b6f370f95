"""A small soak: some hundreds of models under mixed faults, killed in between. The large one is ``make soak``."""

from __future__ import annotations

from pathlib import Path

from benchmarks.soak import run_soak


def test_a_soak_ends_with_exactly_what_a_calm_run_ends_with(tmp_path: Path) -> None:
    outcome = run_soak(tmp_path, 200, 2)
    assert outcome.differences == []
    assert outcome.fetched_twice == []
    assert outcome.faults_of_checks == []
    assert outcome.runs >= 3
    assert outcome.broken > 10
