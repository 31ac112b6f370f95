"""A config on its way into the database: its one spelling, the hash of that, and what its analysis follows from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from zoo.config_text import canonical_json, hash_canonical, parse_config
from zoo.db.derive import Derived, derive_core, pack_core


class SpelledConfig(Mapping[str, Any]):
    """A config by its canonical ``text``; a mapping like any other, which is read from the text when it is looked at.

    ``core_name`` names what the analysis follows from: equal names, equal analysis. ``core`` is that itself and
    ``derived`` the analysis, each where it is at hand.
    """

    __slots__ = ("_config", "core", "core_name", "derived", "sha256", "text")

    def __init__(
        self,
        sha256: str,
        text: str,
        core_name: bytes = b"",
        core: bytes | None = None,
        derived: Derived | None = None,
    ) -> None:
        self.sha256, self.text = sha256, text
        self.core_name, self.core, self.derived = core_name, core, derived
        self._config: Mapping[str, Any] | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """The config itself."""
        if self._config is None:
            self._config = parse_config(self.text, source="config")
        return self._config

    def name_core(self) -> bytes:
        """:attr:`core_name`, worked out where it is not at hand."""
        if not self.core_name:
            self.core = pack_core(self.config)
            self.core_name = blake2b(self.core, digest_size=16).digest()
        return self.core_name

    def derive(self) -> Derived:
        """The analysis, worked out where it is not at hand."""
        if self.derived is None:
            self.derived = derive_core(self.core if self.core is not None else pack_core(self.config))
        return self.derived

    def __getitem__(self, key: str) -> Any:
        return self.config[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.config)

    def __len__(self) -> int:
        return len(self.config)


def spell_config(config: Mapping[str, Any]) -> SpelledConfig:
    """``config`` as it is stored.

    Raises:
        BadInput: it holds a value that JSON has no form for.
    """
    if isinstance(config, SpelledConfig):
        return config
    text = canonical_json(config)
    spelled = SpelledConfig(hash_canonical(text), text)
    if text.isascii() or "\ufffd" not in text:  # else characters may have been replaced: what is stored is analysed
        spelled._config = config
    return spelled
