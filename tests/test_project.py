"""The project as a whole: its metadata, its layout and who imports whom."""

import ast
import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clapp_snn"

# Bottom up: what each room may import of the others, besides itself and the ground floor.
GROUND = {"files", "numerical_failures", "randomness", "run_files", "tables"}
ROOMS: dict[str, set[str]] = {
    "files": set(),
    "run_files": set(),
    "tables": {"files"},
    "numerical_failures": set(),
    "randomness": set(),
    "native": set(),
    "functional": {"native"},
    "neurons": {"functional", "native"},
    "methods": {"functional"},
    "encoders": {"functional"},
    "circuit": {"native", "functional", "neurons", "methods", "encoders"},
    "stimuli": set(),
    "training": {"native", "functional", "neurons", "methods", "encoders", "circuit", "stimuli"},
    "evaluation": {"native", "functional", "neurons", "methods", "encoders", "circuit", "stimuli"},
    "recording": {"functional", "neurons", "methods", "encoders", "circuit"},
    "protocols": {"functional", "neurons", "circuit", "recording"},
    "figures": set(),
    "modalities": {"circuit", "encoders", "methods", "stimuli", "training", "evaluation"},
    "report": {"functional", "methods", "modalities", "training", "evaluation", "figures"},
    "export": {"functional", "neurons", "methods", "encoders", "circuit"},
}
# The command line calls all rooms; no room calls it.
TOP = {"cli", "__main__", "__init__", "commands"}

TEXT = {
    ".py",
    ".c",
    ".h",
    ".md",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    ".cff",
    ".html",
    ".cfg",
    ".sh",
    "",
}


def constraints() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    pairs = (line.split("==") for line in lines)
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def project() -> dict:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def declared() -> list[Requirement]:
    extras = project()["optional-dependencies"].values()
    return [Requirement(r) for r in (*project()["dependencies"], *(r for e in extras for r in e))]


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_constraints_satisfy_pyproject(requirement: Requirement) -> None:
    pinned = constraints()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned)


def test_constraints_cover_what_the_dependencies_need() -> None:
    """Nothing is installed unpinned: a new release of anything cannot break a fresh installation."""
    pinned = constraints()
    todo = declared()
    seen: set[str] = set()
    while todo:
        wanted = todo.pop()
        # A CUDA build of torch brings its own libraries, pinned by itself.
        if str(wanted) in seen or re.match(r"nvidia-|triton|cuda-", wanted.name):
            continue
        seen.add(str(wanted))
        assert canonicalize_name(wanted.name) in pinned
        todo += installed_requirements(wanted)


def installed_requirements(wanted: Requirement) -> list[Requirement]:
    """What the installed package of that name needs here; nothing if it is not installed."""
    try:
        needed = map(Requirement, requires(wanted.name) or [])
    except PackageNotFoundError:
        return []
    extras = ("", *wanted.extras)
    return [
        r for r in needed if not r.marker or any(r.marker.evaluate({"extra": e}) for e in extras)
    ]


def test_types_ship() -> None:
    assert files("clapp_snn").joinpath("py.typed").is_file()
    with (ROOT / "pyproject.toml").open("rb") as file:
        data = tomllib.load(file)["tool"]["setuptools"]["package-data"]
    assert "py.typed" in data["clapp_snn"]


def test_citation_agrees_with_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == project()["version"]
    assert citation["license"] == project()["license"]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == [
        "Illing",
        "Ventura",
        "Bellec",
        "Gerstner",
    ]


def test_no_file_names_one_machine_or_one_index() -> None:
    local_paths = r"(?<![\w.~/-])/(?:home|root|Users|mnt|media|wor[k]|opt|tmp)/\w"
    index_hosts = r"pypi\.(?:org|io)|pythonhosted|download\.pytorch|npmjs|registry\."
    forbidden = re.compile(f"{local_paths}|{index_hosts}")
    folders = ("clapp_snn", "tests", "docs", "examples", "benchmarks", "hardware", ".ci")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    paths += [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in paths
        if path.is_file() and path.suffix in TEXT and path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if forbidden.search(line)
    ]
    assert found == []


def test_every_module_says_what_it_is() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []


def rooms_imported_by(path: Path) -> set[str]:
    """Rooms that a module imports at any depth of its code, its own one included."""
    package = path.relative_to(ROOT).parent.parts
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        parts = [name.split(".") for name in names]
        rooms |= {part[1] for part in parts if part[0] == "clapp_snn" and len(part) > 1}
    return {room for room in rooms if not room.startswith("__")}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_table_of_rooms_points_downward() -> None:
    order = list(ROOMS)
    for room, below in ROOMS.items():
        assert below <= set(order[: order.index(room)])
    assert {room_of(path) for path in sources()} <= ROOMS.keys() | TOP


def test_imports_point_downward() -> None:
    upward = []
    for path in sources():
        room = room_of(path)
        if room not in TOP:
            ground = set() if room in GROUND else GROUND
            forbidden = rooms_imported_by(path) - ROOMS[room] - ground - {room}
            upward += [f"{name_of(path)} imports {other}" for other in sorted(forbidden)]
    assert upward == []


def test_linked_pages_and_pictures_exist() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{name_of(page)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if not target.startswith(("http:", "https:", "mailto:"))
        and not (page.parent / target).exists()
    ]
    assert broken == []
