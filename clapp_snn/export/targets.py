"""All chips that `clapp-snn export --target` knows, by name."""

from clapp_snn.export.loihi2.target import Loihi2
from clapp_snn.export.speck.target import Speck
from clapp_snn.export.spinnaker.target import Spinnaker
from clapp_snn.export.target import Target
from clapp_snn.export.xylo.target import Xylo

TARGETS: dict[str, Target] = {each.name: each for each in (Loihi2(), Speck(), Spinnaker(), Xylo())}


def target(name: str) -> Target:
    """A chip by name; raises ValueError naming those that there are."""
    if name not in TARGETS:
        raise ValueError(f"No chip is called {name!r}; choose one of: {', '.join(TARGETS)}.")
    return TARGETS[name]
