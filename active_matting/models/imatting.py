"""iMatting: one network for clicks, strokes, regions and trimaps (thesis, ch. 5)."""

from collections.abc import Sequence

from active_matting.models.fba import FBA
from active_matting.models.resnet import RESNET50

SIGMAS = (6.4, 25.2, 51.2)
"""Of the hints, pixels (sec. 5.2.1)."""


def make_imatting(
    width: int = 64,
    depths: Sequence[int] = RESNET50,
    head: Sequence[int] = (32, 16),
    sigmas: tuple[float, float, float] = SIGMAS,
    guess: str | None = None,
    trust: float = 1.0,
    side: int | None = None,
    recognises: bool = False,
    detail: int = 1,
) -> FBA:
    """FBA whose encoder sees 9 channels, the image and six hints, so that labels may be sparse (sec. 5.2.1).

    guess, trust, side, recognises, detail: see `FBA`; with a guess it sees a tenth channel.
    """
    return FBA(
        width,
        depths,
        head,
        sigmas,
        encoder_sees_marks=False,
        guess=guess,
        trust=trust,
        side=side,
        recognises=recognises,
        detail=detail,
    )
