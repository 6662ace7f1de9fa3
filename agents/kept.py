"""What an agent's questions depend on, for the keys under which episodes are kept on the disk."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import active_matting
from active_matting.agents import AGENTS
from active_matting.cache import hash_of_code, hash_of_file
from active_matting.kept import files_named_in
from active_matting.session import Agent

_ROOMS = "active_matting.agents."


def asked_by(agent: Agent, name: str) -> dict[str, Any]:
    """JSON-able parts of a key: of what an agent's questions depend on besides its seed and what it sees.

    Its name with parameters; the content of the folder of weights that the name is the path of; the code of its class
    and of what makes it, and what these import of `active_matting.agents`, near and far; where one loads weights, those
    that come with the package under the agent's name, or all of them. Raises `FileError` where a file cannot be read.
    """
    plain = name.partition(":")[0]
    makers = [type(agent), *([AGENTS.resolve(plain)] if plain in AGENTS.names() else [])]
    needed = [needed_modules(maker.__module__) for maker in makers]
    modules = sorted({path for paths, _ in needed for path in paths})
    loads_weights = any(loads for _, loads in needed)
    shipped = Path(__file__).parent / "weights"
    own = shipped / plain
    weights = [own if own.is_dir() else shipped] if loads_weights and shipped.is_dir() else []
    return {
        "agent": Path(name).name,
        "agent_files": [hash_of_file(path) for path in files_named_in(name)],
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
