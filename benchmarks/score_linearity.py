"""What each neuron's read-out makes of the score: error of u_hat against u for Gaussian predictions.

    python -m benchmarks.score_linearity

One row for each neuron and window: slope and correlation of u_hat on u over random activities and
predictions, the error sd(u_hat - u) in units of sd(u), the part of it that the closed form gives to spike
noise (L3, L2), and how often gamma is wrong for scores scaled to a standard deviation of 2 margins. Long
windows leave what does not average out: the non-linearity of the read-out.
"""

import argparse
from typing import NamedTuple

import torch

from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator

SPREAD = 2.0
"""Standard deviation of u, in margins."""

NEURONS: dict[str, Neuron] = {
    "L0 two-compartment LIF": TwoCompartmentLIF(),
    "L3 half-wave": EventBurst(),
    "L3 opponent": EventBurst(EventBurstParameters(readout="opponent")),
    "L2 strict burst": StrictBurst(),
}


class Linearity(NamedTuple):
    """How well u_hat follows u."""

    slope: float
    correlation: float
    error: float
    noise: float
    wrong_gates: float


def measure(
    neuron: Neuron, window: float, units: int = 128, samples: int = 200, copies: int = 1
) -> Linearity:
    """Scores of one window with activities [N(0, 1)]_+ and predictions N(0, s^2), constant and known.

    Args:
        neuron: whose port, read-out and gain are used.
        window: ms; as much again is not counted, so that neurons are in their steady state.
        units, samples: how many.
        copies: neurons per unit.
    """
    area = StreamArea(units, units, neuron, window, window, copies)
    stream = generator(0, "linearity")
    x = torch.randn(samples, units, generator=stream)
    A = torch.randn(samples, units, generator=stream) * SPREAD / (units / 2) ** 0.5
    with torch.no_grad():
        area.weight.copy_(torch.eye(units))
        area.bias.zero_()
        area.W_pred.zero_()
    state = area.initial_state(samples)
    state = state._replace(apical=A, size=area.gain.follow(state.size, A))
    source = Streams.from_seed(1, "linearity")
    for _ in range(area.steps):
        _, state = area.step(x, state, source)
    z, kappa, u_hat = torch.relu(x), area.gain.kappa(state.size), state.detector.u
    u = (z * A).sum(1)
    variance = area.detector.moments(z, A, kappa).variance
    return Linearity(
        float((u * u_hat).sum() / u.square().sum()),
        float(torch.corrcoef(torch.stack((u, u_hat)))[0, 1]),
        float((u_hat - u).std() / u.std()),
        float(variance.mean().sqrt() / u.std()),
        float(((1 - u > 0) != (1 - u_hat > 0)).float().mean()),
    )


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--windows", type=float, nargs="+", default=[200.0, 5000.0], help="ms")
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    print("| neuron | T (ms) | slope | correlation | error / sd(u) | spike noise | wrong gates |")
    print("|---|---|---|---|---|---|---|")
    for name, neuron in NEURONS.items():
        for window in options.windows:
            row = measure(neuron, window, samples=options.samples)
            noise = "none" if name.startswith("L0") else f"{row.noise:.2f}"
            print(
                f"| {name} | {window:g} | {row.slope:.2f} | {row.correlation:.3f} | {row.error:.2f} "
                f"| {noise} | {row.wrong_gates:.1%} |"
            )


if __name__ == "__main__":
    main()
