"""Imports point down, as the table in docs/architecture.md has it: that table is this test's data.

A new import between our modules is a changed row there, seen in review.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tooltune"
PAGE = ROOT / "docs" / "architecture.md"
LAYER = re.compile(r"### Layer (\d)")
ROW = re.compile(r"\| `(?P<file>[\w/.]+)` \|[^|]*\|(?P<imports>[^|]*)\|(?P<heavy>[^|]*)\|$")
HEAVY = ("torch", "transformers", "matplotlib", "mcp", "peft", "gguf", "safetensors", "tokenizers")
"""Libraries that take long to import or may be missing: only rows that name them may use them."""


@cache
def read_table() -> dict[str, tuple[int, set[str], set[str]]]:
    """module -> (layer, our modules it may import, heavy libraries it may import)."""
    table = {}
    layer = -1
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := LAYER.match(line):
            layer = int(heading[1])
        elif row := ROW.match(line):
            table[module_name(Path(row["file"]))] = (
                layer,
                words(row["imports"]),
                words(row["heavy"]),
            )
    return table


def words(cell: str) -> set[str]:
    return set(cell.replace(",", " ").replace("`", "").split()) - {"-"}


def module_name(path: Path) -> str:
    """`chat/render.py` -> `chat/render`; a package's `__init__.py` -> the package."""
    name = path.with_suffix("").as_posix()
    return name.removesuffix("/__init__")


@cache
def source_files() -> dict[str, Path]:
    """module -> file, for every file with code in it."""
    return {
        module_name(path.relative_to(SOURCE)): path
        for path in sorted(SOURCE.rglob("*.py"))
        if path.stat().st_size
    }


@cache
def imports_of(path: Path) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """(our modules imported anywhere, libraries imported anywhere, libraries at import time)."""
    ours, libraries, at_import = set(), set(), set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, is_top in _imports(tree, is_top=True):
        for name in _names(node):
            if name.split(".")[0] == "tooltune":
                ours.add(_our_module(name))
            else:
                libraries.add(name.split(".")[0])
                if is_top:
                    at_import.add(name.split(".")[0])
    return frozenset(ours - {""}), frozenset(libraries), frozenset(at_import)


def _imports(node: ast.AST, *, is_top: bool) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    found: list[tuple[ast.Import | ast.ImportFrom, bool]] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            found.append((child, is_top))
        elif not _is_type_checking(child):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            found += _imports(child, is_top=is_top and not inside)
    return found


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, f"relative import in line {node.lineno}"
    assert node.module is not None
    return [f"{node.module}.{alias.name}" for alias in node.names]


def _our_module(dotted: str) -> str:
    """`tooltune.chat.render.Renderer` -> `chat/render`; the package itself -> empty."""
    parts = dotted.split(".")[1:]
    while parts and "/".join(parts) not in source_files():
        parts.pop()
    return "/".join(parts)


def test_the_table_lists_every_file_and_no_other() -> None:
    assert set(read_table()) == set(source_files())


@pytest.mark.parametrize("module", source_files())
def test_a_module_imports_only_what_its_row_allows(module: str) -> None:
    _, allowed, heavy_allowed = read_table()[module]
    ours, libraries, _ = imports_of(source_files()[module])
    assert ours <= allowed, "not in the row of docs/architecture.md"
    assert allowed <= ours, "the row names imports that are gone"
    assert libraries & set(HEAVY) == heavy_allowed


def test_imports_point_down_or_sideways() -> None:
    table = read_table()
    upward = [
        f"{module} (layer {layer}) imports {name} (layer {table[name][0]})"
        for module, (layer, allowed, _) in table.items()
        for name in allowed
        if table[name][0] > layer
    ]
    assert upward == []


def test_there_is_no_cycle() -> None:
    table = read_table()
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"cycle: {' -> '.join((*path, module))}"
        if module not in finished:
            for name in table[module][1]:
                visit(name, (*path, module))
            finished.add(module)

    for module in table:
        visit(module, ())


def test_everything_that_does_not_compute_imports_without_torch() -> None:
    """Blocks the heavy libraries for every module whose row does not name them."""
    light = [
        "tooltune." + module.replace("/", ".")
        for module, (_, _, heavy) in read_table().items()
        if not needs_torch(module) and module not in {"__main__"} | sitecustomize()
    ]
    assert len(light) > 15
    program = (
        "import sys, importlib\n"
        "for name in ('torch', 'transformers', 'peft', 'gguf', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        f"for name in {light!r}:\n"
        "    importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def needs_torch(module: str) -> bool:
    """Whether importing the module imports torch, by itself or through what it imports at once."""
    torch_like = {"torch", "transformers", "peft", "gguf", "safetensors"}
    seen: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if imports_of(source_files()[name])[2] & torch_like:
            return True
        todo += top_level_imports(name)
    return False


def top_level_imports(module: str) -> list[str]:
    tree = ast.parse(source_files()[module].read_text(encoding="utf-8"))
    names = [n for node, is_top in _imports(tree, is_top=True) if is_top for n in _names(node)]
    return [
        found for name in names if name.startswith("tooltune.") and (found := _our_module(name))
    ]


def sitecustomize() -> set[str]:
    """Files that act on being imported, by their purpose."""
    return {module for module in source_files() if module.endswith("sitecustomize")}
