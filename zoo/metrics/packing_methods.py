"""What each quantisation method does with a linear layer: leave it, or store it in which layout.

Read from the ``quantization_config`` alone, as the tools that write it mean it. Where two tools disagree, or the config
does not say enough, :class:`NotWorkedOutError` is raised: no layout is guessed. Sources: the quantizers and config
classes of transformers 5.23 (``quantizers/``, ``utils/quantization_config.py``, ``integrations/finegrained_fp8.py``),
the writers of AutoGPTQ, AutoAWQ and bitsandbytes, the compressors of compressed-tensors, the export of NVIDIA ModelOpt,
``mlx_lm.convert``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo.metrics.packing_groups import leave_alone, read_compressed_tensors
from zoo.metrics.packing_layouts import (
    Layout,
    Piece,
    awq_layout,
    bnb_4bit_layout,
    bnb_8bit_layout,
    channel_layout,
    fp4_layout,
    gptq_layout,
    scaled_layout,
    sharded_layout,
)
from zoo.metrics.packing_modelopt import read_modelopt
from zoo.metrics.packing_numbers import read_numbers
from zoo.metrics.packing_rules import NotWorkedOutError, read_rules
from zoo.metrics.packing_schemes import (
    TOWER_PARTS,
    UNPACKED_PARTS,
    Linear,
    Scheme,
    read_bits,
    read_block,
    read_group,
    skip_listed,
)


def find_quantization(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool] | None:
    """The object that describes the quantisation, and whether it is that of the text section alone."""
    for key in ("quantization_config", "compression_config", "quantization"):
        found = config.get(key)
        if isinstance(found, Mapping) and found:
            return found, False
    for section in ("text_config", "llm_config", "language_config"):
        inner = config.get(section)
        found = inner.get("quantization_config") if isinstance(inner, Mapping) else None
        if isinstance(found, Mapping) and found:
            return found, True
    return None


def name_method(quantization: Mapping[str, Any]) -> str:
    """The method in one word: ``quant_method``, else the producer's own field, else what the keys give away."""
    said = quantization.get("quant_method")
    if isinstance(said, str) and said:
        return said.lower().replace("_", "-")
    if isinstance(quantization.get("quant_algo"), str):
        return "modelopt"
    if set(quantization) >= {"bits", "group_size"}:
        return "mlx"
    return "unknown"


def read_scheme(quantization: Mapping[str, Any], config: Mapping[str, Any], stored: str) -> Scheme:
    """The scheme that ``quantization`` describes; ``stored`` is the safetensors type of what is not packed.

    Raises NotWorkedOutError for a method or a setting whose layout is not known.
    """
    method = name_method(quantization)
    if isinstance(quantization.get("quant_algo"), str):  # ModelOpt exports also under other methods' names
        beside = method == "fp8" and "weight_block_size" in quantization  # what it left of a checkpoint in FP8
        return read_modelopt(quantization, read_fp8(quantization, config).choose if beside else leave_alone)
    readers: dict[str, Callable[[], Scheme]] = {
        "gptq": lambda: read_gptq(quantization),
        "awq": lambda: read_awq(quantization),
        "bitsandbytes": lambda: read_bitsandbytes(quantization),
        "fp8": lambda: read_fp8(quantization, config),
        "fbgemm-fp8": lambda: read_fbgemm(quantization),
        "mxfp4": lambda: read_mxfp4(quantization),
        "compressed-tensors": lambda: leave_some(read_compressed_tensors(quantization, stored), config),
        "mlx": lambda: read_mlx(quantization, stored),
    }
    if method not in readers:
        raise NotWorkedOutError("its layout is not known")
    return readers[method]()


#: The type of what is not packed, for methods whose kernels take one alone (the same quantizers, ``update_dtype``).
_USUAL_DTYPES = {"mxfp4": "bfloat16", "fbgemm-fp8": "bfloat16", "gptq": "float16", "awq": "float16"}


def find_usual_dtype(config: Mapping[str, Any]) -> str | None:
    """The dtype of what is not packed in a quantised model whose config declares none; None where that is open."""
    found = find_quantization(config)
    return _USUAL_DTYPES.get(name_method(found[0])) if found else None


def read_gptq(q: Mapping[str, Any]) -> Scheme:
    """GPTQ (arXiv:2210.17323): the linear layers of the numbered layers; the head only with ``lm_head``.

    ``modules_in_block_to_quantize`` narrows it, ``dynamic`` with ``-:`` patterns leaves modules out. Formats: "gptq"
    and "gptq_v2", which are of one size. Layers that do not fill whole words of 32 bits stay as they are.
    """
    bits = read_bits(q, "bits", (2, 3, 4, 8))
    layout = gptq_layout(bits, read_group(q, "group_size", 128))
    if q.get("checkpoint_format") not in (None, "", "gptq", "gptq_v2") or q.get("is_marlin_format"):
        raise NotWorkedOutError(f"checkpoint_format is {q.get('checkpoint_format') or 'marlin'!r:.40}")
    dynamic = q.get("dynamic") or {}
    if not isinstance(dynamic, Mapping) or not all(str(key).startswith("-:") for key in dynamic):
        raise NotWorkedOutError("dynamic gives modules settings of their own")
    skipped = read_rules([f"re:{key[2:]}" for key in dynamic])
    inner = q.get("modules_in_block_to_quantize")
    chosen = read_rules(flatten_names(inner)) if inner else None

    def choose(linear: Linear) -> Layout | None:
        if linear.part == "head":
            return layout if q.get("lm_head") is True else None
        outside = not linear.in_layers or linear.part in (*UNPACKED_PARTS, *TOWER_PARTS)
        if outside or linear.inputs % 32 or linear.outputs % 32 or linear.is_in(skipped):
            return None
        return layout if chosen is None or linear.is_in(chosen) else None

    return Scheme(f"gptq-int{bits}", choose, skipped.numbers | chosen.numbers if chosen else skipped.numbers)


def flatten_names(nested: object) -> object:
    """The names of a list of lists of names; what is no list is returned as it is, to be refused where it is read."""
    if not isinstance(nested, list):
        return nested
    return [name for item in nested for name in (item if isinstance(item, list) else [item])]


def read_awq(q: Mapping[str, Any]) -> Scheme:
    """AWQ (arXiv:2306.00978), version "gemm": the linear layers of the text's numbered layers, but for those listed."""
    bits = read_bits(q, "bits", (4,), 4)
    if str(q.get("version") or "gemm").lower() != "gemm":
        raise NotWorkedOutError(f"version is {q.get('version')!r:.40}")
    layout = awq_layout(bits, read_group(q, "group_size", 128))
    rules = read_rules(q.get("modules_to_not_convert"))

    def choose(linear: Linear) -> Layout | None:
        outside = (
            not linear.in_layers or linear.part in UNPACKED_PARTS or linear.part in TOWER_PARTS or linear.part == "head"
        )
        return None if outside or linear.outputs % 8 or linear.is_in(rules) else layout

    return Scheme(f"awq-int{bits}", choose, rules.numbers)


def read_bitsandbytes(q: Mapping[str, Any]) -> Scheme:
    """bitsandbytes: NF4 or FP4 (arXiv:2305.14314), or LLM.int8 (arXiv:2208.07339), for all linear layers but the head
    or, where it is given, but those in ``llm_int8_skip_modules``."""
    if q.get("load_in_8bit") or q.get("_load_in_8bit"):
        name = "int8"
        layout: Layout = bnb_8bit_layout
    elif q.get("load_in_4bit") or q.get("_load_in_4bit"):
        name = str(q.get("bnb_4bit_quant_type") or "fp4")
        layout = bnb_4bit_layout(bool(q.get("bnb_4bit_use_double_quant")))
        if name not in ("nf4", "fp4"):
            raise NotWorkedOutError(f"bnb_4bit_quant_type is {name!r:.40}")
    else:
        raise NotWorkedOutError("it says neither 4 nor 8 bits")
    choose, rules = skip_listed(q.get("llm_int8_skip_modules"), layout)
    return Scheme(f"bitsandbytes-{name}", choose, rules.numbers)


#: What the checkpoints of a type leave as it is though nothing in them says so, by their stored counts: 23,169,335,296
#: elements of F8_E4M3 in DeepSeek-V4-Pro are all its other matrices; MiMo-V2-Flash has no scales for its output
#: projections; the 1,361,370,415,104 bytes of U8 in Kimi-K3 are its experts alone.
_LEFT_BY = {
    "deepseek_v4": (
        "compressor.kv_proj",
        "compressor.gate_proj",
        "indexer.kv_proj",
        "indexer.gate_proj",
        "weights_proj",
    ),
    "mimo_v2_flash": ("self_attn.o_proj",),
    "kimi_k3": ("routed_expert_down_proj", "routed_expert_up_proj", "_res_proj"),
}
#: MiMo-V2-Flash was quantised in as many shards: blocks of scales begin anew in each, and its keys of four heads of 192
#: have eight rows of them.
_MIMO_SHARDS = 4


def read_fp8(q: Mapping[str, Any], config: Mapping[str, Any]) -> Scheme:
    """Fine-grained FP8: a scale (``weight_scale_inv``) for each ``weight_block_size``, or one for each matrix.

    Scales are F32, also those rounded to powers of two (``scale_fmt`` "ue8m0") of DeepSeek-V3. DeepSeek-V4 stores them
    in one byte, with ``expert_dtype`` "fp4" its experts as MXFP4, and leaves its compressors as they are. ``static``
    activations have a scale each. The matrix that joins the two inputs of V3's next-token-prediction layer is not
    packed.
    """
    model_type = str(config.get("model_type"))
    fourth = model_type.startswith("deepseek_v4")
    block = read_block(q.get("weight_block_size"))
    static = "F32" if q.get("activation_scheme") == "static" else None
    scale = read_scale_type(q, config)
    layout = scaled_layout("F8_E4M3", scale, block, static_input=static)
    experts = fp4_layout(32, "F8_E8M0", 0, dtype="I8") if config.get("expert_dtype") == "fp4" else layout
    listed = q.get("modules_to_not_convert", q.get("ignored_layers"))
    choose_listed, rules = skip_listed(listed, layout)
    left = read_rules(_LEFT_BY.get(model_type))
    keys = sharded_layout(_MIMO_SHARDS, layout) if model_type == "mimo_v2_flash" else layout

    def choose(linear: Linear) -> Layout | None:
        joins = linear.extra and linear.part == "other" and not fourth
        if joins or choose_listed(linear) is None or linear.is_in(left):
            return None
        if linear.part == "experts":
            return experts
        return keys if linear.name.endswith("k_proj") else layout

    return Scheme("fp8", choose, rules.numbers)


def leave_some(scheme: Scheme, config: Mapping[str, Any]) -> Scheme:
    """``scheme``, but for what the checkpoints of this type leave as it is."""
    left = read_rules(_LEFT_BY.get(str(config.get("model_type"))))
    return scheme._replace(choose=lambda one: None if one.is_in(left) else scheme.choose(one)) if left.names else scheme


def read_scale_type(q: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    model_type = str(config.get("model_type"))
    if q.get("scale_fmt") != "ue8m0" or model_type.startswith(("deepseek_v3", "kimi_k2")):
        return "F32"
    if model_type.startswith("deepseek_v4"):
        return "F8_E8M0"
    raise NotWorkedOutError("the type of its ue8m0 scales is not known for this model type")


def read_fbgemm(q: Mapping[str, Any]) -> Scheme:
    """FBGEMM FP8: a scale F32 for each output; the head is never packed."""
    layout = channel_layout("F8_E4M3", "F32")
    choose_listed, rules = skip_listed(q.get("modules_to_not_convert"), layout)
    return Scheme("fbgemm-fp8", lambda one: None if one.part == "head" else choose_listed(one), rules.numbers)


def read_mxfp4(q: Mapping[str, Any]) -> Scheme:
    """MXFP4 as gpt-oss stores it (OCP Microscaling v1.0): the experts alone, ``_blocks`` and ``_scales`` U8."""
    layout = fp4_layout(32, "U8", 0)
    rules = read_rules(q.get("modules_to_not_convert"))

    def choose(linear: Linear) -> Layout | None:
        return layout if linear.part == "experts" and not linear.is_in(rules) else None

    return Scheme("mxfp4", choose, rules.numbers)


def read_mlx(q: Mapping[str, Any], stored: str) -> Scheme:
    """MLX's affine quantisation: linear layers, routers and lookup tables whose rows divide into whole groups.

    Each group has a scale and a bias in the model's own type. Entries named after a module hold its own settings, or
    false where it is left alone.
    """
    if q.get("mode") not in (None, "affine"):
        raise NotWorkedOutError(f"mode is {q.get('mode')!r:.40}")
    default = read_mlx_layout(q, stored)
    own: dict[str, tuple[Layout, int] | None] = {}
    for key, value in q.items():
        if "." in key or value is False:
            own[key] = read_mlx_layout(value, stored) if isinstance(value, Mapping) else None if not value else default

    def choose(linear: Linear) -> Layout | None:
        if linear.part in TOWER_PARTS:
            raise NotWorkedOutError("which parts of a tower MLX packs is not known")
        layout = own.get(linear.name, default)
        return None if layout is None or linear.inputs % layout[1] else layout[0]

    bits = read_bits(q, "bits", (2, 3, 4, 5, 6, 8))
    return Scheme(f"mlx-int{bits}", choose, read_numbers(own), tables=True)


def read_mlx_layout(q: Mapping[str, Any], stored: str) -> tuple[Layout, int]:
    bits, group = read_bits(q, "bits", (2, 3, 4, 5, 6, 8)), read_group(q, "group_size", 64)
    if group < 1:
        raise NotWorkedOutError(f"group_size is {group}")

    def lay_out(outputs: int, inputs: int) -> tuple[Piece, ...]:
        words = Piece("U32", outputs * inputs * bits // 32, True)
        return words, Piece(stored, 2 * outputs * (inputs // group))

    return lay_out, group
