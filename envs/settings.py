"""What an environment is told: its arguments, checked before anything is made of them."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from active_matting.annotators import Annotator, make_annotator
from active_matting.data import DataSource, make_data
from active_matting.data.order import check_unreadable, make_order
from active_matting.envs.rewards import find_reward
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.labels import check_protocol
from active_matting.regions import check_side
from active_matting.solvers import Solver, make_solver
from active_matting.types import Alpha

FAILURES = ("raise", "truncate")


@dataclass(frozen=True)
class Settings:
    """The arguments that all environments of this package take; each is JSON-able.

    Raises `UnknownNameError` and `InvalidArgumentError`, which name the argument, what was given and what is allowed.
    """

    data: str = "rendered"
    """Where samples come from: "rendered", "composed", "folder", "cutouts", "csv", "packed", "cached", a data set such
    as "aim-500", or another package's source; see `active_matting.data`."""
    data_kwargs: dict[str, Any] = field(default_factory=dict)
    """Keywords of the data source."""
    order: str = "random"
    """Which sample comes next: "random" (each drawn from all), "epoch" (all once, shuffled, before any comes twice) or
    "in-turn"."""
    unreadable: str = "raise"
    """What happens where a sample cannot be read: "raise" an error that names it, or "skip" it, which is logged."""
    solver: str = "shared"
    """What makes mattes of labels: a name that `active-matting solvers` lists."""
    solver_kwargs: dict[str, Any] = field(default_factory=dict)
    """Keywords of the solver."""
    solver_failure: str = "raise"
    """What happens where the solver raises: "raise" `SolverFailedError`, or "truncate" the episode and tell why in
    `info["error"]`. Either way the episode is over. A batch truncates unless told otherwise: the others go on."""
    image_size: int = 400
    """Side to which samples are resized, pixels."""
    region_size: int = 20
    """Side of the regions, pixels; at most the image's."""
    budget: int = 20
    """Queries of an episode."""
    candidates: int = 1
    """S: proposals a step, from the same state; the one that lowers the RMSE most is committed."""
    reward: str = "rmse"
    """"rmse", "relative" or "log"; see `active_matting.envs.rewards`."""
    protocol: str = "paper"
    """What a transition answer does: nothing ("paper"), or it enters the label map ("extended")."""
    annotator: str = "exact"
    """Who answers: "exact"; "noisy", at times wrong; "lazy", at times without an answer; "slow", which counts seconds;
    or another package's; see `active_matting.annotators`."""
    annotator_kwargs: dict[str, Any] = field(default_factory=dict)
    """Keywords of the annotator."""
    threads: int | None = None
    """How many threads this process may compute on, this environment's solver among others; None: as many as there are
    cores, but one in a process that another Python process started, as those of vectorised environments are."""

    def __post_init__(self) -> None:
        for name in ("data_kwargs", "solver_kwargs", "annotator_kwargs"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, {})
        for name in ("image_size", "region_size", "budget", "candidates"):
            check_count(name, getattr(self, name))
        if self.threads is not None:
            check_count("threads", self.threads)
        check_side(self.region_size, (self.image_size, self.image_size))
        check_protocol(self.protocol)
        check_unreadable(self.unreadable)
        if self.solver_failure not in FAILURES:
            raise InvalidArgumentError(f"solver_failure must be one of {list(FAILURES)}, got {self.solver_failure!r}")
        find_reward(self.reward)

    def make_data(self) -> DataSource:
        """The data source. Raises `FileError` too, `InvalidArgumentError` where it is empty or its order unknown."""
        try:
            data = make_data(self.data, **self.data_kwargs)
        except FileError as error:
            raise FileError(f"data {self.data!r} with data_kwargs {self.data_kwargs}: {error}") from error
        if len(data) == 0:
            raise InvalidArgumentError(f"data must hold at least one sample, got none from {data!r}")
        make_order(self.order, len(data))
        return data

    def make_solver(self) -> Solver:
        """The solver."""
        return make_solver(self.solver, **self.solver_kwargs)

    def make_annotator(self, alpha: Alpha, rng: np.random.Generator | None = None) -> Annotator:
        """Who knows `alpha`, float32 `(H, W)`, and answers for one episode, with its random numbers from `rng`."""
        return make_annotator(self.annotator, alpha, rng, **self.annotator_kwargs)


def check_count(name: str, value: Any) -> None:
    """Raise `InvalidArgumentError` unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgumentError(f"{name} must be an integer, got {value!r}")
    if value < 1:
        raise InvalidArgumentError(f"{name} must be at least 1, got {value}")


def settings_of(arguments: dict[str, Any]) -> Settings:
    """Settings from keywords. Raises `InvalidArgumentError` for those that there are not."""
    known = [each.name for each in fields(Settings)]
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise InvalidArgumentError(f"unknown arguments {unknown}; an environment takes {known}")
    return Settings(**arguments)
