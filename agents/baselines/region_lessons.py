"""What B2 learns from: pictures and their ideal sequences."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment  # type: ignore[attr-defined]
from torch import Tensor, nn
from tqdm.auto import tqdm

from active_matting.agents.baselines.greedy import IdealSearch
from active_matting.agents.baselines.truth import Truth
from active_matting.cache import Cache
from active_matting.envs.settings import Settings
from active_matting.errors import InvalidArgumentError
from active_matting.regions import region_to_action
from active_matting.session import QuerySession
from active_matting.training.lessons import Sources


class Batch(NamedTuple):
    """images: float32 `(B, 3, S, S)` in [0, 1]; places: float32 `(B, N, 2)`, (y, x) in [-1, 1]."""

    images: NDArray[np.float32]
    places: NDArray[np.float32]


@dataclass(frozen=True)
class RegionLessons:
    """Pictures and the first N regions of each one's ideal sequence; a task for `active_matting.training.trainer`.

    root, seed: see `Task`. sources: keywords of `Sources`, from which `pictures` are drawn once and `validation` from
    what is held out. regions: N. size: their side, pixels, of which regions are a twentieth. solver: whose mattes the
    sequences improve. longest: regions of a sequence that are found, whatever N. patience: of the lazy search, 0 tries
    all cells. cache: a folder where sequences are kept, None for the package's. batch: pictures of a batch, mirrored
    half of the time, in other light. loss: "matched" pairs the network's places with the ideal ones so that the squared
    distances' sum is the smallest, "ordered" takes both as they come; the paper tells neither. Raises
    `InvalidArgumentError`; what `Sources` raises comes when they are first needed.
    """

    root: Path
    seed: int
    sources: Mapping[str, Any] = field(hash=False)
    regions: int
    size: int = 60
    pictures: int = 100
    validation: int = 25
    solver: str = "shared"
    longest: int = 30
    patience: int = 24
    batch: int = 16
    loss: Literal["matched", "ordered"] = "matched"
    cache: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.regions <= self.longest:
            raise InvalidArgumentError(f"regions must be from 1 to longest={self.longest}, got {self.regions}")
        if self.loss not in ("matched", "ordered"):
            raise InvalidArgumentError(f"loss must be 'matched' or 'ordered', got {self.loss!r}")
        if min(self.pictures, self.validation, self.batch) < 1 or self.size < 20:
            raise InvalidArgumentError("pictures, validation and batch must be at least 1, and size at least 20")

    def load(self, index: int) -> Batch:
        """See `Task`."""
        rng = np.random.default_rng([self.seed, index])
        known = self.lessons(held_out=False)
        chosen = rng.integers(len(known.images), size=self.batch)
        images, places = known.images[chosen], known.places[chosen, : self.regions]
        is_mirrored = rng.random(self.batch) < 0.5
        images[is_mirrored] = images[is_mirrored, :, :, ::-1]
        places[is_mirrored, :, 1] *= -1
        light = rng.uniform(0.8, 1.2, (self.batch, 3, 1, 1)).astype(np.float32)
        return Batch(np.clip(images * light, 0, 1), places)

    def losses(self, network: nn.Module, item: Batch, generator: np.random.Generator) -> Iterator[Tensor | None]:
        """See `Task`: one, the mean squared distance, a picture's side being 2."""
        like = next(network.parameters())
        places = network(torch.from_numpy(item.images).to(like))
        yield distances(places, torch.from_numpy(item.places).to(like), is_matched=self.loss == "matched").mean()

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See `Task`: "error" is the loss, whichever; "ordered" and "matched" tell both."""
        like = next(network.parameters())
        known = self.lessons(held_out=True)
        images, ideal = (torch.from_numpy(part).to(like) for part in known)
        places = network(images)
        told = {
            how: distances(places, ideal[:, : self.regions], is_matched=how == "matched").mean().item()
            for how in ("ordered", "matched")
        }
        return {**told, "error": told[self.loss]}

    def files(self) -> dict[str, list[Path]]:
        """See `Task`; every fifth of each is held out."""
        return Sources(self.root, **self.sources).files()

    def lessons(self, held_out: bool) -> Batch:
        """All pictures and their sequences, `longest` regions each; found when they are first asked for."""
        count = self.validation if held_out else self.pictures
        return _found(replace(self, regions=self.longest, sources={}), json.dumps(dict(self.sources)), held_out, count)


@lru_cache(maxsize=4)
def _found(of: RegionLessons, sources: str, held_out: bool, count: int) -> Batch:
    """The lessons of a task, whatever its N, but for its `sources`, which come as JSON."""
    drawn_from = Sources(of.root, **json.loads(sources), held_out=held_out)
    cache = Cache(of.cache)
    made = [
        _lesson(of, drawn_from, np.random.default_rng([of.seed, held_out, number]), cache)
        for number in tqdm(range(count), desc="ideal sequences", unit="picture", leave=False)
    ]
    return Batch(np.stack([image for image, _ in made]), np.stack([places for _, places in made]))


def _lesson(
    of: RegionLessons, sources: Sources, rng: np.random.Generator, cache: Cache
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    picture = sources.draw(rng, of.size)
    settings = Settings(solver=of.solver, image_size=of.size, region_size=max(1, of.size // 20))
    solver = settings.make_solver()
    session = QuerySession(picture.image, solver, region_size=settings.region_size, budget=of.longest)
    search = IdealSearch(Truth(session, picture.alpha, solver, settings), None, of.patience or None, cache)
    places = [region_to_action(region, session.shape) for region in search.follow(of.longest)]
    return picture.image.transpose(2, 0, 1), np.stack(places)


def distances(places: Tensor, ideal: Tensor, is_matched: bool) -> Tensor:
    """Squared distances, `(B, N)`, of places `(B, N, 2)` to ideal ones `(B, N, 2)`, in the order of `places`.

    is_matched: each to that ideal place with which all of a picture's distances have the smallest sum; else to the one
    at the same position.

    >>> places, ideal = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]]), torch.tensor([[[1.0, 0.5], [0.0, 0.0]]])
    >>> distances(places, ideal, is_matched=True)
    tensor([[0.0000, 0.2500]])
    >>> distances(places, ideal, is_matched=False)
    tensor([[1.2500, 1.0000]])
    """
    if is_matched:
        costs = (places.detach()[:, :, None] - ideal[:, None]).square().sum(-1).cpu().numpy()
        pairs = np.stack([linear_sum_assignment(cost)[1] for cost in costs])
        ideal = torch.gather(ideal, 1, torch.from_numpy(pairs).to(ideal.device)[..., None].expand(-1, -1, 2))
    return (places - ideal).square().sum(-1)
