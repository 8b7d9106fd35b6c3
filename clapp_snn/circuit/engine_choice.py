"""Which code computes the windows of a stack: eager torch, or the compiled engine where it applies."""

from typing import Literal

from clapp_snn import native
from clapp_snn.circuit.fast_area import require_fast
from clapp_snn.circuit.fast_drawn import require_plain
from clapp_snn.circuit.fast_drawn_area import require_fast_drawn
from clapp_snn.circuit.ports import RatePort
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy

Engine = Literal["torch", "native"]


def one_draw(network: StreamHierarchy, drawn: bool) -> bool:
    """Whether a window is one draw: counts of L3 drawn at once, or the single step of rate neurons."""
    return drawn or type(network.area(0).port) is RatePort


def require_native(network: StreamHierarchy, drawn: bool) -> None:
    """Raise ValueError, naming the reason, for areas that the compiled engine does not support.

    Raises NativeUnavailable without a C compiler.
    """
    whole = one_draw(network, drawn)
    if whole:
        require_plain(network)
    require = require_fast_drawn if whole else require_fast
    for index in range(len(network.areas)):
        require(network.area(index))
    if not native.available():
        raise native.NativeUnavailable(native.why_unavailable())


def choose_engine(network: StreamHierarchy, drawn: bool) -> tuple[Engine, str]:
    """The compiled engine where it applies, else torch; with the reason, for a message."""
    try:
        require_native(network, drawn)
    except (ValueError, native.NativeUnavailable) as error:
        return "torch", str(error)
    what = "windows are drawn at once" if one_draw(network, drawn) else "windows run in blocks"
    return "native", f"{what} by compiled kernels"
