"""Still glances as spikes in time, by a spike encoder of snnTorch or norse."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.stimuli.glances import Inspectable
from clapp_snn.stimuli.spike_encoding import encode_spikes


class EncodedGlances:
    """Objects seen as spike trains. Underneath are the views of the objects, with the same generators.

    Args:
        objects: whose views hold values in [0, 1].
        steps: time steps of a glance.
        encoder: of `clapp_snn.stimuli.spike_encoding`.
        probability: of a spike in a step for an input of 1.
    """

    def __init__(
        self,
        objects: Inspectable,
        steps: int = 10,
        encoder: str = "norse_poisson",
        probability: float = 0.8,
    ) -> None:
        self.objects = objects
        self.steps = steps
        self.encoder = encoder
        self.rate = 1000.0 * probability

    @property
    def labels(self) -> Int64[Tensor, "object"] | None:
        """Class of every object, or None."""
        return self.objects.labels

    def __len__(self) -> int:
        return len(self.objects)

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "sample step *shape"]:
        """Spikes of one view of each object; one random stream a sample."""
        return self._spikes(self.objects.views(indices, generators), generators)

    @property
    def looks(self) -> int:
        """As many as the objects take."""
        return self.objects.looks

    def inspect(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, "sample look step *shape"]:
        """Spikes of all looks at each object."""
        spikes = self._spikes(self.objects.inspect(indices, generators), generators)
        return spikes.transpose(1, 2)

    def raw(
        self, seen: Float[Tensor, "sample look step *shape"]
    ) -> Float[Tensor, "sample feature"]:
        """Spikes per step of every input, averaged over time, as if the objects showed them."""
        return self.objects.raw(seen.mean(2))

    def _spikes(self, values: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        return encode_spikes(values, self.steps, generators, self.encoder, self.rate).transpose(
            0, 1
        )
