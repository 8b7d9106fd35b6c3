"""The compiled float32 CPU engine: fast convolutions on patches and their local updates.

Written in plain C, compiled for this machine on first use (`build.py`) and called through ctypes.
Nothing falls back silently: without a compiler every function raises `NativeUnavailable`.
"""

from clapp_snn.native.build import NativeUnavailable, available, why_unavailable
from clapp_snn.native.conv import conv_forward, conv_update, empty

__all__ = [
    "NativeUnavailable",
    "available",
    "conv_forward",
    "conv_update",
    "empty",
    "why_unavailable",
]
