"""Making things by name: a table from names to `"module:Class"`, read here and walked by the contract tests.

Another package adds to a table through a Python entry-point group; nothing of ours changes. A module is
imported only when its name is asked for.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

from active_matting.errors import InvalidArgumentError, UnknownNameError


@dataclass(frozen=True)
class Registry:
    """Names of one `kind` of thing; `group` is the entry-point group in which other packages add theirs."""

    kind: str
    group: str
    table: Mapping[str, str]

    def names(self) -> list[str]:
        """All names, ours first, in the table's order; then those of other packages, sorted."""
        return [*self.table, *sorted(self._added())]

    def make(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call what `name` stands for.

        Raises `UnknownNameError`, and `InvalidArgumentError` for keywords it does not take.
        """
        made = self.resolve(name)
        try:
            inspect.signature(made).bind(*args, **kwargs)
        except TypeError as error:
            taken = list(inspect.signature(made).parameters)[len(args) :]
            raise InvalidArgumentError(f"{self.kind} {name!r}: {error}; it takes {taken}") from error
        return made(*args, **kwargs)

    def resolve(self, name: str) -> Any:
        """The class or function behind `name`. Raises `UnknownNameError`."""
        if name in self.table:
            module, _, attribute = self.table[name].partition(":")
            return getattr(import_module(module), attribute)
        added = self._added()
        if name in added:
            return added[name].load()
        raise UnknownNameError(f"unknown {self.kind} {name!r}; choose from {self.names()}")

    def name_of(self, made: type) -> str | None:
        """The name that stands for a class; None where none does."""
        home = f"{made.__module__}:{made.__qualname__}"
        homes = {**self.table, **{name: point.value for name, point in self._added().items()}}
        return next((name for name, place in homes.items() if place == home), None)

    def version_of(self, name: str) -> str:
        """The version of the package that a name comes from."""
        point = self._added().get(name)
        return version("active-matting") if point is None or point.dist is None else point.dist.version

    def _added(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group) if point.name not in self.table}
