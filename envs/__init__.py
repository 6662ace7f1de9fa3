"""Gymnasium environments of active matting. Importing this package registers them.

`gymnasium.make("active_matting.envs:ActiveMatting/Regions-v0")` imports it and works in spawned processes too. To add
an environment: a file in this folder and a line in `ENVIRONMENTS`.
"""

import gymnasium

ENVIRONMENTS = {
    "ActiveMatting/Regions-v0": "active_matting.envs.regions:RegionsEnv",
}

for _name, _entry_point in ENVIRONMENTS.items():
    gymnasium.register(id=_name, entry_point=_entry_point)
