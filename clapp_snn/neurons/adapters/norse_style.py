"""Any neuron of this package, called as norse's cells and layers are.

    z, state = cell(x, state)             # one step; None starts at rest
    z, state = layer(xs, state)           # time first

norse passes one tensor, so `x` holds both drives: basal in the first half of the port axis, apical in the
second. Because `forward` has an argument named `state`, `norse.torch.SequentialState` threads the state
through these modules as through its own. The state is one of this package's named tuples, and drives are in
the units of the neuron, not multiplied by dt / tau as in norse's Euler steps.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.neurons.interface import Inputs, Layer, Neuron, Outputs, Source

Says = Literal["spike", "event", "burst", "both"]


class _NorseStyle(nn.Module):
    """What cell and layer share: ports stacked in one tensor, and which output counts as z."""

    def __init__(
        self,
        neuron: Neuron[Any],
        says: Says = "spike",
        port_axis: int = -1,
        source: Source | None = None,
    ) -> None:
        super().__init__()
        if says not in ("spike", "event", "burst", "both"):
            raise ValueError(f"says must be 'spike', 'event', 'burst' or 'both', not {says!r}.")
        self.neuron = neuron
        self.says = says
        self.port_axis = port_axis
        self.source = source

    def _ports(self, x: Tensor) -> Inputs:
        if not -x.dim() <= self.port_axis < x.dim() or x.shape[self.port_axis] % 2:
            raise ValueError(
                f"Axis {self.port_axis} of the input must hold basal and apical drives, an even number of "
                f"entries; the input has shape {tuple(x.shape)}."
            )
        return Inputs(*x.chunk(2, self.port_axis))

    def _say(self, outputs: Outputs) -> Tensor:
        if self.says == "both":
            return torch.cat((outputs.spike, outputs.burst), self.port_axis)
        said: Tensor = getattr(outputs, self.says)
        return said


class NorseStyleCell(_NorseStyle):
    """One time step a call.

    Args:
        neuron: any model of this package.
        says: what comes out as z; "both" stacks spikes and bursts along the port axis.
        port_axis: along which the input holds basal and apical drives.
        source: of random numbers, for models that draw.
    """

    def forward(
        self, x: Float[Tensor, "*shape"], state: Any | None = None
    ) -> tuple[Float[Tensor, "*shape"], Any]:
        """Output and state of one step; raises ValueError as `Neuron.forward`, or if `x` cannot be split."""
        outputs, after = self.neuron(self._ports(x), state, self.source)
        return self._say(outputs), after


class NorseStyleLayer(_NorseStyle):
    """All time steps at once, time first.

    Args:
        neuron: any model of this package.
        says: what comes out as z; "both" stacks spikes and bursts along the port axis.
        port_axis: along which the input holds basal and apical drives, time included in the count.
        source: of random numbers, for models that draw.
        record_states: return the states of all steps, stacked, in place of the last one.
    """

    def __init__(
        self,
        neuron: Neuron[Any],
        says: Says = "spike",
        port_axis: int = -1,
        source: Source | None = None,
        record_states: bool = False,
    ) -> None:
        super().__init__(neuron, says, port_axis, source)
        self.layer = Layer(neuron)
        self.record_states = record_states

    def forward(
        self, x: Float[Tensor, "time *shape"], state: Any | None = None
    ) -> tuple[Float[Tensor, "time *shape"], Any]:
        """Outputs of all steps and the last state (or all); raises ValueError as `NorseStyleCell`."""
        states: list[Any] = []

        def record(_step: int, _inputs: Inputs, _outputs: Outputs, after: Any) -> None:
            states.append(after)

        outputs, last = self.layer(
            self._ports(x), state, self.source, record if self.record_states else None
        )
        if self.record_states:
            last = type(last)(*(torch.stack(each) for each in zip(*states, strict=True)))
        return self._say(outputs), last
