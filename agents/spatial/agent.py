"""The spatial agent: its network behind `predict`, its heat map, and when it thinks that enough was asked."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.agents.spatial.cues import as_decided, is_known, spread_out
from active_matting.agents.spatial.grid import CELL, PICTURE_CELL, Grid
from active_matting.agents.spatial.network import Decision, Sight, SpatialConfig, SpatialPolicy
from active_matting.agents.spatial.opinion import second_opinion
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import read_json, write_json, written_whole
from active_matting.observations import GREY_OF_LABEL, Observation
from active_matting.regions import action_to_region, region_to_action
from active_matting.types import Label

WEIGHTS, CONFIG = "weights.safetensors", "config.json"


@dataclass(frozen=True)
class AgentState:
    """What the agent carries from query to query about N episodes; never changed, so that one may go back to it."""

    image_features: Tensor  # (N, C, 2h, 2w)
    memory: Tensor  # (N, M, h, w)
    matte: Tensor  # (N, 1, 8h, 8w), when it was asked last
    asked: Tensor  # bool (N, R, C), before it was asked last
    chosen: Tensor  # (N,), the square it chose then


class SpatialAgent:
    """Suggests the square that looks most worth asking about, and never one twice while there are others.

    policy: the network, whose weights are not to change. cells: of its grid, along the image's longer side; squares are
    as large and lie half a cell apart. Regions should be as large, 20 along the side for the paper's 20 pixels in 400.
    seed: of what is drawn when `deterministic=False`. spreading: how much what lies near to squares that were asked
    about is left for later, see `cues.spread_out`; 0 asks as the network has it. Raises `InvalidArgumentError`.
    """

    is_deterministic = True
    """Asked deterministically it draws nothing; see `active_matting.agents.evaluate`."""

    def __init__(self, policy: SpatialPolicy, cells: float = 20, seed: int = 0, spreading: float = 1.0) -> None:
        if not cells >= 1:
            raise InvalidArgumentError(f"cells must be at least 1, got {cells}")
        if not spreading >= 0:
            raise InvalidArgumentError(f"spreading must be at least 0, got {spreading}")
        self.policy = policy.eval()
        self.cells, self.spreading = cells, spreading
        self._generator = torch.Generator().manual_seed(seed)
        self._latest: _Look | None = None

    def predict(
        self,
        observation: Observation,
        state: AgentState | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], AgentState]:
        """Actions, float32 `(2,)` or `(N, 2)` as the observation is single or batched; see `Agent.predict`."""
        grid, decision, after = self._look(observation, state, episode_start)
        chances = decision.log_probability.flatten(1)
        if deterministic:
            chosen = chances.argmax(1)
        else:
            chosen = torch.multinomial(chances.exp(), 1, generator=self._generator)[:, 0]
        actions = np.stack([region_to_action(grid.region(int(number)), grid.shape) for number in chosen])
        after = AgentState(after.image_features, after.memory, after.matte, after.asked, chosen)
        return (actions if observation["image"].ndim == 4 else actions[0]), after

    def heatmap(
        self,
        observation: Observation,
        state: AgentState | None = None,
        episode_start: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """Where the agent would ask, as probabilities float32 `(H, W)`, or `(N, H, W)`, that sum to 1 over the image.

        Each square's is spread over the pixels around its middle; it is 0 where it was asked about. state: as `predict`
        is given it, which does not move on by this.
        """
        grid, decision, _ = self._look(observation, state, episode_start)
        maps = np.stack([grid.enlarge(chances) for chances in decision.log_probability.exp().numpy()])
        maps /= maps.sum((1, 2), keepdims=True)
        return maps if observation["image"].ndim == 4 else np.asarray(maps[0])

    def expected_gain(
        self,
        observation: Observation,
        state: AgentState | None = None,
        episode_start: NDArray[np.bool_] | None = None,
    ) -> Any:
        """The drop in RMSE to be expected of the region asked about next, in [0, 1]; float, or float32 `(N,)`.

        It is that of the likeliest square, at least 0: a person can leave the matte as it is. The highest of all
        squares would be the one that is overestimated most.
        """
        _, decision, _ = self._look(observation, state, episode_start)
        likeliest = decision.log_probability.flatten(1).argmax(1, keepdim=True)
        gains = decision.expected_drops().flatten(1).gather(1, likeliest)[:, 0].clamp(0, 1).numpy()
        return gains if observation["image"].ndim == 4 else float(gains[0])

    def should_stop(
        self,
        observation: Observation,
        state: AgentState | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        threshold: float = 0.001,
    ) -> Any:
        """Whether no region is expected to lower the RMSE by `threshold`; bool, or bool `(N,)`."""
        return self.expected_gain(observation, state, episode_start) < threshold

    def _look(
        self, observation: Observation, state: AgentState | None, episode_start: NDArray[np.bool_] | None
    ) -> tuple[Grid, Decision, AgentState]:
        """What the network makes of an observation, single or batched; the state after it, but for the choice.

        A suggestion, its heat map and its gain are one look: the latest is kept.
        """
        shown = _digest(observation, episode_start)
        latest = self._latest
        if latest is None or latest.shown != shown or latest.state is not state:
            latest = self._latest = _Look(shown, state, self._looked(observation, state, episode_start))
        return latest.found

    @torch.no_grad()
    def _looked(
        self, observation: Observation, state: AgentState | None, episode_start: NDArray[np.bool_] | None
    ) -> tuple[Grid, Decision, AgentState]:
        is_batch = observation["image"].ndim == 4
        batch = observation if is_batch else {name: array[None] for name, array in observation.items()}
        height, width = batch["image"].shape[-2:]
        grid = Grid.of((height, width), self.cells)
        is_first = _starts(state, episode_start, len(batch["image"]))
        told = _told(grid, batch["label_map"])
        matte = as_decided(_planes(grid, batch["matte"]), told)
        asked = is_known(told)
        if state is None:
            before, memory = matte, None
        else:
            before, memory = _where(is_first, matte, state.matte), _where(is_first, 0 * state.memory, state.memory)
            asked = asked | (_asked_now(grid, batch["location"], state) & ~is_first[:, None, None])
        features = self._encode(grid, batch["image"], is_first, state)
        opinion = second_opinion(_planes(grid, batch["image"], PICTURE_CELL), told, matte)
        sight = Sight(matte, before, opinion, told, asked[:, None].float())
        decision, memory = self.policy.step(features, sight, memory)
        decision = decision._replace(
            log_probability=spread_out(decision.log_probability, asked, self.spreading),
        )
        return grid, decision, AgentState(features, memory, matte, asked, torch.zeros(len(matte), dtype=torch.long))

    def _encode(self, grid: Grid, images: NDArray[np.uint8], is_first: Tensor, state: AgentState | None) -> Tensor:
        if state is not None and not is_first.any():
            return state.image_features
        features = self.policy.encode_image(_planes(grid, images, PICTURE_CELL))
        return features if state is None else _where(is_first, features, state.image_features)

    def save(self, folder: Path | str, card: Mapping[str, Any] | None = None) -> None:
        """Write weights (safetensors) and, with `card`, the config (JSON) to `folder`. Raises `FileError`."""
        folder = Path(folder)
        with written_whole(folder / WEIGHTS) as temporary:
            safetensors.torch.save_file(self.policy.state_dict(), temporary)
        sizes = asdict(self.policy.config)
        write_json(
            folder / CONFIG, {"agent": "spatial", "policy": sizes, "cells": self.cells, "card": dict(card or {})}
        )

    @classmethod
    def load(cls, folder: Path | str, seed: int = 0, cells: float | None = None) -> "SpatialAgent":
        """The agent that `save` wrote; `cells` instead of its own. Raises `FileError` where it is missing or broken."""
        folder = Path(folder)
        if not folder.is_dir():
            raise FileError(f"{folder} is not a folder with {CONFIG} and {WEIGHTS}")
        content = read_json(folder / CONFIG)
        try:
            sizes = content["policy"]
            policy = SpatialPolicy(
                SpatialConfig(
                    tuple(sizes["channels"]), sizes["memory"], sizes.get("recognition", 0), sizes.get("detail", 1)
                )
            )
            cells = float(content["cells"]) if cells is None else cells
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(f"{folder / CONFIG} does not describe a spatial agent: {error}") from error
        try:
            policy.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
        except (OSError, safetensors.SafetensorError) as error:
            raise FileError(f"{folder / WEIGHTS} cannot be read: {error}") from error
        except RuntimeError as error:
            raise FileError(f"{folder / WEIGHTS} does not fit {CONFIG}: {' '.join(str(error).split())}") from error
        return cls(policy, cells, seed)


def spatial_agent(
    env: gymnasium.Env[Any, Any] | None = None, seed: int = 0, cells: float | None = None
) -> SpatialAgent:
    """The agent whose weights come with this package; `weights/spatial/README.md` is its model card.

    cells: along the longer side; by default as many as regions of the environment's size make, or 20 without one.
    """
    with as_file(files("active_matting.agents") / "weights" / "spatial") as folder:
        return SpatialAgent.load(folder, seed, cells_of(env) if cells is None else cells)


def cells_of(env: gymnasium.Env[Any, Any] | None) -> float | None:
    """How many of the environment's regions its images are wide; None where it does not tell."""
    settings = None if env is None else getattr(env.unwrapped, "settings", None)
    return None if settings is None else float(settings.image_size / settings.region_size)


class _Look(NamedTuple):
    shown: bytes
    state: AgentState | None
    found: tuple[Grid, Decision, AgentState]


def _digest(observation: Observation, episode_start: NDArray[np.bool_] | None) -> bytes:
    """Of all that is shown."""
    digest = hashlib.blake2b(str(episode_start).encode())
    for name in sorted(observation):
        digest.update(f"{name} {observation[name].shape}".encode())
        digest.update(np.ascontiguousarray(observation[name]).data)
    return digest.digest()


def _starts(state: AgentState | None, episode_start: NDArray[np.bool_] | None, count: int) -> Tensor:
    if state is None:
        return torch.ones(count, dtype=torch.bool)
    return torch.as_tensor(np.zeros(count, dtype=bool) if episode_start is None else np.asarray(episode_start, bool))


def _planes(grid: Grid, planes: NDArray[np.uint8], side: int = CELL) -> Tensor:
    """Planes uint8 (N, C, H, W) as the network sees them, float (N, C, `side` h, `side` w) in [0, 1]."""
    shrunk = [grid.shrink(np.ascontiguousarray(each.transpose(1, 2, 0)), side) for each in planes]
    stacked = np.stack([each[..., None] if each.ndim == 2 else each for each in shrunk])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().contiguous() / 255


def _told(grid: Grid, label_maps: NDArray[np.uint8]) -> Tensor:
    """Foreground and background told, float (N, 2, 8h, 8w), of observed label maps (N, 1, H, W)."""
    greys = [GREY_OF_LABEL[label] for label in (Label.FOREGROUND, Label.BACKGROUND)]
    return torch.cat([_planes(grid, (label_maps == grey).astype(np.uint8) * np.uint8(255)) for grey in greys], 1)


def _asked_now(grid: Grid, locations: NDArray[np.float32], state: AgentState) -> Tensor:
    """What was asked before, and about what the latest answer was: bool (N, R, C).

    Before any answer the location is 0 also where a click was made instead.
    """
    asked = state.asked.clone()
    for row, location, chosen in zip(asked, locations, state.chosen, strict=True):
        region = action_to_region(location, grid.side, grid.shape)
        number = grid.number_at(region.y, region.x)
        if location.any() or number == int(chosen):
            row |= torch.from_numpy(grid.is_same(number))
    return asked


def _where(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(condition[:, None, None, None], yes, no)
