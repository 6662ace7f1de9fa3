"""List the matte solvers.

Prints each solver's name, what it does, and its parameters with their defaults. Give a solver's name to --solver
and its parameters to --solver-options of the other commands.
"""

import argparse
import dataclasses
import inspect
from typing import Any

from active_matting.solvers import SOLVERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options but --help."""


def run(given: argparse.Namespace) -> None:
    """Print a paragraph per solver."""
    for name in SOLVERS.names():
        solver = SOLVERS.resolve(name)
        print(name)
        print(f"  {(inspect.getdoc(solver) or '').partition(chr(10))[0]}")
        print(f"  {', '.join(_parameter(solver, p) for p in inspect.signature(solver).parameters.values())}")


def _parameter(solver: Any, parameter: inspect.Parameter) -> str:
    fields = {field.name: field for field in dataclasses.fields(solver)} if dataclasses.is_dataclass(solver) else {}
    factory: Any = fields[parameter.name].default_factory if parameter.name in fields else dataclasses.MISSING
    default = parameter.default if factory is dataclasses.MISSING else factory()
    return parameter.name if default is inspect.Parameter.empty else f"{parameter.name}={default!r}"
