"""What the repository holds: every module of the package, with the imports that it makes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tunesmith"


@dataclass(frozen=True)
class Import:
    """One import. ``types_only``: below `if TYPE_CHECKING`. ``lazy``: inside a function."""

    name: str
    line: int
    types_only: bool
    lazy: bool


@dataclass(frozen=True)
class Module:
    """One file of the package. ``name`` has dots; a package's is that of its folder."""

    name: str
    path: Path
    tree: ast.Module
    imports: tuple[Import, ...]

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, by path."""
    return tuple(_read(path) for path in sorted(PACKAGE.rglob("*.py")))


def _read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    package = parts[:-1]
    return Module(name, path, tree, tuple(_imports(tree, package)))


def _imports(node: ast.AST, package: tuple[str, ...], types_only: bool = False, lazy: bool = False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield from (Import(name, child.lineno, types_only, lazy) for name in _names(child, package))
            continue
        # `else` of `if TYPE_CHECKING` counts as types too: nothing here has one
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _imports(child, package, types_only or for_types, lazy or in_function)


def _names(node: ast.Import | ast.ImportFrom, package: tuple[str, ...]) -> list[str]:
    """The modules that an import may load; `from tunesmith.cli import add` may load tunesmith.cli.add."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    parent = [*package[: len(package) - node.level + 1]] if node.level else []
    module = ".".join([*parent, *([node.module] if node.module else [])])
    return [f"{module}.{alias.name}" if _is_module(f"{module}.{alias.name}") else module for alias in node.names]


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return name.startswith("tunesmith") and (path.with_suffix(".py").exists() or (path / "__init__.py").exists())
