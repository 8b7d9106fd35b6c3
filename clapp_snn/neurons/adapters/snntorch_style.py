"""Any neuron of this package, called as snnTorch's neurons are: one step a call, batch first.

    spk, burst, v, a = neuron(basal, apical, v, a)        # state outside, as in snn.Leaky(...)
    spk, burst = neuron(basal, apical)                    # init_hidden=True: state inside

Three things differ from snnTorch on purpose. States are those after the reset, whereas `snn.Leaky` returns
the potential before it and resets one step later; spikes are equal. A hidden state whose shape does not fit
the input is an error, not a silent restart. `snntorch.utils.reset` knows only snnTorch's own classes: use
`reset_hidden` of this module. The classes of snnTorch are not inherited, because they keep every neuron ever
built alive.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.neurons.interface import Inputs, Neuron, Source


class SnnTorchStyle(nn.Module):
    """One time step a call, in snnTorch's order of arguments and results.

    Args:
        neuron: any model of this package.
        init_hidden: keep the state inside; then a call takes none and returns spikes and bursts only.
        output: with `init_hidden`, return the state as well.
        source: of random numbers, for models that draw.

    Attributes:
        state_names: names of the state variables, in the order of the results; with `init_hidden` each is a
            buffer of this module (None before the first call).
    """

    def __init__(
        self,
        neuron: Neuron[Any],
        init_hidden: bool = False,
        output: bool = False,
        source: Source | None = None,
    ) -> None:
        super().__init__()
        self.neuron = neuron
        self.init_hidden = init_hidden
        self.output = output
        self.source = source
        rest = neuron.initial_state((0,))
        self.state_names: tuple[str, ...] = rest._fields
        self._state_type = type(rest)
        for name in self.state_names:
            self.register_buffer(name, None, persistent=False)

    def forward(
        self, basal: Float[Tensor, "*shape"], apical: Float[Tensor, "*shape"], *state: Tensor
    ) -> tuple[Tensor, ...]:
        """Spikes and bursts of one step, and the state where the caller keeps it or asked for it.

        Args:
            basal, apical: drives, in the units of the neuron.
            state: variables in the order of `state_names`; none to start at rest.

        Raises TypeError for a state beside `init_hidden` or of the wrong length, ValueError as
        `Neuron.forward`.
        """
        if self.init_hidden and state:
            raise TypeError("With init_hidden=True the state lives in the neuron: pass none.")
        if self.init_hidden and getattr(self, self.state_names[0]) is not None:
            state = tuple(getattr(self, name) for name in self.state_names)
        if state and len(state) != len(self.state_names):
            raise TypeError(
                f"Expected the state {', '.join(self.state_names)}, got {len(state)} tensors."
            )
        given = self._state_type(*state) if state else None
        outputs, after = self.neuron(Inputs(basal, apical), given, self.source)
        if self.init_hidden:
            for name, values in zip(self.state_names, after, strict=True):
                setattr(self, name, values)
            if not self.output:
                return outputs.spike, outputs.burst
        return outputs.spike, outputs.burst, *after

    def reset_mem(self) -> None:
        """Forget the hidden state; the next call starts at rest."""
        for name in self.state_names:
            setattr(self, name, None)

    def detach_hidden(self) -> None:
        """Cut the hidden state off the graph, for truncated backpropagation through time."""
        for name in self.state_names:
            values = getattr(self, name)
            if values is not None:
                setattr(self, name, values.detach())


def reset_hidden(net: nn.Module) -> None:
    """Reset every neuron of this style in `net`, at any depth."""
    for module in net.modules():
        if isinstance(module, SnnTorchStyle):
            module.reset_mem()
