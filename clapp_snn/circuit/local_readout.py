"""A read-out that learns locally: one neuron a class, a teacher as the third factor, no gradient sent back.

Class neurons sum the event counts of an area and inhibit one another, so that their activities are shares o
of one population,

    s_k = sum_i V_ki x_i + b_k,      o = softmax(s),      x = z / sqrt(mean |z|^2)

where x is the activity z of a window behind a gain that all synapses share (divisive inhibition by the
running mean of |z|^2). A teacher makes the neuron of the right class known, t_k = 1 there and 0 elsewhere.
What a synapse needs is there: its input, the activity of its neuron, and the teacher that reaches it,

    dV_ki = eta (t_k - o_k) x_i,     db_k = eta (t_k - o_k).

Without a teacher nothing changes. With `events` the population fires that many events a window, each by the
neuron that wins the race (probability o_k), and o is what was counted. Either way the mean change is minus
the gradient of the cross entropy of o: a delta rule.
"""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F


def three_factor_change(
    x: Float[Tensor, "sample pre"],
    o: Float[Tensor, "sample class"],
    teacher: Float[Tensor, "sample class"],
) -> tuple[Float[Tensor, "class pre"], Float[Tensor, "class"]]:
    """Changes of weight and bias, eta = 1, summed over samples.

    Args:
        x: presynaptic trace of a window.
        o: activity of the class neurons in it.
        teacher: what it should have been.
    """
    error = teacher - o
    return error.T @ x, error.sum(0)


class LocalReadout(nn.Module):
    """Class neurons on top of an area; at first no class is preferred.

    Args:
        inputs: units that are read.
        classes: neurons.
        learning_rate: eta.
        events: of the whole population in a window; None for its mean activity.
        memory: windows over which the gain averages |z|^2; until then all windows count alike.

    Everything that changes is in buffers (`weight`, `bias`, `power`, `seen`), so a state dict holds it.

    Raises ValueError for sizes, a learning rate, numbers of events or a memory that are not positive.
    """

    weight: Tensor
    bias: Tensor
    power: Tensor
    seen: Tensor

    def __init__(
        self,
        inputs: int,
        classes: int,
        learning_rate: float = 0.3,
        events: int | None = None,
        memory: float = 200.0,
    ) -> None:
        super().__init__()
        given = {"inputs": inputs, "classes": classes, "learning_rate": learning_rate}
        given |= {"memory": memory} if events is None else {"memory": memory, "events": events}
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise ValueError(f"{name} of a read-out must be positive, not {value}.")
        self.learning_rate, self.events, self.memory = learning_rate, events, memory
        for name, shape in (("weight", (classes, inputs)), ("bias", (classes,)), ("power", ())):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, z: Float[Tensor, "sample pre"]) -> Float[Tensor, "sample class"]:
        """Summed input s of the class neurons; the largest is the answer."""
        return F.linear(self._presynaptic(z), self.weight, self.bias)

    @torch.no_grad()
    def learn(
        self,
        z: Float[Tensor, "sample pre"],
        labels: Int64[Tensor, "sample"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "sample class"]:
        """One window with a teacher; the changes of samples side by side add up.

        Args:
            z: activity of the area in the window.
            labels: the right classes.
            generator: of the race between class neurons, needed with `events` and only then.

        Returns:
            Activity o of the class neurons before they learned.

        Raises ValueError for activity that is not finite, or a generator that is missing or not needed.
        """
        if (generator is None) != (self.events is None):
            raise ValueError("Pass a generator exactly when the read-out fires events.")
        strength = float(z.square().sum()) / len(z)
        if not math.isfinite(strength):
            raise ValueError("The activity to be read out is not finite (NaN or inf).")
        self.seen += 1
        self.power.lerp_(self.power.new_tensor(strength), max(1 / int(self.seen), 1 / self.memory))
        x = self._presynaptic(z)
        o = torch.softmax(F.linear(x, self.weight, self.bias), dim=1)
        if self.events is not None:
            winners = torch.multinomial(o, self.events, replacement=True, generator=generator)
            o = F.one_hot(winners, len(self.bias)).to(o.dtype).mean(1)
        teacher = F.one_hot(labels, len(self.bias)).to(o.dtype)
        weight, bias = three_factor_change(x, o, teacher)
        self.weight.add_(weight, alpha=self.learning_rate)
        self.bias.add_(bias, alpha=self.learning_rate)
        return o

    def _presynaptic(self, z: Float[Tensor, "sample pre"]) -> Float[Tensor, "sample pre"]:
        # Where there never was an event, there is nothing to divide.
        return z / (math.sqrt(float(self.power)) or 1.0)
