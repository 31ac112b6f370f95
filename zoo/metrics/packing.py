"""How many bytes the weights take as stored: the declared dtype, or what a quantisation method packs them into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.arch.ledger import Ledger
from zoo.metrics.dtypes import count_bytes
from zoo.metrics.sums import Params


@dataclass(frozen=True, slots=True)
class Packing:
    """Stored size of the weights. ``bytes`` is None where the method's layout is not known; ``warnings`` says so."""

    dtype: str | None
    bytes: int | None
    quantization: str | None = None
    warnings: tuple[str, ...] = ()


def pack_weights(config: Mapping[str, Any], ledger: Ledger, params: Params, dtype: str | None) -> Packing:
    """The stored size of all parameters of ``ledger``."""
    quantization = config.get("quantization_config")
    if not isinstance(quantization, Mapping):
        return Packing(dtype, None if dtype is None else count_bytes(params.total, dtype))
    method = str(quantization.get("quant_method") or quantization.get("quant_algo") or "unknown").lower()
    return Packing(dtype, None, method, (f"the bytes of quantisation {method!r:.40} are not worked out",))
