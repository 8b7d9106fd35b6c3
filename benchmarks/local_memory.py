"""Peak memory of learning layer by layer, against the same losses learned by back-propagation.

Networks and tensors are fake: every operation runs on shapes alone, and the bytes of all tensors that are
alive are counted. So full width needs no large machine, and the numbers are exact for these programs (without
what convolution libraries allocate as work space).

    python -m benchmarks.local_memory --width 1 --batch 32
"""

import argparse
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.training.build import image_network

LOCAL = ("clapp-pp", "clapp-pp-dfb", "clapp-pp-both", "clapp-pp-pooled", "clapp-s")
MIB = 2**20


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that operations under it have made and that are still alive.

    Attributes:
        live, peak: now, and at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: set[int] = set()

    def forget(self, tensors: list[Tensor]) -> None:
        """Never count these."""
        self._known.update(t.untyped_storage()._cdata for t in tensors)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation and count what is new."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


class Peak(NamedTuple):
    """Bytes of the weights, and the most that a step of learning holds besides them."""

    weights: int
    local: int
    backprop: int


def layer_by_layer(network: ImageNetwork, stimulus: Tensor, group: int) -> None:
    """Every area learns and is forgotten."""
    for update in network.learn(stimulus, streams, group):
        del update


def backward(network: ImageNetwork, stimulus: Tensor, group: int) -> None:
    """The sum of all losses, then one backward pass, as the published code does it."""
    supervised = network.method.task == "supervised"
    labels = torch.zeros(len(stimulus), dtype=torch.long) if supervised else None
    losses = [each.loss for each in network.module_losses(stimulus, streams, group, labels)]
    torch.stack(losses).sum().backward()


def streams(area: int, loss: int) -> list[torch.Generator]:
    return [generator(0, area, loss)]


def peak(
    method: str,
    width: float,
    batch: int,
    learn: Callable[[ImageNetwork, Tensor, int], None],
    fake: bool = True,
) -> tuple[int, int]:
    """Bytes of the weights, and the peak of everything else during `learn`.

    Some methods need numbers to know their shapes: `fake` off computes them.
    """
    record = get_method(method)
    with FakeTensorMode() if fake else nullcontext():
        network = image_network(record, width)
        if not fake:
            network.reset_parameters(0)
        side = network.encoder.architecture.image
        stimulus = torch.zeros(batch * (2 if record.pairs else 1), 1, side, side)
        weights = list(network.parameters())
        with LiveBytes() as count:
            count.forget([*weights, stimulus])
            learn(network, stimulus, batch)
    return sum(p.numel() * p.element_size() for p in weights), count.peak


def measure(method: str, width: float, batch: int) -> Peak:
    """Both ways of learning for a local method."""
    weights, local = peak(method, width, batch, layer_by_layer)
    _, graph = peak(method, width, batch, backward)
    return Peak(weights, local, graph)


def table(methods: tuple[str, ...], width: float, batch: int) -> str:
    """Markdown: what is held besides weights, and all of it with weights and Adam's two moments."""
    rows = [
        "| method | weights MiB | layer by layer MiB | back-propagation MiB | saved | saved, with weights "
        "and Adam |",
        "|---|---|---|---|---|---|",
    ]
    for method in methods:
        found = measure(method, width, batch)
        held = 3 * found.weights
        saved = 1 - found.local / found.backprop
        all_saved = 1 - (found.local + held) / (found.backprop + held)
        rows.append(
            f"| {method} | {found.weights / MIB:.0f} | {found.local / MIB:.0f} | "
            f"{found.backprop / MIB:.0f} | {saved:.0%} | {all_saved:.0%} |"
        )
    twin = "clapp-pp-end-to-end"
    weights, graph = peak(twin, width, batch, backward)
    rows.append(f"| {twin} | {weights / MIB:.0f} | - | {graph / MIB:.0f} | - | - |")
    return "\n".join(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=LOCAL)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args()
    print(table(tuple(given.methods), given.width, given.batch))


if __name__ == "__main__":
    main()
