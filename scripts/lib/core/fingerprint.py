"""Fingerprint of what a program does: its syntax tree and that of every local module it imports, and its templates.

Comments, formatting and documentation strings are left out, so that only a change of behaviour re-runs a rule. The
templates of a program are the files of templates/ that its modules name in a string, and those that these name in turn.

Snakemake compares the text of a rule and of its `script:`, but of programs that a shell command runs nothing, and of
the modules that they import nothing.
"""

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def code_fingerprint(program: Path) -> str:
    """Hex digest over `program`, the modules below its folder that it imports, directly or not, and its templates."""
    root = program.parent
    modules = _with_imports(program, root)
    digest = hashlib.sha256()
    for path in sorted(modules):
        digest.update(f"{path.relative_to(root).as_posix()}\0{_behaviour(path)}\0".encode())
    for path in sorted(_templates(modules, root.parent / "templates")):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _templates(modules: Iterable[Path], directory: Path) -> set[Path]:
    """Files in `directory` that the modules name, and those that these include or extend."""
    found: set[Path] = set()
    waiting = {name for module in modules for name in _texts(module)}
    while waiting:
        path = directory / waiting.pop()
        if path not in found and path.is_file():
            found.add(path)
            waiting.update(re.findall(r'"([\w.-]+)"', path.read_text(encoding="utf-8")))
    return found


@cache
def _texts(path: Path) -> set[str]:
    """Strings in a module that may be the name of a file."""
    nodes = ast.walk(_tree(path))
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"[\w-]+(\.[\w-]+)+", text)}


def _with_imports(program: Path, root: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = [program]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports(path, root)
    return found


@cache
def _imports(path: Path, root: Path) -> list[Path]:
    """Local files that the file at `path` imports, package __init__ files among them."""
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(root).parts[: -node.level] if node.level else ()
            module = ".".join((*package, *filter(None, [node.module])))
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    files: list[Path] = []
    for name in names:
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            stem = root.joinpath(*parts[:depth])
            files += [file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file()]
    return files


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _behaviour(path: Path) -> str:
    """The file's syntax tree without positions and documentation."""
    return repr(_described(_tree(path)))


def _described(node: object) -> object:
    """A node of a syntax tree as nested lists, without statements that are nothing but a string."""
    if isinstance(node, ast.AST):
        return [type(node).__name__, *(_described(getattr(node, field, None)) for field in node._fields)]
    if isinstance(node, list):
        return [_described(child) for child in node if not _is_bare_string(child)]
    return node


def _is_bare_string(node: object) -> bool:
    """Is it documentation of a module, a function or an attribute?"""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
