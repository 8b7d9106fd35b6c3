"""Hooks of the site: pages of the API, navigation by pattern, diagrams as tables, files not on the site."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PACKAGE = "clapp_snn"
API = "api/*.md"
OUTWARD = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]+)\)")
MERMAID = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every public module, then write out the patterns of the navigation."""
    root = Path(config.config_file_path).parent
    names = modules(root / PACKAGE)
    for name in names:
        files.append(File.generated(config, f"api/{name}.md", content=f"::: {name}\n"))
    pages = sorted(file.src_uri for file in files.documentation_pages())
    config.nav = [entry for item in config.nav or [] for entry in expand(item, pages, names)]
    return files


def modules(package: Path) -> list[str]:
    """All public modules by their full names, packages included."""
    paths = (path.relative_to(package.parent).with_suffix("") for path in package.rglob("*.py"))
    names = (path.parts[:-1] if path.name == "__init__" else path.parts for path in paths)
    return sorted(".".join(parts) for parts in names if not any(p.startswith("_") for p in parts))


def expand(item: Any, pages: list[str], names: list[str]) -> list[dict[str, Any]]:
    """One entry of the navigation with its pattern replaced by pages; nothing where none matches."""
    ((title, target),) = item.items()
    if isinstance(target, list):
        return [{title: [entry for part in target for entry in expand(part, pages, names)]}]
    if target == API:
        return [{title: by_room(names)}]
    if "*" not in target:
        return [item]
    found = [page for page in pages if fnmatch(page, target)]
    return [{title: found if len(found) > 1 else found[0]}] if found else []


def by_room(names: list[str]) -> list[dict[str, Any]]:
    """The pages of the API: single modules of the package, and the modules of every room."""
    rooms: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        _, room, rest = [*name.split(".", 2), "", ""][:3]
        rooms.setdefault(room, []).append({rest or room or PACKAGE: f"api/{name}.md"})
    return [found[0] if len(found) == 1 else {room: found} for room, found in rooms.items()]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Diagrams of who imports whom become tables: a script that draws them would have to be fetched."""
    markdown = name_repository_files(
        markdown, Path(page.file.abs_src_path or ""), Path(config.docs_dir)
    )
    return MERMAID.sub(lambda found: arrows_as_table(found[1]), markdown)


def name_repository_files(markdown: str, page: Path, docs: Path) -> str:
    """Links to files of the repository outside `docs`, which work on code hosts, become the file's name."""

    def named(found: re.Match[str]) -> str:
        target = (page.parent / found[2]).resolve()
        root = docs.resolve().parent
        if (
            target.is_relative_to(docs.resolve())
            or not target.is_relative_to(root)
            or not target.exists()
        ):
            return found[0]
        return f"{found[1]} (`{target.relative_to(root).as_posix()}`)"

    return OUTWARD.sub(named, markdown)


def arrows_as_table(diagram: str) -> str:
    """A row for each `a --> b & c` of a flow chart: what a node is, and what it points to."""
    words = dict(re.findall(r'(\w+)\["([^"]*)"\]', diagram))
    arrows = re.findall(r"^\s*([\w &]+?)\s*-->\s*([\w &]+?)\s*$", diagram, re.MULTILINE)
    rows = [
        f"| {words[name]} | {', '.join(ends.split(' & '))} |"
        for starts, ends in arrows
        for name in starts.split(" & ")
    ]
    return "\n".join(["| room | imports |", "|---|---|", *rows])
