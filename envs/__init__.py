"""Gymnasium environments of active matting. Importing this package registers them.

To add one: a file in this folder and a line in `ENVIRONMENTS`.
"""

import gymnasium

ENVIRONMENTS = {
    "ActiveMatting/Regions-v0": "active_matting.envs.regions:RegionsEnv",
}


def register() -> None:
    """Tell Gymnasium every id of `ENVIRONMENTS`; Gymnasium's plugin loader and an import both call this."""
    for name, entry_point in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=entry_point)


register()
