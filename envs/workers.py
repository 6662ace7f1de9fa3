"""Environments in processes that share the machine.

Every start method works: "spawn", "forkserver" and "fork", this one as long as no other thread computes meanwhile.
"""

from typing import Any

import gymnasium

REGIONS = "active_matting:ActiveMatting/Regions-v0"
"""What `gymnasium.make` takes in any process."""


def make_worker(arguments: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """`ActiveMatting/Regions-v0` with these arguments; in a worker process it computes on one thread.

    Vectorised environments make one in the main process too, to look at its spaces: that one keeps its threads.
    """
    return gymnasium.make(REGIONS, **arguments)
