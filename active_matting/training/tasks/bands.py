"""Training the network that draws the unknown band, on segmentations of episodes that were played before (ours)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from active_matting.cache import Arrays
from active_matting.data.images import to_bytes
from active_matting.errors import InvalidArgumentError
from active_matting.kept import made_by
from active_matting.segmenters import make_segmenter
from active_matting.segmenters.band import COARSE, SIDE, band_inputs, band_planes, is_near_edge, wanted_band
from active_matting.segmenters.base import needs_both_classes, resize_image, resize_labels
from active_matting.segmenters.planes import Planes
from active_matting.solvers import make_solver
from active_matting.solvers.base import has_both_classes
from active_matting.training.lessons import Sources
from active_matting.training.tasks.batches import draw_batch
from active_matting.training.tasks.played import drawn_from, kept_episode
from active_matting.training.users import check_users, draw_user
from active_matting.types import Label

SCALE = 2
"""How many times larger than the band the pictures are that it is drawn for."""

_KIND = "played-bands"


class Moment(NamedTuple):
    """What the band is drawn from, (inputs, h, w); what it should be, (3, h, w); and where nothing is told, (h, w)."""

    seen: Planes
    wanted: Planes
    is_untold: NDArray[np.bool_]


@dataclass(frozen=True)
class Bands:
    """What a segmenter makes of the answers so far → which pixels are pure, and what alpha is to be expected.

    Simulated users answer where the first of `segmenters` is most wrong; what each of them makes of the answers is
    kept, small, in a folder of the user's cache. A network has seen the pictures that it learned from, and errs less
    on these than on others: so the band learns, but for a share `own` of the moments, from what any of the segmenters
    says, and in a share `lags` from what one said some answers before. The loss is the cross-entropy of the three
    planes, half of it where the segmentation is in doubt or near its edge; and `steadiness` times what later answers,
    which are true, add to it where they add.

    root, seed: see `Task`. sources: keywords of `Sources`, whose pictures should have soft edges. segmenters: names of
    `active_matting.segmenters.SEGMENTERS`. states: after how many answers. users, radius: see `draw_user`. episodes:
    how many there are; batch: of pairs of their moments, one after the other. validation: held-out episodes. The
    episodes depend on `draw`, not on the run's seed, so that runs share them. Raises `InvalidArgumentError`, and what
    `Sources` and making the segmenters raise.
    """

    root: Path
    seed: int
    sources: Mapping[str, Any]
    segmenters: tuple[str, ...] = ("network", "cues")
    states: tuple[int, ...] = (1, 2, 3, 5, 8, 12, 16, 20)
    users: Mapping[str, float] = field(default_factory=lambda: {"regions": 1.0})
    radius: float = 0.02
    episodes: int = 400
    batch: int = 4
    own: float = 0.75
    lags: float = 0.1
    steadiness: float = 1.0
    validation: int = 24
    draw: int = 0
    _training: Sources = field(init=False, repr=False, compare=False)
    _held_out: Sources = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("episodes", "batch", "validation"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("own", "lags"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidArgumentError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.steadiness < 0:
            raise InvalidArgumentError(f"steadiness must not be negative, got {self.steadiness}")
        for name in ("states", "segmenters"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.states) < 2 or list(self.states) != sorted(set(self.states)) or self.states[0] < 1:
            raise InvalidArgumentError(f"states must be two or more numbers from 1 in order, got {self.states}")
        if not self.segmenters:
            raise InvalidArgumentError("segmenters must name at least one")
        for name in self.segmenters:
            make_segmenter(name)
        check_users(self.users)
        object.__setattr__(self, "_training", Sources(self.root, **self.sources))
        object.__setattr__(self, "_held_out", Sources(self.root, **self.sources, held_out=True))

    def load(self, index: int) -> tuple[list[Moment], list[Moment]]:
        """See `Task`: moments, and those some answers later; mirrored half of the time."""
        rng = np.random.default_rng([self.seed, index])
        before: list[Moment] = []
        after: list[Moment] = []
        for _ in range(self.batch):
            episode, at = int(rng.integers(self.episodes)), int(rng.integers(len(self.states) - 1))
            which = 0 if rng.random() < self.own else int(rng.integers(len(self.segmenters)))
            lag = int(rng.random() < self.lags)
            is_mirrored = rng.random() < 0.5
            for moments, moment in zip((before, after), self.moments(episode, (at, at + 1), which, lag), strict=True):
                moments.append(_mirrored(moment) if is_mirrored else moment)
        return before, after

    def losses(
        self, network: nn.Module, item: tuple[list[Moment], list[Moment]], generator: np.random.Generator
    ) -> Iterator[Tensor | None]:
        """See `Task`: one."""
        before, after = (_cross_entropy(network, moments) for moments in item)
        added = torch.relu(after.entropy - before.entropy.detach()) * before.weight
        yield (before.mean + after.mean) / 2 + self.steadiness * added.sum() / len(item[0])

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See `Task`: the loss of the first segmenter's bands after so many answers; "error" is their mean."""
        means = []
        for number in range(self.validation):
            moments = self.moments(number, range(len(self.states)), held_out=True)
            means.append([float(_cross_entropy(network, [moment]).mean) for moment in moments])
        told = dict(zip(self.states, np.mean(means, axis=0).tolist(), strict=True))
        return {f"entropy@{count}": value for count, value in told.items()} | {"error": float(np.mean(means))}

    def files(self) -> dict[str, list[Path]]:
        """See `Task`; every fifth of each is held out."""
        return self._training.files()

    def moments(
        self, episode: int, ats: Sequence[int], which: int = 0, lag: int = 0, held_out: bool = False
    ) -> list[Moment]:
        """An episode at some of `states`, by their places, as the `which`-th segmenter sees it, `lag` states behind."""
        kept = kept_episode(_KIND, self._made_by, episode, held_out, self._played)
        lab, texture = (kept[name].astype(np.float32) for name in ("lab", "texture"))
        wanted = np.asarray(kept["wanted"] / np.float32(255), dtype=np.float32)
        moments = []
        for at in ats:
            label_map, segmentation = kept["label_maps"][at], kept["segmentations"][which, max(0, at - lag)]
            seen = band_inputs(lab, tuple(texture), segmentation.astype(np.float32) / 255, label_map)
            moments.append(Moment(seen, wanted, label_map == Label.UNLABELLED))
        return moments

    @cached_property
    def _made_by(self) -> dict[str, Any]:
        """What the episodes depend on."""
        names = ("segmenters", "states", "radius", "draw")
        settings = {name: getattr(self, name) for name in names} | {"users": dict(self.users)}
        code = ("training/users.py", "training/lessons.py", "training/tasks/bands.py", "robots")
        # Of segmenters as of solvers: all code and weights of the package that either may use.
        solver = made_by(make_solver("segment-then-matte"), "segment-then-matte", {}, *code)
        return {**solver, **settings, "sources": dict(self.sources), "files": drawn_from(self._training)}

    def _played(self, episode: int, held_out: bool) -> Arrays:
        rng = np.random.default_rng([self.draw, episode, int(held_out)])
        lesson = draw_batch(self._held_out if held_out else self._training, rng, SCALE * SIDE, 1)[0]
        segmenters = [make_segmenter(name).prepare(lesson.image) for name in self.segmenters]
        user = draw_user(self.users, lesson.alpha, self.radius, rng)
        believed = np.full(lesson.alpha.shape, user.before_any, dtype=np.float32)
        label_maps, segmentations = [], []
        for count in range(1, self.states[-1] + 1):
            user.answer(believed)
            has_both = bool(has_both_classes(user.label_map[None])[0])
            said = []  # by each segmenter; by one that can make nothing of one class, what the first believes
            for segmenter in segmenters if count in self.states else segmenters[:1]:
                can = has_both or not needs_both_classes(segmenter)
                said.append(segmenter.segment(user.label_map) if can else believed)
                believed = said[0]
            if count in self.states:
                label_maps.append(resize_labels(user.label_map, (SIDE, SIDE)))
                segmentations.append(np.stack([to_bytes(resize_image(plane, (COARSE, COARSE))) for plane in said]))
        lab, texture = band_planes(lesson.image)
        return {
            "lab": lab.astype(np.float16),
            "texture": np.stack(texture).astype(np.float16),
            "wanted": to_bytes(wanted_band(lesson.alpha, (SIDE, SIDE))),
            "label_maps": np.stack(label_maps),
            "segmentations": np.stack(segmentations, axis=1),
        }


def _mirrored(moment: Moment) -> Moment:
    def turned(plane: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(plane[..., ::-1])

    return Moment(*map(turned, moment))


class _Told(NamedTuple):
    """The cross-entropy of each pixel, (N, h, w), its weight in the mean over a picture, and the mean of all."""

    entropy: Tensor
    weight: Tensor
    mean: Tensor


def _cross_entropy(network: nn.Module, moments: Sequence[Moment]) -> _Told:
    like = next(network.parameters())
    seen, wanted = (torch.from_numpy(np.stack(planes)).to(like) for planes in list(zip(*moments, strict=True))[:2])
    entropy = functional.binary_cross_entropy_with_logits(network(seen).float(), wanted, reduction="none").mean(1)
    weight = torch.from_numpy(np.stack([_weights(moment) for moment in moments])).to(entropy)
    return _Told(entropy, weight, (entropy * weight).sum() / len(moments))


def _weights(moment: Moment) -> Planes:
    """What each pixel counts, in all 1: half of it for any that is untold, half for those near the edge."""
    near = moment.is_untold & is_near_edge(moment.seen)
    shares = [plane / max(1, plane.sum()) for plane in (moment.is_untold, near if near.any() else moment.is_untold)]
    return np.asarray(sum(shares) / 2, dtype=np.float32)
