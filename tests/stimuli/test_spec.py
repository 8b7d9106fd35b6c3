"""What a line of text names."""

from pathlib import Path

import pytest

from clapp_snn.stimuli.spec import data_name, folder_of, modality_name


@pytest.mark.parametrize(
    ("spec", "kind", "name"),
    [
        ("photographs", "images", "photographs"),
        ("stl10:a/b", "images", "b"),
        ("some/pictures", "images", "pictures"),
        ("librispeech", "images", "librispeech"),
        ("utterances", "speech", "utterances"),
        ("librispeech:a/b", "speech", "b"),
        ("librispeech:", "speech", "data"),
    ],
)
def test_kind_and_name(spec: str, kind: str, name: str) -> None:
    assert (modality_name(spec), data_name(spec)) == (kind, name)


def test_the_folder_behind_a_prefix() -> None:
    assert folder_of("librispeech:~/x", "librispeech:") == Path("~/x").expanduser()
    with pytest.raises(ValueError, match="'librispeech:' needs a folder: librispeech:FOLDER"):
        folder_of("librispeech: ", "librispeech:")
