"""What all networks on images share: areas that can learn alone."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.network import AreaUpdate, Network, SaccadeStream
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional.engine import Engine


class ImageNetwork(Network):
    """A convolutional encoder with heads."""

    encoder: Encoder

    @property
    def engine(self) -> Engine:
        """That of the encoder; back-propagation always runs on torch."""
        return self.encoder.engine if self.method.explicit else "torch"

    def below(
        self, index: int, stimulus: Float[Tensor, "image channel row col"]
    ) -> Float[Tensor, "patch row col channel"]:
        """Input of layer `index`, from layers that respond and forget."""
        x = self.encoder.patches(stimulus)
        for lower in range(index):
            x = self.encoder.respond(lower, x, learn=False).output
        return x

    @abstractmethod
    def learn_area(
        self,
        index: int,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> AreaUpdate:
        """The update of one area alone: those below respond and forget, those above stay silent.

        Raises ValueError for methods whose areas do not learn on their own.
        """
