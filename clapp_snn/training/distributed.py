"""Data-parallel training over several processes: a thin layer on `torch.distributed`.

Start the processes with `torchrun`; each finds its place through `World.from_environment`. A process
started without it is a world of one, for which every exchange is a no-op.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


class Average:
    """A running exchange started by `World.average_async`; `wait` writes the means back."""

    def __init__(
        self, tensors: Sequence[Tensor], bucket: Tensor, work: dist.Work, size: int
    ) -> None:
        self._tensors = list(tensors)
        self._bucket = bucket
        self._work = work
        self._size = size

    def wait(self) -> None:
        """Block until the exchange is done, then overwrite the tensors by their means; once only."""
        if not self._tensors:
            return
        self._work.wait()
        self._bucket.div_(self._size)
        parts = self._bucket.split([tensor.numel() for tensor in self._tensors])
        for tensor, part in zip(self._tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))
        self._tensors = []


class NoExchange:
    """What `World.average_async` returns in a world of one."""

    def wait(self) -> None:
        """Return at once: the mean over one process is its own value."""


@dataclass(frozen=True)
class World:
    """This process (`rank` of `size`) and the device that it computes on."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def from_environment(
        cls, device: str | torch.device | None = None, timeout: timedelta = timedelta(minutes=10)
    ) -> "World":
        """Join the world that `torchrun` describes; a single process if it describes none.

        `device`: "cpu", "cuda" or None for CUDA if there is one; the process takes the GPU of its local
        rank. CUDA tensors travel by NCCL, CPU tensors by Gloo. `timeout` limits every exchange.

        Raises:
            ValueError: only some of torchrun's variables are set.
            ValueError: CUDA is asked for and absent, or there are fewer GPUs than local processes.
        """
        missing = [name for name in _VARIABLES if name not in os.environ]
        if missing and ("WORLD_SIZE" in os.environ or "RANK" in os.environ):
            raise ValueError(f"environment variables {missing} are not set; start with torchrun")
        local_rank = 0 if missing else int(os.environ["LOCAL_RANK"])
        chosen = _device(device, local_rank)
        if missing:
            return cls(rank=0, size=1, device=chosen)
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        # Both backends, so that flags and counters on the CPU never wait for the GPU.
        backend = "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timeout)
        return cls(rank=dist.get_rank(), size=dist.get_world_size(), device=chosen)

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files and talks to the user."""
        return self.rank == 0

    def average_async(self, tensors: Sequence[Tensor]) -> Average | NoExchange:
        """Start averaging `tensors` (one dtype, one device) over all processes, as one flat bucket.

        Returns at once; `.wait()` on the result writes the means into the tensors. Between the two
        the tensors still hold their own values and must not be changed.

        Raises:
            ValueError: the tensors differ in dtype or device.
        """
        if self.size == 1 or not tensors:
            return NoExchange()
        kinds = {(tensor.dtype, tensor.device) for tensor in tensors}
        if len(kinds) > 1:
            raise ValueError(f"one exchange takes tensors of one dtype and device, got {kinds}")
        bucket = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        work = dist.all_reduce(bucket, async_op=True)
        return Average([tensor.detach() for tensor in tensors], bucket, work, self.size)

    def broadcast_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite every tensor by that of rank 0; all processes give the same names and shapes."""
        if self.size == 1:
            return
        for name in sorted(tensors):
            value = tensors[name].detach().contiguous()
            dist.broadcast(value, src=0)
            tensors[name].detach().copy_(value)

    def broadcast(self, value: T) -> T:
        """What rank 0 gives, in every process; any object that can be pickled."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def gather(self, value: T) -> list[T]:
        """What the processes give, by rank, in every process; objects that can be pickled."""
        if self.size == 1:
            return [value]
        found = [value] * self.size
        dist.all_gather_object(found, value)
        return found

    def together(self, work: Callable[[], T]) -> T:
        """What `work` returns in this process, once it has succeeded in all of them.

        Where it fails in one process it fails in all, so that none waits for an exchange that never comes:
        those that succeeded raise the exception of the lowest rank that did not.
        """
        result, error = None, None
        try:
            result = work()
        except Exception as raised:
            error = raised
        failed = [other for other in self.gather(error) if other is not None]
        if failed:
            raise error or failed[0]
        return cast(T, result)

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in any process; the same answer everywhere (a stop at one step)."""
        if self.size == 1:
            return flag
        value = torch.tensor(int(flag))
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value)

    def barrier(self) -> None:
        """Wait until every process has come here."""
        self.any(False)

    def close(self) -> None:
        """Leave the world; exchanges are not possible afterwards."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _device(device: str | torch.device | None, local_rank: int) -> torch.device:
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    if chosen.type != "cuda":
        return chosen
    if not torch.cuda.is_available():
        raise ValueError("no CUDA device here; choose device=cpu or install a CUDA build of torch")
    index = local_rank if chosen.index is None else chosen.index
    if index >= torch.cuda.device_count():
        raise ValueError(
            f"process {local_rank} of this machine has no GPU: there are {torch.cuda.device_count()}; "
            "start torchrun with at most so many processes a machine"
        )
    return torch.device("cuda", index)
