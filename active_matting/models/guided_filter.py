"""The guided filter as a layer (He et al. 2013; Wu et al. 2018, "Fast End-to-End Trainable Guided Filter")."""

import torch
from torch import Tensor
from torch.nn import functional

from active_matting.models.layers import at_least_float32


def guided_filter(guide: Tensor, mask: Tensor, radius: int, epsilon: float) -> Tensor:
    """The mask as, in each window, the linear function of the guide nearest to it; the windows' functions averaged.

    guide, mask: `(N, 1, H, W)`. radius: of the windows, pixels, which the image's edge cuts. epsilon: added to the
    guide's variance. Differentiable in both. Windows are summed directly: differences of running sums, which the
    released network's filter takes, round more in float32 (1e-4 of the mask where this one is 2e-5 off). In half
    precision variances would be nothing but rounding: such planes are filtered, and answered, in float32.
    """
    guide, mask = at_least_float32(guide), at_least_float32(mask)
    count = _window_sums(torch.ones_like(mask[:1]), radius)
    mean_guide, mean_mask = _window_sums(guide, radius) / count, _window_sums(mask, radius) / count
    covariance = _window_sums(guide * mask, radius) / count - mean_guide * mean_mask
    variance = _window_sums(guide * guide, radius) / count - mean_guide * mean_guide
    slope = covariance / (variance + epsilon)
    offset = mean_mask - slope * mean_guide
    return (_window_sums(slope, radius) * guide + _window_sums(offset, radius)) / count


def _window_sums(plane: Tensor, radius: int) -> Tensor:
    """Sums over windows of 2 radius + 1 pixels a side, nothing being beyond the edge."""
    side = 2 * radius + 1
    rows = functional.avg_pool2d(plane, (side, 1), stride=1, padding=(radius, 0), divisor_override=1)
    return functional.avg_pool2d(rows, (1, side), stride=1, padding=(0, radius), divisor_override=1)
