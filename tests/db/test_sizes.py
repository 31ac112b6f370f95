"""Sizes of models without their configs, and one config at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.db.session import open_engine
from zoo.db.sizes import SIZES, load_config, load_sizes
from zoo.errors import NoMatch


def test_sizes_of_all_or_of_some_models(snapshot_path: Path) -> None:
    with open_engine(str(snapshot_path)).connect() as connection:
        rows = load_sizes(connection)
        assert len(rows) > 400
        assert set(rows[0]) == set(SIZES)
        some = load_sizes(connection, "meta-llama/*")
        assert {row["repo_id"].split("/")[0] for row in some} == {"meta-llama"}
        with pytest.raises(NoMatch, match="no-such"):
            load_sizes(connection, "no-such-model")


def test_one_config_is_read_whatever_the_case(snapshot_path: Path) -> None:
    with open_engine(str(snapshot_path)).connect() as connection:
        assert load_config(connection, "OpenAI/GPT-OSS-20b")["num_hidden_layers"] == 24
        with pytest.raises(NoMatch):
            load_config(connection, "nobody/nothing")
