"""Apical input from another area on a stream: learned and direct feedback (CLAPP-fb, CLAPP++).

In an ordinary stack every area predicts its present activity from its own last one. Here the context of an
area is the activity of another area in the last window, read from a latch of its own:

    c_l = what the source of area l did in the last window           "same": l itself
    A_l = W_pred_l c_l, held by the dendrites of area l               "above": l + 1, the top area itself
    u_l = z_l^T A_l, from bursts of its ON and OFF pathway            "top": the top area
                                                                      "both": l itself and the top area

All areas have finished their window when contexts are handed down: feedback never waits for the feedforward
sweep, and none is repeated. Each area keeps its nucleus and its gamma; Eqs. 6 and 8 hold with c_l,

    dW_ji = gamma A_j d_j xbar_i            dW_pred_jk = gamma zbar_j c_k

and Eq. 7 is absent: W_retro is zero in the rows of all such methods. The source learns nothing from being a
context; its weights change as a target of its own prediction alone.

Source: Wu, Delrocq, Gerstner and Bellec 2026 (arXiv:2601.21683). There two views of one image are compared at
once; here the last window predicts the present one (arXiv:2010.08262, Eq. 5).
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.two_contexts import TwoContexts
from clapp_snn.methods.record import Method
from clapp_snn.neurons.interface import Neuron

StreamSource = Literal["same", "above", "top", "both"]
"""Where the context of an area comes from; "both" has a prediction for each (`circuit.two_contexts`)."""


def source_of(context: StreamSource, index: int, areas: int) -> int:
    """The area that predicts area `index` of a stack ("both": beside itself).

    Raises ValueError for an unknown context.
    """
    if context == "same":
        return index
    if context == "above":
        return min(index + 1, areas - 1)
    if context in ("top", "both"):
        return areas - 1
    raise ValueError(f"The context is one of {', '.join(get_args(StreamSource))}, not {context!r}.")


def area_with_context(
    context: StreamSource,
    index: int,
    sizes: Sequence[int],
    pre: int,
    post: int,
    neuron: Neuron,
    **options: Any,
) -> StreamArea:
    """Area `index` of a stack whose areas hand down activities of `sizes`; options of `StreamArea`.

    Raises ValueError as the areas and `source_of` do.
    """
    source = source_of(context, index, len(sizes))
    if context == "both":
        return TwoContexts(pre, post, neuron, top=sizes[source], **options)
    size = None if source == index else sizes[source]
    return StreamArea(pre, post, neuron, context=size, **options)


class ContextHierarchy(StreamHierarchy):
    """A stack whose areas are predicted by the last activity of another area.

    Args:
        areas: bottom up, of `area_with_context`.
        context: where it comes from.

    Raises ValueError as `StreamHierarchy`, for an unknown context, and for areas that expect another one.
    """

    def __init__(self, areas: Sequence[StreamArea], context: StreamSource) -> None:
        super().__init__(areas)
        self.context = context
        self.predicted_by = [source_of(context, index, len(areas)) for index in range(len(areas))]
        for index, source in enumerate(self.predicted_by):
            area, given = areas[index], areas[source].W_pred.shape[-2]
            size = area.W_top.shape[-1] if isinstance(area, TwoContexts) else area.context
            itself = source == index and context != "both"
            if isinstance(area, TwoContexts) != (context == "both") or (
                size != (None if itself else given)
            ):
                expected = "itself" if size is None else f"{size} values"
                raise ValueError(
                    f"Area {index + 1} is predicted by area {source + 1}, which has {given} values "
                    f"(context {context!r}), but it was made to be predicted by {expected}."
                )

    def latch(self, states: Sequence[StreamAreaState]) -> list[StreamAreaState]:
        """Begin the next window: every area hands down what it did in the last one."""
        self._require_one_each("states", states)
        seen = [self.area(index).seen(state) for index, state in enumerate(states)]
        alone = self.context != "both"
        return [
            self.area(index).latch(state, None if alone and source == index else seen[source])
            for index, (state, source) in enumerate(zip(states, self.predicted_by, strict=True))
        ]


def stream_source(method: Method) -> StreamSource:
    """Where the contexts of a method come from; raises ValueError unless `why_not_on_streams` is None."""
    if method.context != "recurrent":
        return method.context
    raise ValueError(f"Method {method.name!r} has a recurrent layer, which no stream has.")


def why_not_on_streams(method: Method) -> str | None:
    """What keeps a method from learning with one glance at a time, in words; None: nothing.

    On a stream each layer is an area of its own that sees one fixation or one saccade (local in time), and
    every prediction has its gate. Distances, negatives and where saccades land are the stream's business;
    maps, too, are compared with one earlier glance.
    """
    objective = method.objective
    if method.task == "none":
        return "it does not learn"
    if method.task == "supervised":
        return "it learns from labels, not from fixations and saccades"
    if method.task != "contrast":
        return "it does not tell fixations from saccades: no score, no gamma"
    if method.rule != "own":
        return "its areas learn from the error of the top area, not from a score of their own"
    if not method.explicit:
        return "it has modules of several layers, which learn by back-propagation"
    if method.context == "recurrent":
        return "its top area predicts from a recurrent layer, which areas on streams lack"
    if objective is None:
        return None
    if objective.loss != "hinge" or not objective.time_local:
        return "it compares fixation and saccades at once"
    if not (objective.gate and objective.prediction):
        return "it has no gate or no prediction"
    return None
