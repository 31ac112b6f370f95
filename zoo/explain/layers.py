"""What a model is made of, as a drawing: its modules in order, one layer of each kind, and what a layer keeps.

Drawn from the ledger, so that it holds for every architecture. Sizes are in the letters of :mod:`zoo.explain.symbols`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from zoo.arch.ledger import Ledger
from zoo.arch.rows import State
from zoo.explain.arithmetic import Group, group_tensors
from zoo.explain.symbols import Namer, join_factors
from zoo.metrics.document import name_layers

#: The usual modules of a layer in the order in which a token meets them. A layer that has another is left as declared.
FLOW = {
    "input_layernorm": 0, "ln_1": 0, "operator_norm": 0, "pre_attention_layernorm": 0, "layer_norm1": 0, "attn_norm": 0,
    "attention_norm": 0, "temporal_pre_norm": 0, "pre_attn_norm": 0,
    "temporal_block": 1,
    "self_attn": 1, "attn": 1, "linear_attn": 1, "attention": 1, "mamba": 1, "conv": 1, "short_conv": 1,
    "post_attention_layernorm": 2, "ln_2": 2, "ffn_norm": 2, "layer_norm2": 2, "post_attn_norm": 2,
    "pre_feedforward_layernorm": 3, "pre_mlp_layernorm": 3, "pre_ff_layernorm": 3, "mlp_norm": 3, "channel_pre_norm": 3,
    "pre_moe_norm": 3,
    "mlp": 4, "block_sparse_moe": 4, "feed_forward": 4, "mlp_block": 4, "moe_block": 4,
    "post_feedforward_layernorm": 5, "post_mlp_layernorm": 5, "post_moe_norm": 5,
}  # fmt: skip
WIDTH = 112
#: What each kind of state stands for.
MIXERS = {
    "full": "full attention",
    "sliding": "sliding-window attention",
    "chunked": "chunked attention",
    "linear": "linear attention",
    "ssm": "a state space",
    "conv": "a short convolution",
    "cross": "cross attention",
}


@dataclass(slots=True)
class Module:
    """A module by its name: the tensors in it, each as its own name and its sides in letters."""

    name: str
    parts: set[str] = field(default_factory=set)
    tensors: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Layer:
    """A kind of layer: which layers are of it, their modules, and what each keeps for a sequence."""

    layers: str
    count: int
    modules: list[Module]
    keeps: list[str]
    mixers: list[str]  #: what it does with other tokens, in words
    stack: str  #: "decoder" (also the only stack), "encoder", "vision", "audio"


@dataclass(slots=True)
class Stack:
    """Numbered layers below one name."""

    name: str
    kinds: list[Layer]


def draw_model(ledger: Ledger) -> list[Module | Stack]:
    """The modules of ``ledger`` in their order; numbered layers as one :class:`Stack` with a layer of each kind."""
    namer = Namer(ledger)
    stacks: dict[str, list[Group]] = {}
    drawn: dict[str, Module | list[Group]] = {}
    for group in group_tensors(ledger.parameters):
        stack, numbered, _ = group.name.partition(".{}.")
        if numbered and group.layers:
            stacks.setdefault(stack, []).append(group)
            drawn.setdefault(stack, stacks[stack])
        else:  # no name of a stack has a space in it
            name, tensor = split_name(group.name, deep=True)
            module = drawn.setdefault(f"module {name}", Module(name))
            assert isinstance(module, Module)
            add_tensor(module, namer, group, tensor)
    states = assign_states(ledger, stacks)
    return [
        item if isinstance(item, Module) else Stack(name, list_kinds(namer, name, item, states[name]))
        for name, item in drawn.items()
    ]


def assign_states(ledger: Ledger, stacks: Mapping[str, Sequence[Group]]) -> dict[str, list[State]]:
    """The states of the layers of each stack.

    A state that stands in all layers of its stack holds the same list of layers as the tensors there. Others are of
    the stack of the state before, or of the first after it that has these layers.
    """
    layers = {name: {n for group in groups for n in group.layers} for name, groups in stacks.items()}
    reader = {name: groups[0].tensor.stack for name, groups in stacks.items()}
    prefixes = {id(t.layers): t.name.partition(".{}.")[0] for t in ledger.parameters if t.layers}
    assigned: dict[str, list[State]] = {name: [] for name in stacks}
    names, at = list(stacks), 0
    for state in ledger.states:
        fits = [
            name
            for name in (*names[at:], *names[:at])
            if state.layers and set(state.layers) <= layers[name] and reader[name] in (state.stack, "decoder")
        ]
        if fits:
            shared = prefixes.get(id(state.layers))
            name = shared if shared in fits else fits[0]
            at = names.index(name)
            assigned[name].append(state)
    return assigned


def list_kinds(namer: Namer, stack: str, groups: Sequence[Group], own: Sequence[State]) -> list[Layer]:
    """The kinds of layer among ``groups``, with the states of each."""
    having: dict[int, list[int]] = {}
    for index, group in enumerate(groups):
        for layer in dict.fromkeys(group.layers):
            having.setdefault(layer, []).append(index)
    kinds: dict[tuple[tuple[int, ...], tuple[int, ...]], list[int]] = {}
    for layer, indices in sorted(having.items()):
        kept = tuple(number for number, state in enumerate(own) if layer in (state.layers or ()))
        kinds.setdefault((tuple(indices), kept), []).append(layer)
    return [
        Layer(
            mixers=list_mixers([own[number] for number in kept]),
            layers=name_layers(layers) or "",
            count=len(layers),
            modules=list_modules(namer, f"{stack}.{{}}.", [groups[index] for index in indices]),
            keeps=[text for number in kept if (text := describe_state(own[number]))],
            stack=groups[0].tensor.stack,
        )
        for (indices, kept), layers in kinds.items()
    ]


def list_modules(namer: Namer, prefix: str, groups: Iterable[Group]) -> list[Module]:
    """The modules of one layer, in the order of :data:`FLOW` where it has them all."""
    modules: dict[str, Module] = {}
    for group in groups:
        name, tensor = split_name(group.name.removeprefix(prefix))
        add_tensor(modules.setdefault(name, Module(name)), namer, group, tensor)
    found = list(modules.values())
    return sorted(found, key=lambda m: FLOW[m.name]) if modules.keys() <= FLOW.keys() else found


def split_name(name: str, *, deep: bool = False) -> tuple[str, str]:
    """Module and tensor: of a layer by the first dot, outside of it (``deep``) by the last before the tensor's own."""
    whole = name.removesuffix(".weight")
    if deep:
        module, _, last = whole.rpartition(".")
        return (whole, "") if whole != name or not module else (module, last)
    module, _, inner = whole.partition(".")
    return module, inner


def add_tensor(module: Module, namer: Namer, group: Group, name: str) -> None:
    """The tensor of ``group``; the bias of one that is there already is told with it."""
    module.parts.add(group.tensor.part)
    weight = name.removesuffix("bias").removesuffix(".")
    if module.tensors and name != weight and module.tensors[-1][0] == weight:
        module.tensors[-1] = (weight, f"{module.tensors[-1][1]} + bias")
        return
    sides = [join_factors(side).text if side else "1" for side in namer.name_sides(group.tensor)]
    if group.tensor.copies > 1:
        sides.insert(0, namer.name_copies(group.tensor).text)
    shape = " × ".join(sides) or "1"
    tied = group.tensor.tied_to
    shared = "" if tied is None else " (shared)" if group.layers else f" = {tied}"
    module.tensors.append((name, shape + shared))


def describe_state(state: State) -> str:
    """What one layer keeps, in elements; empty for one that keeps nothing."""
    said = []
    if state.per_token:
        said.append(f"{state.per_token:,} elements a token")
        if state.window is not None:
            said.append(f"{state.window:,} tokens at most")
    if state.fixed:
        said.append(f"{state.fixed:,} elements a sequence")
    return f"{'latent' if state.latent else state.kind}: {', '.join(said)}" if said else ""


def list_mixers(states: Iterable[State]) -> list[str]:
    """How a layer with these states mixes tokens, in words, each once."""
    return list(dict.fromkeys("latent attention" if s.latent else MIXERS[s.kind] for s in states))


def describe_model(ledger: Ledger) -> str:
    """One sentence: the stacks, and what their layers are made of."""
    stacks = [item for item in draw_model(ledger) if isinstance(item, Stack)]
    return "; ".join(describe_stack(stack, ledger) for stack in stacks)


def describe_stack(stack: Stack, ledger: Ledger) -> str:
    """The layers of a stack in words: how many of each kind, how they mix tokens, and what they feed them to."""
    said: dict[str, int] = {}
    for kind in stack.kinds:
        words = join_words([*kind.mixers, *describe_parts(kind, ledger)])
        said[words] = said.get(words, 0) + kind.count
    place = {"encoder": "encoder ", "vision": "vision ", "audio": "audio "}.get(stack.kinds[0].stack, "")
    whole = sum(said.values())
    layers = f"{whole} {place}layer{'s' if whole > 1 else ''}"
    if len(said) == 1:
        return f"{layers}{next(iter(said))}"
    return f"{layers} ({'; '.join(f'{count}{words}' for words, count in said.items())})"


def describe_parts(kind: Layer, ledger: Ledger) -> list[str]:
    """The feed-forward parts of a layer."""
    parts = {part for module in kind.modules for part in module.parts}
    words = []
    if "attention" in parts and not kind.mixers:
        words.append("attention")
    if "recurrent" in parts and not set(kind.mixers) - {MIXERS["cross"]}:
        words.append("recurrence")
    if "mlp" in parts:
        words.append("an MLP")
    if "experts" in parts:
        c = ledger.text
        words.append(f"{c.experts:,} experts of which a token takes {c.experts_per_token}")
    if "shared_experts" in parts:
        words.append("a shared expert")
    return words


def join_words(words: Sequence[str]) -> str:
    """ " of a, b and c"; nothing for no words."""
    if not words:
        return ""
    return f" of {words[0]}" if len(words) == 1 else f" of {', '.join(words[:-1])} and {words[-1]}"


def write_drawing(drawn: Iterable[Module | Stack], width: int = WIDTH) -> str:
    """The drawing as text in a fixed pitch, wrapped to ``width`` columns as far as names allow."""
    lines: list[str] = []
    for item in drawn:
        if isinstance(item, Module):
            lines += write_module(item, "", width)
            continue
        for kind in item.kinds:
            number = f"layer {kind.layers}" if kind.count == 1 else f"{kind.count} layers: {kind.layers}"
            lines.append(f"┌─ {item.name}, {shorten(number, width)}")
            for module in kind.modules:
                lines += write_module(module, "│  ", width)
            lines += [f"│  keeps {text}" for text in kind.keeps]
            lines.append("└─")
    return "\n".join(lines)


def shorten(runs: str, width: int = WIDTH) -> str:
    return runs if len(runs) <= width - 40 else f"{runs[: width - 44].rpartition(',')[0]},…"


def write_module(module: Module, margin: str, width: int = WIDTH) -> list[str]:
    """One line for a module, more where its tensors need them."""
    texts = [f"{name} {shape}" if name else shape for name, shape in module.tensors]
    head = f"{margin}{module.name:<26} "
    room = max(width - len(head), 40)
    # A tensor's own text is not broken: its spaces are held together while the line is wrapped.
    held = ", ".join(text.replace(" ", "\0") for text in texts)
    wrapped = wrap(held, room, break_long_words=False, break_on_hyphens=False) or [""]
    rows = [row.replace("\0", " ") for row in wrapped]
    return [head + rows[0], *(f"{margin}{'':<26} {row}" for row in rows[1:])]
