"""The methods of every modality: the same names, other numbers of layers."""

from clapp_snn.methods.local_learners import LOCAL_LEARNERS
from clapp_snn.methods.record import Method
from clapp_snn.methods.speech import SPEECH_METHODS
from clapp_snn.methods.table import METHODS
from clapp_snn.methods.video import VIDEO_METHODS

TABLES: dict[str, dict[str, Method]] = {
    "images": METHODS | LOCAL_LEARNERS,
    "speech": SPEECH_METHODS,
    "video": VIDEO_METHODS,
}
"""Methods by name, for every modality."""


def get_method(name: str, modality: str = "images") -> Method:
    """The record called `name` of a modality; raises ValueError listing all names when there is none."""
    table = TABLES[modality]
    if name not in table:
        where = "" if modality == "images" else f" for {modality}"
        raise ValueError(f"Unknown method {name!r}{where}; choose one of: {', '.join(table)}.")
    return table[name]
