"""Local learners beyond the paper of 2021, on images; each runs like the rows of `methods.table`.

CLAPP++: Wu, Delrocq, Gerstner and Bellec 2026 (arXiv:2601.21683), Table 2 and ablation; settings from the
published scripts (repository zihan-wu/local-SSL). STL-10, linear read-out of all layers together, test
accuracy in percent. SoftHebb and SCFF: abstracts of their papers, STL-10, networks of their own.
"""

from dataclasses import replace

from clapp_snn.functional.map_score import MapObjective
from clapp_snn.methods.record import Method
from clapp_snn.methods.table import LAYERWISE, SYNCHRONOUS, TIME_LOCAL

SLIDES = "slides of the CLAPP authors, no settings published; ours"
PLUS_PLUS = "arXiv:2601.21683, STL-10"

WINDOWS = MapObjective(windows=(12, 12, 12, 6, 6, 3))
WHOLE_MAPS = MapObjective(windows=(None,) * 6)

_ROWS = (
    Method(
        "clapp-pp", "CLAPP++", LAYERWISE, maps=WINDOWS,
        local_in_space="yes", reported=78.66, source=PLUS_PLUS,
        comparable=False,
    ),
    Method(
        "clapp-pp-dfb", "CLAPP++ with direct feedback", LAYERWISE, maps=WINDOWS, context="top",
        local_in_space="yes", reported=79.38, source=PLUS_PLUS,
        comparable=False,
    ),
    Method(
        "clapp-pp-both", "CLAPP++, both contexts", LAYERWISE, maps=WINDOWS, context="both",
        local_in_space="yes", reported=79.62, source=PLUS_PLUS,
        comparable=False,
    ),
    Method(
        "clapp-pp-pooled", "CLAPP++ without spatial dependence", LAYERWISE, maps=WHOLE_MAPS,
        local_in_space="yes", reported=75.10, source=f"{PLUS_PLUS}, ablation",
        comparable=False,
    ),
    Method(
        "clapp-pp-end-to-end", "CLAPP++ end to end", (6,), maps=MapObjective(windows=(None,)),
        reported=80.36, source=PLUS_PLUS,
        comparable=False,
    ),
    Method(
        "clapp-fb", "CLAPP with feedback from the area above", LAYERWISE,
        objective=replace(TIME_LOCAL, retro="zero"), context="above",
        local_in_space="yes", local_in_time="yes", epochs=600, reported=73.85, source=SLIDES,
    ),
    Method(
        "hinge-dfa", "direct feedback alignment of the hinge loss", LAYERWISE, objective=SYNCHRONOUS,
        rule="feedback-alignment", reported=52.30, source=SLIDES,
    ),
    Method(
        "hinge-predictive-coding", "predictive coding of the hinge loss", LAYERWISE,
        objective=SYNCHRONOUS, rule="predictive-coding", reported=36.75, source=SLIDES,
    ),
    Method(
        "lpl", "latent predictive learning", LAYERWISE, task="predict",
        local_in_space="almost", epochs=800, reported=63.2, source="table of arXiv:2601.21683, other network",
        comparable=False,
    ),
    Method(
        "softhebb", "SoftHebb", LAYERWISE, task="hebbian", local_in_space="yes", local_in_time="yes",
        epochs=1, reported=76.2, source="arXiv:2209.11883, abstract, other network",
        comparable=False,
    ),
    Method(
        "scff", "self-contrastive forward-forward", LAYERWISE, task="goodness", local_in_space="yes",
        epochs=12, reported=77.3, source="arXiv:2409.11593, abstract of v1, other network",
        comparable=False,
    ),
)  # fmt: skip

LOCAL_LEARNERS: dict[str, Method] = {method.name: method for method in _ROWS}
