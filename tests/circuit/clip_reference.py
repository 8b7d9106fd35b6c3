"""The video network and its losses written the usual way: modules, channels first, flattened predictions."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.circuit.clip_hierarchy import ClipHierarchy


def block(network: ClipHierarchy, index: int) -> nn.Sequential:
    """`index`-th block out of PyTorch's modules, in training mode, with the weights of the network."""
    own = network.encoder.layer(index)
    shape, post, kind = own.shape, own.weight.shape[0], own.weight.dtype
    convolution = nn.Conv3d(
        own.weight.shape[1], post, shape.kernel, shape.stride, shape.padding, dtype=kind
    )
    convolution.load_state_dict({"weight": own.weight.detach(), "bias": own.bias.detach()})
    parts: list[nn.Module] = [nn.ReLU()]
    if own.gain is not None and own.shift is not None:
        norm = nn.BatchNorm3d(post, dtype=kind)
        norm.load_state_dict(
            {
                "weight": own.gain.detach(),
                "bias": own.shift.detach(),
                "running_mean": own.running_mean,
                "running_var": own.running_variance,
                "num_batches_tracked": torch.tensor(0),
            }
        )
        parts.append(norm)
        if own.order == "norm-relu":
            parts.reverse()
    if shape.pool:
        parts.append(nn.MaxPool3d((1, 3, 3), (1, 2, 2)))
    return nn.Sequential(convolution, *parts)


def gradients_of(built: nn.Sequential) -> dict[str, Tensor]:
    """Gradients of a `block` under the names of the package."""
    names = {"weight": "gain", "bias": "shift"}
    found = {}
    for module in built:
        for name, parameter in module.named_parameters():
            own = names[name] if isinstance(module, nn.BatchNorm3d) else name
            assert parameter.grad is not None
            found[own] = parameter.grad
    return found


def loss_of(z: Tensor, matrices: Tensor, kind: str, group: int) -> Tensor:
    """The objective on (clip, channel, time, row, col), pair by pair."""
    total = z.new_zeros(())
    parts = z.split(group)
    for part in parts:
        contexts = part.shape[2] - 3
        for step in (1, 2, 3):
            where = [(b, t) for b in range(len(part)) for t in range(contexts)]
            apical = [
                torch.einsum("zc,chw->zhw", matrices[step - 1], part[b, :, t]).flatten()
                for b, t in where
            ]
            target = [part[b, :, t + step].flatten() for b, t in where]
            u = torch.stack([torch.stack([p @ q for q in target]) for p in apical])
            if kind == "infonce":
                total = total + F.cross_entropy(u, torch.arange(len(u)))
                continue
            same = torch.eye(len(u), dtype=torch.bool)
            total = total + 0.5 * (F.relu(1 - u[same]).mean() + F.relu(1 + u[~same]).mean())
    return total / 3 / len(parts)
