"""The tutorial runs as it stands, and its pictures are those that its code draws."""

from pathlib import Path

import pytest
from PIL import Image

from tests.docs.code_blocks import IMAGES, ROOT, blocks, call, pictures, run_page

TUTORIAL = ROOT / "docs" / "tutorial"
PAGES = sorted(TUTORIAL.glob("*.md"))


def run_and_compare(names: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for page in (TUTORIAL / name for name in names):
        run_page(page)
        for picture in pictures(page):
            with Image.open(folder / picture) as drawn, Image.open(IMAGES / picture) as kept:
                assert drawn.size == kept.size


@pytest.mark.parametrize("name", ["1_first_spike.md", "2_coincidence.md", "3_one_area.md"])
def test_pages_in_python_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    run_and_compare([name], tmp_path, monkeypatch)
    assert capsys.readouterr().out


@pytest.mark.slow
def test_learning_and_export_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """The second page exports what the first has trained."""
    run_and_compare(["4_stream.md", "5_export.md"], tmp_path, monkeypatch)
    printed = capsys.readouterr().out
    assert "0 of     8192" in printed
    assert (tmp_path / "runs" / "lif_digits_nir" / "network.nir").is_file()


def test_no_page_and_no_kind_of_block_is_left_out() -> None:
    assert [page.name[0] for page in PAGES] == list("12345")
    languages = {language for page in PAGES for language, _ in blocks(page)}
    assert languages == {"python", "sh", "text"}
    assert all(pictures(page) for page in PAGES[:4])


@pytest.mark.parametrize("line", ["rm -r runs", "clapp-snn info no-such-run"])
def test_other_and_failing_commands_stop_a_page(line: str, capsys) -> None:
    with pytest.raises(RuntimeError, match=line):
        call(line)
