"""From what is seen in a glance to the input of a stack of areas."""

import math

from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.stream_hierarchy import StreamHierarchy


def stream_input(
    network: StreamHierarchy, view: Float[Tensor, "sample *view"]
) -> Float[Tensor, "sample *pre"] | Float[Tensor, "time sample *pre"]:
    """Constant input of a window, or one for each of its steps, as `StreamHierarchy.window` takes it.

    Args:
        network: its lowest area gives the shape.
        view: values of one window, in any arrangement for dense areas and with channels before rows and
            columns for convolutional ones; where it changes during the window, a second axis is time.

    It lies on the device of the network's weights.

    Raises ValueError for another number of values, or of steps than the window has.
    """
    view = view.to(network.area(0).weight.device)
    shape = network.area(0).input_shape
    if len(shape) == 3 and view.dim() > 3:
        view = view.movedim(-3, -1)
    count, values = len(view), view[0].numel()
    if values == math.prod(shape):
        return view.reshape(count, *shape)
    if view.dim() < 3 or values != view.shape[1] * math.prod(shape):
        raise ValueError(
            f"A view of {values} values does not fit a network of {math.prod(shape)} inputs; it was made for "
            "other data."
        )
    if view.shape[1] != network.steps:
        dt = network.area(0).neuron.dt
        raise ValueError(
            f"A glance at these data lasts {view.shape[1] * dt:g} ms, but a window, settling included, "
            f"{network.steps * dt:g} ms; choose window and settle that add up to the glance."
        )
    return view.reshape(count, view.shape[1], *shape).transpose(0, 1)
