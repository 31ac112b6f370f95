"""What stands in a checkpoint for one quantised matrix [outputs, inputs], by method.

A layout turns the two sizes into pieces: elements by safetensors data type, the packed weights first. Shapes are those
that the tools write: GPTQ and AWQ (AutoGPTQ, AutoAWQ, GPTQModel), bitsandbytes, compressed-tensors, ModelOpt, the
fine-grained FP8 of DeepSeek-V3 and the MXFP4 of gpt-oss; each function names its tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

#: Bits of one element, by safetensors data type.
STORED_BITS = {
    "F64": 64,
    "I64": 64,
    "F32": 32,
    "I32": 32,
    "U32": 32,
    "BF16": 16,
    "F16": 16,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "I8": 8,
    "U8": 8,
}

#: The safetensors data type of weights that are not packed, by the name that zoo prints.
STORED_AS = {
    "float64": "F64",
    "float32": "F32",
    "bfloat16": "BF16",
    "float16": "F16",
    "float8": "F8_E4M3",
    "int8": "I8",
}


class Piece(NamedTuple):
    """Elements of one data type; ``packed`` are the weights themselves, the others serve to read them back.

    A ``scalar`` is a tensor of no dimension, which the Hub does not count.
    """

    dtype: str
    elements: int
    packed: bool = False
    scalar: bool = False


#: From (outputs, inputs) of one matrix to what is stored for it.
Layout = Callable[[int, int], tuple[Piece, ...]]


def divide_up(number: int, by: int) -> int:
    """``number / by``, rounded up."""
    return -(-number // by)


def gptq_layout(bits: int, group: int, scale: str = "F16") -> Layout:
    """qweight I32 [inputs x bits / 32, outputs], qzeros I32 [groups, outputs x bits / 32], scales [groups, outputs],
    g_idx I32 [inputs]; ``group`` -1 is one group for all inputs. A bias of zeros, which AutoGPTQ adds, is left out."""

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        groups = 1 if group == -1 else divide_up(inputs, group)
        return (
            Piece("I32", inputs * bits // 32 * outputs, True),
            Piece("I32", groups * (outputs * bits // 32)),
            Piece(scale, groups * outputs),
            Piece("I32", inputs),
        )

    return lay_out


def awq_layout(bits: int, group: int) -> Layout:
    """The "gemm" version: qweight I32 [inputs, outputs x bits / 32], qzeros I32 [groups, outputs x bits / 32],
    scales F16 [groups, outputs]."""

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        groups = 1 if group == -1 else divide_up(inputs, group)
        packed = outputs * bits // 32
        return (Piece("I32", inputs * packed, True), Piece("I32", groups * packed), Piece("F16", groups * outputs))

    return lay_out


def bnb_4bit_layout(double: bool) -> Layout:
    """weight U8 [n / 2, 1], absmax of each block of 64, quant_map F32 [16].

    absmax is F32; with ``double`` quantisation it is U8, with nested_absmax F32 for each 256 and nested_quant_map F32
    [256]. The text of ``quant_state`` (some 170 bytes a matrix, by the digits of a number in it) is left out.
    """

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        packed = Piece("U8", divide_up(outputs * inputs, 2), True)
        blocks = divide_up(outputs * inputs, 64)
        if not double:
            return packed, Piece("F32", blocks + 16)
        return packed, Piece("U8", blocks), Piece("F32", divide_up(blocks, 256) + 256 + 16)

    return lay_out


def bnb_8bit_layout(outputs: int, inputs: int) -> tuple[Piece, ...]:
    """weight I8 [outputs, inputs], SCB F32 [outputs], weight_format U8 (one byte)."""
    return Piece("I8", outputs * inputs, True), Piece("F32", outputs), Piece("U8", 1)


def scaled_layout(
    dtype: str, scale: str, block: tuple[int, int] | None, *, static_input: str | None = None, scalars: bool = False
) -> Layout:
    """One byte a weight, a scale of type ``scale`` for each ``block`` [outputs, inputs] of it, or one for all.

    ``static_input`` is the type of one more number, the scale of the activations. With ``scalars``, numbers that stand
    alone are tensors of no dimension.
    """

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        scales = 1 if block is None else divide_up(outputs, block[0]) * divide_up(inputs, block[1])
        pieces = (Piece(dtype, outputs * inputs, True), Piece(scale, scales, scalar=scalars and block is None))
        return (*pieces, Piece(static_input, 1, scalar=scalars)) if static_input else pieces

    return lay_out


def sharded_layout(shards: int, layout: Layout) -> Layout:
    """A matrix cut into ``shards`` along its outputs, each laid out for itself; whole where they do not divide."""

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        if outputs % shards:
            return layout(outputs, inputs)
        return tuple(piece._replace(elements=shards * piece.elements) for piece in layout(outputs // shards, inputs))

    return lay_out


def channel_layout(dtype: str, scale: str, *, symmetric: bool = True, static_input: str | None = None) -> Layout:
    """One byte a weight and a scale for each output; a zero point I8 for each when not ``symmetric``."""

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        pieces = [Piece(dtype, outputs * inputs, True), Piece(scale, outputs)]
        if not symmetric:
            pieces.append(Piece("I8", outputs))
        if static_input:
            pieces.append(Piece(static_input, 1))
        return tuple(pieces)

    return lay_out


def int_packed_layout(bits: int, group: int | None, scale: str, *, symmetric: bool, ordered: bool) -> Layout:
    """compressed-tensors "pack-quantized": weight_packed I32 [outputs, inputs x bits / 32], weight_scale [outputs,
    groups], weight_shape I64 [2]; weight_zero_point I32 [outputs x bits / 32, groups] unless ``symmetric``,
    weight_g_idx I32 [inputs] when ``ordered`` by activation. ``group`` None is one group for each output."""

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        groups = 1 if group is None else divide_up(inputs, group)
        pieces = [
            Piece("I32", outputs * divide_up(inputs * bits, 32), True),
            Piece(scale, outputs * groups),
            Piece("I64", 2),
        ]
        if not symmetric:
            pieces.append(Piece("I32", divide_up(outputs * bits, 32) * groups))
        if ordered:
            pieces.append(Piece("I32", inputs))
        return tuple(pieces)

    return lay_out


def fp4_layout(block: int, scale: str, globals_: int, *, scalars: bool = False, dtype: str = "U8") -> Layout:
    """Two weights a byte of ``dtype``, a scale of one byte for each ``block`` of inputs, and ``globals_`` F32 numbers.

    With ``scalars`` these are tensors of no dimension.

    NVFP4: blocks of 16, F8_E4M3 scales, a second scale for all and one for the activations. MXFP4: blocks of 32, scales
    that are powers of two (one byte).
    """

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        pieces = (Piece(dtype, outputs * divide_up(inputs, 2), True), Piece(scale, outputs * divide_up(inputs, block)))
        return (*pieces, Piece("F32", globals_, scalar=scalars)) if globals_ else pieces

    return lay_out
