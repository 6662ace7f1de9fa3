"""The files a person takes away: cut-out, alpha, labels, session."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from active_matting.colours import cut_out
from active_matting.data.images import SUFFIXES, TRANSPARENT, check_suffix, to_bytes, write_alpha, write_picture
from active_matting.observations import greys_of
from active_matting.solvers.base import Matte
from active_matting.types import Image, LabelMap


@dataclass(frozen=True)
class Outputs:
    """Where they go; None for what is not wanted. Raises `FileError` for names that could not hold them.

    cutout: RGBA with estimated foreground colours. alpha: 8 bits of grey. labels: what was said, in the greys of
    `active_matting.observations.GREY_OF_LABEL`. session: JSON that `QuerySession.load` reads.
    """

    cutout: Path | None = None
    alpha: Path | None = None
    labels: Path | None = None
    session: Path | None = None

    def __post_init__(self) -> None:
        for path, kinds in ((self.cutout, TRANSPARENT), (self.alpha, SUFFIXES), (self.labels, SUFFIXES)):
            if path is not None:
                check_suffix(path, kinds)

    @classmethod
    def into(cls, folder: Path | str) -> "Outputs":
        """All four in a folder, which is made when they are written, under the names they usually have."""
        folder = Path(folder)
        names = ("cutout.png", "alpha.png", "labels.png", "session.json")
        return cls(*(folder / name for name in names))

    def __iter__(self) -> Iterator[Path]:
        return (path for path in (self.cutout, self.alpha, self.labels, self.session) if path is not None)

    def write_pictures(self, photograph: Image, matte: Matte, label_map: LabelMap) -> None:
        """Write all but the session, each under a temporary name that is then renamed. Raises `FileError`.

        photograph: float32 `(H, W, 3)`; the matte has its size; the label map may be of a smaller one.
        """
        if self.alpha is not None:
            write_alpha(self.alpha, matte.alpha)
        if self.labels is not None:
            height, width = photograph.shape[:2]
            greys = cv2.resize(greys_of(label_map), (width, height), interpolation=cv2.INTER_NEAREST)
            write_picture(self.labels, np.asarray(greys, dtype=np.uint8))
        if self.cutout is not None:
            write_picture(self.cutout, to_bytes(cut_out(photograph, matte)))


@cache
def warm_up_colours() -> None:
    """Have what estimates colours compiled, once on each machine, before somebody waits for the first export."""
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    cut_out(np.repeat(ramp[..., None], 3, axis=2), Matte(ramp))
