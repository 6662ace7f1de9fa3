"""The paper's task with discrete actions: the regions are the cells of a grid."""

from functools import partial
from typing import Any

from gymnasium.vector import AutoresetMode

from active_matting.envs.actions import CellActions
from active_matting.envs.settings import settings_of
from active_matting.envs.single import SingleEnv
from active_matting.envs.vector import BatchEnv


class RegionGridEnv(SingleEnv):
    """Ask a simulated user about one cell of a grid per step; see `RegionsEnv`, from which only the actions differ.

    ## Action space
    `Discrete(n)`: a cell's number, row by row. Cells are squares of `region_size` pixels, `stride` pixels apart; where
    the stride does not divide the image, the last row and column are moved in. With `candidates=S > 1` it is
    `MultiDiscrete([n] * S)`: S proposals from the same state, of which the one that lowers the RMSE most is committed.
    A masked cell may be chosen nevertheless: it costs a query, as everything does.

    ## Observation space
    A `Dict` (see `active_matting.observations.observe`) of uint8, channel-first `image` (3, H, W),
    `label_map` (1, H, W), `matte` (1, H, W), and float32 `location` (2,), `remaining` (1,); and int8 `action_mask`
    (n,), or (S n,), the same for each candidate: 1 for the cells worth asking about. The same mask is in
    `info["action_mask"]` and returned by `action_masks()`, where `MaskablePPO` of Stable-Baselines3's contrib finds it.

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
    Those of `active_matting.envs.settings.Settings`, all keywords, all JSON-able; Gymnasium's `render_mode`; `stride`:
    pixels between cells, the regions' side by default; `mask`: "visited" masks the cells that were asked about, "pure"
    also those that the true alpha makes transitions. Raises `UnknownNameError`, `InvalidArgumentError` and `FileError`
    for bad ones.

    ## Versions
    v0: the first.
    """

    def __init__(
        self, *, stride: int | None = None, mask: str = "visited", render_mode: str | None = None, **arguments: Any
    ) -> None:
        settings = settings_of(arguments)
        super().__init__(settings, CellActions(settings, stride, mask), render_mode)


class RegionGridVectorEnv(BatchEnv):
    """`num_envs` of `RegionGridEnv` in one process, solved together; the same arguments, and those of `BatchEnv`."""

    def __init__(
        self,
        num_envs: int = 1,
        *,
        stride: int | None = None,
        mask: str = "visited",
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        settings = settings_of({"solver_failure": "truncate"} | arguments)
        make_actions = partial(CellActions, settings, stride, mask)
        super().__init__(num_envs, settings, make_actions, autoreset_mode, render_mode)
