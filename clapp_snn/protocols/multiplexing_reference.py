"""Event rates and burst probabilities of L1 in an independent simulation (Brian2 2.9.0, dt 0.1 ms).

400 neurons with their background currents for 5 s at each point of the grid, so that standard errors are
about 0.4 % to 1 % of the event rate and 0.001 to 0.006 in the burst probability.
"""

from typing import NamedTuple

SOURCE = "own simulation in Brian2 2.9, dt 0.1 ms, 400 neurons x 5 s a point"


class GridPoint(NamedTuple):
    """Currents (pA) into soma and dendrite; event rate (Hz), burst probability."""

    soma: float
    apical: float
    event_rate: float
    burst_probability: float


APICAL = (-200.0, -100.0, 0.0, 100.0, 200.0, 300.0, 400.0)
_GRID = {
    100.0: (
        (2.145, 2.178, 2.259, 2.265, 2.455, 2.784, 3.401),
        (0.0042, 0.0115, 0.0361, 0.0832, 0.1764, 0.3415, 0.5255),
    ),
    200.0: (
        (4.397, 4.441, 4.465, 4.494, 4.545, 4.606, 4.918),
        (0.0065, 0.0168, 0.0374, 0.0885, 0.1751, 0.3264, 0.4898),
    ),
    300.0: (
        (7.010, 7.075, 7.031, 6.931, 6.775, 6.487, 6.415),
        (0.0096, 0.0184, 0.0415, 0.0907, 0.1812, 0.3243, 0.4897),
    ),
    400.0: (
        (9.920, 9.873, 9.706, 9.514, 9.018, 8.401, 7.827),
        (0.0134, 0.0232, 0.0514, 0.1006, 0.1882, 0.3242, 0.4872),
    ),
    500.0: (
        (12.876, 12.790, 12.640, 12.129, 11.328, 10.201, 9.140),
        (0.0187, 0.0295, 0.0557, 0.1060, 0.1904, 0.3264, 0.4829),
    ),
}
"""For every somatic current: event rates, then burst probabilities, in the order of `APICAL`."""

GRID = tuple(
    GridPoint(soma, apical, rate, probability)
    for soma, (rates, probabilities) in _GRID.items()
    for apical, rate, probability in zip(APICAL, rates, probabilities, strict=True)
)
