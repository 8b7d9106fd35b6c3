"""Batches of image pairs: two random views of every image."""

import torch
from torch import Tensor

from clapp_snn.stimuli.random_views import ViewDraw, apply_random_view, draw_views
from clapp_snn.training.batches import Batches


class ViewPairs(Batches):
    """As `Batches`, with the first views of all images followed by their second views.

    Every group of images draws its views from streams of its own, one for each view.
    """

    def _view(self, step: int, images: Tensor) -> Tensor:
        rows, cols = images.shape[2:]
        views = []
        for which in range(2):
            draw = ViewDraw.concatenate(
                [
                    draw_views(self.plan.group, rows, cols, stream)
                    for stream in self.plan.streams(step, "view", which)
                ]
            )
            views.append(apply_random_view(images, draw, self.crop, self.grey))
        return torch.cat(views)
