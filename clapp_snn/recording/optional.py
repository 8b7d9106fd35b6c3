"""Packages that only some users want: imported when asked for, named in the error if missing."""

from importlib import import_module
from types import ModuleType


def optional(module: str, extra: str) -> ModuleType:
    """Import `module`; raises ImportError saying which extra of this package brings it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{module} is not installed; get it with: pip install 'clapp-snn[{extra}]'."
        ) from error
