"""Fusion of alpha, foreground and background by what they make up (thesis, sec. 4.3.4)."""

from torch import Tensor

from active_matting.models.base import Prediction

ALPHA_VARIANCE = 10.0
"""σα² beside σC² = σF² = σB² = 1 (sec. 4.3.4)."""


def fuse(prediction: Prediction, image: Tensor) -> Prediction:
    """One round of equations 4.3 to 4.5: the estimates moved towards alpha F + (1 − alpha) B = C.

    image: C, `(N, 3, H, W)` in [0, 1]. As in the released code each update uses those before it, where equation 4.4 as
    printed takes the old foreground; all is clipped to [0, 1]. A prediction without colours is returned as it is.
    """
    alpha, foreground, background = prediction
    if foreground is None or background is None:
        return prediction
    foreground = foreground + alpha * (image - alpha * foreground - (1 - alpha) * background)
    background = background + (1 - alpha) * (image - alpha * foreground - (1 - alpha) * background)
    foreground, background = foreground.clamp(0, 1), background.clamp(0, 1)
    contrast = foreground - background
    along = ((image - background) * contrast).sum(1, keepdim=True)
    alpha = (alpha + ALPHA_VARIANCE * along) / (1 + ALPHA_VARIANCE * contrast.square().sum(1, keepdim=True))
    return Prediction(alpha.clamp(0, 1), foreground, background)
