"""The compiled float32 CPU engine: fast convolutions on patches and their local updates.

Written in plain C, compiled for this machine on first use (`build.py`) and called through ctypes.
Nothing falls back silently: without a compiler every function raises `NativeUnavailable`.
"""

from clapp_snn.native.build import NativeUnavailable, available, why_unavailable
from clapp_snn.native.competition import compete, soft_winner_
from clapp_snn.native.conv import (
    conv_correlate,
    conv_forward,
    conv_linear,
    conv_send_back,
    conv_update,
)
from clapp_snn.native.sparse import sparse_apply, sparse_apply_transposed, sparse_scores
from clapp_snn.native.tensors import empty, release_working_memory, working_memory

__all__ = [
    "NativeUnavailable",
    "available",
    "compete",
    "conv_correlate",
    "conv_forward",
    "conv_linear",
    "conv_send_back",
    "conv_update",
    "empty",
    "release_working_memory",
    "soft_winner_",
    "sparse_apply",
    "sparse_apply_transposed",
    "sparse_scores",
    "why_unavailable",
    "working_memory",
]
