"""Chinchilla: loss and compute-optimal training from parameters and tokens.

L(N, D) = E + A / N^alpha + B / D^beta, with the constants of Hoffmann et al. 2022 (arXiv:2203.15556, appendix D.3) and
those that Besiroglu et al. 2024 (arXiv:2404.10102, table 1) find when they fit the same data again. Training costs
6 N D FLOPs (Kaplan et al. 2020, arXiv:2001.08361): 2 for the forward pass, 4 for the backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

from zoo.errors import UsageError

#: Tokens per parameter of a compute-optimal run, the rule of thumb of the paper's table 3.
TOKENS_PER_PARAMETER = 20

#: Shares of a training text by source, in percent: a common example of a mix, as introductions to the subject give it.
EXAMPLE_MIX = {"web": 60.0, "code": 15.0, "books": 8.0, "conversations": 8.0, "scientific": 5.0, "wikipedia": 4.0}


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

    def optimal_tokens(self, params: float) -> float:
        """The tokens for which ``params`` is the best size at their compute: alpha A / N^alpha = beta B / D^beta."""
        return float((self.beta * self.b / (self.alpha * self.a) * params**self.alpha) ** (1 / self.beta))

    def optimal_params(self, tokens: float) -> float:
        """The size for which ``tokens`` are the best number at their compute: :meth:`optimal_tokens` turned round."""
        return float((self.alpha * self.a / (self.beta * self.b) * tokens**self.beta) ** (1 / self.alpha))


HOFFMANN = ScalingLaw(
    "hoffmann2022", 1.69, 406.4, 410.7, 0.34, 0.28, "Hoffmann et al. 2022, arXiv:2203.15556, appendix D.3"
)
EPOCH = ScalingLaw(
    "epoch2024", 1.8172, 482.01, 2085.43, 0.3478, 0.3658, "Besiroglu et al. 2024 (Epoch AI), arXiv:2404.10102, table 1"
)
LAWS = {law.name: law for law in (HOFFMANN, EPOCH)}


def training_flops(params: float, tokens: float) -> float:
    """6 N D: forward and backward pass over ``tokens`` tokens."""
    return 6 * params * tokens


def split_by_rule(flops: float) -> tuple[float, float]:
    """Parameters and tokens for ``flops`` by the rule of 20 tokens a parameter: C = 6 N x 20 N."""
    params = sqrt(flops / (6 * TOKENS_PER_PARAMETER))
    return params, TOKENS_PER_PARAMETER * params


def estimate_parameters(layers: int, width: int, vocab: int = 50_000, ff_mult: float = 4) -> int:
    """The rule of thumb that introductions teach, for comparison with the exact count; zoo counts nothing by it.

    Embedding V H; in each layer 4 H^2 for attention, 2 H (m H) for a plain feed-forward and 4 H for two norms; a final
    H. It knows nothing of grouped heads, gates, experts, biases, head sizes or an untied head.
    """
    layer = 4 * width * width + 2 * width * (ff_mult * width) + 4 * width
    return int(vocab * width + layers * layer + width)


def split_tokens(tokens: float, mix: Mapping[str, float]) -> dict[str, int]:
    """Tokens of each source, rounded; ``mix`` holds shares of any one unit."""
    whole = sum(mix.values())
    return {source: round(tokens * share / whole) for source, share in mix.items()}


def parse_mix(text: str) -> dict[str, float]:
    """Shares by source: ``"web=60,code=40"``; they need not sum to 100.

    Raises:
        UsageError: a source without a share, named twice, or a share that is no positive number.
    """
    mix: dict[str, float] = {}
    for item in filter(None, (word.strip() for word in text.split(","))):
        source, _, share = (part.strip() for part in item.partition("="))
        try:
            value = float(share.removesuffix("%"))
        except ValueError:
            value = 0.0
        if not source or source in mix or not 0 < value < float("inf"):
            raise UsageError(f"{item!r:.40} is no share: write source=percent, such as web=60,code=40")
        mix[source] = value
    if not mix:
        raise UsageError("the mix names no source: write source=percent, such as web=60,code=40")
    return mix
