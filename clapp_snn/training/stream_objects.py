"""What a run on a stream looks at: objects to learn from, and labelled ones to train and test a read-out on.

| data | a glance | a probe sees | activity 1 is |
|---|---|---|---|
| digits | the digit, moved by up to a pixel | one glance | full ink |
| images | a square anywhere in the image | squares that tile its centre | a standard deviation (rate mode) |
| events | one of three micro-saccades of 100 ms | all three | three events of a pixel |
| sounds | 200 ms of a word | four parts, beginning to end | a loudness of 0.1 |

Where several looks belong to an object, its features are averages over them. The units give values of about
one size: root mean square 0.5 for digits and events, 1 for images (which have both signs) and sounds. Where
windows are stepped, events and sounds arrive as spikes in time, and a window, settling included, must be as
long as the glance; drawn windows, and the rate neuron, take their mean.
"""

from dataclasses import dataclass

from clapp_snn.encoders.vgg import ARCHITECTURES
from clapp_snn.stimuli.dataset import PHOTOGRAPHS, open_dataset
from clapp_snn.stimuli.digits import open_digits
from clapp_snn.stimuli.event_camera import NMNIST
from clapp_snn.stimuli.event_counts import EventCounts
from clapp_snn.stimuli.event_source import open_recordings
from clapp_snn.stimuli.folds import is_test
from clapp_snn.stimuli.glances import Inspectable, Objects
from clapp_snn.stimuli.image_glances import ImageGlances
from clapp_snn.stimuli.loudness import BANDS, Loudness
from clapp_snn.stimuli.sounds import open_sounds
from clapp_snn.training.stream_config import StreamConfig

BORDER = 1
"""Pixels that are cut off around recorded events where an encoder takes them: 34 x 34 become its 16 x 16."""


@dataclass(frozen=True, eq=False)
class StreamObjects:
    """To learn from, to train a read-out on, and to test it on."""

    learn: Objects
    train: Inspectable
    test: Inspectable


def open_objects(config: StreamConfig) -> StreamObjects:
    """What the configuration names. Digits are split by its seed, all else as it came or by folds.

    Raises what the readers raise: FileNotFoundError for missing and ValueError for bad data.
    """
    if config.data == "images":
        return _images(config)
    if config.data == "digits":
        digits = open_digits(config.seed)
        return StreamObjects(digits.train, digits.train, digits.test)
    train: Inspectable
    test: Inspectable
    in_time = config.dt if config.in_time else None
    if config.data == "events":
        border = 0 if config.encoder == "dense" else BORDER
        train, test = (
            EventCounts(part, config.resolution, border, in_time)
            for part in open_recordings(_source(config), config.fold, config.folds)
        )
    else:
        sounds = open_sounds(_source(config))
        chosen = is_test(sounds.labels, sounds.test, config.fold, config.folds, _source(config))
        train, test = (Loudness(sounds.select(part), in_time) for part in (~chosen, chosen))
    return StreamObjects(train, train, test)


def input_channels(config: StreamConfig) -> int:
    """Channels of what an encoder sees."""
    if config.data == "events":
        return NMNIST.polarities
    return 3 if config.color else 1


def inputs(config: StreamConfig) -> int:
    """Inputs of a dense area."""
    if config.data == "digits":
        return 64
    if config.data == "sounds":
        return BANDS
    if config.data == "images":
        return input_channels(config) * config.glance**2
    return NMNIST.addresses // (4 if config.resolution == "pooled" else 1)


def _source(config: StreamConfig) -> str:
    return PHOTOGRAPHS if config.source is None else str(config.source)


def _images(config: StreamConfig) -> StreamObjects:
    dataset = open_dataset(
        _source(config), seed=config.seed, unlabeled_from_train=config.unlabeled_from_train
    )
    dense = config.encoder == "dense"
    side = config.glance if dense else ARCHITECTURES[config.encoder].patch
    return StreamObjects(
        *(
            ImageGlances(split, side, not config.color)
            for split in (dataset.unlabeled, dataset.train, dataset.test)
        )
    )
