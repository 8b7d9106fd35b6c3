"""What a feedforward synapse of a method has to know, by where it would have to come from."""

from typing import NamedTuple

from clapp_snn.methods.record import Method


class Locality(NamedTuple):
    """Information that the update of one feedforward synapse needs.

    Updates of all rules are sums over the images of a step; where a rule takes statistics over them (LPL,
    SoftHebb), a neuron would take those of its own recent past.

    Attributes:
        own: activity of the neurons it connects.
        apical: what reaches the dendrite of its neuron through that neuron's own synapses.
        broadcast: one number for all synapses of the area, or of one place of its map.
        other: anything else; "-" is what makes a rule local.
    """

    own: str
    apical: str
    broadcast: str
    other: str


NOTHING = "-"
PAIR = "pre, post"
TOGETHER = "fixation and saccades at once"
TRANSPOSED = "transposed weights"


def locality(method: Method) -> Locality:
    """The information that the rule of a method needs; for larger modules that of back-propagation."""
    if method.task == "none":
        return Locality(NOTHING, NOTHING, NOTHING, NOTHING)
    if method.task == "supervised":
        return _supervised(method)
    if method.task == "predict":
        layered = method.explicit
        return Locality(
            f"{PAIR}, own mean and variance" if layered else PAIR,
            "covariances with the layer" if layered else NOTHING,
            NOTHING,
            "both views at once" if layered else f"errors of later layers, {TRANSPOSED}",
        )
    if method.task == "hebbian":
        return Locality(
            "pre with its mean and variance, post, norm of own weights",
            NOTHING,
            "competition at its place, largest change of the area",
            NOTHING,
        )
    if method.task == "goodness":
        layered = method.explicit
        return Locality(
            PAIR,
            NOTHING,
            "goodness at its place, mean and deviation of the area's input" if layered else NOTHING,
            "image and mixed image at once" if layered else f"errors of later layers, {TRANSPOSED}",
        )
    if method.rule == "feedback-alignment":
        return Locality(PAIR, "top error, fixed random weights", NOTHING, TOGETHER)
    if method.rule == "predictive-coding":
        return Locality(
            PAIR, "own error neuron", NOTHING, f"{TRANSPOSED}, settled activities, {TOGETHER}"
        )
    if not method.explicit:
        return Locality(
            PAIR, NOTHING, NOTHING, f"errors of later layers, {TRANSPOSED}{_simultaneous(method)}"
        )
    if method.maps is not None:
        sources = {"same": "own area", "top": "top area", "both": "own and top area"}
        return Locality(
            PAIR, f"map of the other view, {sources[method.context]}", "gamma", TOGETHER
        )
    return _on_patches(method)


def _supervised(method: Method) -> Locality:
    if all(size == 1 for size in method.splits):
        return Locality(PAIR, NOTHING, NOTHING, f"labels, error of the read-out, {TRANSPOSED}")
    return Locality(PAIR, NOTHING, NOTHING, f"labels, errors of later layers, {TRANSPOSED}")


def _on_patches(method: Method) -> Locality:
    objective = method.objective
    assert objective is not None
    sources = {"same": "own area", "above": "area above", "recurrent": "own or recurrent area"}
    apical = f"W_pred c, {sources[method.context]}"
    other = []
    if objective.retro == "free":
        apical = f"{apical}; W_retro z"
    if not objective.prediction:
        apical = f"column sums of W_pred, {sources[method.context]}"
    if objective.retro == "tied" and objective.prediction:
        other.append("W_pred transposed")
    if not objective.time_local:
        other.append(TOGETHER)
    broadcast = "gamma"
    if objective.loss == "infonce":
        broadcast = NOTHING
        other.append("graded factor of each pair")
    elif not objective.gate:
        broadcast = NOTHING
    return Locality(PAIR, apical, broadcast, ", ".join(other) or NOTHING)


def _simultaneous(method: Method) -> str:
    local = method.objective is not None and method.objective.time_local
    return "" if local else f", {TOGETHER}"
