"""What a result depends on besides its input, for the keys under which results are kept on the disk."""

import inspect
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from active_matting.cache import hash_of_code, hash_of_file
from active_matting.errors import InvalidArgumentError
from active_matting.solvers import Solver

_CODE = ("solvers", "segmenters", "models", "metrics", "regions.py", "labels.py")
"""What any solver's mattes and their errors may depend on, and what may change without the package's version."""


def made_by(solver: Solver, name: str, arguments: dict[str, Any], *code: str) -> dict[str, Any]:
    """JSON-able parts of a key, for `active_matting.cache.make_key`: of what a solver's mattes depend on.

    The solver's name and arguments, the content of the files and of the folders of weights that these name, the
    package's version and its code; `code` are further files and folders of it, such as "agents/clicks.py". Raises
    `FileError` where a file cannot be read, `InvalidArgumentError` where there is no such code.
    """
    root = Path(__file__).parent
    of_package = [root / part for part in (*_CODE, *code)]
    if not all(path.exists() for path in of_package):
        raise InvalidArgumentError(f"there is no such code: {[str(path) for path in of_package if not path.exists()]}")
    return {
        "solver": name,
        "solver_kwargs": arguments,
        "solver_files": [hash_of_file(path) for path in files_named_in(arguments)],
        "code": hash_of_code(Path(inspect.getfile(type(solver))), *of_package),
        "version": version("active-matting"),
    }


def files_named_in(value: Any) -> Iterator[Path]:
    """The files whose paths, or whose folder of weights, are among a JSON value's texts."""
    if isinstance(value, str):
        path = Path(value)
        if path.is_file():
            yield path
        elif path.is_dir() and any(path.glob("*.safetensors")):
            yield from sorted([*path.glob("*.safetensors"), *path.glob("*.json")])
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from files_named_in(inner)
