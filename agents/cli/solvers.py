"""List the matte solvers.

Prints each solver's name, what it does, and its parameters with their defaults. Give a solver's name to --solver
and its parameters to --solver-options of the other commands.
"""

import argparse
import inspect

from active_matting.solvers import SOLVERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options but --help."""


def run(given: argparse.Namespace) -> None:
    """Print a paragraph per solver."""
    for name in SOLVERS.names():
        solver = SOLVERS.resolve(name)
        print(name)
        print(f"  {(inspect.getdoc(solver) or '').partition(chr(10))[0]}")
        parameters = inspect.signature(solver).parameters.values()
        print(f"  {', '.join(f'{p.name}={p.default!r}' for p in parameters)}")
