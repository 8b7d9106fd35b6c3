"""Compiling the C sources of this folder on first use, and loading the library they make.

The library is kept in the user's cache folder under a name that depends on the sources, the
compiler, its options and the processor, so a change of any of them builds another one. Beside it
lies its SHA-256: a damaged file is noticed before it is loaded, and built again.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch

from clapp_snn.files import atomic_path, require_folder, write_text

FOLDER = Path(__file__).parent
COMPILERS = ("cc", "gcc", "clang")
COMPILE_SECONDS = 300


class NativeUnavailable(RuntimeError):
    """The compiled engine cannot be had on this machine; the message says why and what to do."""


def find_compiler() -> list[str]:
    """Return the command of the C compiler: `CC` if set, else the first of cc, gcc and clang.

    Raises:
        NativeUnavailable: if there is none.
    """
    asked = os.environ.get("CC", "").strip()
    if asked:
        command = shlex.split(asked)
        if shutil.which(command[0]) is None:
            raise NativeUnavailable(
                f"The environment variable CC names the C compiler {command[0]!r}, which is not on "
                "the PATH. Correct or unset CC."
            )
        return command
    for name in COMPILERS:
        if shutil.which(name) is not None:
            return [name]
    raise NativeUnavailable(
        "The native engine needs a C compiler, and none of cc, gcc or clang is on the PATH. "
        "Install one (for example the package 'gcc'), or set CC."
    )


def cache_folder() -> Path:
    """Return the folder of the compiled libraries: `$XDG_CACHE_HOME/clapp_snn/native`.

    Raises:
        NativeUnavailable: if neither that variable nor a home folder is known.
    """
    base = os.environ.get("XDG_CACHE_HOME", "").strip()
    try:
        root = Path(base) if base else Path.home() / ".cache"
    except RuntimeError as error:
        raise NativeUnavailable(f"{error} Set XDG_CACHE_HOME to a folder to build in.") from error
    return root / "clapp_snn" / "native"


def compile_options() -> list[str]:
    """Return the compiler options: optimised for the processor this runs on."""
    tune = "-mcpu=native" if platform.machine() in ("arm64", "aarch64") else "-march=native"
    return ["-std=gnu11", "-O3", tune, "-fPIC", "-shared", "-fno-math-errno"]


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMPILE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeUnavailable(f"The C compiler could not be run: {error}") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        detail = (lines or done.stderr.splitlines() or [f"exit status {done.returncode}"])[0]
        raise NativeUnavailable(
            f"The C compiler {shlex.join(command[:1])!r} failed on the native engine: {detail} "
            "Set CC to a working GCC or Clang."
        )
    return done.stdout


def _processor() -> str:
    """Describe the processor as far as `-march=native` depends on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("flags", "Features", "model name", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def library_path(compiler: list[str]) -> Path:
    """Return where the library for these sources, this compiler and this processor belongs."""
    key = hashlib.sha256()
    parts = [_run([*compiler, "--version"]), *compiler, *compile_options(), _processor()]
    for part in (*parts, platform.machine(), sys.platform):
        key.update(part.encode() + b"\0")
    for source in sorted(FOLDER.glob("*.[ch]")):
        key.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return cache_folder() / f"clapp-{key.hexdigest()[:24]}.so"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_whole(path: Path) -> bool:
    """Tell whether `path` is there and is the file that was built."""
    note = path.with_suffix(".sha256")
    try:
        return note.read_text(encoding="utf-8", errors="replace").strip() == _digest(path)
    except OSError:  # missing or unreadable: what is wrong with the folder shows when it is built
        return False


def build(compiler: list[str], path: Path) -> None:
    """Compile the library into `path`; another process may do the same at the same time.

    Raises:
        NativeUnavailable: if the compiler fails or the cache folder cannot be written.
    """
    try:
        require_folder(path.parent)  # before some seconds of compiling
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "native.so"
            sources = [str(source) for source in sorted(FOLDER.glob("*.c"))]
            _run([*compiler, *compile_options(), *sources, "-o", str(made)])
            with atomic_path(path) as temporary:
                shutil.copyfile(made, temporary)
            write_text(path.with_suffix(".sha256"), _digest(made) + "\n")
    except OSError as error:
        raise NativeUnavailable(
            f"The native engine could not be written to {path.parent}: {error}. "
            "Set XDG_CACHE_HOME to a folder that can be written."
        ) from error


def _share_threads(library: ctypes.CDLL) -> None:
    """Hand the entry points of the OpenMP runtime that torch uses to the library."""
    names = ("GOMP_parallel", "GOMP_barrier", "omp_get_thread_num", "omp_get_num_threads")
    suffix = "dylib" if sys.platform == "darwin" else "so"
    for file in (f"libtorch_cpu.{suffix}", f"libtorch.{suffix}"):
        path = Path(torch.__file__).parent / "lib" / file
        if not path.exists():
            continue
        runtime = ctypes.CDLL(str(path))  # symbols are looked up in its dependencies, too
        if all(hasattr(runtime, name) for name in names):
            library.clapp_use_threads(
                *(ctypes.cast(getattr(runtime, name), ctypes.c_void_p) for name in names)
            )
            return
    warnings.warn(
        "torch's OpenMP runtime offers no GOMP entry points: the native engine runs on one thread.",
        RuntimeWarning,
        stacklevel=2,
    )


def library() -> ctypes.CDLL:
    """Return the loaded library, compiled first if need be (some seconds).

    Raises:
        NativeUnavailable: if it cannot be compiled or loaded; tried once for every compiler and place to
            build in.
    """
    settings = tuple(os.environ.get(name) for name in ("CC", "PATH", "XDG_CACHE_HOME", "HOME"))
    if settings in _failed:
        raise NativeUnavailable(_failed[settings])
    try:
        return _loaded()
    except NativeUnavailable as error:
        _failed[settings] = str(error)
        raise


_failed: dict[tuple[str | None, ...], str] = {}
"""Why the library cannot be had, by what decides where and how it is built."""


def forget() -> None:
    """Load, and where necessary build, anew when the library is asked for next."""
    _loaded.cache_clear()
    _failed.clear()


@functools.cache  # what failed is not kept
def _loaded() -> ctypes.CDLL:
    if sys.platform == "win32":
        raise NativeUnavailable("The native engine runs on Linux and macOS, not on Windows.")
    compiler = find_compiler()
    path = library_path(compiler)
    if not _is_whole(path):
        print("clapp_snn: compiling the CPU kernels (once, some seconds)", file=sys.stderr)
        build(compiler, path)
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeUnavailable(f"The native engine was built but not loaded: {error}") from error
    _share_threads(loaded)
    loaded.clapp_scratch_bytes.restype = ctypes.c_size_t
    return loaded


def why_unavailable() -> str:
    """Say why the native engine cannot be used; the empty string if it can."""
    try:
        library()
    except NativeUnavailable as error:
        return str(error)
    return ""


def available() -> bool:
    """Tell whether the native engine can be used, building it if that was not done before."""
    return not why_unavailable()
