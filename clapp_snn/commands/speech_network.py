"""The speech encoder as a table, for `clapp-snn info network`."""

import torch

from clapp_snn.circuit.speech_hierarchy import SpeechHierarchy
from clapp_snn.encoders.speech import SPEECH6, SpeechEncoder
from clapp_snn.methods import get_method


def speech_rows(width: float) -> list[tuple[str, ...]]:
    """Layers with channels, kernel, stride, frames of 1.28 s and parameters."""
    with torch.device("meta"):
        encoder = SpeechEncoder(SPEECH6, width)
    table = encoder.architecture
    rows: list[tuple[str, ...]] = [
        ("layer", "channels", "kernel", "stride", "frames of 1.28 s", "parameters")
    ]
    frames = table.lengths(table.samples)
    for index, layer in enumerate(table.layers):
        count = sum(p.numel() for p in encoder.layer(index).parameters())
        size = (str(layer.channels), str(layer.kernel), str(layer.stride), str(frames[index]))
        rows.append((str(index + 1), *size, f"{count:,}"))
    count = sum(p.numel() for p in encoder.gru.parameters())
    rows.append((f"{len(rows)} (GRU)", str(table.recurrent), "", "", str(frames[-1]), f"{count:,}"))
    return rows


def speech_parameters(width: float) -> str:
    """Parameters of the encoder and of networks with prediction matrices, in words."""
    with torch.device("meta"):
        encoder = SpeechEncoder(SPEECH6, width)
        counts = [
            sum(
                parameter.numel()
                for parameter in SpeechHierarchy(
                    encoder, get_method(name, "speech"), 41
                ).parameters()
            )
            for name in ("clapp-s", "gim-6")
        ]
    total = sum(parameter.numel() for parameter in encoder.parameters())
    return f"encoder {total:,}; with W_pred of five areas {counts[0]:,}; of six areas {counts[1]:,}"
