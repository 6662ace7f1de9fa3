"""The environments by their ids: importing the package registers them with Gymnasium.

`gymnasium.make("active_matting:ActiveMatting/Regions-v0")` imports the package, in worker processes too. Here are
names only: what makes an environment is imported when one is made. To add one: a file in `envs/` and an entry in
`ENVIRONMENTS`.
"""

import gymnasium

ENVIRONMENTS = {
    "ActiveMatting/Regions-v0": (
        "active_matting.envs.regions:RegionsEnv",
        "active_matting.envs.regions:RegionsVectorEnv",
    ),
    "ActiveMatting/RegionGrid-v0": (
        "active_matting.envs.region_grid:RegionGridEnv",
        "active_matting.envs.region_grid:RegionGridVectorEnv",
    ),
}
"""What makes one environment, and what makes a batch, by id."""


def register_environments() -> None:
    """Make all of them known to `gymnasium.make` and `gymnasium.make_vec`."""
    for name, (single, batch) in ENVIRONMENTS.items():
        gymnasium.register(id=name, entry_point=single, vector_entry_point=batch)
