"""What every network of interactive matting takes and answers."""

from typing import NamedTuple

from torch import Tensor, nn

from active_matting.models.hints import HintMaps


class Prediction(NamedTuple):
    """alpha: `(N, 1, H, W)`; foreground, background: `(N, 3, H, W)` where the network knows them; all in [0, 1]."""

    alpha: Tensor
    foreground: Tensor | None = None
    background: Tensor | None = None


class Network(nn.Module):
    """Base of the networks: `forward` and what has to be known to feed it.

    forward(image, marks, hints, previous), all float `(N, ·, H, W)` with H and W multiples of `stride`: the image in
    [0, 1], 3 channels, not normalised; marks, 2 channels of 0 and 1: what is told to be background, and foreground, in
    the published networks' order; hints, 6 channels, see `hint_maps`; previous, 1 channel: the alpha before the newest
    answer, 0 before the first, which networks without a memory ignore. Networks whose `detail` is above 1 are shown one
    thing more, the image that much larger: `(N, 3, detail · H, detail · W)`.
    """

    stride: int = 8
    hint_maps: HintMaps
    side: int | None = None
    """The longer side, in pixels, of the pictures that it knows, at which solvers run it unless told otherwise; None
    for any."""
    detail: int = 1
    """How many times larger the image is that it is shown besides; with 1 it is not."""
    guess: str | None = None
    """The solver whose matte for the same labels is `previous`, for a network that corrects another's work: NAME or
    "NAME {JSON}", see `active_matting.solvers.named.NamedSolver`."""

    def forward(self, image: Tensor, marks: Tensor, hints: Tensor, previous: Tensor) -> Prediction:
        """See the class."""
        raise NotImplementedError
