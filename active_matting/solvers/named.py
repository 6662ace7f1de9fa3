"""A solver by its name and arguments, as a text or JSON-able, to be written into recipes, keys and tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from json import dumps, loads
from typing import Any

from active_matting.errors import InvalidArgumentError
from active_matting.solvers import Solver, make_solver


@dataclass(frozen=True)
class NamedSolver:
    """A solver by its name in `active_matting.solvers.SOLVERS` and its JSON-able arguments."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name, with the arguments where there are any."""
        return self.name + (f" {dumps(self.arguments, sort_keys=True)}" if self.arguments else "")

    def make(self) -> Solver:
        """Raises `UnknownNameError`, `InvalidArgumentError`."""
        return make_solver(self.name, **self.arguments)

    @classmethod
    def read(cls, text: str, shared: Mapping[str, Any] | None = None) -> "NamedSolver":
        """The solver of "NAME" or "NAME {JSON}", as its label is written; with arguments that are `shared` by others.

        Raises `InvalidArgumentError` where what follows the name is no JSON object.

        >>> NamedSolver.read('knn {"neighbors": [20, 10]}')
        NamedSolver(name='knn', arguments={'neighbors': [20, 10]})
        """
        name, own = split_arguments(text)
        return cls(name, {**(shared or {}), **(own or {})})


def split_arguments(text: str) -> tuple[str, dict[str, Any] | None]:
    """The name and the arguments of "NAME {JSON}"; None without any. Raises `InvalidArgumentError`."""
    name, sign, own = text.strip().partition(" {")
    return (name, json_object(f"what follows {name}", "{" + own)) if sign else (name, None)


def json_object(what: str, text: str) -> dict[str, Any]:
    """The JSON object that `text` is. Raises `InvalidArgumentError`, which says `what` should be one."""
    try:
        value = loads(text)
    except ValueError as error:
        raise InvalidArgumentError(f"{what} must be JSON, got {text!r}: {error}") from error
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"{what} must be a JSON object, got {text!r}")
    return value
