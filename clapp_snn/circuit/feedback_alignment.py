"""Direct feedback alignment (Nokland 2016, arXiv:1609.01596) of the contrastive hinge loss.

The top area compares fixations with saccades; its error e = -dL/dz reaches every layer below through a fixed
random matrix B in place of the chain of transposed weights:

    dW_l = (B_l e)_j rho'(a_j) x_i

One value for each patch and neuron, alike at all positions of the patch, as the mean over positions is what
the top area sees. Slides of the CLAPP authors report this method without settings; the choices are ours.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.network import AreaUpdate, SaccadeStream
from clapp_snn.circuit.top_loss import TopLossNetwork
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional import convolution
from clapp_snn.methods.record import Method
from clapp_snn.randomness import generator


class FeedbackAlignment(TopLossNetwork):
    """Areas that learn from a random projection of the top area's error.

    A first sweep finds the error and remembers nothing; a second one learns, one area in memory at a time.
    """

    def __init__(self, encoder: Encoder, method: Method) -> None:
        super().__init__(encoder, method)
        for index, width in enumerate(encoder.channels[:-1]):
            self.register_buffer(f"feedback_{index}", torch.empty(width, encoder.channels[-1]))

    def feedback(self, index: int) -> Float[Tensor, "channel top"]:
        """The fixed matrix B from the top area to layer `index`."""
        return self.get_buffer(f"feedback_{index}")

    def reset_parameters(self, seed: int) -> None:
        """Weights as in every network; B from U(-1/sqrt(C), 1/sqrt(C)), C the channels of the top layer."""
        super().reset_parameters(seed)
        bound = 1 / math.sqrt(self.encoder.channels[-1])
        for index in range(len(self.encoder.channels) - 1):
            self.feedback(index).uniform_(
                -bound, bound, generator=generator(seed, "init", "feedback", index)
            )

    @torch.no_grad()
    def learn(
        self, stimulus: Float[Tensor, "image channel row col"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Updates bottom up; loss and gate are those of the top area in all of them."""
        draw = self.draw(streams, group, stimulus.device)
        count = len(self.encoder.channels)
        patches = self.encoder.patches(stimulus)
        x = patches
        for index in range(count):
            response = self.encoder.respond(index, x, learn=False)
            x = response.output
        signals, error = self.compare(response.feature, stimulus.shape[0], group, draw)
        x = patches
        for index in range(count):
            layer = self.encoder.layer(index)
            response = self.encoder.respond(index, x, learn=True)
            felt = error
            if index < count - 1:
                felt = error @ self.feedback(index).to(error.dtype).transpose(0, 1)
            assert response.code is not None
            change = convolution.update(
                x, response.code, felt, layer.pool, engine=self.encoder.engine
            )
            yield self.named(index, change, signals, draw[0])
            x = response.output
