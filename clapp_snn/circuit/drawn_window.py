"""Whole windows of L3 areas, their counts drawn at once instead of step by step.

Under a constant drive and without refractory time the steps of an event/burst unit are independent lotteries,
so the events and bursts of a window are binomial (`clapp_snn.neurons.drawn`). One draw a unit then leaves an
area in a state of the very distribution that all steps of the window leave it in.

In a stack, what an area counted in the window is the constant drive of the area above, as if each area
worked on the window that the one below has just ended. Steps without synaptic filter hand on every single
event instead; there the drive is not constant, and rectified noise makes upper areas more active.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.coincidence import CoincidenceDetector
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState, WindowSums
from clapp_snn.circuit.stream_checks import require_input
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.two_contexts import TwoContexts, with_second
from clapp_snn.neurons.drawn import draw_counts
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Outputs
from clapp_snn.neurons.noise import SampleStreams, Streams


def require_drawable(area: StreamArea) -> None:
    """Raise ValueError, naming the reason, unless the counts of a window of this area are binomial."""
    if not isinstance(area.neuron, EventBurst):
        reason = f"its neurons are {type(area.neuron).__name__}, not EventBurst"
    elif area.neuron.constants.n_ref:
        reason = "its neurons have a refractory time; set t_ref = 0"
    elif area.memory.moving:
        reason = "its apical memory changes within a window; use a latch"
    elif area.decay < 1:
        reason = "its synapses hold decaying traces; set tau_eligibility to infinity"
    elif area.basal_decay:
        reason = "its basal synapses filter; set tau_basal = 0"
    elif not isinstance(area.counter, CoincidenceDetector) or area.detector.leak != 1:
        reason = (
            "its nucleus does not count ideally; set tau_nucleus to infinity and readout to None"
        )
    else:
        return
    raise ValueError(
        f"The counts of this area cannot be drawn at once: {reason}, or simulate every step."
    )


@torch.no_grad()
def drawn_window(
    area: StreamArea,
    x: Float[Tensor, "sample *pre"],
    state: StreamAreaState,
    source: Streams | SampleStreams,
) -> StreamAreaState:
    """All steps of a window under the constant input `x`.

    Args:
        area: that passes `require_drawable`.
        x: presynaptic activity, in units of z.
        state: as `initial_state` or `latch` left it.
        source: of random numbers; with `SampleStreams` a sample's counts do not depend on its batch.

    Raises ValueError for an input of another shape or precision than the state, and for a state that holds
    steps already.
    """
    require_input(x, state.basal)
    if int(state.elapsed) != 0:
        raise ValueError(
            f"{int(state.elapsed)} steps of this window have passed; latch before the next one is drawn."
        )
    steps, copies = area.detector.steps, area.copies
    a = area.basal.drive(x, area.weight, area.bias)
    kappa = area.gain.kappa(state.size)
    # Pooling groups have their final winner from the first step on.
    passed = area.basal.winners(a, torch.zeros_like(a))
    shape = (len(x), len(area.detector.signs), *area.unit_shape)
    apical = area.basal.at_units(state.apical)[:, None]
    inputs = area.drives(
        area.port.soma(passed)[:, None].expand(shape),
        area.port.apical(area.signs[:, 0] * apical, kappa.view(-1, 1, *area.everywhere, 1)).expand(
            shape
        ),
    )
    params = cast(EventBurstParameters, area.neuron.params)
    events, bursts = draw_counts(inputs, params, area.neuron.dt, steps, source, copies)
    outputs = Outputs(events, events, bursts)
    z = area.port.activity(events.mean(1) / copies)
    each = Outputs(*(count[:, :, None] / copies for count in outputs))
    share = area.detector.share(each, kappa) if area.by_bursts else state.share
    currents, detector = area.detector.collect(outputs, state.detector, area.detector.weight(kappa))
    return state._replace(
        basal=x,
        sums=WindowSums(steps * x, z, steps * a),
        detector=detector,
        nucleus=area.nucleus.step(currents, state.nucleus),
        elapsed=torch.full_like(state.elapsed, area.steps),
        share=share,
    )


def drawn_windows(
    hierarchy: StreamHierarchy,
    x: Float[Tensor, "sample *pre"],
    states: Sequence[StreamAreaState],
    sources: Sequence[Streams | SampleStreams],
) -> list[StreamAreaState]:
    """A window of every area, bottom up; each works on what the one below counted (see above).

    Raises ValueError for another number of states or sources than areas, and as `drawn_window` does.
    """
    for name, given in (("states", states), ("sources", sources)):
        if len(given) != len(hierarchy.areas):
            raise ValueError(
                f"A hierarchy of {len(hierarchy.areas)} areas needs as many {name}, not {len(given)}."
            )
    after = []
    for index, (state, source) in enumerate(zip(states, sources, strict=True)):
        area = hierarchy.area(index)
        second = state.memory.second if isinstance(area, TwoContexts) else None
        state = drawn_window(area, x, state, source)
        if second is not None:
            state = with_second(state, drawn_window(area, x.clone(), second, source))
        after.append(state)
        x = area.told(state)
    return after
