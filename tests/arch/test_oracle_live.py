"""Fresh random configs of every architecture, built by transformers now, where torch and transformers are installed.

On a machine without them this file has no tests: what transformers built is recorded, see ``test_oracle.py``.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.oracle.check import built_by_transformers, differences
from tests.oracle.vary import vary
from zoo.arch.config import UnsupportedError

INSTALLED = find_spec("torch") is not None and find_spec("transformers") is not None

if INSTALLED:

    @pytest.mark.oracle
    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("model_type", sorted(built_by_transformers()))
    def test_fresh_configs_are_counted_as_transformers_builds_them(model_type: str) -> None:
        from tests.oracle.build import describe

        built, lacking = 0, False
        for seed in range(12):
            config = vary(model_type, seed)
            try:
                said = describe(config)
            except ImportError:
                lacking = True  # a tower of timm's, where timm is not installed
                break
            except Exception:
                continue  # transformers refuses some of what chance makes up
            try:
                assert differences(config, said) == [], config
            except UnsupportedError:
                continue  # a key under another name, where the class reads it by two
            built += 1
            if built == 3:
                break
        assert built > 0 or lacking
