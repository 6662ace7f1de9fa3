"""The paper's agent as a policy of Stable-Baselines3, with recurrent state."""

from typing import Any, TypeAlias, cast

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from torch import Tensor

from active_matting.agents.location import sample_locations
from active_matting.agents.networks import Glance, PolicyConfig, RecurrentNetwork, cut_patches, resize
from active_matting.agents.schedules import Schedule
from active_matting.errors import InvalidArgumentError
from active_matting.observations import Observation

State: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""What the agent carries from query to query: g_0 `(N, feature_size)`, the LSTM's h and c `(N, memory_size)`."""


class ReinforcePolicy(BasePolicy):
    """Suggests where to ask next by the paper's recurrent network; what `Reinforce` trains.

    observation_space: a `Dict` with at least "image", "matte", "location" and "remaining", as the environments have;
    observations of other sizes are taken too, and resized. action_space: `Box(-1, 1)`, `(2,)` or `(S, 2)`. config: the
    networks' sizes. baseline_speed: times the learning rate, for the baseline net.

    `deviation` is the Gaussian's Ω, in action units, from which actions are drawn unless `deterministic`; `generator`
    is of these draws, on the CPU, None for torch's own.
    """

    is_deterministic = True
    """Asked deterministically it draws nothing; see `active_matting.agents.evaluate`."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule = BasePolicy._dummy_schedule,
        config: PolicyConfig | None = None,
        baseline_speed: float = 1.0,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.config = PolicyConfig() if config is None else config
        self.baseline_speed = baseline_speed
        self.network = RecurrentNetwork(self.config)
        self.generator: torch.Generator | None = None
        self._deviation = 0.1
        baseline = list(self.network.baseline.parameters())
        others = [each for name, each in self.network.named_parameters() if not name.startswith("baseline.")]
        groups = [{"params": others, "speed": 1.0}, {"params": baseline, "speed": baseline_speed}]
        self.optimizer = torch.optim.Adam(groups, lr=lr_schedule(1))

    @property
    def deviation(self) -> float:
        """Ω; setting it sets what is learned where it is learned."""
        learned = self.network.log_deviation
        return self._deviation if learned is None else float(learned.detach().exp())

    @deviation.setter
    def deviation(self, value: float) -> None:
        if value <= 0:
            raise InvalidArgumentError(f"deviation must be positive, got {value}")
        self._deviation = value
        if self.network.log_deviation is not None:
            with torch.no_grad():
                self.network.log_deviation.fill_(float(np.log(value)))

    def predict(
        self,
        observation: np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]],
        state: tuple[np.ndarray[Any, Any], ...] | None = None,
        episode_start: np.ndarray[Any, Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray[Any, Any], tuple[np.ndarray[Any, Any], ...] | None]:
        """Actions, float32 `(2,)` or `(N, 2)` as the observation is single or batched, and the next `State`.

        One proposal a query, as published (S is 1 at inference), whatever S was in training. See `Agent.predict`.
        """
        self.set_training_mode(False)
        seen = cast(Observation, observation)
        is_batch = seen["image"].ndim == 4
        batch = seen if is_batch else {name: array[None] for name, array in seen.items()}
        count = len(batch["image"])
        starts = np.zeros(count, dtype=bool) if episode_start is None else np.asarray(episode_start, dtype=bool)
        is_first = torch.as_tensor(np.ones(count, dtype=bool) if state is None else starts, device=self.device)
        with torch.no_grad():
            centre, _, carried = self.step(batch, _from_state(cast(State | None, state), self.device), is_first)
            if not deterministic:
                centre = sample_locations(centre, self.deviation, 1, self.generator)[:, 0]
        actions = centre.clamp(-1, 1).cpu().numpy()
        return (actions if is_batch else actions[0]), tuple(part.cpu().numpy() for part in carried)

    def step(
        self, batch: Observation, carried: tuple[Tensor, ...] | None, is_first: Tensor
    ) -> tuple[Tensor, Glance, tuple[Tensor, ...]]:
        """One query of N episodes: l̂ (N, 2), what was looked at, and what to carry on, as `State` but of tensors.

        is_first: bool (N,); there images are encoded anew, and what was carried is forgotten.
        """
        features = self.encode_images(batch["image"]) if carried is None or bool(is_first.any()) else carried[0]
        if carried is not None:
            features = torch.where(is_first[:, None], features, carried[0])
        memory = None if carried is None else (carried[1][None], carried[2][None])
        glance = self.look(batch)
        centre, _, (hidden, cell) = self.network.step(features, memory, glance, is_first)
        return centre, glance, (features, hidden[0], cell[0])

    def encode_images(self, images: NDArray[np.uint8] | Tensor) -> Tensor:
        """g_0 (N, feature_size) of images, uint8 (N, 3, H, W)."""
        planes = torch.as_tensor(images, device=self.device).float() / 255
        features: Tensor = self.network.feature_extraction(resize(planes, self.config.image_size))
        return features

    def look(self, batch: Observation) -> Glance:
        """What batched observations tell of the latest query."""
        location = torch.as_tensor(batch["location"], device=self.device)
        planes = torch.as_tensor(batch["matte"], device=self.device).float() / 255
        matte = resize(planes, self.config.image_size)[:, 0]
        remaining = torch.as_tensor(batch["remaining"], device=self.device)
        return Glance(location, cut_patches(matte, location, self.config.patch_size), remaining)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        """The first query's actions (N, 2), which Stable-Baselines3 asks of every policy; `predict` remembers."""
        batch = {name: each.cpu().numpy() for name, each in cast(dict[str, Tensor], observation).items()}
        actions, _ = self.predict(batch, deterministic=deterministic)
        return torch.as_tensor(actions, device=self.device)

    def forward(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        """See `_predict`."""
        return self._predict(observation, deterministic)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "config": self.config,
            "baseline_speed": self.baseline_speed,
        }


def make_policy(config: PolicyConfig) -> ReinforcePolicy:
    """An untrained policy for the environments' observations, without an environment."""
    size = config.image_size
    planes = {name: spaces.Box(0, 255, (channels, size, size), np.uint8) for name, channels in CHANNELS.items()}
    seen = spaces.Dict(
        {**planes, "location": spaces.Box(-1, 1, (2,), np.float32), "remaining": spaces.Box(0, 1, (1,), np.float32)}
    )
    return ReinforcePolicy(seen, spaces.Box(-1, 1, (2,), np.float32), config=config)


CHANNELS = {"image": 3, "label_map": 1, "matte": 1}
"""Of the observations' planes."""


def _from_state(state: State | None, device: torch.device) -> tuple[Tensor, ...] | None:
    return None if state is None else tuple(torch.as_tensor(part, device=device) for part in state)
