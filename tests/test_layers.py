"""Who imports whom, read from the syntax trees; and what importing the package loads."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ROWS = [
    {"errors", "checks", "types", "compiled", "threads"},
    {"environments", "files", "registry", "metrics"},
    {"cache", "recent"},
    {"regions", "labels", "annotators", "robots", "observations", "data", "augmentation"},
    {"models"},
    {"segmenters", "solvers"},
    {"colours", "full_size", "kept"},
    {"training"},
    {"session", "widget", "testing"},
    {"envs"},
    {"agents"},
]
"""The rooms of the package, each row allowed to import its own and those above it."""

SESSION_ROW = 8  # the package's own face, which offers what is in the rows up to this one


def modules() -> dict[str, Path]:
    """All modules of the package by their full names; `envs` and `agents` are read where they lie."""
    found = {}
    for folder, prefix in (("active_matting", ()), ("envs", ("active_matting",)), ("agents", ("active_matting",))):
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[:2] in (("active_matting", "envs"), ("active_matting", "agents")):
                continue  # through the links
            name = ".".join((*prefix, *parts))
            found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imports(path: Path, *, only_at_import: bool = False) -> set[str]:
    """Full names of what a file imports; `only_at_import`: not what its functions do when they are called."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _nodes_run_at_import(tree) if only_at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found.update(inner)
            if len(inner) < len(node.names):
                found.add(node.module)
    return found


def _nodes_run_at_import(node: ast.AST) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    for child in ast.iter_child_nodes(node):
        is_for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not is_for_types and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes += [child, *_nodes_run_at_import(child)]
    return nodes


def row(module: str) -> int:
    parts = module.split(".")
    if len(parts) == 1:
        return SESSION_ROW
    (found,) = (index for index, rooms in enumerate(ROWS) if parts[1] in rooms)
    return found


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after the statement."""
    script = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_every_room_has_its_row() -> None:
    rooms = {module.split(".")[1] for module in MODULES if "." in module}
    unknown = rooms - set().union(*ROWS)
    assert not unknown, f"say in ROWS where these belong: {sorted(unknown)}"
    assert {"envs", "agents", "solvers", "data"} <= rooms


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_import_points_up(module: str) -> None:
    ours = {name for name in imports(MODULES[module]) if name.split(".")[0] == "active_matting"}
    upwards = sorted(name for name in ours if name in MODULES and row(name) > row(module))
    assert not upwards, f"{module} must not import {upwards}"
    assert ours <= MODULES.keys()


def test_no_two_modules_need_each_other() -> None:
    graph = {name: imports(path, only_at_import=True) & MODULES.keys() - {name} for name, path in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("active_matting.types") < order.index("active_matting.session")


def test_tests_and_notebooks_are_imported_by_nothing() -> None:
    for module, path in MODULES.items():
        assert not {"tests", "notebooks", "benchmarks", "pytest", "hypothesis"} & {
            name.split(".")[0] for name in imports(path)
        }, module


def test_environments_never_import_torch() -> None:
    for module, path in MODULES.items():
        if module.startswith("active_matting.envs"):
            assert not {"torch", "stable_baselines3"} & {name.split(".")[0] for name in imports(path)}, module


def test_kernels_take_the_decorator_that_knows_when_they_are_stale() -> None:
    for module, path in MODULES.items():
        assert module == "active_matting.compiled" or "njit" not in {
            alias.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module == "numba"
            for alias in node.names
        }, f"{module} must import njit from active_matting.compiled"


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import active_matting")
    assert {"active_matting", "gymnasium"} <= loaded  # with which the environments are registered, by name
    assert not loaded & {"torch", "numba", "pymatting", "matplotlib", "cv2", "scipy"}


def test_importing_the_environments_loads_no_torch() -> None:
    loaded = loaded_by("import active_matting.envs")
    assert "gymnasium" in loaded
    assert not loaded & {"torch", "stable_baselines3", "pymatting", "matplotlib"}
