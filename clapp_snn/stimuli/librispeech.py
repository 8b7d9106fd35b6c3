"""LibriSpeech and corpora in its layout (Panayotov et al. 2015, doi:10.1109/ICASSP.2015.7178964).

    FOLDER/LibriSpeech/SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac    (or FOLDER/SUBSET/...)

Phone labels and split lists are not part of LibriSpeech. Those of van den Oord et al. (arXiv:1807.03748) are
spread with the CPC code; put them into FOLDER, FOLDER/LibriSpeech or FOLDER/LibriSpeech100_labels_split.
"""

from collections.abc import Sequence
from pathlib import Path

from clapp_snn.stimuli.download import RemoteFile, download, extract_tar
from clapp_snn.stimuli.phone_labels import phone_names, read_list, read_phones
from clapp_snn.stimuli.record import unofficial_name
from clapp_snn.stimuli.sound_file import audio_length
from clapp_snn.stimuli.speech_record import HOP, WINDOW, SpeechCorpus, SpeechSplit, Utterance
from clapp_snn.stimuli.splits import Absent

OFFICIAL_NAME = "LibriSpeech train-clean-100"
OFFICIAL_SPEAKERS, OFFICIAL_UTTERANCES = 251, 28539

# Checksum as published on the corpus's page (openslr.org, resource 12).
ARCHIVE = RemoteFile(
    url="https://www.openslr.org/resources/12/train-clean-100.tar.gz",
    checksum="md5:2a93770f6d5c6c964bc36631d331a522",
    size=6_387_309_499,
)

INNER, LISTS = "LibriSpeech", "LibriSpeech100_labels_split"
LABEL_FILES = ("converted_aligned_phones.txt", "aligned_phones.txt")
TRAIN_FILES = ("train_split.txt", "phones_train_split.txt")
TEST_FILES = ("test_split.txt", "phones_test_split.txt")
NAME_FILES = ("phones.txt",)


def open_librispeech(folder: str | Path) -> SpeechCorpus:
    """Open a folder in LibriSpeech's layout; only the headers of the files are read.

    Utterances shorter than a training window (1.28 s), without what has no label at their beginning, are left
    out and counted in the note. Learning without
    labels uses every utterance that is not in the test list. The corpus is called LibriSpeech only if
    speakers and utterances are those of train-clean-100, otherwise after its folder.

    Raises FileNotFoundError when there is no such audio, ValueError for files that cannot be used (rate,
    channels, labels that do not fit, lists that name what is not there).
    """
    root = Path(folder)
    home = _home(root)
    places = (root, home, root / LISTS, home / LISTS)
    label_file = _find(places, LABEL_FILES)
    labels = {} if label_file is None else read_phones(label_file)
    classes = phone_names(_find(places, NAME_FILES), labels)
    files = sorted(home.glob("*/*/*/*.flac"))
    if not files:
        raise FileNotFoundError(_nothing_there(root))
    utterances, short = [], 0
    for file in files:
        samples = audio_length(file)
        if samples < WINDOW:
            short += 1
            continue
        one = Utterance(file.stem, file.parts[-3], file, samples, labels.get(file.stem))
        if one.frames - one.unlabelled < WINDOW // HOP:
            short += 1
        else:
            utterances.append(one)
    if not utterances:
        raise ValueError(f"all {short} utterances in {home} are shorter than 1.28 s")
    by_name = {utterance.name: utterance for utterance in utterances}
    everything = {file.stem for file in files}
    splits: dict[str, SpeechSplit | Absent] = {}
    for key, names in (("train", TRAIN_FILES), ("test", TEST_FILES)):
        splits[key] = _listed(key, _find(places, names), by_name, everything, root)
    test = splits["test"]
    tested = set() if isinstance(test, Absent) else {one.name for one in test.utterances}
    splits["unlabeled"] = SpeechSplit([one for one in utterances if one.name not in tested])
    name = _name(root, home, utterances, short)
    note = _note(name, utterances, short, None if label_file is None else label_file.name)
    return SpeechCorpus(name, note, classes or ["no phone labels"], splits)


def download_librispeech(folder: str | Path, archive: RemoteFile = ARCHIVE) -> None:
    """Fetch and unpack train-clean-100 (6.4 GB) into `folder`, unless there is audio already.

    An interrupted download continues where it stopped. The archive stays in `folder`; it may be deleted.
    """
    root = Path(folder)
    if next(_home(root).glob("*/*/*/*.flac"), None) is None:
        target = root / archive.url.rpartition("/")[2]
        download(archive, target)
        extract_tar(target, root)


def _home(root: Path) -> Path:
    return root / INNER if (root / INNER).is_dir() else root


def _find(places: Sequence[Path], names: Sequence[str]) -> Path | None:
    candidates = (place / name for place in places for name in names)
    return next((file for file in candidates if file.is_file()), None)


def _listed(
    key: str, file: Path | None, found: dict[str, Utterance], everything: set[str], root: Path
) -> SpeechSplit | Absent:
    if file is None:
        return Absent(
            f"{root} has no list of {key} utterances ({key}_split.txt, one name a line), so nothing can be "
            "read out; learning without labels needs none"
        )
    names = read_list(file)
    if not names:
        return Absent(f"{file} names no utterance, so nothing can be read out")
    missing = [name for name in names if name not in everything]
    if missing:
        raise ValueError(
            f"{file} names {len(missing)} of {len(names)} utterances that are not there, the first is "
            f"{missing[0]}; fetch the missing audio or shorten the list"
        )
    kept = [found[name] for name in names if name in found]
    if not kept:
        return Absent(
            f"none of the {len(names)} utterances that {file} names can be used: they, or their labels, are "
            "shorter than 1.28 s"
        )
    return SpeechSplit(kept)


def _name(root: Path, home: Path, utterances: list[Utterance], short: int) -> str:
    speakers = {utterance.speaker for utterance in utterances}
    subsets = {file.name for file in home.iterdir() if file.is_dir()} - {LISTS}
    official = (
        subsets == {"train-clean-100"}
        and len(speakers) == OFFICIAL_SPEAKERS
        and len(utterances) + short == OFFICIAL_UTTERANCES
    )
    return OFFICIAL_NAME if official else unofficial_name(root, OFFICIAL_NAME, "speech")


def _note(name: str, utterances: list[Utterance], short: int, labels: str | None) -> str:
    speakers = len({utterance.speaker for utterance in utterances})
    hours = sum(utterance.samples for utterance in utterances) / 16000 / 3600
    labelled = sum(utterance.phones is not None for utterance in utterances)
    told = "no phone labels" if labels is None else f"{labelled} with phone labels ({labels})"
    skipped = f", {short} left out because they are shorter than 1.28 s" if short else ""
    official = "" if name == OFFICIAL_NAME else f", not {OFFICIAL_NAME}"
    return (
        f"{len(utterances)} utterances of {speakers} speakers, {hours:.1f} hours, {told}{skipped}; "
        f"LibriSpeech's layout{official}."
    )


def _nothing_there(root: Path) -> str:
    what = "holds no speech" if root.is_dir() else "is no folder"
    return (
        f"no data: {root} {what}; expected SUBSET/SPEAKER/CHAPTER/NAME.flac there or in LibriSpeech/; "
        "--download fetches train-clean-100"
    )
