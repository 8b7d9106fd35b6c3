"""Applies what every area of a hierarchy learned from a window."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from clapp_snn.circuit.stream_area import StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_state import Learned
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.training.adam_state import flatten_adam, restore_adam


class AreaWindow(NamedTuple):
    """What one area saw in one window, averaged over samples.

    Attributes:
        loss: hinge of the score as its bursts tell it, max(0, 1 - y u_hat).
        gate: share of samples that learned, gamma not 0.
        activity: z of a unit; rho T M times this are the events of a unit and pathway.
    """

    loss: float
    gate: float
    activity: float


class StreamLearner:
    """One optimiser an area; updates are averaged over samples.

    Args:
        hierarchy: that learns.
        learning_rate: of the rule.
        rule: "adam" or "sgd".
    """

    def __init__(
        self,
        hierarchy: StreamHierarchy,
        learning_rate: float,
        rule: Literal["adam", "sgd"] = "adam",
    ) -> None:
        self.hierarchy = hierarchy
        self.optimizers: list[Optimizer] = []
        for area in hierarchy.areas:
            weights = list(area.parameters())
            self.optimizers.append(
                Adam(weights, lr=learning_rate, fused=True)
                if rule == "adam"
                else SGD(weights, lr=learning_rate)
            )

    def learn(
        self, states: Sequence[StreamAreaState], y: Float[Tensor, "sample"]
    ) -> list[AreaWindow]:
        """Read every area at the end of a window and change its weights; reports bottom up.

        Raises DivergenceError, naming the area, when a weight is not finite afterwards.
        """
        return self.apply(
            (
                Learned(area, changes, reading.gamma, reading.score, reading.traces.z)
                for area, changes, reading in self.hierarchy.learn(states, y)
            ),
            y,
        )

    def apply(self, learned: Iterable[Learned], y: Float[Tensor, "sample"]) -> list[AreaWindow]:
        """Change the weights area by area; raises as `learn` does."""
        seen = []
        for area, changes, gamma, score, z in learned:
            for parameter, change in changes:
                parameter.grad = change / -len(y)
            self.optimizers[area].step()
            self.optimizers[area].zero_grad()
            self._require_finite(area)
            loss = (1 - y * score).clamp(min=0).mean()
            seen.append(AreaWindow(float(loss), float(gamma.abs().mean()), float(z.mean())))
        return seen

    def require_finite(self) -> None:
        """Raise DivergenceError, naming the area, where a weight is NaN or infinite."""
        for area in range(len(self.hierarchy.areas)):
            self._require_finite(area)

    def _require_finite(self, area: int) -> None:
        weights = self.hierarchy.area(area).parameters()
        if not all(bool(torch.isfinite(each).all()) for each in weights):
            raise DivergenceError(
                f"The weights of area {area + 1} are not finite any more; try a lower learning_rate."
            )

    def state(self) -> dict[str, Tensor]:
        """State of the optimisers as named tensors; empty for sgd, which has none."""
        return flatten_adam(self._adams, self._names)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Go on from `state`; raises ValueError where it is another learner's."""
        restore_adam(self._adams, self._names, tensors)

    @property
    def _adams(self) -> list[Adam]:
        return [each for each in self.optimizers if isinstance(each, Adam)]

    @property
    def _names(self) -> list[str]:
        return [f"area_{index + 1}" for index in range(len(self._adams))]
