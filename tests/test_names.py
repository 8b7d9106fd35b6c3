"""No module uses a name that it has not.

ruff and mypy are told not to look, since shape annotations are strings of names that exist nowhere.
"""

import builtins
import symtable
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GIVEN = {*dir(builtins), "__file__", "__path__", "__annotations__"}


def unknown_names(source: str) -> set[str]:
    module = symtable.symtable(source, "module", "exec")
    own = {s.get_name() for s in module.get_symbols() if s.is_assigned() or s.is_imported()}
    own |= {child.get_name() for child in module.get_children()}
    used = {
        symbol.get_name()
        for scope in scopes(module)
        for symbol in scope.get_symbols()
        if symbol.is_referenced() and symbol.is_global() and not is_bound(symbol)
    }
    return used - own - GIVEN


def is_bound(symbol: symtable.Symbol) -> bool:
    """In its own scope; symtable calls what is bound in a function named `top` global."""
    return symbol.is_parameter() or symbol.is_assigned() or symbol.is_imported()


def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from scopes(child)


def test_a_missing_import_is_found() -> None:
    assert unknown_names("import os\ndef f(x: 'image row'):\n    return os.sep, shutil.move") == {
        "shutil"
    }
    assert unknown_names("print(tau)") == {"tau"}
    assert not unknown_names(
        "class A:\n    B = 1\n    def c(self): return [A for k in (1,) if k], __file__"
    )


@pytest.mark.parametrize("folder", ["clapp_snn", "examples", "benchmarks", "tests", "hardware"])
def test_every_name_is_defined(folder: str) -> None:
    found = {
        str(path.relative_to(ROOT)): missing
        for path in (ROOT / folder).rglob("*.py")
        if (missing := unknown_names(path.read_text(encoding="utf-8")))
    }
    assert not found
