"""Other views of where the object is: where they would have the matte otherwise, it may well be wrong."""

import inspect
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
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
from active_matting.errors import InvalidArgumentError
from active_matting.models.weights import find_weights
from active_matting.segmenters import PreparedSegmenter, make_segmenter
from active_matting.segmenters.base import scaled_shape
from active_matting.solvers.network.loading import LoadedNetwork, load_for_solving
from active_matting.solvers.network.views import Canvas
from active_matting.types import Label, LabelMap

KIND = "spatial-opinions"

NETWORK = "imatting"
"""It learned to correct mattes from the same answers, see `active_matting.training.tasks.corrections`."""

SEGMENTER = "cues"
"""It knows nothing of objects, only what was told: colours, textures, nearness. So it errs elsewhere than networks."""


@torch.no_grad()
def second_opinions(image: Tensor, told: Tensor, matte: Tensor, names: Sequence[str]) -> Tensor:
    """What each of `names`, some of `OPINIONS`, would have for the mattes (N, 1, H, W): (N, K, H, W) in [0, 1].

    image: (N, 3, H, W), in [0, 1]; told: (N, 2, H, W), what was told to be foreground, and background. Where too little
    was told for it, an opinion is the matte itself. They are the same whichever solver made the matte. Raises
    `FileError` where a network's weights are missing.
    """
    check_opinions(tuple(names))
    return torch.cat([_OPINIONS[name](image, told, matte) for name in names], 1).to(matte)


def check_opinions(names: tuple[str, ...]) -> None:
    """Raise `InvalidArgumentError` unless they are some of `OPINIONS`, each once."""
    if not names or set(names) - set(OPINIONS) or len(set(names)) < len(names):
        raise InvalidArgumentError(f"opinions must be some of {list(OPINIONS)}, each once, got {list(names)}")


def _of_network(image: Tensor, told: Tensor, matte: Tensor) -> Tensor:
    """The network's own alpha."""
    loaded = load_for_solving(None, NETWORK, str(matte.device))
    opinion = matte.float().clone()
    asked = [number for number in range(len(matte)) if (told[number] > 0.5).any()]
    if asked:
        planes = [_planes(image[number], told[number], matte[number, 0], loaded) for number in asked]
        h, w = planes[0][1]
        answers = loaded.predict(torch.cat([each for each, _ in planes]))[:, :1, :h, :w]
        size = (int(matte.shape[2]), int(matte.shape[3]))
        opinion[asked] = functional.interpolate(answers.clamp(0, 1), size, mode="bilinear", align_corners=False)
    return opinion


def _of_network_mirrored(image: Tensor, told: Tensor, matte: Tensor) -> Tensor:
    """That of the mirrored picture: where it is another one the network is less sure than it says."""
    return _of_network(*(planes.flip(3) for planes in (image, told, matte))).flip(3)


def _of_cues(image: Tensor, told: Tensor, matte: Tensor) -> Tensor:
    """The segmenter's, where both classes are told."""
    opinion = matte.float().clone()
    for number in range(len(matte)):
        labels = _labels(told[number])
        if (labels == Label.FOREGROUND).any() and (labels == Label.BACKGROUND).any():
            picture = to_bytes(_picture(image[number]))
            found = _prepared(picture.tobytes(), (picture.shape[0], picture.shape[1])).segment(labels)
            opinion[number, 0] = torch.from_numpy(found)
    return opinion


@lru_cache(maxsize=16)
def _prepared(picture: bytes, shape: tuple[int, int]) -> PreparedSegmenter:
    image = np.frombuffer(picture, dtype=np.uint8).reshape(*shape, 3)
    return make_segmenter(SEGMENTER).prepare(image.astype(np.float32) / np.float32(255))


_OPINIONS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "imatting": _of_network,
    "imatting-mirrored": _of_network_mirrored,
    "cues": _of_cues,
}

OPINIONS = tuple(_OPINIONS)
"""All that there are. The network's, made of the matte; the same of the mirrored picture; and a classical segmenter's,
made of the answers alone."""


def _planes(image: Tensor, told: Tensor, matte: Tensor, loaded: LoadedNetwork) -> tuple[Tensor, tuple[int, int]]:
    """What the network is shown, (1, 12, h', w'), and its shape without the padding."""
    height, width = matte.shape
    shape = scaled_shape((height, width), loaded.network.side or max(height, width))
    canvas = Canvas.of(_picture(image), shape, loaded)
    return canvas.planes(_labels(told), matte.float().cpu().numpy(), loaded), shape


def _picture(image: Tensor) -> NDArray[np.float32]:
    """(3, H, W) → float32 (H, W, 3)."""
    return np.ascontiguousarray(image.float().permute(1, 2, 0).cpu().numpy())


def _labels(told: Tensor) -> LabelMap:
    """What is told, (2, H, W), as labels int8 (H, W)."""
    foreground, background = told.cpu().numpy() > 0.5
    labels = np.zeros(foreground.shape, dtype=np.int8)
    labels[foreground], labels[background] = Label.FOREGROUND, Label.BACKGROUND
    return labels


def opinions_on(episode: Episode, cells: int, names: Sequence[str] = OPINIONS) -> NDArray[np.uint8]:
    """`second_opinions` before each query, uint8 (T, K, S, S)."""
    told, _ = said_before(episode, Grid.of((len(episode.alpha), len(episode.alpha)), cells))
    image = torch.from_numpy(episode.image).float() / 255
    planes = spread(told)
    mattes = as_decided(torch.from_numpy(episode.mattes[:-1]).float()[:, None] / 255, planes)
    return to_bytes(second_opinions(image.expand(len(told), -1, -1, -1), planes, mattes, names).numpy())


def kept_opinions(episodes: Episodes, number: int, names: Sequence[str] = OPINIONS) -> NDArray[np.uint8]:
    """`opinions_on` the episode of this number, kept beside it on the disk."""

    def kept(name: str) -> NDArray[np.uint8]:
        def make() -> Arrays:
            return {"opinions": opinions_on(episodes[number], episodes.cells, (name,))[:, 0]}

        return episodes.beside(number, KIND, make, name=name, code=_hash_of_code())["opinions"]

    return np.stack([kept(name) for name in names], axis=1)


@cache
def _hash_of_code() -> str:
    """Of what opinions depend on."""
    segmenters = Path(inspect.getfile(make_segmenter)).parent
    return hash_of_code(find_weights(None, NETWORK), segmenters, Path(__file__))
