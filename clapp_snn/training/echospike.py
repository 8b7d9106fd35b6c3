"""EchoSpike predictive plasticity: another rule for spiking networks that descends from CLAPP.

Graf, Su and Indiveri 2024, arXiv:2405.13976, in its online form; written here from the equations:

    v_i <- beta v_i + sum_j W_ij x_j - s_i(before)            s_i = 1 if v_i > 1 else 0
    e_j <- beta e_j + x_j                                     trace of the input
    L    = max(0, c(y) <x> - y sum_i s_i echo_i)              <x>: mean input of the network in this step
    W_ij <- W_ij + eta y echo_i psi(v_i - 1) e_j              where L > 0 and <x> > threshold

The echo of a unit is its share of all spikes of its layer during the sample before; it takes the place of
CLAPP's prediction `W_pred c`. psi(u) = 1 / (pi (1 + (pi u)^2)). Published learning is driven by labels:
y = +1 where the sample is of the class of the one before, y = -1 where it is of another class
(`clapp_snn.stimuli.class_stream`). With a `GlanceStream` the same rule learns from fixations and saccades.

The published network may also hand its input on to all layers; here each layer sees the one below, as in the
networks it is compared with. Updates are averaged over the batch (published: summed).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clapp_snn.randomness import generator


@dataclass(frozen=True)
class EchoSpikeSettings:
    """Constants of neurons and rule; defaults are the published ones for N-MNIST, but the learning rate.

    Attributes:
        beta: decay of membranes and input traces in a time step.
        predictive: c(+1), in mean inputs.
        contrastive: c(-1), likewise.
        threshold: a step with a smaller mean input teaches nothing.
        gain: weights start from U(-gain, gain) / sqrt(inputs).
        learning_rate: eta, for updates averaged over the batch (published: 1e-4 for sums over 128 samples).

    Raises ValueError for a decay outside [0, 1) or a gain or rate that is not positive.
    """

    beta: float = 0.9
    predictive: float = 2.0
    contrastive: float = -1.0
    threshold: float = 0.02
    gain: float = 3.0
    learning_rate: float = 0.0128

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise ValueError(f"beta must lie in [0, 1), not {self.beta}")
        if not (self.gain > 0 and self.learning_rate > 0):
            raise ValueError(
                f"gain and learning_rate must be positive, not {self.gain} and {self.learning_rate}"
            )


class EchoState(NamedTuple):
    """One layer; all that a sample leaves behind is its echo.

    Attributes:
        membrane: v.
        spike: of the step before, for the reset.
        trace: e, of the input.
        total: spikes since the sample began.
        echo: share of the spikes of the sample before; 0 where there was none.
    """

    membrane: Float[Tensor, "sample post"]
    spike: Float[Tensor, "sample post"]
    trace: Float[Tensor, "sample pre"]
    total: Float[Tensor, "sample post"]
    echo: Float[Tensor, "sample post"]


def surrogate(distance: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """psi: what stands in for the derivative of a spike, at this distance to threshold."""
    return 1 / (torch.pi * (1 + (torch.pi * distance).square()))


def layer_step(
    x: Float[Tensor, "sample pre"], weight: Float[Tensor, "post pre"], state: EchoState, beta: float
) -> EchoState:
    """One time step of the neurons of a layer; the new spikes are in the state."""
    membrane = beta * state.membrane + x @ weight.T - state.spike
    spike = (membrane > 1).to(x.dtype)
    return EchoState(membrane, spike, beta * state.trace + x, state.total + spike, state.echo)


def layer_gate(
    state: EchoState,
    y: Float[Tensor, "sample"],
    activity: Float[Tensor, "sample"],
    settings: EchoSpikeSettings,
) -> Bool[Tensor, "sample"]:
    """Whether a sample teaches in this step: the loss is positive and there is input."""
    required = torch.where(y > 0, settings.predictive, settings.contrastive) * activity
    loss = required - y * (state.spike * state.echo).sum(1)
    return (loss > 0) & (activity > settings.threshold)


def layer_change(
    state: EchoState, y: Float[Tensor, "sample"], gate: Bool[Tensor, "sample"]
) -> Float[Tensor, "post pre"]:
    """Direction in which the weights change after a step, averaged over samples."""
    factor = (y * gate)[:, None] * state.echo * surrogate(state.membrane - 1)
    return factor.T @ state.trace / len(y)


def next_sample(state: EchoState) -> EchoState:
    """Neurons at rest; what was counted becomes the echo."""
    rest, quiet = torch.zeros_like(state.membrane), torch.zeros_like(state.trace)
    echo = state.total / state.total.sum(1, keepdim=True).clamp(min=1)
    return EchoState(rest, rest, quiet, rest, echo)


class EchoSpikeNetwork:
    """Layers of leaky integrate-and-fire neurons that learn while they work; no autograd anywhere.

    Args:
        sizes: inputs, then units of each layer.
        seed: of the weights.
        settings: constants.

    Raises ValueError for fewer than two sizes or a size below 1.
    """

    def __init__(
        self, sizes: Sequence[int], seed: int, settings: EchoSpikeSettings | None = None
    ) -> None:
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"a network needs inputs and at least one layer, not {list(sizes)}")
        self.settings = settings or EchoSpikeSettings()
        self.weights: list[Float[Tensor, "post pre"]] = []
        for index in range(len(sizes) - 1):
            pre, post = sizes[index : index + 2]
            draws = torch.rand(post, pre, generator=generator(seed, "init", "echospike", index))
            self.weights.append((2 * draws - 1) * self.settings.gain / pre**0.5)

    def initial_state(self, samples: int) -> list[EchoState]:
        """At rest, nothing echoes."""
        return [
            EchoState(*(weight.new_zeros(samples, size) for size in (post, post, pre, post, post)))
            for weight in self.weights
            for post, pre in [weight.shape]
        ]

    def step(
        self,
        x: Float[Tensor, "sample input"],
        states: Sequence[EchoState],
        y: Float[Tensor, "sample"] | None = None,
    ) -> tuple[list[EchoState], list[float]]:
        """One time step, bottom up; with `y` all layers learn, each from its own state.

        Returns the states and, layer by layer, the share of samples that taught.
        """
        activity, after, taught = x.mean(1), [], []
        for weight, state in zip(self.weights, states, strict=True):
            state = layer_step(x, weight, state, self.settings.beta)
            after.append(state)
            x = state.spike
        if y is not None:
            for weight, state in zip(self.weights, after, strict=True):
                gate = layer_gate(state, y, activity, self.settings)
                weight += self.settings.learning_rate * layer_change(state, y, gate)
                taught.append(float(gate.float().mean()))
        return after, taught

    def learn(
        self,
        x: Float[Tensor, "sample step *input"],
        y: Float[Tensor, "sample"],
        states: Sequence[EchoState],
    ) -> tuple[list[EchoState], list[float]]:
        """All steps of one sample each; returns states ready for the next sample, and the shares that taught.

        Raises ValueError, naming the layer, when a weight is not finite afterwards.
        """
        now, total = list(states), [0.0] * len(self.weights)
        for each in x.flatten(2).unbind(1):
            now, taught = self.step(each, now, y)
            total = [a + b / x.shape[1] for a, b in zip(total, taught, strict=True)]
        for index, weight in enumerate(self.weights):
            if not bool(torch.isfinite(weight).all()):
                raise ValueError(
                    f"the weights of layer {index + 1} are not finite any more; try a lower learning_rate"
                )
        return [next_sample(state) for state in now], total

    def counts(self, x: Float[Tensor, "sample step *input"]) -> list[Float[Tensor, "sample unit"]]:
        """Spikes of every layer while these samples are shown from rest; nothing is learned."""
        states = self.initial_state(len(x))
        for each in x.flatten(2).unbind(1):
            states, _ = self.step(each, states)
        return [state.total for state in states]
