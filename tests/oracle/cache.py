"""``python -m tests.oracle cache [TYPE … | --missing]``: what running models keep of earlier tokens, tensor by tensor.

For every type that generates, the first ``MODELS`` variations that are small enough are built with random weights and
run over each length in ``LENGTHS``; every tensor in the cache that comes back is written down with its shape, into
``tests/data/cache.jsonl.gz``. ``tests/metrics/test_cache.py`` holds the ledger against that, without torch.
"""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.oracle.build import build_to_run
from tests.oracle.check import built_by_transformers
from tests.oracle.vary import load_required, vary

TARGET = Path(__file__).parents[1] / "data" / "cache.jsonl.gz"
LENGTHS = (7, 64, 200)
#: Tokens of the source, where there is an encoder or its output is fed.
SOURCE = 50
MODELS = 3
TRIES = 25

#: Heads as wide as the sections of a rotary embedding for images add up to, in the sizes that variations draw freely.
WIDE = {"hidden_size": 256, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 128}
HALF_AS_WIDE = WIDE | {"head_dim": 64}
TURNED = {"head_dim": 16, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2, 2]}}
LATENT = {"qk_rope_head_dim": 8, "index_head_dim": 24, "num_attention_heads": 4, "num_key_value_heads": 4}
#: Settings without which a model of the type cannot run or stay small, laid over each variation.
RUN_WITH: dict[str, dict[str, Any]] = {
    "xlnet": {"bi_data": False},  # else it halves the batch, which is one
    "blenderbot": {"max_position_embeddings": 256},
    "codegen": {"rotary_dim": 4},
    "gptj": {"rotary_dim": 4, "vocab_size": 97},
    "olmo_hybrid": {"num_attention_heads": 4, "num_key_value_heads": 2},  # else heads of one element, which do not turn
    **dict.fromkeys(("qwen2_vl_text", "qwen2_5_vl_text", "glm4v_moe_text"), WIDE),
    **{
        name: {"text_config": WIDE} for name in ("qwen2_vl", "qwen2_5_vl", "qwen2_5_omni_thinker", "glm4v_moe", "glmga")
    },
    **dict.fromkeys(("glm4v_text", "glm_ocr_text"), HALF_AS_WIDE),
    **{name: {"text_config": HALF_AS_WIDE} for name in ("glm4v", "glm46v", "glm_ocr")},
    "mistral_large4_text": LATENT,
    "mistral_large4": {"text_config": LATENT},
    "inkling_mm_model": {
        "text_config": {"vocab_size": 97},
        "vision_config": {"model_type": "inkling_vision", "hidden_size": 16, "n_layers": 9, "patch_size": 4},
        "audio_config": {"model_type": "inkling_audio", "hidden_size": 16},
    },
    "pp_formulanet": {"text_config": {"max_position_embeddings": 256}},
    "blip": {"text_config": {"max_position_embeddings": 256}},
    "hunyuan_vl_text": TURNED,
    "hunyuan_vl": {"text_config": TURNED},
}
#: Types whose classes keep a cache only when asked to.
ASKED = ("evolla", "granite4_vision", "inkling_mm_model", "pix2struct")
#: Types whose text is decoded only with an image.
LOOKING = ("blip", "idefics", "kosmos-2", "pp_formulanet", "vision-encoder-decoder")
#: Runs beside the variations: what they do not come upon.
EXTRA: dict[str, tuple[dict[str, Any], ...]] = {
    "falcon": (
        {
            "model_type": "falcon",
            "new_decoder_architecture": True,
            "hidden_size": 64,
            "num_attention_heads": 8,
            "num_kv_heads": 2,
            "num_hidden_layers": 2,
            "vocab_size": 97,
        },
    ),
}

#: A tensor of the cache: layer (None where one tensor is of all layers), "self" or "cross", name, shape.
Held = tuple[int | None, str, str, tuple[int, ...]]


def generates(config: dict[str, Any]) -> bool:
    """Whether the ledger of ``config`` keeps anything of earlier tokens."""
    from zoo.arch import build_ledger
    from zoo.arch.config import UnsupportedError

    try:
        states = build_ledger(config).states
    except UnsupportedError:
        return False
    return any((s.per_token or s.fixed) and s.stack not in ("vision", "audio") for s in states)


def list_generative() -> list[str]:
    """The types whose natural class keeps something of earlier tokens."""
    required = load_required()
    return [n for n in sorted(built_by_transformers()) if generates({"model_type": n, **required.get(n, {})})]


def make_ids(config: Any, tokens: int) -> Any:
    """``tokens`` ordinary tokens: none that stands for an image, for padding or for an end."""
    import torch

    sections = (config, *(getattr(config, key, None) for key in config.sub_configs))
    special = {
        value
        for section in sections
        if section is not None
        for key, value in section.to_dict().items()
        if "token" in key and isinstance(value, int)
    }
    vocabulary = config.get_text_config(decoder=True).vocab_size
    plain = [number for number in range(4, vocabulary) if number not in special]
    return torch.tensor([[plain[(7 * n) % len(plain)] for n in range(tokens)]])


def as_pair(size: Any) -> tuple[int, int]:
    """Height and width of an image, which may be given as one."""
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return height, width


def make_image(model: Any, ids: Any, source: int) -> dict[str, Any]:
    """Text with the image that it asks for, or with what a tower would say of one."""
    import torch

    config, tokens = model.config, ids.shape[1]
    if config.model_type == "kosmos-2":
        count = min(tokens, config.latent_query_num)
        said = torch.zeros(1, count, config.text_config.embed_dim)
        return {
            "input_ids": ids,
            "image_embeds": said,
            "image_embeds_position_mask": torch.arange(tokens)[None] < count,
        }
    if config.model_type == "idefics":
        said = torch.zeros(1, 1, source, config.vision_config.embed_dim)
        return {"input_ids": ids, "image_encoder_embeddings": said, "image_attention_mask": torch.ones(1, tokens, 1)}
    tower = config.encoder if config.model_type == "vision-encoder-decoder" else config.vision_config
    image = torch.zeros(1, getattr(tower, "num_channels", 3), *as_pair(tower.image_size))
    return {"pixel_values": image, "decoder_input_ids" if config.is_encoder_decoder else "input_ids": ids}


def make_inputs(model: Any, tokens: int, source: int = SOURCE) -> dict[str, Any]:
    """What the model is fed: text; with an encoder its source; with cross-attention alone what an encoder would say."""
    import inspect

    import torch

    config, takes = model.config, inspect.signature(model.forward).parameters
    ids = make_ids(config, tokens)
    text = config.get_text_config(decoder=True)
    if config.is_encoder_decoder and "input_features" in takes:
        sound = torch.zeros(1, config.num_mel_bins, 2 * config.max_source_positions)
        return {"input_features": sound, "decoder_input_ids": ids}
    if "flattened_patches" in takes and config.is_encoder_decoder:
        width = model.encoder.embeddings.patch_projection.in_features + 2
        return {"flattened_patches": torch.ones(1, source, width), "decoder_input_ids": ids}
    if config.model_type in LOOKING:
        return make_image(model, ids, source)
    if config.is_encoder_decoder:
        return {"input_ids": make_ids(config, source), "decoder_input_ids": ids}
    if config.model_type == "mllama":
        return {"input_ids": ids, "cross_attention_states": torch.zeros(1, source, text.hidden_size)}
    if config.model_type == "trocr" or getattr(config, "add_cross_attention", False):
        width = getattr(config, "cross_attention_hidden_size", None) or text.hidden_size
        return {"input_ids": ids, "encoder_hidden_states": torch.zeros(1, source, width)}
    if config.model_type == "recurrent_gemma":  # gives no cache back, and fills the one it is given
        from transformers import DynamicCache

        return {"input_ids": ids, "past_key_values": DynamicCache(config=config)}
    return {"input_ids": ids}


def walk_tensors(value: Any, name: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Every floating-point tensor below ``value``, once, by the path to it."""
    import torch

    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, str | bytes | int | float | type):
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield name.strip("."), value
        return
    if isinstance(value, Mapping):
        below = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        below = [(str(number), item) for number, item in enumerate(value)]
    elif hasattr(value, "__dict__") and not isinstance(value, torch.nn.Module) and "config" not in type(value).__name__:
        below = [(key, item) for key, item in vars(value).items() if key != "config"]
    else:
        return
    for key, item in below:
        yield from walk_tensors(item, f"{name}.{key}", seen)


def sort_tensor(path: str, shape: tuple[int, ...]) -> Held:
    """Where a tensor belongs, by the path to it: the first number in the path is the layer."""
    words = path.split(".")
    number = next((word for word in words if word.isdigit()), None)
    side = "cross" if any(word.startswith("cross") for word in words) else "self"
    name = ".".join(word for word in words if word != "layers" and not word.endswith("_cache"))
    return (None if number is None else int(number)), side, name, shape


def measure_cache(model: Any, tokens: int) -> list[Held]:
    """The tensors that ``model`` keeps after ``tokens`` tokens."""
    import torch

    inputs = make_inputs(model, tokens)
    if model.config.model_type in ASKED:
        inputs["use_cache"] = True
    inside: list[Any] = []  # what a model within gave back, where the class does not hand it on

    def listen(_module: Any, _arguments: Any, answer: Any) -> None:
        inside.append(answer.get("past_key_values") if isinstance(answer, Mapping) else None)

    hooks = [module.register_forward_hook(listen) for module in model.modules()]
    with torch.no_grad():
        output = model(**inputs)
    for hook in hooks:
        hook.remove()
    found = (
        output.get("past_key_values"),
        inputs.get("past_key_values"),
        output.get("cache_params"),
        output.get("mems"),
        *inside,
    )
    kept = next((cache for cache in found if cache is not None), None)
    held = [sort_tensor(path, tuple(tensor.shape)) for path, tensor in walk_tensors(kept)]
    held += [(None, "self", "state", tuple(tensor.shape)) for tensor in output.get("state") or ()]  # of all layers
    for name, module in model.named_modules():  # RecurrentGemma keeps its recurrent states in the modules themselves
        for key, value in vars(module).items():
            if key.endswith(("_state", "_states")) and isinstance(value, torch.Tensor):
                held.append(sort_tensor(f"{name}.{key}", tuple(value.shape)))
    if not held:
        raise LookupError("the class keeps no cache")
    return held


def measure(config: dict[str, Any]) -> dict[str, Any]:
    """One line of the recording; raises what transformers raises."""
    model = build_to_run(config)
    kept = {str(tokens): measure_cache(model, tokens) for tokens in LENGTHS}
    return {"config": config, "class": type(model).__name__, "kept": kept}


def lay_over(config: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Put ``settings`` into ``config``, those of a section into the section."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            config[key] = {**(config.get(key) or {})}
            lay_over(config[key], value)
        else:
            config[key] = value


def vary_small(model_type: str, seed: int) -> dict[str, Any]:
    config = vary(model_type, 5000 + seed)
    config.pop("architectures", None)
    lay_over(config, RUN_WITH.get(model_type, {}))
    return config


def record_type(model_type: str) -> tuple[list[str], str]:
    """The lines of the first variations that run, and the last reason why one did not."""
    lines: list[str] = []
    reason = ""
    configs = [vary_small(model_type, seed) for seed in range(TRIES)]
    wanted = MODELS + len(EXTRA.get(model_type, ()))
    for config in (*EXTRA.get(model_type, ()), *filter(generates, configs)):
        try:
            lines.append(json.dumps(measure(config), separators=(",", ":"), sort_keys=True))
        except Exception as error:
            reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]:.150}"
        if len(lines) == wanted:
            break
    return lines, reason


def read_recorded() -> dict[str, list[str]]:
    """The lines recorded so far, by model type."""
    recorded: dict[str, list[str]] = {}
    if TARGET.exists():
        for line in gzip.decompress(TARGET.read_bytes()).decode().splitlines()[1:]:
            recorded.setdefault(json.loads(line)["config"]["model_type"], []).append(line)
    return recorded


def main(*arguments: str) -> int:
    """Record all types that generate anew, those named, or with ``--missing`` those that are not recorded.

    What could not be run is said, with the last reason.
    """
    import transformers

    warnings.simplefilter("ignore")
    recorded = read_recorded() if arguments else {}
    chosen = [name for name in list_generative() if name not in recorded]
    for model_type in chosen if arguments == ("--missing",) else arguments or chosen:
        recorded[model_type], reason = record_type(model_type)
        said = reason if len(recorded[model_type]) < MODELS else ""
        print(f"{model_type}: {len(recorded[model_type])} {said}", flush=True)
    lines = [json.dumps({"transformers": transformers.__version__})]
    lines += [line for name in sorted(recorded) for line in recorded[name]]
    TARGET.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    print(f"{TARGET.name}: {len(recorded)} types, {len(lines) - 1} models, {TARGET.stat().st_size:,} bytes")
    return 0
