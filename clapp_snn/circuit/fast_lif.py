"""L0 through blocks of time steps: one membrane for all neurons of a unit, of which only counts are kept.

An area drives every neuron of a unit alike, and L0 has no noise: the membranes of its pathways and copies are
one and the same number, and so are the dendrites of a pathway at all positions of a channel. `CountedLIF`
computes each of them once (`native/lif_window.c`); spikes and bursts are those of single steps, bit by bit.
"""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.fast_neurons import (
    Buffers,
    Counted,
    apical_drive,
    collect_counts,
)
from clapp_snn.circuit.ports import LIFPort, LinearLIFPort
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.native.lif_window import LIFCounts, run_lif_window
from clapp_snn.neurons.two_compartment_lif import (
    TwoCompartmentLIF,
    TwoCompartmentLIFConstants,
    TwoCompartmentLIFState,
)

PLAIN = (1.0, 1.0, 0.0)
"""Gain, scale and shift of a drive that is the increment already."""


def runs_as_one(area: StreamArea) -> bool:
    """Whether the neurons are L0, driven as `CountedLIF` drives them."""
    return type(area.port) in (LIFPort, LinearLIFPort) and type(area.neuron) is TwoCompartmentLIF


def charged(area: StreamArea) -> bool:
    """Whether drives charge the membrane as they are, with nothing to be computed of them first."""
    return runs_as_one(area) and isinstance(area.port, LinearLIFPort)


def are_one(state: TwoCompartmentLIFState) -> bool:
    """Whether neurons that are driven alike are in the same state; (sample, path, copy, *unit)."""
    v, a = state.v, state.a
    return bool((v == v[:, :1, :1]).all()) and bool((a == _dendrite(a)).all())


def _dendrite(
    a: Float[Tensor, "sample path copy *unit"],
) -> Float[Tensor, "sample path 1 *place post"]:
    """Of the first copy at the first position."""
    first = a[:, :, :1]
    for axis in range(3, a.dim() - 1):
        first = first.narrow(axis, 0, 1)
    return first


class CountedLIF:
    """L0; arguments as for `CountedIntervals`, for a state that `are_one`; a sum of drives if `charged`."""

    def __init__(
        self,
        area: StreamArea,
        state: StreamAreaState,
        kappa: Tensor,
        buffers: Buffers,
        drive: Float[Tensor, "sample *drive"] | None,
    ) -> None:
        neuron: TwoCompartmentLIFState = state.neuron
        self.area, self.kappa, self.buffers = area, kappa, buffers
        self.shape = neuron.v.shape
        samples, paths = self.shape[:2]
        self.apical = apical_drive(area, state, kappa).reshape(samples, paths, -1).contiguous()
        v = neuron.v[:, 0, 0].reshape(samples, -1).clone()
        self.counts = LIFCounts(
            v,
            _dendrite(neuron.a).reshape(samples, paths, -1).clone(),
            torch.zeros_like(v),
            torch.zeros(samples, 2, dtype=torch.int64),
            torch.zeros_like(v) if area.by_bursts else None,
            None if drive is None else drive.view(samples, -1),
        )

    def run(
        self, drive: Float[Tensor, "time sample *unit"], first: int, counted: bool, speak: bool
    ) -> Float[Tensor, "time sample *unit"] | None:
        """See `Counting`; raises ValueError for drives that are not finite."""
        area, counts = self.area, self.counts
        shape = (*drive.shape[:2], counts.spikes.shape[1])
        constant = drive.stride(0) == 0
        soma, x = PLAIN, drive[:1] if constant else drive
        if isinstance(area.port, LinearLIFPort):
            soma = area.port.charge
        else:
            x = area.port.soma(x)
        activity = self.buffers.take("activity", shape) if speak else None
        flat = x.reshape(len(x), *shape[1:]).contiguous()
        run_lif_window(
            flat.expand(shape) if constant else flat,
            self.apical,
            soma,
            cast(TwoCompartmentLIFConstants, area.neuron.constants),
            counts,
            counted=counted,
            activity=activity,
            said=float(area.port.activity(torch.tensor(1.0))),
        )
        return None if activity is None else activity.view(*shape[:2], *area.unit_shape)

    def finish(self) -> Counted:
        """See `Counting`."""
        counts, copies, paths = self.counts, self.area.copies, self.shape[1]
        events = counts.spikes * (copies * paths)
        total = events.sum(1, keepdim=True, dtype=torch.float64).long()
        totals = torch.cat([total, counts.bursts * copies], 1)
        share = None if counts.share is None else counts.share * copies
        return collect_counts(self.area, self.kappa, events, totals, share)

    @property
    def state(self) -> TwoCompartmentLIFState:
        """Of all neurons."""
        samples, paths, _, *units = self.shape
        v = self.counts.v.view(samples, 1, 1, *units)
        a = self.counts.dendrite.view(samples, paths, 1, *(1 for _ in units[1:]), -1)
        return TwoCompartmentLIFState(*(each.expand(self.shape).contiguous() for each in (v, a)))
