"""Data types: what configs and people call them, and how many bits an element takes."""

from __future__ import annotations

from zoo.errors import UsageError

#: Bits of one element, by the name that zoo prints.
BITS = {
    "float64": 64,
    "float32": 32,
    "bfloat16": 16,
    "float16": 16,
    "float8": 8,
    "int8": 8,
    "float4": 4,
    "int4": 4,
}

#: Other spellings, as configs, engines and people write them.
_ALIASES = {
    "fp64": "float64",
    "double": "float64",
    "fp32": "float32",
    "f32": "float32",
    "float": "float32",
    "bf16": "bfloat16",
    "fp16": "float16",
    "f16": "float16",
    "half": "float16",
    "fp8": "float8",
    "f8": "float8",
    "float8_e4m3fn": "float8",
    "float8_e5m2": "float8",
    "fp8_e4m3": "float8",
    "fp8_e5m2": "float8",
    "f8_e4m3": "float8",
    "f8_e5m2": "float8",
    "q8": "int8",
    "i8": "int8",
    "u8": "int8",
    "uint8": "int8",
    "fp4": "float4",
    "nvfp4": "float4",
    "mxfp4": "float4",
    "q4": "int4",
}


def name_dtype(text: str) -> str | None:
    """The name zoo prints for ``text`` ("torch.bfloat16", "bf16", "BF16"), or None for one it does not know."""
    word = text.strip().lower().removeprefix("torch.")
    word = _ALIASES.get(word, word)
    return word if word in BITS else None


def require_dtype(text: str) -> str:
    """Like :func:`name_dtype`; raises UsageError for an unknown name."""
    name = name_dtype(text)
    if name is None:
        raise UsageError(f"unknown data type {text!r}: use one of {', '.join(BITS)} (or bf16, fp16, fp8, …)")
    return name


def count_bytes(elements: int, dtype: str) -> int:
    """Bytes of ``elements`` in ``dtype``, rounded up to a whole byte."""
    return (elements * BITS[dtype] + 7) // 8
