"""What networks learn from: pictures whose alpha is known, drawn at random from several kinds of source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.augmentation.colours import Light, in_other_light, photograph
from active_matting.augmentation.geometry import Geometry
from active_matting.augmentation.pictures import HELD_OUT, Objects, Scenes
from active_matting.augmentation.stream import CompositeStream, Recipe
from active_matting.data.folder import Folder
from active_matting.data.listed import pictures_below
from active_matting.data.own_colours import own_colours
from active_matting.data.rendered import Rendered
from active_matting.errors import InvalidArgumentError
from active_matting.robots import is_askable
from active_matting.types import Alpha, Image

_TRIES = 8  # windows drawn before the whole picture is taken


class Lesson(NamedTuple):
    """image, foreground, background: float32 `(S, S, 3)` in [0, 1]; alpha: float32 `(S, S)`.

    Of masks, whose objects' colours nobody knows, foreground and background are the image itself.
    """

    image: Image
    alpha: Alpha
    foreground: Image
    background: Image


@dataclass(frozen=True)
class Sources:
    """Where lessons come from, each kind as often as its `weights` say.

    root: the folder that the others are relative to. masks: folders of `images/` and `masks/`; windows of them.
    photographs: folders of `images/` and `alphas/`, windows of them, their colours estimated. objects: folders of
    cut-outs or of `images/` and `alphas/`, put over pictures of `scenes`, see `CompositeStream`. "rendered" takes the
    package's own renderer. weights: of "masks", "photographs", "composites", "rendered". window: the sides of windows
    as shares of the picture's, each drawn by itself, so that proportions change too. sides: of the squares of objects'
    pictures, pixels, see `Geometry`. held_out: only what training never sees. Raises `InvalidArgumentError`;
    `FileError` where a folder is missing or empty.
    """

    root: Path
    weights: Mapping[str, float]
    masks: Sequence[str] = ()
    photographs: Sequence[str] = ()
    objects: Sequence[str] = ()
    scenes: Sequence[str] = ()
    window: tuple[float, float] = (0.6, 1.0)
    sides: tuple[int, ...] = (480, 800, 1200)
    held_out: bool = False
    _sources: dict[str, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        kinds = ("masks", "photographs", "composites", "rendered")
        if not self.weights or set(self.weights) - set(kinds) or min(self.weights.values()) < 0:
            raise InvalidArgumentError(f"weights must be numbers from 0 for some of {list(kinds)}, got {self.weights}")
        if not sum(self.weights.values()) > 0:
            raise InvalidArgumentError(f"weights must not all be 0, got {self.weights}")
        for name in ("masks", "photographs"):
            if self.weights.get(name, 0) > 0:
                if not getattr(self, name):
                    raise InvalidArgumentError(f"{name} must name folders, as weights ask for them")
                self._sources[name] = [Folder(str(self.root / folder)) for folder in getattr(self, name)]
        if self.weights.get("composites", 0) > 0:
            self._sources["objects"] = Objects([str(self.root / folder) for folder in self.objects], self.held_out)
            self._sources["scenes"] = Scenes([str(self.root / folder) for folder in self.scenes], self.held_out)

    def draw(self, rng: np.random.Generator, size: int) -> Lesson:
        """One lesson of `size` × `size` pixels with room for a region of either class, where there is any.

        Mirrored half of the time; light, blur and a JPEG file's losses at random. The same for the same state of `rng`.
        """
        total = sum(self.weights.values())
        kind = rng.choice(list(self.weights), p=[weight / total for weight in self.weights.values()])
        if kind == "composites":
            return self._composite(rng, size)
        if kind == "rendered":
            source = Rendered("validation" if self.held_out else "train", count=5000, size=400)
            sample = source[int(rng.integers(len(source)))]
        else:
            folders = self._sources[str(kind)]
            folder = folders[int(rng.integers(len(folders)))]
            chosen = [i for i in range(len(folder)) if (i % HELD_OUT == 0) == self.held_out]
            sample = folder[int(rng.choice(chosen or range(len(folder))))]
        image, alpha = self._window(sample.image, sample.alpha, rng, size)
        image = photograph(in_other_light(image, rng, Light(hue=5)), rng)
        if kind == "masks":
            return Lesson(image, (alpha >= 0.5).astype(np.float32), image, image)
        return Lesson(image, alpha, own_colours(image, alpha), own_colours(image, 1 - alpha))

    def files(self) -> dict[str, list[Path]]:
        """What is drawn from, by kind."""
        found: dict[str, list[Path]] = {}
        for name in ("masks", "photographs", "objects", "scenes"):
            if name in self._sources:
                folders = [self.root / folder for folder in getattr(self, name)]
                found[name] = [path for folder in folders for path in pictures_below(folder)]
        return found

    def _composite(self, rng: np.random.Generator, size: int) -> Lesson:
        recipe = Recipe(second=0.3, geometry=Geometry(sides=self.sides))
        stream = CompositeStream(self._sources["objects"], self._sources["scenes"], size=size, recipe=recipe)
        composite = stream.drawn(rng)
        return Lesson(composite.image, composite.alpha, composite.foreground, composite.background)

    def _window(self, image: Image, alpha: Alpha, rng: np.random.Generator, size: int) -> tuple[Image, Alpha]:
        h, w = alpha.shape
        is_mirrored = rng.random() < 0.5
        for _ in range(_TRIES):
            height, width = (max(1, round(extent * rng.uniform(*self.window))) for extent in (h, w))
            y, x = int(rng.integers(h - height + 1)), int(rng.integers(w - width + 1))
            planes = [_resized(plane[y : y + height, x : x + width], size) for plane in (image, alpha)]
            if has_both(planes[1]):
                break
        else:
            planes = [_resized(image, size), _resized(alpha, size)]
        if is_mirrored:
            planes = [np.ascontiguousarray(plane[:, ::-1]) for plane in planes]
        return planes[0], planes[1]


def has_both(alpha: Alpha) -> bool:
    """Whether a region of a twentieth of the side fits into either class."""
    side = max(1, round(alpha.shape[0] / 20))
    askable = is_askable(alpha, np.zeros(alpha.shape, np.int8), side)
    return bool((askable & (alpha >= 0.98)).any() and (askable & (alpha <= 0.02)).any())


def _resized(plane: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    how = cv2.INTER_AREA if max(plane.shape[:2]) >= size else cv2.INTER_LINEAR
    return np.clip(np.asarray(cv2.resize(plane, (size, size), interpolation=how), dtype=np.float32), 0, 1)
