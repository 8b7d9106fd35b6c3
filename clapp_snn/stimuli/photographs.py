"""The embedded default: crops of real photographs that are installed with scikit-image and scikit-learn.

The photographs are read from files inside the two installed packages; nothing is fetched. What the
packages say about their origin:

| class | file | origin and licence |
|---|---|---|
| astronaut | skimage astronaut.png | NASA, portrait of Eileen Collins; public domain |
| bricks | skimage brick.png | CC0Textures, Bricks25; CC0 |
| camera | skimage camera.png | Lav Varshney; CC0 |
| cat | skimage chelsea.png | Stefan van der Walt; CC0 |
| coffee | skimage coffee.png | Rachel Michetti, Pikolo Espresso Bar; CC0 |
| coins | skimage coins.png | Brooklyn Museum, Greek coins from Pompeii; no known restrictions |
| flower | sklearn flower.jpg | vultilion on Flickr; CC BY 2.0 |
| galaxies | skimage hubble_deep_field.jpg | NASA, Hubble eXtreme Deep Field; public domain |
| grass | skimage grass.png | linolafett on DeviantArt, Grass 01; CC0 |
| gravel | skimage gravel.png | CC0Textures, Gravel04; CC0 |
| moon | skimage moon.png | surface of the moon; nothing stated |
| motorcycle | skimage motorcycle_left.png | Middlebury 2014 stereo benchmark; nothing stated |
| pagoda | sklearn china.jpg | danielbuechele on Flickr; CC BY 2.0 |
| retina | skimage retina.jpg | Mikael Häggström; CC0 |
| rocket | skimage rocket.jpg | SpaceX; public domain |
| tissue | skimage ihc.png | CMMI, stained glands of the colon; no known restrictions |

Each photograph is one class. Its left half gives training and unlabelled crops, its right half test crops,
so that no pixel is in both; a vertical cut leaves both halves with sky and ground. Pixels are as shipped:
nothing is enlarged or shrunk.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from clapp_snn.randomness import generator
from clapp_snn.stimuli.record import ArraySplit, Dataset, Split
from clapp_snn.stimuli.splits import Absent

PHOTOGRAPHS = {
    "astronaut": "skimage/data/astronaut.png",
    "bricks": "skimage/data/brick.png",
    "camera": "skimage/data/camera.png",
    "cat": "skimage/data/chelsea.png",
    "coffee": "skimage/data/coffee.png",
    "coins": "skimage/data/coins.png",
    "flower": "sklearn/datasets/images/flower.jpg",
    "galaxies": "skimage/data/hubble_deep_field.jpg",
    "grass": "skimage/data/grass.png",
    "gravel": "skimage/data/gravel.png",
    "moon": "skimage/data/moon.png",
    "motorcycle": "skimage/data/motorcycle_left.png",
    "pagoda": "sklearn/datasets/images/china.jpg",
    "retina": "skimage/data/retina.jpg",
    "rocket": "skimage/data/rocket.jpg",
    "tissue": "skimage/data/ihc.png",
}
FEWEST = 10


def open_photographs(
    seed: int = 0, train: int = 100, test: int = 50, unlabeled: int = 150, size: int = 96
) -> Dataset:
    """The embedded data: `train`, `test` and `unlabeled` crops of `size` pixels for every photograph.

    The same seed gives the same crops. Photographs that the installed packages lack are named in the note.
    Raises FileNotFoundError if fewer than ten are there, ValueError if a half is smaller than a crop.
    """
    pictures = {name: load_photograph(name) for name in PHOTOGRAPHS if _file(name).is_file()}
    missing = sorted(set(PHOTOGRAPHS) - set(pictures))
    if len(pictures) < FEWEST:
        raise FileNotFoundError(
            f"the installed scikit-image and scikit-learn hold only {len(pictures)} of the "
            f"{len(PHOTOGRAPHS)} photographs of the embedded data, too few (missing: "
            f"{', '.join(missing)}); install other versions or name a data folder"
        )
    names = sorted(pictures)
    labels = torch.arange(len(names))
    splits: dict[str, Split | Absent] = {}
    for key, count in (("train", train), ("test", test), ("unlabeled", unlabeled)):
        crops = [
            random_crops(_half(pictures[name], right=key == "test"), count, size, seed, key, name)
            for name in names
        ]
        known = None if key == "unlabeled" else labels.repeat_interleave(count)
        splits[key] = ArraySplit(np.concatenate(crops), known)
    note = (
        f"{len(names)} photographs that are installed with scikit-image and scikit-learn, cut into "
        f"{size}x{size} crops; the class is the photograph a crop comes from. A small stand-in that shows "
        f"the method at work without a download: accuracies on it say nothing about STL-10 or any other "
        f"benchmark. Training crops ({train} a class) and unlabelled crops ({unlabeled}) come from the "
        f"left half of each photograph, test crops ({test}) from the right half."
    )
    if missing:
        note += f" Not in the installed versions, left out: {', '.join(missing)}."
    return Dataset("photographs", note, names, splits)


def load_photograph(name: str) -> UInt8[np.ndarray, "row col 3"]:
    """One photograph as RGB; grey ones have three equal channels."""
    with Image.open(_file(name)) as image:
        return np.asarray(image.convert("RGB"))


def random_crops(
    image: UInt8[np.ndarray, "row col 3"], count: int, size: int, seed: int, *key: str
) -> UInt8[np.ndarray, "crop 3 size size"]:
    """Square crops at uniformly drawn positions; the stream is named by `seed` and `key`.

    Raises ValueError if the image is smaller than a crop.
    """
    rows, cols = image.shape[:2]
    if min(rows, cols) < size:
        raise ValueError(
            f"cannot cut crops of {size}x{size} pixels from the {rows}x{cols} pixels of half of a "
            f"photograph ({key[-1]}); choose a smaller size"
        )
    stream = generator(seed, "photographs", *key)
    tops = torch.randint(rows - size + 1, (count,), generator=stream).tolist()
    lefts = torch.randint(cols - size + 1, (count,), generator=stream).tolist()
    crops = np.empty((count, 3, size, size), np.uint8)
    for crop, top, left in zip(crops, tops, lefts, strict=True):
        crop[:] = image[top : top + size, left : left + size].transpose(2, 0, 1)
    return crops


def _half(image: np.ndarray, right: bool) -> np.ndarray:
    middle = image.shape[1] // 2
    return image[:, middle:] if right else image[:, :middle]


def _file(name: str) -> Path:
    package, _, inside = PHOTOGRAPHS[name].partition("/")
    return Path(str(files(package).joinpath(inside)))
