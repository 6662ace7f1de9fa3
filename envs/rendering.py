"""Pictures of a query loop in progress."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.images import to_bytes
from active_matting.envs.query_loop import QueryLoop
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer
from active_matting.types import Alpha, Image, Label

Picture: TypeAlias = NDArray[np.uint8]

COLOUR_OF_LABEL = {
    Label.FOREGROUND: (60, 200, 80),
    Label.BACKGROUND: (230, 70, 60),
    Label.TRANSITION: (240, 190, 40),
    Label.UNLABELLED: (150, 150, 150),
}
LETTER_OF_LABEL = {Label.FOREGROUND: "F", Label.BACKGROUND: "B", Label.TRANSITION: "T", Label.UNLABELLED: "?"}

_SMALLEST_PANEL = 240  # pixels: what is smaller is shown at a multiple of its size
_STRIP = 72  # height of the strip of rewards, pixels
_COLUMNS = 48  # of a text
_SHADES = " .:-=+*#%@"  # from alpha 0 to 1


def check_render_mode(mode: str | None, modes: Sequence[str]) -> None:
    """Raise `InvalidArgumentError` unless `mode` is None or one of `modes`."""
    if mode is not None and mode not in modes:
        raise InvalidArgumentError(f"render_mode must be None or one of {list(modes)}, got {mode!r}")


def draw_loop(loop: QueryLoop) -> Picture:
    """Image with the regions in the order asked, matte, absolute error; below them what each query has earned.

    uint8 `(k H + 72, 3 k W, 3)`; k is 1 for images of 240 pixels and more.
    """
    image, session = loop.sample.image, loop.session
    scale = -(-_SMALLEST_PANEL // max(image.shape[:2]))
    panels = draw_progress(image, session.answers, session.alpha, loop.sample.alpha, scale)
    strip = _draw_rewards(loop.rewards, loop.settings.budget, panels.shape[1])
    _write(strip, _summary(loop), (8, 16))
    return np.concatenate([panels, strip])


def describe_loop(loop: QueryLoop) -> str:
    """The loop as text: a line of figures; the matte in shades, with the answers F, B, T or ? where they were given."""
    height, width = loop.sample.shape
    rows = max(1, round(_COLUMNS * height / width / 2))  # a letter is about twice as high as wide
    alpha = cv2.resize(loop.session.alpha, (_COLUMNS, rows), interpolation=cv2.INTER_AREA)
    shades = np.array(list(_SHADES))[np.clip(np.rint(alpha * (len(_SHADES) - 1)), 0, len(_SHADES) - 1).astype(int)]
    for said in loop.session.answers:
        shades[said.region.y * rows // height, said.region.x * _COLUMNS // width] = LETTER_OF_LABEL[said.label]
    edge = "+" + "-" * _COLUMNS + "+"
    return "\n".join([_summary(loop), edge, *("|" + "".join(row) + "|" for row in shades), edge])


class Window:
    """A window of matplotlib's that shows pictures as they come; where there is no screen it shows nothing."""

    def __init__(self, title: str, seconds: float) -> None:
        from matplotlib import pyplot  # only who looks pays for loading it

        self._pyplot, self._seconds = pyplot, seconds
        self._figure = pyplot.figure(title, figsize=(12, 5), frameon=False)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.axis("off")
        self._shown: Any = None

    def show(self, picture: Picture) -> None:
        """Show a picture for a while."""
        if self._shown is None:
            self._shown = self._axes.imshow(picture)
        else:
            self._shown.set_data(picture)
        self._pyplot.pause(self._seconds)

    def close(self) -> None:
        """Close the window."""
        self._pyplot.close(self._figure)


def draw_regions(image: Image, answers: Sequence[RegionAnswer], scale: int = 1) -> Picture:
    """The image, uint8 `(scale H, scale W, 3)`, with the asked regions outlined in the colour of their answer.

    Green is foreground, red background, yellow transition, grey not answered; the regions are numbered from 1 where
    they are large enough to hold a number.
    """
    height, width = image.shape[:2]
    size = (width * scale, height * scale)
    picture = cv2.resize(to_bytes(image), size, interpolation=cv2.INTER_NEAREST)
    for number, answer in enumerate(answers, start=1):
        region, colour = answer.region, COLOUR_OF_LABEL[answer.label]
        top, left, side = region.top * scale, region.left * scale, region.side * scale
        cv2.rectangle(picture, (left, top), (left + side - 1, top + side - 1), colour, thickness=max(1, side // 8))
        if side >= 16:
            place = (left + side // 6, top + side - side // 5)
            for ink, thickness in (((20, 20, 20), 3), ((255, 255, 255), 1)):  # legible on any picture
                cv2.putText(
                    picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, side / 45, ink, thickness, cv2.LINE_AA
                )
    return np.asarray(picture, dtype=np.uint8)


def draw_progress(image: Image, answers: Sequence[RegionAnswer], alpha: Alpha, truth: Alpha, scale: int = 1) -> Picture:
    """Image with regions, matte, and absolute error, side by side: uint8 `(scale H, 3 scale W, 3)`."""
    size = (image.shape[1] * scale, image.shape[0] * scale)
    planes = [
        cv2.resize(grey(plane), size, interpolation=cv2.INTER_NEAREST) for plane in (alpha, np.abs(alpha - truth))
    ]
    return np.concatenate([draw_regions(image, answers, scale), *planes], axis=1).astype(np.uint8)


def grey(alpha: Alpha) -> Picture:
    """An alpha, `(H, W)` in [0, 1], as a picture, uint8 `(H, W, 3)`."""
    return np.repeat(to_bytes(alpha)[..., None], 3, axis=2)


def _summary(loop: QueryLoop) -> str:
    asked, total = len(loop.rewards), sum(loop.rewards)
    latest = f"  reward {loop.rewards[-1]:+.4f}" if loop.rewards else ""
    return f"query {asked}/{loop.settings.budget}  rmse {loop.rmse:.4f}{latest}  so far {total:+.4f}"


def _draw_rewards(rewards: Sequence[float], budget: int, width: int) -> Picture:
    """A bar for each query, up where it earned something; the largest fills the strip."""
    strip = np.full((_STRIP, width, 3), 24, dtype=np.uint8)
    top, middle = 22, (_STRIP + 22) // 2
    step, largest = width / budget, max((abs(reward) for reward in rewards), default=0) or 1
    cv2.line(strip, (0, middle), (width - 1, middle), (90, 90, 90))
    for number, reward in enumerate(rewards):
        left, right = round(number * step) + 1, max(round((number + 1) * step) - 2, round(number * step) + 1)
        end = middle - round(reward / largest * (middle - top))
        colour = COLOUR_OF_LABEL[Label.FOREGROUND if reward >= 0 else Label.BACKGROUND]
        cv2.rectangle(strip, (left, min(middle, end)), (right, max(middle, end)), colour, thickness=-1)
    return strip


def _write(picture: Picture, text: str, place: tuple[int, int]) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230, 230, 230), 1, cv2.LINE_AA)
