"""The trained agent: the paper's policy behind `predict`, and its folder of weights."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.agents.location import sample_locations
from active_matting.agents.policy import Glance, Memory, PolicyConfig, RecurrentPolicy, cut_patches, resize
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import read_json, write_json, written_whole
from active_matting.observations import Observation

WEIGHTS, CONFIG = "weights.safetensors", "config.json"


@dataclass(frozen=True)
class AgentState:
    """What the agent carries from query to query: g_0 (N, feature_size) and the LSTM's memory."""

    features: Tensor
    memory: Memory


class ReinforceAgent:
    """Suggests where to ask next by the paper's recurrent policy.

    policy: the networks. deviation: the Gaussian's Ω, in action units, from which actions are drawn when
    `deterministic=False`. seed: of those draws.
    """

    def __init__(self, policy: RecurrentPolicy, deviation: float = 0.1, seed: int = 0) -> None:
        if deviation <= 0:
            raise InvalidArgumentError(f"deviation must be positive, got {deviation}")
        self.policy = policy.eval()
        self.deviation = deviation
        self._generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def predict(
        self,
        observation: Observation,
        state: AgentState | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], AgentState]:
        """Actions, float32 `(2,)` or `(N, 2)` as the observation is single or batched; see `Agent.predict`."""
        is_batch = observation["image"].ndim == 4
        batch = observation if is_batch else {name: array[None] for name, array in observation.items()}
        count = len(batch["image"])
        is_first = torch.as_tensor(np.ones(count, dtype=bool) if state is None else _starts(episode_start, count))
        features = encode_images(self.policy, batch) if is_first.any() else None
        if state is not None:
            features = state.features if features is None else _choose(is_first, features, state.features)
        assert features is not None
        memory = None if state is None else state.memory
        centre, _, memory = self.policy.step(features, memory, look(self.policy.config, batch), is_first)
        if not deterministic:
            centre = sample_locations(centre, self.deviation, 1, self._generator)[:, 0]
        actions = centre.clamp(-1, 1).numpy()
        return (actions if is_batch else actions[0]), AgentState(features, memory)

    def save(self, folder: Path | str, card: Mapping[str, Any] | None = None) -> None:
        """Write weights (safetensors) and, with `card`, the config (JSON) to `folder`. Raises `FileError`."""
        folder = Path(folder)
        with written_whole(folder / WEIGHTS) as temporary:
            safetensors.torch.save_file(self.policy.state_dict(), temporary)
        content = {
            "agent": "reinforce",
            "policy": asdict(self.policy.config),
            "deviation": self.deviation,
            "card": dict(card or {}),
        }
        write_json(folder / CONFIG, content)

    @classmethod
    def load(cls, folder: Path | str, seed: int = 0) -> "ReinforceAgent":
        """The agent that `save` wrote. Raises `FileError` where a file is missing, broken or does not fit."""
        folder = Path(folder)
        if not folder.is_dir():
            raise FileError(f"{folder} is not a folder with {CONFIG} and {WEIGHTS}")
        content = read_json(folder / CONFIG)
        try:
            policy = RecurrentPolicy(PolicyConfig.from_json(content["policy"]))
            deviation = float(content["deviation"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FileError(f"{folder / CONFIG} does not describe an agent: {error}") from error
        try:
            policy.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
        except (OSError, safetensors.SafetensorError) as error:
            raise FileError(f"{folder / WEIGHTS} cannot be read: {error}") from error
        except RuntimeError as error:
            lines = " ".join(str(error).split())
            raise FileError(f"{folder / WEIGHTS} does not fit {CONFIG}: {lines}") from error
        return cls(policy, deviation, seed)


def small_agent(env: object = None, seed: int = 0) -> ReinforceAgent:
    """The agent whose weights come with this package; `weights/small/README.md` is its model card."""
    with as_file(files("active_matting.agents") / "weights" / "small") as folder:
        return ReinforceAgent.load(folder, seed)


def encode_images(policy: RecurrentPolicy, batch: Observation) -> Tensor:
    """g_0 (N, feature_size) of batched observations."""
    planes = torch.as_tensor(batch["image"]).float() / 255
    features: Tensor = policy.feature_extraction(resize(planes, policy.config.image_size))
    return features


def look(config: PolicyConfig, batch: Observation) -> Glance:
    """What batched observations tell of the latest query."""
    location = torch.as_tensor(batch["location"])
    matte = resize(torch.as_tensor(batch["matte"]).float() / 255, config.image_size)[:, 0]
    return Glance(location, cut_patches(matte, location, config.patch_size), torch.as_tensor(batch["remaining"]))


def _starts(episode_start: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_]:
    return np.zeros(count, dtype=bool) if episode_start is None else np.asarray(episode_start, dtype=bool)


def _choose(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(condition[:, None], yes, no)
