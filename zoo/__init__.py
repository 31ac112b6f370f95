"""zoo: exact facts about models of the Hugging Face Hub, from their ``config.json`` alone.

>>> import zoo
>>> zoo.analyze({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}).params.total
6738415616
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.frames import load, query
    from zoo.metrics.analysis import Analysis, analyze
    from zoo.report.notebook import Comparison, compare

__version__ = "0.1.0"
__all__ = ["Analysis", "Comparison", "__version__", "analyze", "compare", "load", "query"]

#: Where the names above are, imported when they are asked for: pandas and the database are not needed to count.
_HOMES = {
    "analyze": "zoo.metrics.analysis",
    "Analysis": "zoo.metrics.analysis",
    "compare": "zoo.report.notebook",
    "Comparison": "zoo.report.notebook",
    "load": "zoo.frames",
    "query": "zoo.frames",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
