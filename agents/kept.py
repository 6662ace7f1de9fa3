"""What a result depends on besides its input, for the keys under which results are kept on the disk."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import active_matting
from active_matting import __version__
from active_matting.cache import hash_of_code, hash_of_file
from active_matting.session import Agent
from active_matting.solvers import Solver

_CODE = ("solvers", "segmenters", "models", "metrics", "regions.py", "labels.py")
"""What any solver's mattes and their errors may depend on, and what may change without the package's version."""

_ROOMS = "active_matting.agents."


def made_by(solver: Solver, name: str, arguments: dict[str, Any], *code: str) -> dict[str, Any]:
    """JSON-able parts of a key, for `active_matting.cache.make_key`: of what a solver's mattes depend on.

    The solver's name and arguments, the content of the files and of the folders of weights that these name, the
    package's version and its code; `code` are further files and folders of it, such as "agents/baselines.py". Raises
    `FileError` where a file cannot be read.
    """
    root = Path(active_matting.__file__).parent
    of_package = (root / part for part in (*_CODE, *code))
    return {
        "solver": name,
        "solver_kwargs": arguments,
        "solver_files": [hash_of_file(path) for path in _files_named_in(arguments)],
        "code": hash_of_code(Path(inspect.getfile(type(solver))), *(path for path in of_package if path.exists())),
        "version": __version__,
    }


def asked_by(agent: Agent, name: str) -> dict[str, Any]:
    """JSON-able parts of a key: of what an agent's questions depend on besides its seed and what it sees.

    Its name with parameters; the content of the folder of weights that the name is the path of; its class's code, and
    what that imports of `active_matting.agents`, near and far; where that loads weights, those that come with the
    package under its name, or all of them. Raises `FileError` where a file cannot be read.
    """
    module = inspect.getmodule(type(agent))
    modules, loads_weights = needed_modules(module.__name__ if module is not None else "")
    shipped = Path(__file__).parent / "weights"
    own = shipped / name.partition(":")[0]
    weights = [own if own.is_dir() else shipped] if loads_weights and shipped.is_dir() else []
    return {
        "agent": Path(name).name,
        "agent_files": [hash_of_file(path) for path in _files_named_in(name)],
        "agent_code": hash_of_code(Path(inspect.getfile(type(agent))), *modules, *weights),
    }


@cache
def needed_modules(module: str) -> tuple[tuple[Path, ...], bool]:
    """The files of `active_matting.agents` that a module of it imports, near and far; and whether any loads weights."""
    found: dict[str, Path] = {}
    others: set[str] = set()
    left = [module]
    while left:
        name = left.pop()
        spec = find_spec(name) if name.startswith(_ROOMS) and name not in found else None
        if spec is None or spec.origin is None:
            continue
        found[name] = Path(spec.origin)
        imported = set(_imports(found[name]))
        others |= imported
        left += imported
    loads_weights = not found or any(name.partition(".")[0] in ("torch", "safetensors") for name in others)
    return tuple(path for _, path in sorted(found.items())), loads_weights


def _imports(path: Path) -> Iterator[str]:
    """Names of what a file imports, of things in modules too, which name no module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            # A thing's name in a module is no module's, and a package imports from its own.
            is_package = (Path(active_matting.__file__).parents[1] / node.module.replace(".", "/")).is_dir()
            yield from (f"{node.module}.{alias.name}" for alias in node.names if is_package)


def _files_named_in(value: Any) -> Iterator[Path]:
    """The files whose paths, or whose folder of weights, are among a JSON value's texts."""
    if isinstance(value, str):
        path = Path(value)
        if path.is_file():
            yield path
        elif path.is_dir() and any(path.glob("*.safetensors")):
            yield from sorted([*path.glob("*.safetensors"), *path.glob("*.json")])
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _files_named_in(inner)
