"""What checkpoints may hold besides the parameters: buffers that early versions saved, copies of tied tensors, heads.

Each is a name and a number of elements, worked out from the ledger. None counts as a parameter; they explain why a
stored total can differ from the derived one.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from zoo.arch.ledger import Ledger, build_ledger
from zoo.arch.rows import Tensor
from zoo.metrics.facts import read_dim
from zoo.metrics.packing import pack_weights
from zoo.metrics.sums import sum_params

#: Types whose classes once saved a causal mask [context, context] in every layer.
MASKED_TYPES = ("gpt2", "openai-gpt", "gpt_neo", "gpt_neox", "gptj", "codegen", "decision_transformer", "imagegpt")
#: Types whose checkpoints hold layers that predict further tokens though their config does not say so, the key that
#: would, and how many they are.
UNSAID_MTP = {
    "qwen3_next": ("mtp_num_hidden_layers", 1),
    "ernie4_5_moe": ("num_nextn_predict_layers", 1),
    "glm4_moe_lite": ("num_nextn_predict_layers", 1),
    "mimo_v2_flash": ("num_nextn_predict_layers", 3),
}
#: Learned positions of packed patches in the code beside PaddleOCR-VL's weights.
PACKED_POSITIONS = 32_768
#: What a layer that reads the keys and values of another does without.
UNREAD = ("k_proj.weight", "k_proj.bias", "v_proj.weight", "v_proj.bias", "k_norm.weight")
#: Keys that say what part of a head is rotated.
_ROTARY_SHARES = ("partial_rotary_factor", "rotary_pct")


def list_extras(ledger: Ledger) -> dict[str, int]:
    """Elements by name, none of them zero."""
    found = [
        *list_copies(ledger),
        *list_mtp(ledger),
        *list_unread(ledger),
        *list_buffers(ledger),
        *list_rotary(ledger),
        *list_masks(ledger),
        *list_positions(ledger),
        *list_heads(ledger),
    ]
    return {name: elements for name, elements in found if elements > 0}


def list_copies(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Tied tensors, where they are stored a second time."""
    for tensor in ledger.parameters:
        if tensor.tied_to:
            yield f"{tensor.name}, tied to {tensor.tied_to} and stored as well", tensor.elements


def list_mtp(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Layers that predict further tokens where the config does not say so, and other ways to store them.

    They may be stored without the biases that balance their routers; and they repeat the input embedding and the head.
    """
    rows = [tensor for tensor in ledger.tensors if tensor.role == "mtp"]
    key, count = UNSAID_MTP.get(ledger.architecture.model_type, ("", 0))
    if key and not rows and key not in ledger.config.raw:
        said = {**ledger.config.raw, key: count}
        whole = build_ledger(said)
        rows = [tensor for tensor in whole.tensors if tensor.role == "mtp"]
        unsaid = "next-token-prediction (MTP) layers, of which the config says nothing"
        elements = sum(tensor.stored for tensor in rows)
        scales = pack_weights(said, whole, sum_params(whole), None).mtp_scale_elements
        yield unsaid, elements
        if scales:
            yield f"{unsaid}, with their scales", elements + scales
    biases = sum(tensor.stored for tensor in rows if tensor.name.endswith("e_score_correction_bias"))
    if biases:
        rest = sum(tensor.stored for tensor in rows) - biases
        yield "next-token-prediction (MTP) layers without the biases that balance their routers", rest
    layers = {layer for tensor in rows for layer in tensor.layers or (0,)}
    table = find_table(ledger)
    if layers and table:
        yield "copies of the output head in the next-token-prediction layers", len(layers) * table.elements
        yield "copies of the input embedding in the next-token-prediction layers", len(layers) * table.elements


def list_unread(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Keys and values of layers that read those of a lower layer instead (Gemma 3n and 4): checkpoints hold them."""
    found = 0
    for queries in ledger.parameters:
        before, named, _ = queries.name.rpartition("q_proj.weight")
        if not named or queries.layers is None:
            continue
        for tensor in ledger.parameters:
            last = tensor.name.removeprefix(before)
            if last in UNREAD and tensor.layers is not None and set(tensor.layers) < set(queries.layers):
                found += prod(tensor.shape) * (len(queries.layers) - len(tensor.layers))
    yield "keys and values of layers that read those of lower layers", found


def list_buffers(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Buffers as the Hub counts them, which passes over tensors of no dimension."""
    buffers = [tensor for tensor in ledger.tensors if tensor.role == "buffer"]
    if not all(tensor.shape for tensor in buffers):
        yield "buffers that have a dimension", sum(tensor.stored for tensor in buffers if tensor.shape)


def find_table(ledger: Ledger) -> Tensor | None:
    """The input embedding of the text."""
    return next((t for t in ledger.parameters if t.part == "embedding" and t.op == "lookup" and not t.tied_to), None)


def list_rotary(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Rotary frequencies (``inv_freq``), half the rotated width, in every layer.

    Latent attention rotates less than a head; some of its checkpoints (Moonlight, Kimi-K2) hold frequencies for the
    whole of hidden size / heads all the same.
    """
    layers, width = read_dim(ledger.text, "layers"), find_rotated(ledger)
    hidden, heads = read_dim(ledger.text, "hidden"), read_dim(ledger.text, "heads")
    if ledger.text_architecture.position == "rope" and layers and width:
        yield "rotary frequencies (inv_freq) in every layer", layers * (width // 2)
        if any(state.latent for state in ledger.states) and hidden and heads:
            yield "rotary frequencies (inv_freq) of hidden size / heads in every layer", layers * (hidden // heads // 2)


def find_rotated(ledger: Ledger) -> int:
    """How much of a head is rotated; 0 where it cannot be told."""
    c = ledger.text
    latent = c.get("qk_rope_head_dim")
    if type(latent) is int:
        return latent
    explicit = c.get("rotary_dim")
    if type(explicit) is int:
        return explicit
    head_dim = read_dim(ledger.text, "head_dim") or 0
    holders = (c.get("rope_parameters"), c.get("rope_scaling"))
    shares = [c.get(key) for key in _ROTARY_SHARES]
    shares += [one.get(key) for one in holders if isinstance(one, dict) for key in _ROTARY_SHARES]
    share = next((s for s in shares if isinstance(s, int | float) and not isinstance(s, bool) and 0 < s <= 1), 1)
    return int(head_dim * share)


def list_masks(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Causal masks [1, 1, context, context] and the numbers that mask with them, in every layer."""
    layers, context = read_dim(ledger.text, "layers"), read_dim(ledger.text, "context")
    if ledger.architecture.model_type in MASKED_TYPES and layers and context:
        yield "causal masks in every layer", layers * context * context
        yield "causal masks in every second layer", layers // 2 * context * context
        yield "masking values (masked_bias) in every layer", layers


def list_positions(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Position ids 0, 1, 2, … beside each table of learned positions."""
    for tensor in ledger.parameters:
        if tensor.op == "lookup" and "position" in tensor.name and len(tensor.shape) == 2:
            yield f"position ids of {tensor.name.removesuffix('.weight')}", tensor.shape[0]


def list_heads(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """Parts of pretraining that the named class does not have but that its checkpoints keep."""
    hidden, heads = read_dim(ledger.text, "hidden"), read_dim(ledger.text, "heads")
    names = {tensor.name for tensor in ledger.parameters}
    if ledger.architecture.model_type == "bert" and hidden:
        if not any(".pooler." in name or name.startswith("pooler.") for name in names):
            yield "the pooler", hidden * hidden + hidden
        yield "the next-sentence head", 2 * hidden + 2
    yield from list_paddle(ledger)
    buckets = ledger.text.get("relative_attention_num_buckets")
    if ledger.architecture.model_type == "t5" and heads and type(buckets) is int:
        yield "a relative position table in the first cross-attention", buckets * heads


def list_paddle(ledger: Ledger) -> Iterator[tuple[str, int]]:
    """What the tower of PaddleOCR-VL's own code has besides: SigLIP's pooling head and positions of packed patches."""
    width = next((t.shape[0] for t in ledger.parameters if t.name.endswith("patch_embedding.weight")), 0)
    inner = next((t.shape[0] for t in ledger.parameters if t.part == "vision" and t.name.endswith("fc1.weight")), 0)
    if ledger.architecture.model_type == "paddleocr_vl":
        attention = 4 * width * width + 4 * width
        pooling = width + attention + 2 * width + 2 * width * inner + inner + width
        yield "the pooling head of the tower", pooling
        yield "positions of packed patches", PACKED_POSITIONS * width
