"""What networks are trained to make small: table 4.2 and equations 3.1, 4.1, 5.1 and 5.2 of the thesis.

All are means over the batch. Where the thesis sums over pixels these divide by the image's pixels, which changes no
minimum and makes pictures of all sizes count alike. Planes are float `(N, C, H, W)` in [0, 1].
"""

import torch
from torch import Tensor
from torch.nn import functional

from active_matting.models.base import Prediction

LEVELS = 5
COLOUR_WEIGHT = 0.25
"""Of the colours' losses beside alpha's (eq. 4.1)."""


def soft_iou(alpha: Tensor, truth: Tensor) -> Tensor:
    """1 − Σ α α̂ / Σ max(α, α̂), the first part of eq. 3.1."""
    shared = (alpha * truth).sum((1, 2, 3))
    either = torch.maximum(alpha, truth).sum((1, 2, 3))
    return (1 - shared / either.clamp(min=1e-6)).mean()


def click_loss(alpha: Tensor, truth: Tensor, clicks: Tensor) -> Tensor:
    """Σ (α − α̂)² over the clicks, the second part of eq. 3.1.

    clicks: `(N, 1, H, W)`, 1 where a click is, 0 elsewhere; pixels that were told by one answer share its 1.
    """
    return ((alpha - truth).square() * clicks).sum((1, 2, 3)).mean()


def l1(found: Tensor, truth: Tensor) -> Tensor:
    """Mean over pixels of the absolute differences, summed over channels."""
    return (found - truth).abs().sum(1).mean()


def composition(image: Tensor, alpha: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """How far alpha F + (1 − alpha) B is from the image."""
    return l1(alpha * foreground + (1 - alpha) * background, image)


def gradient(alpha: Tensor, truth: Tensor) -> Tensor:
    """How far alpha's differences to the next row and column are from the truth's."""
    rows, columns = (torch.diff(alpha - truth, dim=dim).abs().sum((1, 2, 3)) for dim in (2, 3))
    return ((rows + columns) / alpha[0, 0].numel()).mean()


def exclusion(foreground: Tensor, background: Tensor) -> Tensor:
    """Σ ‖∇F‖₁ ‖∇B‖₁: an edge of the image belongs to one of the two. Forward differences, 0 at the far edge."""
    return (_total_gradient(foreground) * _total_gradient(background)).mean()


def laplacian(found: Tensor, truth: Tensor, levels: int = LEVELS) -> Tensor:
    """Σ over `levels` of 2^(s−1) times the absolute differences between the Laplacian pyramids.

    Of small images as many levels as they have (a level needs 2 pixels each way). The last level is what is left, so
    that the pyramid holds all of the image.
    """
    difference = found - truth  # pyramids are linear
    total = torch.zeros((), dtype=found.dtype, device=found.device)
    pixels = difference[:, 0].numel()
    for s in range(levels):
        if s == levels - 1 or min(difference.shape[2:]) < 2:
            total = total + 2.0**s * difference.abs().sum() / pixels
            break
        smaller = _halved(difference)
        total = total + 2.0**s * (difference - _doubled(smaller, difference.shape[2:])).abs().sum() / pixels
        difference = smaller
    return total


def matting_loss(
    prediction: Prediction, image: Tensor, alpha: Tensor, foreground: Tensor, background: Tensor, with_gradient: bool
) -> Tensor:
    """Eq. 4.1, or 5.2 which leaves out alpha's gradient loss; without colours predicted, alpha's part alone."""
    found = prediction.alpha
    total = l1(found, alpha) + composition(image, found, foreground, background) + laplacian(found, alpha)
    if with_gradient:
        total = total + gradient(found, alpha)
    return total + COLOUR_WEIGHT * colour_loss(prediction, image, alpha, foreground, background)


def colour_loss(prediction: Prediction, image: Tensor, alpha: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """What eq. 4.1 says of the colours; 0 where none are predicted."""
    if prediction.foreground is None or prediction.background is None:
        return torch.zeros((), dtype=alpha.dtype, device=alpha.device)
    f, b = prediction.foreground, prediction.background
    return (
        l1(f, foreground)
        + l1(b, background)
        + laplacian(torch.cat([f, b], dim=1), torch.cat([foreground, background], dim=1))
        + exclusion(f, b)
        + composition(image, alpha, f, b)
    )


def root_mean_square(alpha: Tensor, truth: Tensor, floor: float = 1e-4) -> Tensor:
    """The pictures' RMSE, which is what mattes are measured by; `floor`, under the root, keeps its slope finite."""
    return ((alpha - truth).square().mean((1, 2, 3)) + floor).sqrt().mean()


def _total_gradient(colours: Tensor) -> Tensor:
    """Σ over channels and both directions of the absolute differences, (N, H, W)."""
    rows = functional.pad(torch.diff(colours, dim=2), (0, 0, 0, 1))
    columns = functional.pad(torch.diff(colours, dim=3), (0, 1))
    return (rows.abs() + columns.abs()).sum(1)


def _halved(planes: Tensor) -> Tensor:
    """Every second row and column after Burt and Adelson's 5 × 5 kernel, the edge being repeated.

    By slices, direction by direction, which on a CPU takes a fifth of the time of a convolution for each channel.
    """
    return _halved_along(_halved_along(planes, 2), 3)


def _halved_along(planes: Tensor, dim: int) -> Tensor:
    count = planes.shape[dim]
    first, last = planes.narrow(dim, 0, 1), planes.narrow(dim, count - 1, 1)
    padded = torch.cat([first, first, planes, last, last], dim=dim).movedim(dim, -1)
    outer = padded[..., :count:2] + padded[..., 4 : count + 4 : 2]
    inner = padded[..., 1 : count + 1 : 2] + padded[..., 3 : count + 3 : 2]
    middle = padded[..., 2 : count + 2 : 2]
    return ((outer + 4 * inner + 6 * middle) / 16).movedim(-1, dim)


def _doubled(planes: Tensor, size: torch.Size) -> Tensor:
    return functional.interpolate(planes, size=tuple(size), mode="bilinear", align_corners=False)
