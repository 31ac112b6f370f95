"""What torch counted while small models ran, and what zoo counts if every query meets every key."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.oracle.flops import TARGET
from zoo.arch import build_ledger
from zoo.arch.ledger import Ledger
from zoo.arch.rows import State, Tensor
from zoo.metrics.sums import TOWER_PARTS, TOWERS, group_weights


@dataclass(frozen=True)
class Run:
    """One recorded model: what torch counted, by what it is."""

    config: dict[str, Any]
    tokens: int
    flops: dict[str, int]

    @cached_property
    def ledger(self) -> Ledger:
        return build_ledger(self.config)

    @property
    def model_type(self) -> str:
        return str(self.config["model_type"])

    @cached_property
    def states(self) -> list[State]:
        return [s for s in self.ledger.states if s.stack not in TOWERS]

    @cached_property
    def weights(self) -> list[Tensor]:
        """Parameters that text passes through."""
        own = [t for t in self.ledger.parameters if t.stack not in TOWERS and t.part not in TOWER_PARTS]
        return [t for t in own if t.op in ("matmul", "conv")]

    @cached_property
    def source(self) -> int:
        """Tokens of the source: of an image as many as it is made into, by a resampler if there is one."""
        if self.config.get("use_resampler"):
            return int((self.config.get("perceiver_config") or {}).get("resampler_n_latents", 64))
        return next((s.window for s in self.states if s.kind == "cross" and s.window), self.tokens)

    def passing(self, stack: str) -> int:
        return self.source if stack in ("encoder", "cross") else self.tokens

    @cached_property
    def said(self) -> int:
        """What torch counted, without recurrences; of experts that all run, those that were chosen."""
        experts = next((t for t in self.weights if t.of > 1), None)
        chosen = self.flops.get("experts", 0)
        chosen = chosen * experts.used // experts.of if experts else chosen
        return chosen + sum(self.flops.get(kind, 0) for kind in ("linear", "attention", "conv"))

    @cached_property
    def counted(self) -> int:
        """What zoo counts, if every query meets every key."""
        groups = group_weights(self.ledger)
        linear = sum(2 * size * (1 if group == "once" else self.passing(group)) for group, size in groups.items())
        return linear + self.squares + sum(self.count_more(s) for s in self.states if not is_scan(s))

    @cached_property
    def squares(self) -> int:
        """Attention, where every query meets every key."""
        return sum(
            s.flops_per_pos
            * s.repeats
            * self.passing(s.stack)
            * self.passing("cross" if s.kind == "cross" else s.stack)
            for s in self.states
        )

    def count_more(self, state: State) -> int:
        return state.flops_per_token * state.repeats * self.passing(state.stack)

    def weigh(self, *words: str) -> int:
        """FLOPs of one pass through the weights whose names have one of ``words``, within dots."""
        return sum(2 * t.elements for t in self.weights if any(f".{word}." in f".{t.name}." for word in words))


def is_scan(state: State) -> bool:
    """Whether it is a recurrence, which classes run in ways of their own."""
    return state.kind in ("linear", "ssm") and state.fixed > 0


def read_runs() -> list[Run]:
    lines = gzip.decompress(TARGET.read_bytes()).decode().splitlines()[1:]
    return [Run(**json.loads(line)) for line in lines]
