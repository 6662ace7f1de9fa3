"""After a warm-up nothing is compiled, nor loaded from where it is kept; in processes of their own."""

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest
from made_up_networks import NETWORK_SOLVERS, tiny_arguments

import active_matting
from active_matting.errors import ConvergenceError
from active_matting.solvers import SOLVERS, make_solver
from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.solvers.warm_up import warm_up
from active_matting.types import Image, LabelMap

SCRIPT = """
import gc, json, sys
import numba, numpy as np
from numba.core import event
from numba.core.dispatcher import Dispatcher
from active_matting import make_solver, warm_up
from active_matting.errors import ConvergenceError
from active_matting.testing import made_up_image, made_up_labels

def kernels():
    ours = [o for o in gc.get_objects() if isinstance(o, Dispatcher) and o.py_func.__module__.split(".")[0] != "numba"]
    return {f"{k.py_func.__module__}.{k.py_func.__name__}": [str(s) for s in k.overloads] for k in ours}

name, sides, arguments = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
numba.set_num_threads(min(2, numba.config.NUMBA_NUM_THREADS))
solver = make_solver(name, **arguments)
warm_up(solver)
before = kernels()
compiled = event.install_recorder("numba:compile").__enter__()
for side in sides:
    shape = (side, side + 3)
    image, labels = made_up_image(shape)[0], made_up_labels(shape)
    image.flags.writeable = False
    prepared = solver.prepare(image)
    more = labels.copy()
    more[:5, side // 2:side // 2 + 5] = -1
    try:
        matte = prepared.solve(labels)
        prepared.solve(more, previous=matte)
        prepared.solve_many(np.stack([labels, more]))
    except ConvergenceError:
        pass
after = kernels()
new = {kernel: after[kernel] for kernel in after if after[kernel] != before.get(kernel)}
print(json.dumps({"warm": sum(map(len, before.values())), "new": new, "compiled": len(compiled.buffer)}))
"""

LIMITED = {"lkm": {"max_iterations": 3}, "knn": {"max_iterations": 3}, "information-flow": {"max_iterations": 3}}
"""What keeps large images short: compiling is asked for, not solving."""

COMPILED = [name for name in SOLVERS.table if not name.endswith("-torch") and name not in NETWORK_SOLVERS]


@pytest.mark.parametrize("name", COMPILED)
def test_nothing_is_compiled_after_the_warm_up(name: str) -> None:
    arguments = json.dumps(LIMITED.get(name, {}))
    script = [sys.executable, "-c", SCRIPT, name, "[60, 150, 400]", arguments]
    told = json.loads(subprocess.run(script, capture_output=True, text=True, check=True).stdout)
    assert told["compiled"] == 0
    assert told["warm"] > 0
    assert told["new"] == {}


FORK = """
import json, sys
import gymnasium, numpy as np

def make():
    name = "active_matting:ActiveMatting/Regions-v0"
    return gymnasium.make(name, **json.loads(sys.argv[1]), image_size=40, region_size=5)

environments = gymnasium.vector.AsyncVectorEnv([make] * 2, context="fork")  # makes one here, to look at its spaces
environments.reset(seed=1)
for y in (-0.9, 0.0):
    environments.step(np.full((2, 2), y, dtype=np.float32))
environments.close()
print("whole")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    "solver",
    [
        {"solver": "shared"},
        {"solver": "lkm"},
        {"solver": "segment-then-matte"},
        {"solver": "segment-then-matte", "solver_kwargs": {"solver": "lkm"}},
        {"solver": "imatting", "solver_kwargs": tiny_arguments("imatting")},
    ],
)
def test_a_process_that_has_made_an_environment_may_be_forked(solver: dict[str, Any]) -> None:
    script = [sys.executable, "-c", FORK, json.dumps(solver)]
    result = subprocess.run(script, capture_output=True, text=True, check=False, timeout=120)
    assert result.stdout == "whole\n", result.stderr


class Counted:
    """A solver that counts how often it is prepared, and gives up."""

    prepared = 0

    def prepare(self, image: Image) -> PreparedClassical:
        self.prepared += 1
        return PreparedClassical(image.shape[:2], self.give_up)

    def give_up(self, label_map: LabelMap, previous: Matte | None) -> Matte:
        raise ConvergenceError("no")


def test_a_solver_is_warmed_up_once_and_may_give_up() -> None:
    solver = Counted()
    warm_up(solver)
    count = solver.prepared
    assert count > 0
    warm_up(solver)
    assert solver.prepared == count


def test_equal_solvers_share_a_warm_up() -> None:
    warm_up(make_solver("random-walk"))
    started = time.perf_counter()
    for _ in range(1000):
        active_matting.warm_up(make_solver("random-walk"))
    assert time.perf_counter() - started < 5
