"""Chinchilla: loss and compute-optimal training from parameters and tokens.

L(N, D) = E + A / N^alpha + B / D^beta, with the constants of Hoffmann et al. 2022 (arXiv:2203.15556, appendix D.3) and
those that Besiroglu et al. 2024 (arXiv:2404.10102) find when they fit the same data again. Training costs 6 N D FLOPs
(Kaplan et al. 2020, arXiv:2001.08361): 2 for the forward pass, 4 for the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

#: Tokens per parameter of a compute-optimal run, the rule of thumb of the paper's table 3.
TOKENS_PER_PARAMETER = 20


@dataclass(frozen=True, slots=True)
class ScalingLaw:
    """One fit of the loss; ``source`` is where its constants are from."""

    name: str
    e: float
    a: float
    b: float
    alpha: float
    beta: float
    source: str

    def loss(self, params: float, tokens: float) -> float:
        """Predicted loss in nats per token; ``params`` and ``tokens`` must be positive."""
        return float(self.e + self.a / params**self.alpha + self.b / tokens**self.beta)

    def split_compute(self, flops: float) -> tuple[float, float]:
        """Parameters and tokens that minimise the loss for ``flops`` = 6 N D (equation 4 of the paper)."""
        g = (self.alpha * self.a / (self.beta * self.b)) ** (1 / (self.alpha + self.beta))
        exponent = self.beta / (self.alpha + self.beta)
        params = g * (flops / 6) ** exponent
        return params, flops / 6 / params


HOFFMANN = ScalingLaw(
    "hoffmann2022", 1.69, 406.4, 410.7, 0.34, 0.28, "Hoffmann et al. 2022, arXiv:2203.15556, appendix D.3"
)
EPOCH = ScalingLaw(
    "epoch2024", 1.8172, 482.01, 2085.43, 0.3478, 0.3658, "Besiroglu et al. 2024 (Epoch AI), arXiv:2404.10102"
)
LAWS = {law.name: law for law in (HOFFMANN, EPOCH)}


def training_flops(params: float, tokens: float) -> float:
    """6 N D: forward and backward pass over ``tokens`` tokens."""
    return 6 * params * tokens


def split_by_rule(flops: float) -> tuple[float, float]:
    """Parameters and tokens for ``flops`` by the rule of 20 tokens a parameter: C = 6 N x 20 N."""
    params = sqrt(flops / (6 * TOKENS_PER_PARAMETER))
    return params, TOKENS_PER_PARAMETER * params
