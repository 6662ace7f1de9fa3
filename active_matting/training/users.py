"""The users who answer during training: they know the truth; one is asked about regions, one clicks."""

from collections.abc import Mapping

import numpy as np

from active_matting.annotators import ExactAnnotator
from active_matting.errors import InvalidArgumentError
from active_matting.labels import Click, RegionAnswer, record
from active_matting.regions import Region
from active_matting.robots import Robot, find_robot, is_askable, most_wrong_region
from active_matting.types import Alpha, Label, LabelMap

_ONE_SIDED = 0.35  # share of users who tell one class several times in a row
_LONGEST_RUN = 6


class SimulatedUser:
    """Answers regions where a matte is most wrong or, now and then, anywhere; the truth throughout.

    Some users are one-sided: they tell up to six regions of one class before they look at the other, so that what is
    fitted to their labels knows label maps with five answers of one class against one. truth: float32 (H, W); side: the
    regions', pixels. `label_map`, int8 (H, W), is what was told so far.
    """

    before_any = 0.5
    """The alpha, everywhere, that it looks at before the first answer."""

    def __init__(self, truth: Alpha, side: int, rng: np.random.Generator) -> None:
        self.label_map: LabelMap = np.zeros(truth.shape, dtype=np.int8)
        self._truth, self._side, self._rng = truth, side, rng
        self._is_one_sided = bool(rng.random() < _ONE_SIDED)
        self._count, self._run_left, self._wants_foreground = 0, 0, True

    def answer(self, believed: Alpha) -> None:
        """Tell one region more, given what is believed, float32 (H, W)."""
        self._count += 1
        if self._rng.random() < (0.4 if self._count <= 2 else 0.1):
            region = self._anywhere()
        else:
            region = most_wrong_region(self._truth, self._noticed(believed), self.label_map, self._side)
        answer = RegionAnswer(region, ExactAnnotator(self._truth).answer(region))
        self.label_map = record(self.label_map, answer)

    def _noticed(self, believed: Alpha) -> Alpha:
        """What is believed, but for the errors that a one-sided user does not look at."""
        if not self._is_one_sided or self._count <= 2:
            return believed
        if self._run_left == 0:
            self._wants_foreground = bool(self._rng.integers(2))
            self._run_left = int(self._rng.integers(1, _LONGEST_RUN + 1))
        self._run_left -= 1
        return np.where((self._truth >= 0.5) == self._wants_foreground, believed, self._truth)

    def _anywhere(self) -> Region:
        wants_foreground = self._count == 1 or (self._count > 2 and self._rng.random() < 0.5)
        askable = is_askable(self._truth, self.label_map, self._side)
        wanted = askable & ((self._truth >= 0.5) == wants_foreground)
        y, x = np.nonzero(wanted if wanted.any() else askable)
        chosen = int(self._rng.integers(len(y)))
        return Region(int(y[chosen]), int(x[chosen]), self._side)


class ClickingUser:
    """Clicks where one of the thesis' robots does; each click is a disc that stays within its class.

    truth: float32 (H, W); radius: of the discs, pixels, 0 for a single one as in the thesis. `label_map`, int8 (H, W),
    is what was told so far. Nothing is told where nothing is wrong.
    """

    before_any = 0.0

    def __init__(self, truth: Alpha, radius: int, robot: Robot) -> None:
        self.label_map: LabelMap = np.zeros(truth.shape, dtype=np.int8)
        self._truth, self._radius, self._robot = truth, radius, robot

    def answer(self, believed: Alpha) -> None:
        """Tell one click more, given what is believed, float32 (H, W)."""
        mistake = self._robot(believed, self._truth)
        if mistake is None:
            return
        y, x, label = mistake.place
        told = record(np.zeros_like(self.label_map), Click(y, x, self._radius, label)) != Label.UNLABELLED
        is_true = self._truth == (1 if label == Label.FOREGROUND else 0)
        self.label_map = np.where(told & is_true, np.int8(label), self.label_map)


def check_users(users: Mapping[str, float]) -> None:
    """Raise `InvalidArgumentError` or `UnknownNameError` unless `draw_user` can draw from these."""
    if not users or min(users.values()) < 0 or not sum(users.values()) > 0:
        raise InvalidArgumentError(f"users must be numbers from 0, not all 0, got {dict(users)}")
    for name in set(users) - {"regions"}:
        find_robot(name)


def draw_user(
    users: Mapping[str, float], truth: Alpha, radius: float, rng: np.random.Generator
) -> SimulatedUser | ClickingUser:
    """A user for a picture, each kind as often as `users` says.

    "regions" is a `SimulatedUser` of regions of 4 to 7.5 % of the side, a robot's name a `ClickingUser` whose discs
    have up to `radius`, a share of the side. truth: float32 (S, S).
    """
    total, side = sum(users.values()), len(truth)
    kind = str(rng.choice(list(users), p=[share / total for share in users.values()]))
    if kind == "regions":
        return SimulatedUser(truth, max(2, round(side * rng.uniform(0.04, 0.075))), rng)
    return ClickingUser(truth, round(side * rng.uniform(0, radius)), find_robot(kind))
