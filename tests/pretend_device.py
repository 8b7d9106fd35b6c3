"""A device that does not exist: its tensors say that they lie there, and are computed on the CPU.

    with pretend() as device:
        x = torch.ones(3, device=device)
        x + torch.ones(3)          # RuntimeError, as on a GPU
        x.cpu()                    # a plain tensor again

Code that runs here has moved everything that a GPU needs moved, and its numbers are those of the CPU bit for
bit. What only CUDA has (its kernels, streams, cuDNN, pinned memory) is not seen; a mode holds for one thread.
Importing this module registers the device with PyTorch, by an interface that is called experimental.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch._dynamo  # its import would meet the patches below
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("pretend")
DEVICE = torch.device("pretend", 0)

MIXING = ("aten::copy_", "aten::_to_copy", "aten::index", "aten::_index_put_impl_")
"""What a GPU, too, does with tensors of both devices; indices may lie on the CPU."""


class Elsewhere(Tensor):
    """A tensor on the pretended device; `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Elsewhere":
        made: Elsewhere = Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, layout=held.layout, device=DEVICE, requires_grad=False,
        )  # fmt: skip
        made.held = held
        return made

    def __repr__(self, **_: Any) -> str:
        return f"Elsewhere({self.held})"

    def tolist(self) -> Any:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


class Generator(torch.Generator):
    """Draws on the CPU and knows where it is said to."""

    place: torch.device

    def __new__(cls, device: torch.device | str = "cpu") -> "Generator":
        made = super().__new__(cls)
        made.place = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:
        return self.place


def _run(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    here = any(isinstance(each, Elsewhere) for each in tensors)
    away = [each for each in tensors if not isinstance(each, Elsewhere) and each.ndim > 0]
    name = function._schema.name
    if here and away and not name.startswith(MIXING):
        sizes = ", ".join(str(tuple(each.shape)) for each in away)
        raise RuntimeError(f"{function}: tensors on {DEVICE} meet tensors on the CPU: {sizes}")
    device = kwargs.get("device")
    lands = here if device is None else torch.device(device).type == DEVICE.type
    if name == "aten::copy_":
        lands = isinstance(args[0], Elsewhere)

    def on_cpu(leaf: Any) -> Any:
        if isinstance(leaf, torch.device) and leaf.type == DEVICE.type:
            return torch.device("cpu")
        return leaf.held if isinstance(leaf, Elsewhere) else leaf

    found = function(*tree_map(on_cpu, args), **tree_map(on_cpu, dict(kwargs)))
    if not lands:
        return found
    found = tree_map(lambda leaf: Elsewhere(leaf) if isinstance(leaf, Tensor) else leaf, found)
    return return_and_correct_aliasing(function, args, dict(kwargs), found)


class _Mode(TorchDispatchMode):
    """Catches what makes tensors from none."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


class _Calls(TorchFunctionMode):
    """What never reaches `_Mode`, or reaches it without its generator."""

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return function(*args, **kwargs).to(device)
        if function is Tensor.new_tensor:
            kwargs = {"dtype": args[0].dtype, "device": args[0].device, **kwargs}
            return torch.tensor(*args[1:], **kwargs)
        source = kwargs.get("generator")
        if isinstance(source, Generator):
            filled = args[0].device if args and isinstance(args[0], Tensor) else torch.device("cpu")
            place = torch.device(kwargs.get("device") or filled)
            if place.type != source.device.type:
                raise RuntimeError(
                    f"{function}: on {place}, but the generator is on {source.device}"
                )
        return function(*args, **kwargs)


@contextmanager
def pretend() -> Iterator[torch.device]:
    """Tensors can be made on the device that is yielded, and must not meet others."""
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with patch.object(torch, "Generator", Generator), _Calls(), _Mode():
            yield DEVICE
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)


class InTurn:
    """An executor without threads, for the mode does not reach them."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> "InTurn":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *args: Any) -> "InTurn":
        self.found = work(*args)
        return self

    def result(self) -> Any:
        return self.found
