"""Other light on the foreground and on the background, and what a camera and its files do to their composite."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.augmentation.layers import Layers
from active_matting.errors import InvalidArgumentError
from active_matting.types import Image

_GREY = np.array([0.299, 0.587, 0.114])  # what each channel gives to the brightness, Rec. 601


@dataclass(frozen=True)
class Light:
    """How far colours may change, each way. Raises `InvalidArgumentError`.

    probability: that a layer changes at all. gamma: drawn from 1 / gamma to gamma, evenly in its logarithm. brightness,
    saturation: factors from 1 − b to 1 + b. hue: degrees around the grey axis.
    """

    probability: float = 0.8
    gamma: float = 1.4
    brightness: float = 0.2
    saturation: float = 0.3
    hue: float = 10.0

    def __post_init__(self) -> None:
        if not (0 <= self.probability <= 1 and 0 <= self.brightness < 1 and 0 <= self.saturation <= 1):
            raise InvalidArgumentError(
                f"probability and saturation must lie in [0, 1], brightness in [0, 1); got {self.probability}, "
                f"{self.saturation}, {self.brightness}"
            )
        if self.gamma < 1 or not 0 <= self.hue <= 180:
            raise InvalidArgumentError(f"gamma must be at least 1, hue in [0, 180]; got {self.gamma}, {self.hue}")


@dataclass(frozen=True)
class Camera:
    """How often the composite is blurred, with a standard deviation in pixels out of `sigma`, and compressed as JPEG.

    quality: the JPEG's, from 1 to 100. The ranges are drawn from evenly. Raises `InvalidArgumentError`.
    """

    blur: float = 0.2
    sigma: tuple[float, float] = (0.4, 1.2)
    jpeg: float = 0.3
    quality: tuple[int, int] = (50, 95)

    def __post_init__(self) -> None:
        if not (0 <= self.blur <= 1 and 0 <= self.jpeg <= 1):
            raise InvalidArgumentError(f"blur and jpeg must be probabilities, got {self.blur} and {self.jpeg}")
        if not (0 < self.sigma[0] <= self.sigma[1] and 1 <= self.quality[0] <= self.quality[1] <= 100):
            raise InvalidArgumentError(
                f"sigma must be two positive numbers in order, quality two from 1 to 100; "
                f"got {self.sigma} and {self.quality}"
            )


def change_light(layers: Layers, rng: np.random.Generator, light: Light | None = None) -> Layers:
    """The layers with gamma, brightness, saturation and hue changed, the foreground's and the background's apart.

    Thesis, sec. 4.3.6 (gamma and brightness). Objects and scenes come from pictures taken under lights that have
    nothing to do with each other, so neither follows the other; and since the layers change rather than their
    composite, alpha stays true: a gamma does not commute with blending.
    """
    light = light or Light()
    foreground = in_other_light(layers.foreground, rng, light)
    return replace(layers, foreground=foreground, background=in_other_light(layers.background, rng, light))


def photograph(image: Image, rng: np.random.Generator, camera: Camera | None = None) -> Image:
    """The composite, float32 `(H, W, 3)`, perhaps blurred and perhaps compressed; alpha is that of before.

    Both make networks that learn from composites do better on photographs (thesis, sec. 2.4.1, of Hou & Liu 2019).
    After them the image is no longer exactly what its layers make up.
    """
    camera = camera or Camera()
    if rng.random() < camera.blur:
        image = blurred(image, rng.uniform(*camera.sigma))
    if rng.random() < camera.jpeg:
        image = compressed(image, int(rng.integers(camera.quality[0], camera.quality[1] + 1)))
    return image


def relit(colours: Image, gamma: float, brightness: float, saturation: float, hue: float) -> Image:
    """Colours, float32 `(H, W, 3)` in [0, 1], in another light: turned around grey, scaled, clipped, to the `gamma`.

    gamma: the exponent, above 0; brightness, saturation: factors; hue: degrees. 1, 1, 1, 0 change nothing.
    """
    changed = np.asarray(cv2.transform(colours, brightness * _colour_matrix(saturation, hue)))
    np.clip(changed, 0, 1, out=changed)
    return np.asarray(cv2.pow(changed, gamma, dst=changed), dtype=np.float32)


def blurred(image: Image, sigma: float) -> Image:
    """The image, float32 `(H, W, 3)`, under a Gaussian of standard deviation `sigma` pixels."""
    return np.clip(np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32), 0, 1)


def compressed(image: Image, quality: int) -> Image:
    """The image, float32 `(H, W, 3)` in [0, 1], as it comes out of an 8-bit JPEG file of a quality from 1 to 100."""
    levels = np.rint(255 * image[..., ::-1]).astype(np.uint8)  # OpenCV's files begin with blue
    _, file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(file, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.multiply(decoded[..., ::-1], np.float32(1 / 255), dtype=np.float32, order="C")


def in_other_light(colours: Image, rng: np.random.Generator, light: Light) -> Image:
    """Colours, float32 `(H, W, 3)`, in another light drawn at random."""
    gamma, brightness, saturation, hue = rng.uniform(-1, 1, 4)  # drawn in any case, so that draws do not shift
    if rng.random() >= light.probability:
        return colours
    return relit(
        colours,
        float(light.gamma**gamma),
        float(1 + light.brightness * brightness),
        float(1 + light.saturation * saturation),
        float(light.hue * hue),
    )


def _colour_matrix(saturation: float, hue: float) -> NDArray[np.float64]:
    """`(3, 3)`: a turn by `hue` degrees around the axis of greys (Rodrigues' formula), then nearer to or off grey."""
    angle = np.radians(hue)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = np.eye(3) * np.cos(angle) + np.sin(angle) * cross + (1 - np.cos(angle)) / 3
    return np.asarray((saturation * np.eye(3) + (1 - saturation) * _GREY) @ turn)
