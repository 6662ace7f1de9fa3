"""The environment of the paper: propose the next region for the user to label, anywhere in the image."""

from functools import partial
from typing import Any

from gymnasium.vector import AutoresetMode

from active_matting.envs.actions import CentreActions
from active_matting.envs.settings import settings_of
from active_matting.envs.single import SingleEnv
from active_matting.envs.vector import BatchEnv


class RegionsEnv(SingleEnv):
    """Ask a simulated user about one region per step, and be rewarded by what the answer does to the matte.

    ## Action space
    `Box(-1, 1, (2,))`: the region's centre `(y, x)`; -1 is the first row or column of the image, 1 the last; a
    centre too near the edge is moved in. With `candidates=S > 1` it is `Box(-1, 1, (S, 2))`: S proposals from the
    same state, of which the one that lowers the RMSE most is committed (Active Matting, sec. 2.3).

    ## Observation space
    A `Dict` (see `active_matting.observations.observe`) of uint8, channel-first `image` (3, H, W),
    `label_map` (1, H, W), `matte` (1, H, W), and float32 `location` (2,), `remaining` (1,).

    ## Reward
    `"rmse"`: the drop in RMSE against the true alpha, over the whole image. `"relative"`: equation 7 of the paper,
    each drop as a part of the largest among the candidates. `"log"`: the drop in the RMSE's logarithm. See
    `active_matting.envs.rewards`. The step's reward is the committed candidate's; `info["rewards"]` holds all.

    ## Starting state
    A sample drawn from the data with the environment's generator, in the `order` asked for;
    `reset(options={"index": i})` takes the i-th. Nothing is labelled and the matte is 0.5 everywhere.

    ## Episode end
    Terminated when `budget` queries are spent. Truncated only where the solver fails and `solver_failure` is
    "truncate".

    ## Info
    `rmse`: of the current matte. `sample`: the sample's index. `seconds`: what answering took so far, where the
    annotator counts it. After a step also `label` (of the committed answer, a `Label` value), `committed` (which
    candidate), `rewards` float64 `(S,)`, and `skipped` bool `(S,)`: the user gave no answer, or "transition" under the
    paper's protocol, so that it changed nothing and should not be learnt from. `error`: why the solver failed.

    ## Arguments
    Those of `active_matting.envs.settings.Settings`, all keywords, all JSON-able; and Gymnasium's `render_mode`. Raises
    `UnknownNameError`, `InvalidArgumentError` and `FileError` for bad ones.

    ## Versions
    v0: the first.
    """

    def __init__(self, *, render_mode: str | None = None, **arguments: Any) -> None:
        settings = settings_of(arguments)
        super().__init__(settings, CentreActions(settings), render_mode)


class RegionsVectorEnv(BatchEnv):
    """`num_envs` of `RegionsEnv` in one process, solved together; the same arguments, and those of `BatchEnv`."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        settings = settings_of({"solver_failure": "truncate"} | arguments)
        super().__init__(num_envs, settings, partial(CentreActions, settings), autoreset_mode, render_mode)
