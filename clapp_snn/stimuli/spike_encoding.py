"""From rates to spikes with the encoders of snnTorch and norse, called by name.

| encoder | of | spikes of a constant input x in [0, 1] |
|---|---|---|
| snntorch_rate | snntorch.spikegen.rate | Bernoulli, x * rate on average |
| norse_poisson | norse poisson_encode | the same with norse's random numbers |
| snntorch_latency | snntorch.spikegen.latency | one, at step (1 - x)(steps - 1); none for x < 0.01 |
| norse_lif | norse constant_current_lif_encode | of a LIF neuron that fires at `rate` for x = 1 |
| norse_latency | norse spike_latency_lif_encode | the first of those |

Both packages are imported when an encoder is first used.
"""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

TAU_LIF = 10.0
"""Membrane time constant of norse's LIF neuron, ms."""

Encode = Callable[[Tensor, int, float, float, torch.Generator], Tensor]


def encode_spikes(
    values: Float[Tensor, "sample *shape"],
    steps: int,
    generators: Sequence[torch.Generator],
    encoder: str = "snntorch_rate",
    rate: float = 100.0,
    dt: float = 1.0,
) -> Float[Tensor, "time sample *shape"]:
    """Spikes (0 or 1) of constant inputs over `steps` time steps.

    Args:
        values: inputs in [0, 1].
        steps: number of time steps.
        generators: one random stream a sample, on the device of the values, so that the spikes of a sample
            do not depend on its batch; the global random state is left alone.
        encoder: name from the table above.
        rate: spikes per second of an input of 1.
        dt: time step in ms.

    Raises ValueError for an unknown encoder, values outside [0, 1], a rate that needs more than a spike a
    step, no step, or a number of generators that is not that of the samples.
    """
    if encoder not in ENCODERS:
        raise ValueError(f"unknown encoder {encoder!r}; there are {', '.join(ENCODERS)}")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("only values from 0 to 1 can be turned into spikes; rescale the input")
    if steps < 1:
        raise ValueError(f"spikes need at least one time step, not {steps}")
    if not 0.0 < rate * dt <= 1000.0:
        raise ValueError(
            f"{rate} spikes per second are not from 0 to 1 in a step of {dt} ms; change rate or dt"
        )
    if len(generators) != len(values):
        raise ValueError(f"{len(values)} samples need as many generators, not {len(generators)}")
    function = ENCODERS[encoder]
    spikes = [
        function(sample, steps, rate, dt, stream)
        for sample, stream in zip(values, generators, strict=True)
    ]
    return torch.stack(spikes, dim=1)


def _snntorch_rate(
    values: Tensor, steps: int, rate: float, dt: float, stream: torch.Generator
) -> Tensor:
    from snntorch.spikegen import rate as encode

    # snnTorch draws from the global random state.
    seed = int(torch.randint(1 << 62, (), generator=stream, device=stream.device))
    with torch.random.fork_rng([values.device] if values.is_cuda else []):
        torch.manual_seed(seed)
        return encode(values, num_steps=steps, gain=rate * dt / 1000)


def _snntorch_latency(
    values: Tensor, steps: int, rate: float, dt: float, stream: torch.Generator
) -> Tensor:
    from snntorch.spikegen import latency

    return latency(values, num_steps=steps, normalize=True, linear=True, clip=True)


def _norse_poisson(
    values: Tensor, steps: int, rate: float, dt: float, stream: torch.Generator
) -> Tensor:
    from norse.torch.functional.encode import poisson_encode

    return poisson_encode(values, steps, f_max=rate, dt=dt / 1000, generator=stream)


def _norse_lif(
    values: Tensor, steps: int, rate: float, dt: float, stream: torch.Generator
) -> Tensor:
    from norse.torch.functional.encode import constant_current_lif_encode

    return constant_current_lif_encode(_current(values, rate), steps, dt=dt / 1000)


def _norse_latency(
    values: Tensor, steps: int, rate: float, dt: float, stream: torch.Generator
) -> Tensor:
    from norse.torch.functional.encode import spike_latency_lif_encode

    return spike_latency_lif_encode(_current(values, rate), steps, dt=dt / 1000)


def _current(values: Tensor, rate: float) -> Tensor:
    """Current that takes a leaky membrane from 0 to its threshold 1 in 1 / rate seconds if the value is 1."""
    return values / -math.expm1(-1000 / (rate * TAU_LIF))


ENCODERS: dict[str, Encode] = {
    "snntorch_rate": _snntorch_rate,
    "snntorch_latency": _snntorch_latency,
    "norse_poisson": _norse_poisson,
    "norse_lif": _norse_lif,
    "norse_latency": _norse_latency,
}
"""Encoder of one sample by name: (values, steps, rate, dt, generator) to spikes, time first."""
