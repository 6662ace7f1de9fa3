"""Matte solvers by name. To add one: a file in this folder and a line in `SOLVERS`."""

import json
from dataclasses import fields, is_dataclass
from typing import Any, cast

from active_matting.registry import Registry
from active_matting.solvers.base import Matte, PreparedSolver, Solver

SOLVERS = Registry(
    kind="solver",
    group="active_matting.solvers",
    table={
        "shared": "active_matting.solvers.shared:Shared",
        "closed-form": "active_matting.solvers.closed_form:ClosedForm",
        "information-flow": "active_matting.solvers.information_flow:InformationFlow",
        "knn": "active_matting.solvers.knn:KNN",
        "lbdm": "active_matting.solvers.lbdm:LBDM",
        "lkm": "active_matting.solvers.lkm:LKM",
        "random-walk": "active_matting.solvers.random_walk:RandomWalk",
        "segment-then-matte": "active_matting.solvers.segment_then_matte:SegmentThenMatte",
        "segment-dilate-matte": "active_matting.solvers.segment_dilate_matte:SegmentDilateMatte",
        "shared-torch": "active_matting.solvers.batched.shared:SharedTorch",
        "closed-form-torch": "active_matting.solvers.batched.closed_form:ClosedFormTorch",
        "fba": "active_matting.solvers.network.solver:FBASolver",
        "imatting": "active_matting.solvers.network.solver:IMattingSolver",
        "interactive-segmentation": "active_matting.solvers.network.solver:InteractiveSegmentationSolver",
    },
)


def make_solver(name: str, **kwargs: Any) -> Solver:
    """The solver called `name` with JSON-able hyper-parameters.

    Raises `UnknownNameError` and `InvalidArgumentError`.

    >>> make_solver("closed-form", epsilon=1e-6)
    ClosedForm(radius=1, epsilon=1e-06)
    """
    return cast(Solver, SOLVERS.make(name, **kwargs))


def describe(solver: Solver) -> dict[str, Any] | None:
    """`{"name", "kwargs", "version"}`, JSON-able, of which `make_solver(name, **kwargs)` makes an equal solver.

    version: of the package that the solver comes from. None where no name stands for the solver's class, or where it is
    no dataclass of JSON-able fields.

    >>> describe(make_solver("closed-form"))["kwargs"]
    {'radius': 1, 'epsilon': 1e-07}
    """
    made: Any = solver
    name = SOLVERS.name_of(type(made))
    if name is None or not is_dataclass(made):
        return None
    try:
        kwargs = json.loads(json.dumps({each.name: getattr(made, each.name) for each in fields(made) if each.init}))
    except TypeError:
        return None
    return {"name": name, "kwargs": kwargs, "version": SOLVERS.version_of(name)}


__all__ = ["SOLVERS", "Matte", "PreparedSolver", "Solver", "describe", "make_solver"]
