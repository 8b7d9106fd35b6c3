"""What a stream area refuses: settings that contradict one another, and input that does not fit."""

import math
from typing import get_args

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.apical_memory import ApicalMemory
from clapp_snn.circuit.ports import Port
from clapp_snn.functional.objective import Retro
from clapp_snn.functional.window_plasticity import Post
from clapp_snn.neurons.interface import Neuron


def require_sizes(pre: int, post: int) -> None:
    """Raise ValueError unless both are whole and positive."""
    for name, size in (("pre", pre), ("post", post)):
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a positive whole number, not {size!r}.")


def require_known(retro: str, post_factor: str) -> None:
    """Raise ValueError, naming the choices, for an unknown name."""
    for what, name, choices in (
        ("retro", retro, get_args(Retro)),
        ("post_factor", post_factor, get_args(Post)),
    ):
        if name not in choices:
            raise ValueError(f"{what} is one of {', '.join(choices)}, not {name!r}.")


def require_target_side(retro: str) -> None:
    """Raise ValueError unless only the predicted activity learns."""
    if retro != "zero":
        raise ValueError(
            "Where another area predicts, or a map is compared window by window, the context side learns "
            f"nothing: retro='zero', not {retro!r}."
        )


def require_port(port: Port, neuron: Neuron) -> None:
    """Raise ValueError for a port that was made for another model, parameter set or time step."""
    if port.dt != neuron.dt:
        raise ValueError(
            f"The port was made for steps of {port.dt:g} ms, the neuron has {neuron.dt:g} ms."
        )
    if port.params is not None and port.params != neuron.params:
        raise ValueError(
            f"The port was made for other parameters ({type(port.params).__name__}) than this "
            f"{type(neuron).__name__} has; make it from the neuron of the area."
        )


def require_memory(memory: ApicalMemory, dt: float) -> None:
    """Raise ValueError for a memory that keeps other time than the neuron."""
    if memory.dt is not None and memory.dt != dt:
        raise ValueError(
            f"The memory was made for steps of {memory.dt:g} ms, the neuron has {dt:g} ms."
        )


def whole_steps(name: str, time: float, dt: float) -> int:
    """How many steps a time lasts; raises ValueError for a negative one or a broken number of steps."""
    if not (time >= 0 and math.isfinite(time)):
        raise ValueError(f"Times must not be negative or infinite: {name} {time}.")
    steps = round(time / dt)
    if not math.isclose(steps * dt, time, rel_tol=1e-6):
        raise ValueError(f"{name} of {time:g} ms must be a whole number of steps of {dt:g} ms.")
    return steps


def require_finite_prediction(apical: Tensor) -> None:
    """Raise ValueError for a prediction that bursts cannot carry: a NaN would be read as none."""
    if not bool(torch.isfinite(apical).all()):
        raise ValueError(
            "The prediction of this window is not finite (NaN or inf): W_pred or the context is not."
        )


def require_input(x: Float[Tensor, "sample *pre"], like: Float[Tensor, "sample *pre"]) -> None:
    """Raise ValueError unless `x` has the shape and precision of `like`; values are not looked at."""
    if x.shape != like.shape or x.dtype != like.dtype:
        raise ValueError(
            f"The input of the area must be {tuple(like.shape)} {like.dtype}, as its state is, not "
            f"{tuple(x.shape)} {x.dtype}."
        )
