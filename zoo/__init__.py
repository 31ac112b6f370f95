"""zoo: exact facts about models of the Hugging Face Hub, from their ``config.json`` alone.

>>> import zoo
>>> zoo.analyze({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}).params.total
6738415616
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.metrics.analysis import Analysis, analyze

__version__ = "0.1.0"
__all__ = ["Analysis", "__version__", "analyze"]


def __getattr__(name: str) -> Any:
    if name in {"analyze", "Analysis"}:
        from zoo.metrics import analysis

        return getattr(analysis, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
