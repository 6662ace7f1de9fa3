"""B2, Region-CNN: N regions at once from the image alone (Active Matting, sec. 3.1)."""

from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from active_matting.agents.baselines.cells import setting_of
from active_matting.agents.baselines.region_network import RegionCNN
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import read_json, write_json, written_whole
from active_matting.observations import Observation

COUNTS = (1, 5, 10, 15, 20, 25, 30)
"""N of the paper's seven networks."""

CONFIG = "config.json"


class Walk(NamedTuple):
    """places: float32 `(B, N, 2)`, as the network told them for the image; done: int64 `(B,)`, how many were asked."""

    places: NDArray[np.float32]
    done: NDArray[np.int64]


class RegionCNNAgent:
    """Asks about a network's N regions, one after the other; after the last it begins again with the first.

    It looks at the image when an episode begins, and never at answers or mattes: that is what this baseline is about.
    """

    is_deterministic = True
    """It draws nothing; see `active_matting.agents.evaluate`."""

    def __init__(self, network: RegionCNN) -> None:
        self.network = network.eval()

    @torch.no_grad()
    def predict(
        self,
        observation: Observation,
        state: Walk | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], Walk]:
        """See `Agent.predict`; always deterministic."""
        is_batch = observation["image"].ndim == 4
        images = observation["image"] if is_batch else observation["image"][None]
        n = len(images)
        if state is None:
            state = Walk(np.zeros((n, self.network.regions, 2), np.float32), np.zeros(n, np.int64))
            is_first = np.ones(n, dtype=bool)
        else:
            is_first = np.zeros(n, bool) if episode_start is None else np.asarray(episode_start, dtype=bool)
        places, done = state.places.copy(), np.where(is_first, 0, state.done)
        if is_first.any():
            places[is_first] = self.network(torch.from_numpy(images[is_first]).float() / 255).numpy()
        actions = places[np.arange(n), done % self.network.regions]
        return (actions if is_batch else actions[0]), Walk(places, done + 1)


def region_cnn_agent(
    env: Any = None, seed: int = 0, regions: int | None = None, folder: Path | str | None = None
) -> RegionCNNAgent:
    """The agent whose network proposes `regions` at once.

    regions: N of one of the folder's networks; by default the least that is enough for the budget of `env`, or for 20
    where there is none. folder: of `write_networks`; by default the one that comes with this package, whose `README.md`
    is the model card. Raises `InvalidArgumentError` where it has no such network, and `FileError`.
    """
    if folder is not None:
        return RegionCNNAgent(_read_network(Path(folder), regions, env))
    with as_file(files("active_matting.agents") / "weights" / "region-cnn") as shipped:
        return RegionCNNAgent(_read_network(shipped, regions, env))


def write_networks(folder: Path | str, networks: Sequence[RegionCNN], options: Mapping[str, Any], **more: Any) -> None:
    """Write what `region_cnn_agent` reads: `regions-N.safetensors` each, and `config.json`.

    options: the JSON-able keywords, but for `regions`, that all networks were made with. more: what else the config is
    to tell. Raises `FileError`.
    """
    folder = Path(folder)
    for network in networks:
        with written_whole(folder / _weights(network.regions)) as temporary:
            safetensors.torch.save_file(network.state_dict(), temporary)
    counts = sorted(network.regions for network in networks)
    write_json(folder / CONFIG, {"agent": "region-cnn", "regions": counts, "network": dict(options), **more})


def _read_network(folder: Path, regions: int | None, env: Any) -> RegionCNN:
    content = read_json(folder / CONFIG)
    try:
        there = sorted(int(count) for count in content["regions"])
        options: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content["network"].items()}
        chosen = _enough(there, setting_of(env, "budget") or 20) if regions is None else regions
        if chosen not in there:
            raise InvalidArgumentError(f"regions must be one of {there}, got {regions}")
        network = RegionCNN(chosen, **options)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InvalidArgumentError):
            raise
        raise FileError(f"{folder / CONFIG} does not describe region networks: {error}") from error
    path = folder / _weights(chosen)
    try:
        network.load_state_dict(safetensors.torch.load_file(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    except RuntimeError as error:
        raise FileError(f"{path} does not fit {CONFIG}: {' '.join(str(error).split())}") from error
    return network


def _enough(there: Sequence[int], budget: int) -> int | None:
    """The least that is enough; the most where none is."""
    return min((count for count in there if count >= budget), default=max(there, default=None))


def _weights(regions: int) -> str:
    return f"regions-{regions}.safetensors"
