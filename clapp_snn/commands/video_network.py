"""The video encoder as a table, for `clapp-snn info network`."""

import torch

from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.encoders.video import VGG5, VideoEncoder
from clapp_snn.methods import get_method

FRAMES, SIDE = 54, 128


def video_rows(width: float) -> list[tuple[str, ...]]:
    """Blocks with channels, kernel, stride, pool, output of the published clips and parameters."""
    with torch.device("meta"):
        encoder = VideoEncoder(VGG5, width)
    rows: list[tuple[str, ...]] = [
        ("block", "channels", "kernel", "stride", "pool", "time x row x col", "parameters")
    ]
    shapes = encoder.architecture.shapes(FRAMES, SIDE)
    for index, (layer, shape) in enumerate(zip(encoder.architecture.layers, shapes, strict=True)):
        count = sum(p.numel() for p in encoder.layer(index).parameters())
        kernel, stride = ("x".join(map(str, s)) for s in (layer.shape.kernel, layer.shape.stride))
        size = " x ".join(map(str, shape[1:]))
        pool = "3x3 / 2" if layer.shape.pool else "no"
        rows.append((str(index + 1), str(layer.channels), kernel, stride, pool, size, f"{count:,}"))
    return rows


def video_parameters(width: float) -> str:
    """Parameters of the encoder and of the network with prediction matrices, in words."""
    with torch.device("meta"):
        encoder = VideoEncoder(VGG5, width)
        network = ClipHierarchy(encoder, get_method("clapp-s", "video"), FRAMES, SIDE)
    own, all_ = (sum(p.numel() for p in module.parameters()) for module in (encoder, network))
    return f"encoder {own:,}; with W_pred of five areas {all_:,}"
