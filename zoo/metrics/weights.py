"""Bytes of the weights, tensor by tensor: as stored, in a plain data type, or in a format that people quantise to.

A plain type (``bf16``, ``int4``) counts every parameter in it. A **format** is what tools write: which matrices they
pack, the scales beside them, and what they leave wide. Those of :data:`SETTINGS` are counted matrix by matrix by the
same rules as the model's own quantisation (:mod:`zoo.metrics.packing`); those of :data:`GGUF` are mixtures that differ
by tensor and layer, so they are counted at the bits a weight that llama.cpp measured on Llama-3.1-8B
(``tools/quantize/README.md``), which other models meet to about one percent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

from zoo.arch.ledger import Ledger
from zoo.arch.rows import Tensor
from zoo.errors import UsageError
from zoo.metrics.analysis import Analysis
from zoo.metrics.dtypes import BITS, count_bytes, name_dtype
from zoo.metrics.packing import choose_dtype, pack_tensors
from zoo.metrics.packing_methods import find_quantization, read_scheme
from zoo.metrics.packing_rules import NotWorkedOutError

#: What a tool would write into the config, by the name that zoo has for the format.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "fp8-blocks": {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"},
    "int8-channels": {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True},
                "input_activations": {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True},
            }
        },
        "ignore": ["lm_head"],
    },
    "awq-int4": {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True},
    "gptq-int4": {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True},
    "bnb-nf4": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "nvfp4-blocks": {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]},
}
#: Bits a weight of llama.cpp's mixtures, measured on Llama-3.1-8B.
GGUF: Mapping[str, Fraction] = {
    "gguf-q8_0": Fraction("8.5008"),
    "gguf-q6_k": Fraction("6.5633"),
    "gguf-q5_k_m": Fraction("5.7036"),
    "gguf-q4_k_m": Fraction("4.8944"),
    "gguf-q2_k": Fraction("3.1593"),
}
FORMATS = (*SETTINGS, *GGUF)
_HALVES = ("bfloat16", "float16")
#: Types in which matrices are multiplied, by format; weights of fewer bits that are not here are widened to 16 first.
_COMPUTED = {"fp8": "float8", "float8": "float8", "int8-channels": "int8", "int8": "int8", "float4": "float4"}


@dataclass(frozen=True, slots=True)
class Weights:
    """A format of the weights. ``size`` gives the bytes of the elements that a row of the ledger stores.

    ``computes`` is the type in which its matrices are multiplied: formats of weights alone (AWQ, GPTQ, NF4, GGUF,
    MXFP4) widen them to 16 bits. ``exact`` is false for what is counted at an average rate.
    """

    name: str
    computes: str
    size: Callable[[Tensor], int]
    exact: bool = True


def choose_weights(analysis: Analysis, wanted: str | None) -> Weights:
    """The format ``wanted`` of the weights of ``analysis``; None is what they are stored in.

    Raises:
        UsageError: nothing is derived for the model, or the format is not known, of it or at all.
    """
    ledger, packing = analysis.ledger, analysis.packing
    if ledger is None or packing is None:
        raise UsageError(f"the sizes of this model are not known: {analysis.reason}")
    word = (wanted or "").strip().lower()
    if wanted is None:
        if packing.bytes is None:
            why = f" ({packing.warnings[0]})" if packing.warnings else ""
            raise UsageError(f"the stored size of the weights is not known{why}: name one with --weights-dtype")
        name = packing.quantization or str(packing.dtype)
        if packing.quantization is None:
            return plain_weights(str(packing.dtype))
        return packed_weights(name, ledger.config.raw, ledger, packing.dtype)
    if word in GGUF:
        rate = GGUF[word]
        return Weights(word, "bfloat16", lambda row: ceil(row.stored * rate / 8), exact=False)
    if word in SETTINGS:
        wide = packing.dtype if packing.dtype in _HALVES else "bfloat16"
        return packed_weights(word, replace_quantization(ledger.config.raw, SETTINGS[word]), ledger, wide)
    dtype = name_dtype(word)
    if dtype is None:
        raise UsageError(f"unknown data type {wanted!r:.40}: use one of {', '.join((*BITS, *FORMATS))}")
    return plain_weights(dtype)


def plain_weights(dtype: str) -> Weights:
    """Every parameter in ``dtype``."""
    return Weights(dtype, name_computed(dtype), lambda row: count_bytes(row.stored, dtype))


def packed_weights(name: str, config: Mapping[str, Any], ledger: Ledger, dtype: str | None) -> Weights:
    """The format that the quantisation of ``config`` describes.

    Raises:
        UsageError: its layout is not worked out, or nothing says what is left wide.
    """
    found = find_quantization(config)
    try:
        _, stored, unsure = choose_dtype(config, ledger, dtype)
        if found is None or unsure:
            raise UsageError(f"the bytes of {name!r:.40} are not known: {unsure or 'no quantisation is described'}")
        scheme = read_scheme(found[0], config, stored)
    except NotWorkedOutError as error:
        raise UsageError(f"the bytes of {name!r:.40} are not worked out: {error}") from None
    text_only = found[1]

    def size(row: Tensor) -> int:
        return pack_tensors([row], scheme, ledger, stored, text_only).bytes

    return Weights(name, name_computed(name), size)


def replace_quantization(config: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` as a tool would write it that quantises its 16-bit weights by ``settings``."""
    changed = {key: value for key, value in config.items() if key not in ("compression_config", "quantization")}
    for key in ("text_config", "llm_config", "language_config"):
        inner = changed.get(key)
        if isinstance(inner, Mapping):
            changed[key] = {name: value for name, value in inner.items() if name != "quantization_config"}
    return {"dtype": "bfloat16"} | changed | {"quantization_config": dict(settings)}


def name_computed(name: str) -> str:
    """The type in which weights called ``name`` are multiplied."""
    if name in ("float64", "float32", "bfloat16", "float16"):
        return name
    if name.startswith(("fp8", "fbgemm-fp8")):
        return "float8"
    if name.startswith("nvfp4"):
        return "float4"
    return _COMPUTED.get(name, "bfloat16")
