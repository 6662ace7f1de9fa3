"""From the size at which a network works back to the image's."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.models.layers import resize
from active_matting.types import Alpha, Image

Array = NDArray[np.float32]


def joint_upsampling(alpha: Alpha, image: Image, radius: int = 1, epsilon: float = 1e-4) -> Alpha:
    """A small alpha at the size of its image, by whose colours it is drawn (the fast guided filter, He and Sun 2015).

    alpha: float32 `(h, w)`; image: float32 `(H, W, 3)`. At the small size each window of 2 radius + 1 pixels gets the
    linear function of the colours nearest to alpha; these functions, averaged and enlarged, are applied to the image.
    epsilon: what is added to the colours' variances. Returns float32 `(H, W)` in [0, 1].
    """
    h, w = alpha.shape
    height, width = image.shape[:2]
    small = np.asarray(cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA), dtype=np.float64)
    mean, mean_alpha = _means(small, radius), _means(alpha.astype(np.float64), radius)
    products = _means((small[..., :, None] * small[..., None, :]).reshape(h, w, 9), radius).reshape(h, w, 3, 3)
    covariance = products - mean[..., :, None] * mean[..., None, :] + epsilon * np.eye(3)
    with_alpha = _means(small * alpha[..., None], radius) - mean * mean_alpha[..., None]
    slopes = np.linalg.solve(covariance, with_alpha[..., None])[..., 0]
    offsets = mean_alpha - (slopes * mean).sum(axis=2)
    lines = _means(np.dstack([slopes, offsets]), radius).astype(np.float32)
    large = cv2.resize(lines, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip((large[..., :3] * image).sum(axis=2) + large[..., 3], 0, 1), dtype=np.float32)


def upsample_alpha(alpha: Tensor, image: Image, *, guided: bool) -> Tensor:
    """The alpha `(1, 1, h, w)` as `(1, 1, H, W)`; with `guided` by `joint_upsampling` where that is larger."""
    if guided and alpha.shape[2] * alpha.shape[3] < image.shape[0] * image.shape[1]:
        found = joint_upsampling(alpha[0, 0].cpu().numpy(), image)
        return torch.from_numpy(found)[None, None].to(alpha.device)
    return resize_planes(alpha, (image.shape[0], image.shape[1]))


def resize_planes(planes: Tensor, shape: tuple[int, int]) -> Tensor:
    """Planes `(1, C, h, w)` in [0, 1] as `(1, C, H, W)`, interpolated linearly; smoothed first where they shrink."""
    if planes.shape[2:] == shape:
        return planes
    if planes.shape[2] * planes.shape[3] <= shape[0] * shape[1]:
        return resize(planes, shape)
    return torch.nn.functional.interpolate(planes, size=shape, mode="bilinear", antialias=True).clamp(0, 1)


def _means(planes: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Means over windows, which the image's edge cuts: `(h, w)` or `(h, w, C)`."""

    def sums(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        side = (2 * radius + 1, 2 * radius + 1)
        found = cv2.boxFilter(np.ascontiguousarray(plane), -1, side, normalize=False, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(found, dtype=np.float64)

    counts = sums(np.ones(planes.shape[:2]))
    channels = planes.reshape(*planes.shape[:2], -1)
    means = [sums(channels[..., i]) / counts for i in range(channels.shape[2])]
    return np.dstack(means).reshape(planes.shape)
