"""What all neurons have in common: two input ports, three outputs, explicit state, explicit randomness.

A neuron model is a pure function

    step(inputs, state, constants, draws) -> (outputs, state)

on named tuples of tensors of one shape (any batch and neuron axes), a frozen parameter set whose method
`at(dt)` gives the constants of one time step, and a thin module that holds the two. Nothing is remembered
between calls except what the caller passes back in as `state`. Random numbers enter as arguments, too: one
tensor for events and one for bursts, so that the event train cannot depend on what the dendrite did.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.neurons.parameters import NeuronParameters

Kind = Literal["none", "normal", "uniform"]


class Inputs(NamedTuple):
    """What reaches the two ports during one step, in the units that the neuron states.

    Attributes:
        soma: basal drive.
        apical: apical drive; never touches the events of the strict models.
    """

    soma: Float[Tensor, "*shape"]
    apical: Float[Tensor, "*shape"]


class Outputs(NamedTuple):
    """What a neuron says in one step: 0 or 1 in the precision of the inputs (the rate neuron: real numbers).

    Attributes:
        spike: any somatic spike.
        event: an isolated spike or the first spike of a burst.
        burst: a burst became known in this step; its model says at which of its spikes.
    """

    spike: Float[Tensor, "*shape"]
    event: Float[Tensor, "*shape"]
    burst: Float[Tensor, "*shape"]


class Draws(NamedTuple):
    """Random numbers of one step, of the kinds that `Neuron.kinds` names; None where a kind is "none"."""

    event: Float[Tensor, "*shape"] | None = None
    burst: Float[Tensor, "*shape"] | None = None


NO_DRAWS = Draws()


class Source(Protocol):
    """Whoever hands out random numbers (`clapp_snn.neurons.noise`)."""

    def draw(
        self,
        kinds: tuple[Kind, Kind],
        shape: torch.Size,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Draws:
        """Random numbers of one step."""
        ...


State = TypeVar("State", bound="NamedTuple")
Observer = Callable[[int, Inputs, Outputs, Any], None]
"""Called after every step with the step's index, inputs, outputs and the state after the step."""


class Neuron(nn.Module, ABC, Generic[State]):
    """Thin shell around a pure step function.

    Args:
        params: of the model.
        dt: time step in ms.

    Attributes:
        params, dt: as given.
        constants: what the step function needs, derived once from both.
        takes: class of the parameters.
        soma_unit, apical_unit: units of the two ports.

    Raises TypeError for the parameters of another model, ValueError for a dt that does not fit them.
    """

    takes: ClassVar[type[NeuronParameters]]
    soma_unit: ClassVar[str]
    apical_unit: ClassVar[str]

    def __init__(self, params: NeuronParameters, dt: float = 1.0) -> None:
        super().__init__()
        if not isinstance(params, self.takes):
            raise TypeError(
                f"{type(self).__name__} takes {self.takes.__name__}, not {type(params).__name__}; the time "
                "step is dt=..."
            )
        params.check_step(dt)
        self.params = params
        self.dt = dt
        self.constants = params.at(dt)

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        """Which random numbers a step needs for events and for bursts."""
        return ("none", "none")

    @abstractmethod
    def initial_state(
        self,
        shape: tuple[int, ...] | torch.Size,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> State:
        """State at rest."""

    @abstractmethod
    def step(self, inputs: Inputs, state: State, draws: Draws = NO_DRAWS) -> tuple[Outputs, State]:
        """One time step without any check; calls the model's pure step function."""

    def forward(
        self, inputs: Inputs, state: State | None = None, source: Source | None = None
    ) -> tuple[Outputs, State]:
        """One time step with checked inputs.

        Args:
            inputs: drives of one shape, or of shapes that broadcast to one.
            state: None starts at rest.
            source: of random numbers; needed where `kinds` names any.

        Raises ValueError for shapes that do not fit, drives that are not finite, a state of another shape,
        precision, device or model, or a missing source; TypeError for a source that cannot draw.
        """
        inputs = self.check(inputs)
        shape, dtype, device = inputs.soma.shape, inputs.soma.dtype, inputs.soma.device
        if state is None:
            state = self.initial_state(shape, dtype=dtype, device=device)
        else:
            self.check_state(state, shape, dtype, device)
        return self.step(inputs, state, self.draw(source, shape, dtype, device))

    def draw(
        self, source: Source | None, shape: torch.Size, dtype: torch.dtype, device: torch.device
    ) -> Draws:
        """Random numbers of one step.

        Raises ValueError if the model needs some and there is no source, TypeError for one without `draw`.
        """
        if self.kinds == ("none", "none"):
            return NO_DRAWS
        if source is None:
            raise ValueError(
                f"{type(self).__name__} draws random numbers: pass a source, for example "
                "Streams.from_seed(0)."
            )
        if not hasattr(source, "draw"):
            raise TypeError(
                f"A source of random numbers has a method draw, {type(source).__name__} has none: pass, for "
                "example, Streams.from_seed(0)."
            )
        return source.draw(self.kinds, shape, dtype, device)

    def check(self, inputs: Inputs) -> Inputs:
        """Both drives in one shape; raises ValueError for what a neuron cannot take."""
        soma, apical = pair(inputs)
        for name, drive in (("soma", soma), ("apical", apical)):
            if not isinstance(drive, Tensor) or not drive.is_floating_point():
                raise ValueError(f"The {name} drive must be a tensor of floating-point numbers.")
            if drive.dtype not in (torch.float32, torch.float64):
                raise ValueError(
                    f"The {name} drive must be float32 or float64, not {str(drive.dtype)[6:]}."
                )
            if not torch.isfinite(drive).all():
                raise ValueError(f"The {name} drive holds values that are not finite (NaN or inf).")
        if soma.dtype != apical.dtype or soma.device != apical.device:
            raise ValueError(
                f"Both drives need one precision and device, got soma {soma.dtype} on {soma.device} and "
                f"apical {apical.dtype} on {apical.device}."
            )
        try:
            soma, apical = torch.broadcast_tensors(soma, apical)
        except RuntimeError as error:
            raise ValueError(
                f"The soma drive {tuple(soma.shape)} and the apical drive {tuple(apical.shape)} do not fit."
            ) from error
        return Inputs(soma, apical)

    def check_state(
        self, state: State, shape: torch.Size, dtype: torch.dtype, device: torch.device
    ) -> None:
        """Raise ValueError unless `state` is one of this model's and of this shape, precision and device."""
        expected = self.initial_state((1,), dtype=dtype)
        if type(state) is not type(expected):
            raise ValueError(
                f"{type(self).__name__} needs a {type(expected).__name__}, not a {type(state).__name__}."
            )
        for name, values, rest in zip(expected._fields, state, expected, strict=True):
            if values.shape != shape or values.dtype != rest.dtype:
                raise ValueError(
                    f"The state does not fit the drive: {name} is {tuple(values.shape)} {values.dtype}, "
                    f"expected {tuple(shape)} {rest.dtype}."
                )
            if values.device != device:
                raise ValueError(
                    f"The state lives on {values.device} ({name}), the drives on {device}; move one of them."
                )


def pair(inputs: Inputs) -> Inputs:
    """The two drives; raises TypeError for anything else."""
    if not isinstance(inputs, tuple) or len(inputs) != len(Inputs._fields):
        raise TypeError(
            f"A neuron takes Inputs(soma, apical), not {type(inputs).__name__}"
            + (f" of {len(inputs)}." if isinstance(inputs, tuple) else ".")
        )
    return Inputs(*inputs)


def simulate(
    neuron: Neuron[State],
    inputs: Inputs | Callable[[int], Inputs],
    steps: int,
    state: State | None = None,
    source: Source | None = None,
    observe: Observer | None = None,
) -> State:
    """Step a neuron `steps` times and keep nothing but its state.

    Args:
        neuron: any model.
        inputs: constant drives, or a function of the step's index.
        steps: how many.
        state: None starts at rest.
        source: of random numbers.
        observe: called after each step (monitors of `clapp_snn.recording` are such observers).

    Raises ValueError as `Neuron.forward` does, and for drives that change shape, precision or device;
    constant drives are checked once.
    """
    if steps < 1:
        raise ValueError(f"A simulation needs at least one step, not {steps}.")
    constant = None if callable(inputs) else neuron.check(inputs)
    for index in range(steps):
        now = neuron.check(inputs(index)) if callable(inputs) else constant
        assert now is not None
        soma = now.soma
        kind = (soma.shape, soma.dtype, soma.device)
        if index == 0:
            first = kind
            if state is None:
                state = neuron.initial_state(soma.shape, dtype=soma.dtype, device=soma.device)
            else:
                neuron.check_state(state, *kind)
        elif kind != first:
            raise ValueError(
                f"The drives of step {index} are {tuple(kind[0])} {kind[1]} on {kind[2]}, those of step 0 "
                f"{tuple(first[0])} {first[1]} on {first[2]}."
            )
        assert state is not None
        draws = neuron.draw(source, *kind)
        outputs, state = neuron.step(now, state, draws)
        if observe is not None:
            observe(index, now, outputs, state)
    assert state is not None
    return state


class Layer(nn.Module, Generic[State]):
    """Many time steps at once, time first.

    Args:
        neuron: any model.
    """

    def __init__(self, neuron: Neuron[State]) -> None:
        super().__init__()
        self.neuron = neuron

    def forward(
        self,
        inputs: Inputs,
        state: State | None = None,
        source: Source | None = None,
        observe: Observer | None = None,
    ) -> tuple[Outputs, State]:
        """Run over the first axis of the drives, (time, *shape), and return all outputs in that layout.

        Raises ValueError as `Neuron.forward` does.
        """
        soma, apical = self.neuron.check(inputs)
        if soma.dim() == 0 or soma.shape[0] == 0:
            raise ValueError("The drives need a first axis of at least one time step.")
        shape, dtype, device = soma.shape[1:], soma.dtype, soma.device
        if state is None:
            state = self.neuron.initial_state(shape, dtype=dtype, device=device)
        else:
            self.neuron.check_state(state, shape, dtype, device)
        spoken = []
        for index in range(soma.shape[0]):
            now = Inputs(soma[index], apical[index])
            draws = self.neuron.draw(source, shape, dtype, device)
            outputs, state = self.neuron.step(now, state, draws)
            spoken.append(outputs)
            if observe is not None:
                observe(index, now, outputs, state)
        return Outputs(*(torch.stack(each) for each in zip(*spoken, strict=True))), state
