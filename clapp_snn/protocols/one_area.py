"""One area at work: a first glance, one fixation and one saccade, with everything between spikes and gamma.

Two objects each drive half of the inputs, and each half of the units prefers one of them. `W_pred` already
predicts a little: units of one object expect themselves and not the others. During the first glance there
is nothing to predict from; then the same object stays (fixation, y = +1); then the other one appears
(saccade, y = -1).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.ports import P0
from clapp_snn.circuit.stream_area import Reading, Step, StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import ParameterSet, quantity
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.protocols.protocol import OWN
from clapp_snn.randomness import generator
from clapp_snn.recording.area_watch import watch
from clapp_snn.recording.monitor import together
from clapp_snn.recording.states import StateMonitor

GLANCES = (("first glance", 0, -1), ("fixation", 0, 1), ("saccade", 1, -1))
"""Name, object and saccade signal y of each window."""


class AreaTraces(NamedTuple):
    """All steps of all windows; settling times at their beginning are included.

    Attributes:
        time: end of each step, ms.
        counted: whether the step counts, or the area is settling.
        inputs: presynaptic events.
        spikes, bursts: of one neuron of every unit and pathway; ON units first.
        score: membrane of the summing interneuron, u_hat at the end of a window.
        fixation, saccade: membranes of the two margin neurons, the bias of 1 included.
        true: z . W_pred c for the mean drive of each window.
        readings: score, gamma and weight changes at the end of each window.
    """

    time: Float[Tensor, "step"]
    counted: Bool[Tensor, "step"]
    inputs: Bool[Tensor, "step pre"]
    spikes: Bool[Tensor, "step neuron"]
    bursts: Bool[Tensor, "step neuron"]
    score: Float[Tensor, "step"]
    fixation: Float[Tensor, "step"]
    saccade: Float[Tensor, "step"]
    true: list[float]
    readings: list[Reading]


@dataclass(frozen=True)
class OneArea(ParameterSet):
    """A small area of L2 neurons and what it sees."""

    dt: float = quantity(1.0, "ms", 0.1, 1.0, "time step", OWN)
    window: float = quantity(250.0, "ms", 50.0, 2000.0, "counted time of a glance", OWN)
    settle: float = quantity(50.0, "ms", 0.0, 500.0, "uncounted time before it", OWN)
    units: float = quantity(24, "", 4, 1000, "inputs, and as many units", OWN)
    copies: float = quantity(8, "", 1, 100, "neurons per unit and pathway", OWN)
    input_rate: float = quantity(100.0, "Hz", 1.0, 1000.0, "events of an active input", OWN)
    tau_basal: float = quantity(20.0, "ms", 0.0, 200.0, "basal synaptic filter", OWN)
    drive: float = quantity(
        1.2, "", 0.1, 3.0, "summed basal input of a unit whose object is seen", OWN
    )
    fit: float = quantity(0.7, "", -10.0, 10.0, "score of a fixation that W_pred leads to", OWN)

    def area(self) -> StreamArea:
        """The area with the weights described above."""
        units = int(self.units)
        half = torch.arange(units) < units // 2
        same = (half[:, None] == half).float()
        # A gain fits any size when nothing is predicted.
        size = abs(self.prediction) or 1.0
        area = StreamArea(
            units, units, StrictBurst(dt=self.dt), self.window, self.settle, int(self.copies),
            tau_basal=self.tau_basal, gain=Gain(slope=P0 * (1 - P0) / size),
        )  # fmt: skip
        with torch.no_grad():
            area.weight.copy_(self.drive * same / (units // 2))
            area.bias.zero_()
            area.W_pred.copy_(self.prediction / (units // 2 * self.drive) * (1.25 * same - 0.25))
        return area

    @property
    def prediction(self) -> float:
        """What the units of an object expect, zhat, while it is remembered."""
        return self.fit / (int(self.units) // 2 * self.drive)

    def run(self, seed: int = 0) -> AreaTraces:
        """Show the glances one after the other; weights stay as they are."""
        area, units = self.area(), int(self.units)
        half = torch.arange(units) < units // 2
        source = Streams.from_seed(seed, "one area")
        stream = generator(seed, "one area", "inputs")
        chance = self.input_rate * self.dt / 1000
        hierarchy = StreamHierarchy([area])
        states = hierarchy.initial_state(1)
        paths = len(area.detector.signs)
        shown = [(0, path, 0, unit) for path in range(paths) for unit in range(units)]
        neurons = StateMonitor(self.dt, ["spike", "burst"], neurons=shown)
        inputs, membranes, true, readings = [], [], [], []

        def keep(index: int, number: int, step: Step, state: StreamAreaState) -> None:
            nucleus = (state.nucleus.fixation, state.nucleus.saccade)
            membranes.append(torch.cat([state.detector.u, *(1 + v for v in nucleus)]))

        for _, seen, y in GLANCES:
            active = (half if seen == 0 else ~half).float()
            z = torch.relu(active @ area.weight.detach().T)
            true.append(float(z @ states[0].apical[0]))
            events = torch.rand(area.steps, units, generator=stream) < chance * active
            x = events.float()[:, None] / chance
            states = hierarchy.window(x, states, [source], together(watch(neurons), keep))
            inputs.append(events)
            readings.append(area.read(states[0], torch.tensor([float(y)])))
            states = hierarchy.latch(states)
        recorded = neurons.to_numpy()
        score, fixation, saccade = torch.stack(membranes, dim=1)
        index = torch.arange(len(membranes))
        return AreaTraces(
            self.dt * (index + 1.0),
            index % area.steps >= area.settle,
            torch.cat(inputs),
            torch.from_numpy(recorded["spike"]) > 0,
            torch.from_numpy(recorded["burst"]) > 0,
            score,
            fixation,
            saccade,
            true,
            readings,
        )
