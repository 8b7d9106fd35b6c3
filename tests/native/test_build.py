"""Building the library: the cache, and clear messages where it cannot be built."""

import shutil
import subprocess
import sys
import threading

import pytest
import torch

from clapp_snn import native
from clapp_snn.native import build

needs_compiler = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())
TINY = """
#include <stddef.h>
void clapp_use_threads(void *a, void *b, void *c, void *d) { (void)a, (void)b, (void)c, (void)d; }
size_t clapp_scratch_bytes(void) { return 42; }
"""


@pytest.fixture(autouse=True)
def forget_library():
    build.forget()
    yield
    build.forget()


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A library of three lines and an empty cache."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "tiny.c").write_text(TINY)
    monkeypatch.setattr(build, "FOLDER", sources)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return sources


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_without_a_compiler_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert not native.available()
    assert "none of cc, gcc or clang" in native.why_unavailable()
    assert "Install one" in native.why_unavailable()
    with pytest.raises(native.NativeUnavailable, match="needs a C compiler"):
        native.conv_forward(torch.zeros(1, 4, 4, 8), torch.zeros(8, 8, 3, 3), torch.zeros(8), True)


def test_a_wrong_cc_is_named(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert "'no-such-compiler'" in native.why_unavailable()


def test_a_failing_compiler_is_reported(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", script(tmp_path / "bad", 'echo "fatal error: broken" >&2; exit 1'))
    assert "fatal error: broken" in native.why_unavailable()


def test_a_compiler_that_makes_no_library_is_reported(tiny, tmp_path, monkeypatch):
    text = 'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo no > "$2"; fi; shift; done'
    monkeypatch.setenv("CC", script(tmp_path / "odd", text))
    assert "built but not loaded" in native.why_unavailable()


def test_what_cannot_be_built_is_tried_once(tiny, tmp_path, monkeypatch):
    """A folder that takes no files is found before anything is compiled, and not asked again."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    counting = f'case "$*" in *" -o "*) echo x >> {tmp_path / "calls"}; exit 1;; esac'
    monkeypatch.setenv("CC", script(tmp_path / "slow", counting))
    assert not native.available()
    assert "could not be written" in native.why_unavailable()
    assert not (tmp_path / "calls").exists()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(3):
        assert not native.available()
    assert (tmp_path / "calls").read_text().count("x") == 1


@needs_compiler
def test_cc_may_carry_options(tiny, monkeypatch):
    monkeypatch.setenv("CC", f"{shutil.which(build.find_compiler()[0])} -DSOME_MACRO")
    assert build.library().clapp_scratch_bytes() == 42


@needs_compiler
def test_the_library_is_built_once_and_again_after_a_change(tiny, monkeypatch):
    build.library()
    first = build.library_path(build.find_compiler())
    assert first.exists()
    build.forget()
    with monkeypatch.context() as patch:
        patch.setattr(build, "build", lambda *_: pytest.fail("built again"))
        build.library()
    (tiny / "tiny.c").write_text(TINY.replace("42", "43"))
    build.forget()
    assert build.library().clapp_scratch_bytes() == 43
    assert build.library_path(build.find_compiler()) != first


@needs_compiler
@pytest.mark.parametrize("damage", [b"", b"no library at all", None])
def test_a_damaged_cache_is_built_again(tiny, damage):
    compiler = build.find_compiler()
    path = build.library_path(compiler)
    build.build(compiler, path)
    if damage is None:
        damage = path.read_bytes()[:-1000]
    path.unlink()
    path.write_bytes(damage)
    assert build.library().clapp_scratch_bytes() == 42


@needs_compiler
def test_building_at_the_same_time(tiny):
    compiler = build.find_compiler()
    path = build.library_path(compiler)
    builders = [threading.Thread(target=build.build, args=(compiler, path)) for _ in range(4)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert build.library().clapp_scratch_bytes() == 42
    assert sorted(file.suffix for file in path.parent.iterdir()) == [".sha256", ".so"]


@needs_compiler
def test_a_cache_that_cannot_be_written_is_reported(tiny, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "Set XDG_CACHE_HOME" in native.why_unavailable()


@needs_compiler
def test_without_torchs_openmp_one_thread_is_announced(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(build.torch, "__file__", str(tmp_path / "torch" / "__init__.py"))
    with pytest.warns(RuntimeWarning, match="one thread"):
        build.library()


@needs_compiler
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_only_one_openmp_runtime_is_loaded():
    program = (
        "from clapp_snn import native; assert native.available();"
        "print(open('/proc/self/maps').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = [line.split()[-1] for line in done.stdout.splitlines() if "omp" in line]
    assert len({line for line in lines if ".so" in line}) == 1


@needs_compiler
def test_a_loaded_library_stays_when_the_path_changes(tiny, tmp_path, monkeypatch):
    loaded = build.library()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.library() is loaded
