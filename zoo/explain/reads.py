"""Which keys of a config are read: the config is handed to the analyzer in a form that remembers what is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from zoo.arch.config import UnsupportedError
from zoo.arch.ledger import Ledger, build_ledger
from zoo.metrics.analysis import analyze

#: ledger: tensors or caches follow from it; facts: it is described, or sets a size in bytes.
Use = Literal["ledger", "facts"]


class WatchedConfig(dict[str, Any]):
    """A config that notes the path of every key that is looked up, sections included."""

    def __init__(self, config: Mapping[str, Any], seen: set[str], path: str = "") -> None:
        super().__init__(
            {
                key: WatchedConfig(value, seen, f"{path}{key}.") if isinstance(value, Mapping) else value
                for key, value in config.items()
            }
        )
        self.seen, self.path = seen, path

    def _note(self, key: object) -> None:
        if super().__contains__(key):
            self.seen.add(f"{self.path}{key}")

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)


def find_uses(config: Mapping[str, Any]) -> dict[str, Use]:
    """The paths of all keys of ``config`` that zoo reads, and what for."""
    by_ledger: set[str] = set()
    try:
        build_ledger(WatchedConfig(config, by_ledger))
    except UnsupportedError:
        by_ledger.clear()  # what was read before it gave up counts nothing
        return {}
    by_any: set[str] = set()
    analyze(WatchedConfig(config, by_any))
    uses: dict[str, Use] = dict.fromkeys(by_any, "facts")
    return uses | dict.fromkeys(by_ledger, "ledger")


def find_defaults(ledger: Ledger) -> dict[str, Any]:
    """Keys that were looked up but are not in the config, with what the ``model_type`` declares (null: nothing)."""
    views = {view.path: view for view in (ledger.config, ledger.text)}
    found: dict[str, Any] = {}
    for path, origin in ledger.config.read.items():
        section, dot, key = path.rpartition(".")
        view = views.get(section + dot)
        if origin != "config" and view is not None and key not in view:
            found[path] = view.get(key)
    return dict(sorted(found.items()))
