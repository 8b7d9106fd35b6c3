"""Step monitors inside a hierarchy of stream areas."""

from clapp_snn.circuit.stream_area import Step, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import Watcher
from clapp_snn.neurons.interface import Observer


def watch(observer: Observer, area: int = 0) -> Watcher:
    """Show the neurons of one area to an observer: pass the result as `watch` to `StreamHierarchy.window`.

    Args:
        observer: a step monitor, or any other observer of neurons; shapes are (sample, pathway, copy, *unit).
        area: index from 0, bottom up.

    Several go together with `clapp_snn.recording.monitor.together`. Raises ValueError for a negative index.
    """
    if area < 0:
        raise ValueError(f"Areas are counted from 0, bottom up; there is no area {area}.")

    def watcher(index: int, step: int, happened: Step, state: StreamAreaState) -> None:
        if index == area:
            observer(step, happened.inputs, happened.outputs, state.neuron)

    return watcher
