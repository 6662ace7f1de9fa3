"""Active image matting: where should the user point next?

The words used here (alpha, label map, region, interaction, solver, ...) and the arrays behind them are in
`active_matting.types`. The environments are registered with Gymnasium here, by name; `active_matting.agents` holds what
acts in them. Neither they nor anything else heavy is imported before it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from active_matting.environments import register_environments

if TYPE_CHECKING:
    from active_matting.data import make_data as make_data
    from active_matting.metrics import rmse as rmse
    from active_matting.session import QuerySession as QuerySession
    from active_matting.solvers import make_solver as make_solver
    from active_matting.solvers.warm_up import warm_up as warm_up

__version__ = "0.1.0"

_HOME_OF = {
    "QuerySession": "active_matting.session",
    "make_data": "active_matting.data",
    "make_solver": "active_matting.solvers",
    "rmse": "active_matting.metrics",
    "warm_up": "active_matting.solvers.warm_up",
}
__all__ = ["QuerySession", "__version__", "make_data", "make_solver", "rmse", "warm_up"]


def __getattr__(name: str) -> Any:
    # Looked up when asked for, so that `import active_matting` stays light.
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register_environments()
