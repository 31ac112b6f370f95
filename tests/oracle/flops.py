"""``python -m tests.oracle flops [TYPE …]``: FLOPs of small models, as torch counts them while they run.

Of every type that reads text, the models of ``SMALL``, else the first whose cache is recorded, else the first variation
that runs, is built with random weights and run once, with eager attention, over ``TOKENS`` tokens. What
``torch.utils.flop_counter`` sees is split by operation and by the module in which it happens, and written into
``tests/data/flops.jsonl.gz``. ``tests/metrics/test_flops.py`` holds the ledger against that, without torch.
"""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.oracle.build import build_to_run, fold
from tests.oracle.cache import TRIES, make_inputs, vary_small
from tests.oracle.cache import read_recorded as read_caches
from tests.oracle.check import built_by_transformers
from tests.oracle.flops_models import SMALL, TOKENS
from zoo.arch.ledger import Ledger
from zoo.arch.rows import State
from zoo.metrics.sums import TOWER_PARTS, TOWERS

TARGET = Path(__file__).parents[1] / "data" / "flops.jsonl.gz"

#: Types that read text and keep nothing of it.
ENCODERS = (
    *("albert", "bert", "bert-generation", "big_bird", "camembert", "clip_text_model", "convbert", "data2vec-text"),
    *(
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "esm",
        "esmc",
        "eurobert",
        "flaubert",
        "fnet",
        "funnel",
    ),
    *("gte", "ibert", "jina_embeddings_v3", "layoutlm", "longformer", "luke", "megatron-bert", "mobilebert"),
    *(
        "modernbert",
        "mra",
        "perceiver",
        "mpnet",
        "nomic_bert",
        "nystromformer",
        "openai-gpt",
        "reformer",
        "rembert",
        "roberta",
    ),
    *("roberta-prelayernorm", "roc_bert", "roformer", "squeezebert", "tapas", "ultrabert", "xlm", "xlm-roberta"),
    *("xlm-roberta-xl", "xmod", "yoso"),
)

#: Modules whose products are neither a weight times a token nor attention: positions.
ANGLES = "rotary_emb"
#: Modules in which products of two activations are a recurrence, beside attention in the same layer.
RECURRENT = ("mamba",)
BATCHED = ("bmm", "baddbmm")
#: Types whose classes do what the counter cannot follow where gradients are wanted.
DETACHED = ("dbrx", "deberta", "deberta-v2", "perceiver")


def list_types() -> list[str]:
    """The types that read text: those whose cache is recorded, and those that ``SMALL`` or ``ENCODERS`` name."""
    named = {config["model_type"] for config in SMALL} | set(ENCODERS) | set(read_caches())
    return sorted(named & set(built_by_transformers()))


def list_models(model_type: str) -> Iterator[dict[str, Any]]:
    """The configs to try for a type, and how many of them to keep."""
    caches = read_caches().get(model_type, ())
    yield from (json.loads(line)["config"] for line in caches)
    yield from (vary_small(model_type, seed) for seed in range(TRIES))


def find_recurrent(states: Iterable[State]) -> set[int]:
    """Layers that keep a state of fixed size and attend to nothing."""
    own = [s for s in states if s.stack not in TOWERS]
    attending = {layer for s in own if s.flops_per_pos for layer in s.layers or ()}
    return {layer for s in own if s.fixed for layer in s.layers or ()} - attending


def find_towers(ledger: Ledger) -> set[str]:
    """Modules, by their folded names, of which all that is inside sees images or hears: no part of the count.

    Where there is an encoder, sound is its source, and is counted.
    """
    parts = TOWER_PARTS - {"audio"} if any(s.stack == "encoder" for s in ledger.states) else TOWER_PARTS
    inside: dict[bool, set[str]] = {False: set(), True: set()}
    for tensor in ledger.tensors:
        words = fold(tensor.name).split(".")
        inside[tensor.stack in TOWERS or tensor.part in parts] |= {
            ".".join(words[:count]) for count in range(len(words))
        }
    return inside[True] - inside[False]


def sort_operation(module: str, operation: str, recurrent: set[int], *, dense: bool) -> str | None:
    """What an operation in ``module`` is part of; None for what is no part of the count."""
    if ANGLES in module:
        return None
    if operation == "convolution":
        return "conv"
    words = module.split(".")
    if operation not in BATCHED or dense or words[-2:-1] == ["layers"]:  # a layer itself mixes residual streams
        return "linear"
    if "experts" in module:
        return "linear" if "shared" in module else "experts"
    layer = next((int(word) for word in words if word.isdigit()), None)
    return "recurrent" if layer in recurrent or any(word in words for word in RECURRENT) else "attention"


def feed(model: Any) -> dict[str, Any]:
    """TOKENS tokens, as many of a source, and where some tokens may see all, one that does."""
    import torch

    inputs = make_inputs(model, TOKENS, TOKENS)
    if model.config.model_type in ("led", "longformer"):
        ids = inputs["input_ids"]
        inputs["global_attention_mask"] = torch.zeros_like(ids).index_fill(1, torch.tensor([0]), 1)
    return inputs


def measure(config: dict[str, Any]) -> dict[str, int]:
    """FLOPs of one pass over TOKENS tokens (as many of source and target, where there are both), by what they are."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from zoo.arch import build_ledger

    model = build_to_run(config)
    model.requires_grad_(config["model_type"] not in DETACHED)
    inputs = feed(model)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(**inputs)
    dense = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    return split_counts(counter.get_flop_counts(), type(model).__name__, build_ledger(config), dense)


def split_counts(counts: dict[str, dict[Any, int]], root: str, ledger: Ledger, dense: set[str]) -> dict[str, int]:
    """The counts of all modules by what they are: each module's own, without those of the modules in it."""
    names = [name for name in counts if name == root or name.startswith(f"{root}.")]
    own = {name: dict(counts[name]) for name in names}
    for name in names:
        around = max((other for other in own if name.startswith(f"{other}.")), key=len, default=None)
        if around is not None:
            for operation, flops in counts[name].items():
                own[around][operation] -= flops
    found: dict[str, int] = {}
    towers, recurrent = find_towers(ledger), find_recurrent(ledger.states)
    for name, operations in own.items():
        module = name[len(root) + 1 :]
        if fold(module) in towers:
            continue
        for operation, flops in operations.items():
            said = str(operation).removeprefix("aten.")
            kind = sort_operation(module, said, recurrent, dense=module in dense)
            if flops and kind:
                found[kind] = found.get(kind, 0) + flops
    return dict(sorted(found.items()))


def write_line(config: dict[str, Any]) -> str:
    return json.dumps({"config": config, "tokens": TOKENS, "flops": measure(config)}, separators=(",", ":"))


def record_type(model_type: str) -> tuple[list[str], str]:
    """The lines of a type, and the last reason why a model of it did not run."""
    small = [config for config in SMALL if config["model_type"] == model_type]
    lines: list[str] = []
    reason = ""
    for config in small or list_models(model_type):
        try:
            lines.append(write_line(config))
        except Exception as error:
            reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]:.150}"
        if lines and not small:
            break
    return lines, reason if len(lines) < max(len(small), 1) else ""


def read_recorded() -> dict[str, list[str]]:
    """The lines recorded so far, by model type."""
    recorded: dict[str, list[str]] = {}
    if TARGET.exists():
        for line in gzip.decompress(TARGET.read_bytes()).decode().splitlines()[1:]:
            recorded.setdefault(json.loads(line)["config"]["model_type"], []).append(line)
    return recorded


def main(*arguments: str) -> int:
    """Record all types anew, or those named. What could not be run is said, with the last reason."""
    import transformers

    warnings.simplefilter("ignore")
    recorded = read_recorded() if arguments else {}
    for model_type in arguments or list_types():
        recorded[model_type], reason = record_type(model_type)
        print(f"{model_type}: {len(recorded[model_type])} {reason}", flush=True)
    lines = [json.dumps({"transformers": transformers.__version__})]
    lines += [line for name in sorted(recorded) for line in recorded[name]]
    TARGET.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    print(f"{TARGET.name}: {len(recorded)} types, {len(lines) - 1} models, {TARGET.stat().st_size:,} bytes")
    return 0
