"""An endless stream of composites to learn from."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from active_matting.augmentation.colours import Camera, Light, change_light, photograph
from active_matting.augmentation.geometry import Geometry, place_object, place_scene
from active_matting.augmentation.label_maps import random_hints, random_patches, random_trimap
from active_matting.augmentation.layers import Layers, add_behind
from active_matting.augmentation.pictures import Objects, Scenes
from active_matting.checks import check_integer
from active_matting.data.backgrounds import background, draw_palette
from active_matting.data.rendered import SMALLEST_SIZE
from active_matting.errors import InvalidArgumentError
from active_matting.types import Alpha, Image, LabelMap


@dataclass(frozen=True)
class Recipe:
    """What is done to the pictures. second: the probability of a second object. Raises `InvalidArgumentError`."""

    second: float = 0.5
    geometry: Geometry = field(default_factory=Geometry)
    light: Light = field(default_factory=Light)
    camera: Camera = field(default_factory=Camera)

    def __post_init__(self) -> None:
        if not 0 <= self.second <= 1:
            raise InvalidArgumentError(f"second must be a probability, got {self.second}")


class Composite(NamedTuple):
    """One item; torch's default collation makes batches of it.

    number: which of the stream's it is. image, foreground, background: float32 `(S, S, 3)` in [0, 1]; alpha: float32
    `(S, S)`. trimap, hints, patches: int8 `(S, S)`, values of `Label`, see `random_trimap`, `random_hints`,
    `random_patches`. The image is what foreground, alpha and background make up, but for a blur and a JPEG file's
    losses.
    """

    number: int
    image: Image
    alpha: Alpha
    foreground: Image
    background: Image
    trimap: LabelMap
    hints: LabelMap
    patches: LabelMap


@dataclass(frozen=True)
class CompositeStream:
    """Endless composites of `size` × `size` pixels: objects over scenes, or over procedural backgrounds for None.

    Item i depends on `seed`, i, `size`, the files and the recipe alone. Of `workers` workers, `worker` makes the items
    i ≡ worker (mod workers); so all together make what one alone would. Nothing here needs torch; with it, let
    `torch.utils.data.DataLoader(dataset, batch_size=…, num_workers=2)` run a dataset that gives each worker its part:

        class Composites(torch.utils.data.IterableDataset):
            def __init__(self, stream):
                self.stream = stream

            def __iter__(self):
                info = torch.utils.data.get_worker_info()
                return iter(self.stream if info is None else self.stream.part(info.id, info.num_workers))

    A batch is then one worker's, and batches come from the workers in turn. Each process keeps pictures of its own,
    up to their `cache_bytes`; forked ones share what was read before. Raises `InvalidArgumentError`;
    `FileError` where a file cannot be read.
    """

    objects: Objects
    scenes: Scenes | None = None
    size: int = 320
    seed: int = 0
    worker: int = 0
    workers: int = 1
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        check_integer("size", self.size, at_least=SMALLEST_SIZE)
        check_integer("seed", self.seed, at_least=0)
        check_integer("workers", self.workers, at_least=1)
        check_integer("worker", self.worker, at_least=0)
        if self.worker >= self.workers:
            raise InvalidArgumentError(f"worker must be below workers, got {self.worker} of {self.workers}")

    def __iter__(self) -> Iterator[Composite]:
        return self.items()

    def items(self, start: int = 0) -> Iterator[Composite]:
        """This worker's items from index `start` on, such as where an interrupted training goes on."""
        index = start + (self.worker - start) % self.workers
        while True:
            yield self.item(index)
            index += self.workers

    def item(self, index: int) -> Composite:
        """Item `index`, whosever it is. Raises `InvalidArgumentError` below 0."""
        check_integer("index", index, at_least=0)
        return self.drawn(np.random.default_rng([self.seed, index]), index)

    def drawn(self, rng: np.random.Generator, index: int = 0) -> Composite:
        """An item as `rng` has it, whatever the seed is."""
        layers = change_light(self.layers(rng), rng, self.recipe.light)
        image = photograph(layers.image(), rng, self.recipe.camera)
        return Composite(
            index,
            image,
            layers.alpha,
            layers.foreground,
            layers.background,
            random_trimap(layers.alpha, rng),
            random_hints(layers.alpha, rng),
            random_patches(layers.alpha, rng),
        )

    def layers(self, rng: np.random.Generator) -> Layers:
        """What a composite begins with: an object, perhaps a second behind it, and a scene, each in its place."""
        foreground, alpha = self._draw_object(rng)
        layers = Layers(foreground, alpha, self._draw_scene(rng))
        if rng.random() < self.recipe.second:
            together = add_behind(layers, *self._draw_object(rng))
            layers = together if together.alpha.min() < 1 else layers  # nothing to be told apart would be left
        return layers

    def part(self, worker: int, workers: int) -> "CompositeStream":
        """The stream of one of `workers` workers. Raises `InvalidArgumentError`."""
        return replace(self, worker=worker, workers=workers)

    def _draw_object(self, rng: np.random.Generator) -> tuple[Image, Alpha]:
        cutout = self.objects[int(rng.integers(len(self.objects)))]
        return place_object(cutout, self.size, rng, self.recipe.geometry)

    def _draw_scene(self, rng: np.random.Generator) -> Image:
        if self.scenes is None:
            return np.clip(background(self.size, rng, draw_palette(rng)), 0, 1).astype(np.float32)
        scene = self.scenes[int(rng.integers(len(self.scenes)))]
        return place_scene(scene, self.size, rng, self.recipe.geometry)
