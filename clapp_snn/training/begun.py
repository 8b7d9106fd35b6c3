"""What a run keeps from session to session, so that it ends as if it had never been stopped."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from clapp_snn.circuit.network import Network
from clapp_snn.functional.engine import Engine
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.modality import Trainable


def require_same_start(state: dict[str, Any], data: str, fingerprint: str, processes: int) -> None:
    """Refuse other data, and another number of processes.

    Args:
        state: of the checkpoint.
        data: where the data are, for the message.
        fingerprint: of the data.
        processes: that learn now.

    Raises ValueError for either.
    """
    if state["data"] != fingerprint:
        raise ValueError(
            f"The data at {data} are not the data this run has learned from; restore them or start a new run."
        )
    if state["processes"] != processes:
        raise ValueError(
            f"The run was made by {state['processes']} process(es), this is {processes}; resume with the "
            "same number."
        )


def build_as_begun(
    config: TrainConfig,
    modality: Trainable,
    device: torch.device,
    classes: int,
    begun: Engine | None,
) -> tuple[Network, str]:
    """A fresh network on the engine `begun`, and a sentence about it; None: as the configuration says.

    Raises ValueError where that engine cannot run, or another is asked for.
    """
    network, sentence = modality.build(config, device, classes)
    if begun in (None, network.engine):
        return network, sentence
    try:
        if config.engine != "auto":
            raise ValueError(f"engine={config.engine!r} is asked for.")
        network, _ = modality.build(replace(config, engine=begun), device, classes)
    except ValueError as error:
        hide = " with CUDA_VISIBLE_DEVICES=-1" if device.type == "cuda" else ""
        raise ValueError(
            f"The run was begun with engine={begun!r}, and another would end it with other weights. Here "
            f"{error} Resume where that engine runs{hide}, or start a new run in another folder."
        ) from error
    return network, f"convolutions: {begun}, as the run was begun"


def other_threads(before: Sequence[int], now: Sequence[int]) -> str | None:
    """What another number of threads (one entry a process) means on a CPU; None if it is the same."""
    if list(before) == list(now):
        return None
    earlier, present = (", ".join(map(str, counts)) for counts in (before, now))
    return (
        f"The run was on {earlier} thread(s) and goes on with {present}: its weights will not be bit for bit "
        "those of a run that was never stopped. Set OMP_NUM_THREADS to resume with as many."
    )
