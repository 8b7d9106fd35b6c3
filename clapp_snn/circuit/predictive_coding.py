"""Predictive coding (Rao and Ballard 1999; Whittington and Bogacz 2017) of the contrastive hinge loss.

Every layer holds an activity s_l and an error eps_l = s_l - f_l(s_(l-1)), with f_l the response of the layer
to the activity below. Starting at the forward pass, activities settle downhill on

    E = sum over patches of (1/2 sum_l |eps_l|^2 + loss of the patch at the top)

while errors travel down through the transposed weights (here symmetric feedback, as in the standard model),
and then weights learn from input and error of their own layer, dW_l = eps_l rho'(a) x. A patch's loss is its
mean hinge loss as context and target, of order one. Slides of the CLAPP authors report this method without
settings; steps and rate of settling are ours.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.network import AreaUpdate, SaccadeStream
from clapp_snn.circuit.top_loss import TopLossNetwork
from clapp_snn.functional import convolution
from clapp_snn.functional.plasticity import AreaSignals
from clapp_snn.functional.saccades import Draw


class PredictiveCoding(TopLossNetwork):
    """Areas that learn from local prediction errors once their activities have settled.

    Attributes:
        settle_steps, settle_rate: gradient steps of the activities and their size.
        drive: weight of the loss against the prediction errors; towards 0 the updates, divided by it,
            tend to back-propagation.
    """

    settle_steps = 20
    settle_rate = 0.1
    drive = 1.0

    @torch.no_grad()
    def learn(
        self, stimulus: Float[Tensor, "image channel row col"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Updates bottom up after settling; loss and gate are those of the top area as it settled."""
        draw = self.draw(streams, group, stimulus.device)
        images = stimulus.shape[0]
        states = [self.encoder.patches(stimulus)]
        responses = []
        for index in range(len(self.encoder.channels)):
            responses.append(self._respond(index, states[-1]))
            states.append(responses[-1].output.to(self._wide))
        for step in range(self.settle_steps):
            # Errors start at the top and travel down a layer a step: what they have not reached rests.
            lowest = max(0, len(responses) - 1 - step)
            _, pull = self._pull(states[-1], images, group, draw)
            self._move(states, responses, pull, lowest)
            for index in range(lowest + 1, len(responses)):
                responses[index] = self._respond(index, states[index])
        signals, _ = self._pull(states[-1], images, group, draw)
        scale = self.drive * states[-1].shape[0]
        for index, (x, response) in enumerate(zip(states[:-1], responses, strict=True)):
            layer = self.encoder.layer(index)
            assert response.code is not None
            change = convolution.update_windows(
                x.to(self.encoder.precision),
                response.code,
                states[index + 1] - response.output,
                layer.pool,
                engine=self.encoder.engine,
            )
            weight, bias = (part / scale for part in change)
            named = convolution.ConvolutionUpdate(weight, bias)
            yield self.named(index, named, signals, draw[0])

    @property
    def _wide(self) -> torch.dtype:
        """Of activities and errors; convolutions may be less precise, but errors are small differences."""
        return torch.promote_types(self.encoder.precision, torch.float32)

    def _respond(
        self, index: int, x: Float[Tensor, "patch row col channel"]
    ) -> convolution.Response:
        return self.encoder.respond(index, x.to(self.encoder.precision), learn=True)

    def _pull(
        self,
        top: Float[Tensor, "patch row col channel"],
        images: int,
        group: int,
        draw: list[Draw],
    ) -> tuple[AreaSignals, Float[Tensor, "patch row col channel"]]:
        """Signals of the top area, and minus the gradient of the loss at the top activity."""
        signals, pull = self.compare(top.mean((1, 2)), images, group, draw)
        positions = top.shape[1] * top.shape[2]
        pull = pull * (self.drive * top.shape[0] / positions)
        return signals, pull[:, None, None, :].expand_as(top)

    def _move(
        self,
        states: list[Tensor],
        responses: list[convolution.Response],
        pull: Tensor,
        lowest: int,
    ) -> None:
        """One downhill step of the activities of the layers from `lowest` up; those below have no errors."""
        error = states[lowest + 1] - responses[lowest].output
        for index in range(lowest, len(responses)):
            if index == len(responses) - 1:
                change = pull - error
            else:
                layer, above = self.encoder.layer(index + 1), responses[index + 1]
                assert above.code is not None
                error_above = states[index + 2] - above.output
                change = convolution.send_back(
                    error_above.to(self.encoder.precision),
                    above.code,
                    layer.weight,
                    layer.pool,
                    engine=self.encoder.engine,
                ).to(self._wide)
                change = change.sub_(error)
                error = error_above
            states[index + 1] = states[index + 1].add(change, alpha=self.settle_rate)
