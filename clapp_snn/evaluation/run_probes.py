"""All probes of a run, always beside random initialisation and raw pixels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from clapp_snn.evaluation.cache import CachedFeatures, cache_features
from clapp_snn.evaluation.fast_probe import fast_probe
from clapp_snn.evaluation.few_shot import few_shot_probe
from clapp_snn.evaluation.interfaces import FeatureEncoder, ImageDataset, Views, standard_views
from clapp_snn.evaluation.linear_probe import LinearProbeSettings, linear_probe
from clapp_snn.evaluation.probe_table import ProbeRow, ProbeTable
from clapp_snn.evaluation.scores import LayerScore

PROTOCOLS = ("fast", "few-shot", "paper")
RANDOM = "random"
PIXELS = "pixels"


@dataclass(frozen=True)
class ProbeSettings:
    """Options of the three protocols.

    Args:
        extra_views: cached augmented views of the fast probe, beside the centre crop.
        shots: labelled images a class in the few-shot probe.
        episodes: random draws of those images.
        paper: settings of the paper's protocol.
        batch: images encoded at a time.
    """

    extra_views: int = 0
    shots: int = 5
    episodes: int = 200
    paper: LinearProbeSettings = field(default_factory=LinearProbeSettings)
    batch: int = 250


def run_probes(
    encoders: Mapping[str, FeatureEncoder],
    dataset: ImageDataset,
    protocols: Sequence[str] = ("fast", "few-shot"),
    seed: int = 0,
    device: torch.device | str = "cpu",
    settings: ProbeSettings | None = None,
    views: Views | None = None,
    *,
    baselines: bool = True,
    state_folder: Path | None = None,
    progress: bool = False,
    on_row: Callable[[ProbeRow], None] | None = None,
) -> ProbeTable:
    """Probe every encoder with every protocol; raw pixels are added by themselves.

    `encoders` maps names to encoders on `device` and must hold one named "random" (same architecture at
    random initialisation), without which no number says anything; `baselines=False`, for those who have
    them from another run, asks for neither it nor pixels. `state_folder` makes the paper's probe
    resumable; `on_row` sees every row as soon as it is measured.

    Raises:
        ValueError: for an unknown protocol, no "random" encoder, or data that cannot be probed.
    """
    unknown = sorted(set(protocols) - set(PROTOCOLS))
    if unknown or not protocols:
        raise ValueError(
            f"Unknown probe protocol {', '.join(unknown) or '(none given)'}; "
            f"choose from {', '.join(PROTOCOLS)}."
        )
    if baselines and RANDOM not in encoders:
        raise ValueError(
            f"A probe needs an encoder named '{RANDOM}' (the same architecture at random "
            "initialisation) to compare with."
        )
    if PIXELS in encoders:
        raise ValueError(
            f"No encoder may be named '{PIXELS}': raw pixels are probed by themselves."
        )
    settings = settings or ProbeSettings()
    views = views or standard_views()
    table = ProbeTable()

    def record(scores: list[LayerScore], protocol: str, encoder: str) -> None:
        for score in scores:
            name = PIXELS if score.layer == 0 else encoder
            row = ProbeRow.of(score, protocol, name, seed)
            table.append(row)
            if on_row is not None:
                on_row(row)

    cached = [name for name in protocols if name != "paper"]
    sources: dict[str, FeatureEncoder | None] = {
        **encoders,
        **({PIXELS: None} if baselines else {}),
    }
    for name, encoder in sources.items() if cached else ():
        bar = f"features of {name}" if progress else None
        for protocol, scores in probe_encoder(
            encoder, dataset, cached, seed, device, settings, views, bar
        ).items():
            record(scores, protocol, name)
    if "paper" in protocols:
        for number, (name, encoder) in enumerate(encoders.items()):
            scores = linear_probe(
                encoder,
                dataset,
                views,
                seed,
                replace(settings.paper, pixels=baselines and number == 0),
                device,
                state_folder / f"probe_{name}_{seed}.safetensors" if state_folder else None,
                f"paper's probe of {name}" if progress else None,
            )
            record(scores, "paper", name)
    return table


def probe_encoder(
    encoder: FeatureEncoder | None,
    dataset: ImageDataset,
    protocols: Sequence[str] = ("fast", "few-shot"),
    seed: int = 0,
    device: torch.device | str = "cpu",
    settings: ProbeSettings | None = None,
    views: Views | None = None,
    progress: str | None = None,
) -> dict[str, list[LayerScore]]:
    """Scores of one encoder (None: raw pixels) for each of the protocols that work on cached features.

    A single encoder says little by itself: `run_probes` sets it beside random initialisation.
    """
    settings = settings or ProbeSettings()
    cache = cache_features(
        encoder,
        dataset,
        views or standard_views(),
        seed,
        settings.extra_views,
        settings.batch,
        device,
        progress,
    )
    return {name: _cached_probe(name, cache, seed, settings) for name in protocols}


def _cached_probe(
    protocol: str, cache: CachedFeatures, seed: int, settings: ProbeSettings
) -> list[LayerScore]:
    if protocol == "fast":
        return fast_probe(cache, seed)
    return few_shot_probe(cache, seed, settings.shots, settings.episodes)
