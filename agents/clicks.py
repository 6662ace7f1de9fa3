"""Measuring solvers by the protocol "clicks": a robot that knows the truth corrects the matte, click by click."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import product
from json import dumps, loads
from typing import Any

import numpy as np

from active_matting.agents.processes import run_all
from active_matting.cache import Arrays, Cache, hash_of_arrays, make_key
from active_matting.data import DataSource, Sample, make_data
from active_matting.errors import InvalidArgumentError
from active_matting.kept import made_by
from active_matting.metrics import all_metrics, corrective_accuracy, iou
from active_matting.robots import Mistake, Place, find_robot
from active_matting.session import QuerySession
from active_matting.solvers.named import NamedSolver
from active_matting.solvers.warm_up import warm_up
from active_matting.types import Alpha, Label

KIND = "clicks"

ROBOT_OF = {"segmentation": "largest-region", "matting": "largest-error"}
"""What is measured, and the robot that the thesis measures it with (chapters 3 and 5)."""


@dataclass(frozen=True)
class ClickProtocol:
    """How solvers are asked and measured; all of it is JSON-able.

    data, data_kwargs: see `active_matting.data.make_data`. measure: "segmentation", where the truth is a mask and its
    pixels that are neither 0 nor 1 are ignored, or "matting". robot: of `active_matting.robots.ROBOTS`; None for the
    one of the measure. clicks: per image. radius: of the disc, in pixels, that a click labels. size: the side of the
    square images are resized to, by area, so that pixels at a mask's edge that come out mixed are ignored; None for
    images as they are. Raises `InvalidArgumentError`, `UnknownNameError`.
    """

    data: str = "rendered"
    data_kwargs: dict[str, Any] = field(default_factory=dict)
    measure: str = "matting"
    robot: str | None = None
    clicks: int = 20
    radius: int = 5
    size: int | None = None

    def __post_init__(self) -> None:
        if self.measure not in ROBOT_OF:
            raise InvalidArgumentError(f"measure must be one of {list(ROBOT_OF)}, got {self.measure!r}")
        for name, at_least in (("clicks", 1), ("radius", 0), ("size", 1)):
            value = getattr(self, name)
            if value is not None and value < at_least:
                raise InvalidArgumentError(f"{name} must be at least {at_least}, got {value}")
        if self.robot is None:
            object.__setattr__(self, "robot", ROBOT_OF[self.measure])
        find_robot(str(self.robot))


@dataclass(frozen=True)
class ClickRun:
    """One solver on one image: an entry per click.

    places: the clicks; None from where the robot finds nothing wrong any more. metrics: of the matte after each click:
    "iou" and, where there was a click, "corrective", the corrective accuracy; or those of `all_metrics`.
    """

    solver: str
    sample: str
    places: tuple[Place | None, ...]
    metrics: tuple[dict[str, float], ...]


def click_through(sample: Sample, solver: NamedSolver, protocol: ClickProtocol) -> ClickRun:
    """Let the robot click about the sample; the solver gets all clicks so far, and the matte after the last one.

    Before the first click, which is of the foreground, the robot sees a matte of zeros, as published. Solvers that need
    both classes answer 0.5 for what is unknown until a click in the background, which counts as foreground.
    """
    session = QuerySession(sample.image, solver.make(), region_size=1, budget=protocol.clicks)
    robot = find_robot(str(protocol.robot))
    alpha = np.zeros_like(sample.alpha)
    places: list[Place | None] = []
    metrics: list[dict[str, float]] = []
    for _ in range(protocol.clicks):
        mistake = robot(alpha, sample.alpha)
        places.append(None if mistake is None else mistake.place)
        if mistake is not None:
            y, x, label = mistake.place
            session.click(y, x, protocol.radius, label)
            alpha = session.alpha
        metrics.append(_measured(alpha, sample.alpha, mistake, protocol.measure))
    return ClickRun(solver.label, sample.name, tuple(places), tuple(metrics))


def run_clicks(protocol: ClickProtocol, solver: NamedSolver, index: int, cache: str | None = None) -> ClickRun:
    """One solver on the `index`-th image; cache: the folder of a `Cache` in which it is kept, and found again."""
    sample = _data(dumps([protocol.data, protocol.data_kwargs]))[index]
    sample = sample if protocol.size is None else sample.resized(protocol.size)
    if cache is None:
        return click_through(sample, solver, protocol)
    how = {key: value for key, value in asdict(protocol).items() if not key.startswith("data")}
    key = make_key(
        content=hash_of_arrays(sample.image, sample.alpha),
        **made_by(solver.make(), solver.name, solver.arguments, "robots", "session", "agents/clicks.py"),
        how=how,
    )
    kept = Cache(cache).arrays(KIND, key, lambda: _to_arrays(click_through(sample, solver, protocol)))
    return _to_run(solver.label, sample.name, kept)


def evaluate_clicks(
    protocol: ClickProtocol,
    solvers: Sequence[NamedSolver],
    every: int = 1,
    limit: int | None = None,
    workers: int = 1,
    cache: str | None = None,
) -> list[ClickRun]:
    """Every solver on every image, in that order.

    every: take the first image of so many, and the first of the next ones; limit: of those the first so many. workers:
    processes; results do not depend on how many. cache: the folder in which each image's result is kept when it is
    done, so that what was interrupted goes on; what another version or other weights made is not taken for it. Raises
    `InvalidArgumentError`, and what reading the data, making and asking the solvers raises.
    """
    for name, value in (("every", every), ("limit", limit), ("workers", workers)):
        if value is not None and value < 1:
            raise InvalidArgumentError(f"{name} must be at least 1, got {value}")
    _data.cache_clear()  # files may have changed since an earlier call
    indices = range(len(make_data(protocol.data, **protocol.data_kwargs)))[::every][:limit]
    for made in [solver.make() for solver in solvers]:  # a wrong name should fail before hours of work
        warm_up(made)
    tasks = [(protocol, solver, index, cache) for solver, index in product(solvers, indices)]
    return run_all(run_clicks, tasks, workers, "clicking")


def _measured(alpha: Alpha, truth: Alpha, mistake: Mistake | None, measure: str) -> dict[str, float]:
    if measure == "matting":
        return all_metrics(alpha, truth)
    is_selected, is_object = alpha >= np.float32(0.5), truth == 1
    told = {"iou": iou(is_selected, is_object, is_ignored=(truth > 0) & (truth < 1))}
    if mistake is not None:
        told["corrective"] = corrective_accuracy(is_selected, is_object, mistake.region)
    return told


@lru_cache(maxsize=1)
def _data(arguments: str) -> DataSource:
    name, keywords = loads(arguments)
    return make_data(name, **keywords)


def _to_arrays(run: ClickRun) -> Arrays:
    """`places` int64 (N, 3), 0 where there was none; each metric float64 (N,), NaN where there was none."""
    names = {name: None for metrics in run.metrics for name in metrics}
    places = [place or (0, 0, Label.UNLABELLED) for place in run.places]
    values = {name: np.array([metrics.get(name, np.nan) for metrics in run.metrics]) for name in names}
    return {"places": np.array(places, dtype=np.int64), **values}


def _to_run(solver: str, sample: str, arrays: Arrays) -> ClickRun:
    values = {name: column for name, column in sorted(arrays.items()) if name != "places"}
    places = tuple(Place(y, x, Label(label)) if label else None for y, x, label in arrays["places"].tolist())
    metrics = tuple(
        {name: float(column[click]) for name, column in values.items() if not np.isnan(column[click])}
        for click in range(len(places))
    )
    return ClickRun(solver, sample, places, metrics)
