"""t-SNE of a layer's pooled features (paper, Fig. 3b)."""

import numpy as np
from jaxtyping import Float
from sklearn.manifold import TSNE
from torch import Tensor

from clapp_snn.evaluation.scores import require_finite


def embed(
    features: Float[Tensor, "image channel"], seed: int, perplexity: float = 50.0
) -> Float[np.ndarray, "image 2"]:
    """Two-dimensional t-SNE map of pooled features (van der Maaten and Hinton 2008).

    The paper's perplexity is 50; with fewer than 151 images it is lowered to a third of the number of
    their neighbours, since t-SNE means nothing beyond that. Initialised with the principal components, so
    the result is fixed by `seed`.

    Raises:
        ValueError: for fewer than 4 images or 2 channels, features that are not finite, and features that
            are the same for all images, as those of a silent layer are.
    """
    count = len(features)
    if count < 4:
        raise ValueError(f"t-SNE needs at least 4 images, not {count}.")
    require_finite(features, "The features")
    if features.shape[1] < 2:
        raise ValueError("t-SNE needs at least 2 channels, not 1.")
    if not bool((features != features[0]).any()):
        raise ValueError("the features are the same for all images; is the layer silent?")
    model = TSNE(
        perplexity=min(perplexity, (count - 1) / 3), init="pca", random_state=seed, n_jobs=1
    )
    return np.asarray(model.fit_transform(features.cpu().double().numpy()))
