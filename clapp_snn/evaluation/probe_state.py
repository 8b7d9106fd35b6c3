"""State file of the paper's probe: interrupt it at any epoch and go on with the same result."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from clapp_snn.files import atomic_path

_WITNESSES = 8


def _witness(test: dict[int, Tensor]) -> dict[str, Tensor]:
    """Features of the first test images: they tell one encoder from another."""
    return {f"witness_{layer}": values[:_WITNESSES].cpu() for layer, values in test.items()}


def save_state(
    path: Path,
    weights: dict[str, Tensor],
    optimiser: torch.optim.Adam,
    identity: str,
    test: dict[int, Tensor],
    epoch: int,
) -> None:
    """Write heads, Adam moments, finished epochs and what identifies the probe, atomically.

    `weights` may hold tensors that the optimiser does not move (running statistics).
    """
    tensors = {name: value.detach().cpu() for name, value in weights.items()}
    for name, value in weights.items():
        for key, moment in optimiser.state.get(value, {}).items():
            tensors[f"adam/{key}/{name}"] = moment.detach().cpu()
    tensors |= {name: value.contiguous() for name, value in _witness(test).items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"identity": identity, "epoch": str(epoch)})


def load_state(
    path: Path,
    weights: dict[str, Tensor],
    optimiser: torch.optim.Adam,
    identity: str,
    test: dict[int, Tensor],
) -> int:
    """Restore heads and optimiser in place and return the number of finished epochs.

    Raises:
        ValueError: if the file is damaged or was written for another encoder, data set or setting.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is no readable probe state ({error}). Delete it.") from error
    if metadata.get("identity") != identity:
        raise ValueError(
            f"{path} belongs to another probe: it says {metadata.get('identity')!r}, this one is "
            f"{identity!r}. Delete the file to start anew, or give another one."
        )
    for name, value in _witness(test).items():
        if not torch.allclose(stored[name], value, rtol=1e-3, atol=1e-5):
            raise ValueError(
                f"{path} was written for another encoder (its features differ). Delete the file to "
                "start anew, or give another one."
            )
    with torch.no_grad():
        for name, value in weights.items():
            value.copy_(stored[name])
            if f"adam/step/{name}" not in stored:
                continue
            prefix = ("exp_avg", "exp_avg_sq", "step")
            moments = {key: stored[f"adam/{key}/{name}"] for key in prefix}
            optimiser.state[value] = {
                key: moment if key == "step" else moment.to(value.device)
                for key, moment in moments.items()
            }
    return int(metadata["epoch"])
