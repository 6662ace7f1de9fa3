"""A second opinion on a matte: where the matting network would have it otherwise, the matte may well be wrong."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from active_matting.agents.spatial.cues import as_decided
from active_matting.agents.spatial.episodes import Episode, Episodes, said_before
from active_matting.agents.spatial.grid import Grid, spread
from active_matting.cache import Arrays, hash_of_code
from active_matting.data.images import to_bytes
from active_matting.models.weights import find_weights
from active_matting.segmenters.base import scaled_shape
from active_matting.solvers.network.loading import LoadedNetwork, load_for_solving
from active_matting.solvers.network.views import Canvas
from active_matting.types import Label, LabelMap

KIND = "spatial-opinions"

NETWORK = "imatting"
"""It learned to correct mattes from the same answers, see `active_matting.training.tasks.corrections`."""


@torch.no_grad()
def second_opinion(image: Tensor, told: Tensor, matte: Tensor) -> Tensor:
    """The network's own alpha (N, 1, H, W), in [0, 1], on the device of what it is given, for mattes (N, 1, H, W).

    image: (N, 3, `DETAIL` H, `DETAIL` W), in [0, 1]; told: (N, 2, H, W), what was told to be foreground, and
    background. Where nothing was told it is the matte itself. It is the same network whichever solver made the matte.
    Raises `FileError` where its weights are missing.
    """
    loaded = load_for_solving(None, NETWORK, str(matte.device))
    opinion = matte.float().clone()
    asked = [number for number in range(len(matte)) if (told[number] > 0.5).any()]
    if asked:
        size = (int(matte.shape[2]), int(matte.shape[3]))
        shape = scaled_shape(size, loaded.network.side or max(size))
        canvases = [_canvas(image[number], shape, loaded) for number in asked]
        planes = [
            canvas.planes(_labels(told[number]), matte[number, 0].float().cpu().numpy(), loaded)
            for number, canvas in zip(asked, canvases, strict=True)
        ]
        detailed = [canvas.detailed for canvas in canvases if canvas.detailed is not None]
        answers = loaded.predict(torch.cat(planes), torch.cat(detailed) if detailed else None)
        answers = answers[:, :1, : shape[0], : shape[1]]
        opinion[asked] = functional.interpolate(answers.clamp(0, 1), size, mode="bilinear", align_corners=False)
    return opinion.to(matte)


def _canvas(image: Tensor, shape: tuple[int, int], loaded: LoadedNetwork) -> Canvas:
    """The image (3, H, W) as the network is shown it, with this shape."""
    return Canvas.of(np.ascontiguousarray(image.float().permute(1, 2, 0).cpu().numpy()), shape, loaded)


def _labels(told: Tensor) -> LabelMap:
    """What was told to be foreground, and background, (2, H, W), as a label map."""
    labels = np.zeros(told.shape[1:], dtype=np.int8)
    for plane, label in zip(told.cpu().numpy() > 0.5, (Label.FOREGROUND, Label.BACKGROUND), strict=True):
        labels[plane] = label
    return labels


def opinions_on(episode: Episode, cells: int) -> NDArray[np.uint8]:
    """Second opinions before each query, uint8 (T, S, S); see `active_matting.agents.spatial.opinion`."""
    told, _ = said_before(episode, Grid.of((len(episode.alpha), len(episode.alpha)), cells))
    image = torch.from_numpy(episode.image).float() / 255
    planes = spread(told)
    mattes = as_decided(torch.from_numpy(episode.mattes[:-1]).float()[:, None] / 255, planes)
    opinions = second_opinion(image.expand(len(told), -1, -1, -1), planes, mattes)
    return to_bytes(opinions[:, 0].numpy())


def kept_opinions(episodes: Episodes, number: int) -> NDArray[np.uint8]:
    """`opinions_on` the episode of this number, kept beside it on the disk."""

    def make() -> Arrays:
        return {"opinions": opinions_on(episodes[number], episodes.cells)}

    return episodes.beside(number, KIND, make, network=_hash_of_network())["opinions"]


@cache
def _hash_of_network() -> str:
    return hash_of_code(find_weights(None, NETWORK), Path(__file__))
