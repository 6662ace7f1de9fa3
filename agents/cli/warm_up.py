"""Compile the solvers' kernels now, rather than when they are first used.

For one solver or more, or all without a name. Compiled code is kept on the disk, so that later processes only load it;
prints where. NUMBA_CACHE_DIR, if set, names the place. Of use when a container's image is built.

example: active-matting warm-up shared closed-form
"""

import argparse
import time

from tqdm import tqdm

from active_matting.solvers import SOLVERS, make_solver
from active_matting.solvers.warm_up import warm_up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which solvers."""
    parser.add_argument("solvers", nargs="*", metavar="SOLVER", help=f"of {', '.join(SOLVERS.names())}")


def run(given: argparse.Namespace) -> None:
    """Warm up one after the other."""
    from active_matting.compiled import cache_folders  # numba is slow to import, and other commands need none

    solvers = {name: make_solver(name) for name in given.solvers or SOLVERS.names()}
    for name, solver in (progress := tqdm(solvers.items(), desc="compiling", unit="solver")):
        progress.set_postfix_str(name)
        started = time.perf_counter()
        warm_up(solver)
        progress.write(f"{name}: {time.perf_counter() - started:.1f} s")
    for folder in cache_folders():
        print(f"kept in: {folder}")
