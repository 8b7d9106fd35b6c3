"""Opening a speech corpus from one line of text."""

from clapp_snn.stimuli.librispeech import download_librispeech, open_librispeech
from clapp_snn.stimuli.spec import folder_of
from clapp_snn.stimuli.speech_record import SpeechCorpus
from clapp_snn.stimuli.utterances import open_utterances

UTTERANCES = "utterances"
LIBRISPEECH_PREFIX = "librispeech:"


def open_corpus(spec: str, download: bool = False) -> SpeechCorpus:
    """Open the speech that `spec` names: "utterances" (synthesised) or "librispeech:FOLDER".

    With `download`, train-clean-100 is fetched into the folder first. Raises ValueError for an impossible
    combination, besides what the readers raise.
    """
    if spec == UTTERANCES:
        if download:
            raise ValueError(
                f"{UTTERANCES!r} are synthesised and need no download; write {LIBRISPEECH_PREFIX}FOLDER to "
                "fetch LibriSpeech"
            )
        return open_utterances()
    folder = folder_of(spec, LIBRISPEECH_PREFIX)
    if download:
        download_librispeech(folder)
    return open_librispeech(folder)
