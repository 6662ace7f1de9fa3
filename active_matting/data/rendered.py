"""The embedded data set and what it grew into: rendered images whose alpha is known exactly, made on demand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.cache import hash_of_code, hash_of_file, make_key
from active_matting.checks import check_integer
from active_matting.data.backgrounds import background, draw_palette, similar_palette, unit_grid
from active_matting.data.drawing import Layer, Placement
from active_matting.data.foregrounds import CLASSIC, FAMILIES
from active_matting.data.samples import Sample
from active_matting.data.scenes import draw_scene, find_scenes, palette_of
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.types import Alpha, Image

SPLITS = ("train", "validation", "test")
SMALLEST_SIZE = 20  # below it a region, 5 % of the side, is less than a pixel


@dataclass(frozen=True)
class Rendering:
    """A picture and what it is made of: `image = alpha · foreground + (1 − alpha) · background`, to rounding.

    image, foreground, background: float32 `(S, S, 3)` in [0, 1]; alpha: float32 `(S, S)` in [0, 1].
    Where alpha is 0 the foreground is one flat colour.
    """

    image: Image
    alpha: Alpha
    foreground: Image
    background: Image


@dataclass(frozen=True)
class Rendered:
    """A `DataSource` of procedural objects over backgrounds, `size` × `size` pixels, the families in turn.

    families: "classic", the six of the embedded set; "all"; or some of their names in any order (see
    `active_matting.data.foregrounds.FAMILIES`). backgrounds: a folder with photographs, in it or in folders below; None
    for procedural ones. Splits share no picture of a folder: of every ten the ninth is the validation split's and the
    tenth the test split's; where there are fewer, but three at least, the last two are.
    A sample depends on its family, the pictures, `seed`, `split` and its index alone: not on `count`, nor on what was
    asked for before. Another `size` shows the same scene. Every sample has wholly foreground and wholly background
    regions. Raises `InvalidArgumentError`; `FileError` where the folder is missing or holds too few pictures and, when
    that sample is asked for, where a picture cannot be read.

    >>> source = Rendered(split="test", count=3, size=40)
    >>> [sample.name for sample in source]
    ['test-0000-discs', 'test-0001-hair', 'test-0002-leaves']
    >>> source[0].shape
    (40, 40)
    """

    split: str = "train"  # "train", "validation" or "test"; they share no scene
    count: int = 200
    size: int = 400
    seed: int = 0
    families: str | Sequence[str] = "classic"
    backgrounds: str | None = None
    _scenes: tuple[Path, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise InvalidArgumentError(f"unknown split {self.split!r}; choose from {list(SPLITS)}")
        check_integer("count", self.count, at_least=1)
        check_integer("size", self.size, at_least=SMALLEST_SIZE)
        check_integer("seed", self.seed, at_least=0)
        family_names(self.families)
        if not isinstance(self.families, str):
            object.__setattr__(self, "families", tuple(self.families))  # a list could not be hashed
        object.__setattr__(self, "_scenes", scenes_of(self.split, self.backgrounds))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        name, rendering = self.parts(index)
        return Sample(name, rendering.image, rendering.alpha)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(self.count))

    def parts(self, index: int) -> tuple[str, Rendering]:
        """A sample's name, and what it is made of. Raises `IndexError` outside `range(len(self))`."""
        self._check_index(index)
        names = family_names(self.families)
        family = names[index % len(names)]
        rng = np.random.default_rng([self.seed, SPLITS.index(self.split), index])
        return f"{self.split}-{index:04d}-{family}", render(family, self.size, rng, self._scenes)

    def fingerprint(self, index: int) -> str:
        """Of what the sample depends on, and of the renderer's code; see `FingerprintedSource`."""
        self._check_index(index)
        here = Path(__file__).parent
        modules = (here / f"{name}.py" for name in ("rendered", "backgrounds", "drawing", "scenes"))
        return make_key(
            code=hash_of_code(*modules, *sorted((here / "foregrounds").glob("*.py"))),
            settings=[self.seed, self.split, self.size, list(family_names(self.families))],
            scenes=[hash_of_file(path) for path in self._scenes],
            index=index,
        )

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self.count:
            raise IndexError(f"index must lie in [0, {self.count}), got {index}")


def family_names(families: str | Sequence[str]) -> tuple[str, ...]:
    """The names that "classic", "all" or a sequence of names stands for. Raises `InvalidArgumentError`."""
    if isinstance(families, str):
        if families not in _GROUPS:
            raise InvalidArgumentError(f"families must be one of {list(_GROUPS)} or a list of names, got {families!r}")
        return _GROUPS[families]
    if not isinstance(families, Sequence) or not families:
        raise InvalidArgumentError(f"families must be one of {list(_GROUPS)} or a list of names, got {families!r}")
    for family in families:
        _check_family(family)
    return tuple(families)


_GROUPS = {"classic": tuple(CLASSIC), "all": tuple(FAMILIES)}


def _check_family(family: Any) -> None:
    if family not in list(FAMILIES):
        raise InvalidArgumentError(f"unknown family {family!r}; choose from {list(FAMILIES)}")


def scenes_of(split: str, backgrounds: str | None) -> tuple[Path, ...]:
    """The pictures of a folder that a split may use; none where it is None. Raises as `Rendered` does."""
    found = find_scenes(backgrounds)
    if not found:
        return ()
    if len(found) < len(SPLITS):
        raise FileError(f"{backgrounds} must hold a picture for each of {len(SPLITS)} splits, got {len(found)}")
    period = min(10, len(found))
    held_out = {"validation": found[period - 2 :: period], "test": found[period - 1 :: period]}
    rest = tuple(path for path in found if path not in {*held_out["validation"], *held_out["test"]})
    return {**held_out, "train": rest}[split]


def render(family: str, size: int, rng: np.random.Generator, scenes: tuple[Path, ...] = ()) -> Rendering:
    """Draw one scene of a family at `size` × `size` pixels, over a photograph of `scenes`, if there are any.

    Sensor noise is added to foreground and background alike, so that it appears in the image and the composition
    still holds. It is the one thing drawn pixel by pixel: scenes of two sizes agree up to it. Over a photograph the
    object takes on some of its tint; the photograph's own noise is in the background alone. Raises
    `InvalidArgumentError`, `FileError`.
    """
    _check_family(family)
    check_integer("size", size, at_least=SMALLEST_SIZE)
    if scenes:
        _, photograph = draw_scene(scenes, size, rng)
        behind = palette_of(photograph, rng)
    else:
        behind = draw_palette(rng)
    palette = similar_palette(rng, behind) if rng.random() < 0.35 else draw_palette(rng)
    layer = _objects(family, size, rng, palette)
    backdrop = photograph if scenes else background(size, rng, behind)
    if rng.random() < 0.4:
        backdrop = _shadowed(backdrop, layer, rng)
    noise = rng.uniform(0, 0.02) * rng.standard_normal((size, size, 3), dtype=np.float32)
    colours = layer.colour(palette.mean(axis=0))
    if scenes:
        colours = colours * _cast(photograph)
    return compose(layer.alpha, colours + noise, backdrop + noise)


def compose(alpha: Alpha, foreground: NDArray[np.float32], backdrop: NDArray[np.float32]) -> Rendering:
    """`foreground` over `backdrop`, `(S, S, 3)` each, with opacity `alpha`, `(S, S)`; all are clipped to [0, 1]."""
    foreground, backdrop = (np.clip(part, 0, 1).astype(np.float32) for part in (foreground, backdrop))
    alpha = np.clip(alpha, 0, 1).astype(np.float32)
    opacity = alpha[..., None]
    return Rendering(opacity * foreground + (1 - opacity) * backdrop, alpha, foreground, backdrop)


def _objects(family: str, size: int, rng: np.random.Generator, palette: NDArray[np.float32]) -> Layer:
    """One object, large enough to hold whole regions; at times a small one of the same family behind it."""
    centre = rng.uniform(0.2, 0.8, 2)
    placement = Placement((float(centre[0]), float(centre[1])), rng.uniform(0.34, 0.46), rng.uniform(-np.pi, np.pi))
    layer = FAMILIES[family](size, rng, palette, placement)
    if rng.random() < 0.2:
        inwards = np.arctan2(*(0.5 - centre)) + rng.normal(0, 0.3)
        beside = np.clip(centre + 0.45 * np.array([np.sin(inwards), np.cos(inwards)]), 0.12, 0.88)
        companion = Placement((float(beside[0]), float(beside[1])), rng.uniform(0.14, 0.22), rng.uniform(-np.pi, np.pi))
        layer = layer.over(FAMILIES[family](size, rng, palette, companion))
    return layer


def _cast(photograph: Image) -> NDArray[np.float32]:
    """The tint, `(3,)`, that a photograph's light is likely to have: somewhat that of its mean colour."""
    mean = photograph.mean(axis=(0, 1)) + np.float32(0.05)
    return np.asarray((mean / mean.mean()) ** 0.4, dtype=np.float32)


def _shadowed(backdrop: Image, layer: Layer, rng: np.random.Generator) -> Image:
    """The background with the foreground's soft shadow, which in matting belongs to the background."""
    size = len(backdrop)
    y, x = unit_grid(size)
    shift_y, shift_x = rng.uniform(0.02, 0.08), rng.uniform(-0.06, 0.06)
    rows, columns = np.broadcast_arrays((y - shift_y) * size - 0.5, (x - shift_x) * size - 0.5)
    moved = cv2.remap(layer.alpha, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    shadow = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.01, 0.04) * size)
    return np.asarray(backdrop * (1 - rng.uniform(0.2, 0.55) * shadow[..., None]), dtype=np.float32)
