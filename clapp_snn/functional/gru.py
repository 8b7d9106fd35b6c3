"""A gated recurrent layer and three ways to tell its synapses what they did.

    r = s(W_ir x + b_ir + W_hr h + b_hr),   u = s(W_iz x + b_iz + W_hz h + b_hz),
    n = tanh(W_in x + b_in + r (W_hn h + b_hn)),   h' = (1 - u) n + u h

"bptt" follows every path back in time. "eprop" (paper, Eqs. 18-21) stops gradients at h inside the gates but
not in the leak u h: what remains is diagonal, so every synapse can carry its own eligibility trace forward in
time. "detached" stops them everywhere: a synapse knows the present step only. Weights have PyTorch's layout,
rows in the order r, u, n.
"""

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Recurrence = Literal["bptt", "eprop", "detached"]


class GRUWeights(NamedTuple):
    """Input weights (3 units, pre), recurrent weights (3 units, units) and their biases (3 units)."""

    weight_ih: Float[Tensor, "gates pre"]
    weight_hh: Float[Tensor, "gates unit"]
    bias_ih: Float[Tensor, "gates"]
    bias_hh: Float[Tensor, "gates"]


class _Gates(NamedTuple):
    """Reset, update, candidate and the recurrent input of the candidate."""

    reset: Tensor
    update: Tensor
    candidate: Tensor
    recurrent: Tensor


def _gates(driven: Tensor, h: Tensor, weights: GRUWeights) -> _Gates:
    recurrent = torch.addmm(weights.bias_hh, h, weights.weight_hh.t())
    x_r, x_u, x_n = driven.chunk(3, 1)
    h_r, h_u, h_n = recurrent.chunk(3, 1)
    reset, update = torch.sigmoid(x_r + h_r), torch.sigmoid(x_u + h_u)
    return _Gates(reset, update, torch.tanh(x_n + reset * h_n), h_n)


def gru_states(
    x: Float[Tensor, "sample frame pre"], weights: GRUWeights, recurrence: Recurrence
) -> Float[Tensor, "sample frame unit"]:
    """Differentiable states from h = 0, with gradients stopped as `recurrence` says."""
    h = x.new_zeros(x.shape[0], weights.weight_hh.shape[1])
    driven = x @ weights.weight_ih.t() + weights.bias_ih
    states = []
    for step in range(x.shape[1]):
        inside = h if recurrence == "bptt" else h.detach()
        gates = _gates(driven[:, step], inside, weights)
        leak = h.detach() if recurrence == "detached" else h
        h = (1 - gates.update) * gates.candidate + gates.update * leak
        states.append(h)
    return torch.stack(states, 1)


def _local_slopes(
    gates: _Gates, h: Tensor
) -> tuple[Float[Tensor, "sample gates"], Float[Tensor, "sample gates"]]:
    """dh' / d(input of each gate) with h held fixed: for synapses from x, and for synapses from h."""
    by_candidate = (1 - gates.update) * (1 - gates.candidate**2)
    by_update = (h - gates.candidate) * gates.update * (1 - gates.update)
    by_reset = by_candidate * gates.recurrent * gates.reset * (1 - gates.reset)
    from_x = torch.cat((by_reset, by_update, by_candidate), 1)
    from_h = torch.cat((by_reset, by_update, by_candidate * gates.reset), 1)
    return from_x, from_h


class Traces(NamedTuple):
    """State of an e-prop layer: activity and the eligibility trace of every synapse and bias."""

    h: Float[Tensor, "sample unit"]
    weight_ih: Float[Tensor, "sample gates pre"]
    weight_hh: Float[Tensor, "sample gates unit"]
    bias_ih: Float[Tensor, "sample gates"]
    bias_hh: Float[Tensor, "sample gates"]


def initial_traces(samples: int, weights: GRUWeights) -> Traces:
    """Silence: h = 0 and empty traces."""
    like = weights.weight_ih
    return Traces(
        like.new_zeros(samples, weights.weight_hh.shape[1]),
        *(like.new_zeros(samples, *weight.shape) for weight in weights),
    )


def eprop_step(x: Float[Tensor, "sample pre"], state: Traces, weights: GRUWeights) -> Traces:
    """One step of the layer and of its traces: trace' = u trace + local slope times presynaptic activity."""
    h = state.h
    gates = _gates(x @ weights.weight_ih.t() + weights.bias_ih, h, weights)
    from_x, from_h = _local_slopes(gates, h)
    leak = gates.update.repeat(1, 3)
    return Traces(
        (1 - gates.update) * gates.candidate + gates.update * h,
        torch.baddbmm(state.weight_ih * leak[:, :, None], from_x[:, :, None], x[:, None, :]),
        torch.baddbmm(state.weight_hh * leak[:, :, None], from_h[:, :, None], h[:, None, :]),
        state.bias_ih * leak + from_x,
        state.bias_hh * leak + from_h,
    )


def eprop_update(
    x: Float[Tensor, "sample frame pre"],
    weights: GRUWeights,
    signal: Float[Tensor, "sample frame unit"],
) -> GRUWeights:
    """Change of every weight: the sum over frames of learning signal times eligibility trace.

    Forward in time; what is held is one set of traces, however long the sequence is.
    """
    state = initial_traces(x.shape[0], weights)
    change = GRUWeights(*(torch.zeros_like(weight) for weight in weights))
    for step in range(x.shape[1]):
        state = eprop_step(x[:, step], state, weights)
        told = signal[:, step].repeat(1, 3)
        for total, trace in zip(change, state[1:], strict=True):
            told_each = told if trace.dim() == 2 else told[:, :, None]
            total += (told_each * trace).sum(0)
    return change


def detached_update(
    x: Float[Tensor, "sample frame pre"],
    weights: GRUWeights,
    states: Float[Tensor, "sample frame unit"],
    signal: Float[Tensor, "sample frame unit"],
) -> GRUWeights:
    """Change of every weight when a synapse knows the present step only; `states` are those of the layer."""
    before = torch.cat((torch.zeros_like(states[:, :1]), states[:, :-1]), 1).flatten(0, 1)
    inputs = x.flatten(0, 1)
    gates = _gates(inputs @ weights.weight_ih.t() + weights.bias_ih, before, weights)
    from_x, from_h = _local_slopes(gates, before)
    told = signal.flatten(0, 1).repeat(1, 3)
    by_x, by_h = told * from_x, told * from_h
    return GRUWeights(by_x.t() @ inputs, by_h.t() @ before, by_x.sum(0), by_h.sum(0))
