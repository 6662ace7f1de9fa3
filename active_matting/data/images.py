"""Reading and writing pictures, strictly: what is not what it should be is refused, never guessed at.

| a file that is | as an image | as an alpha or trimap | as a cut-out |
|---|---|---|---|
| of 16 bits per channel | value / 65535 | value / 65535 | value / 65535 |
| of 32 bits or of floats | refused | refused | refused |
| with a palette | its colours | its colours, which must be grey | its colours, if some are transparent |
| greyscale | repeated into R, G and B | as it is | repeated, if it has an alpha channel |
| for print (CMYK) | refused: its colours depend on the press | refused | refused |
| turned by EXIF data | turned upright, and so is its size | the same | the same |
| with an alpha channel | refused, unless it is opaque everywhere | the same | needed |
| premultiplied | – | – | undone where the file or `premultiplied=True` says so |
| of 100 megapixels or more | refused before it is decoded | the same | the same |
| truncated, empty, a folder, no picture | refused | refused | refused |
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from active_matting.data.decoding import Channels, decode, decode_indices
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import written_whole
from active_matting.types import Alpha, Image, Trimap, check_alpha, check_image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
TRANSPARENT = (".png", ".webp", ".tif", ".tiff")
"""Those of `SUFFIXES` whose pictures may have an alpha."""

LOSSY_TINT = 8 / 255
"""By how much the channels of a grey may differ after JPEG or WebP compression, which rounds hue and light apart."""


def read_image(path: Path | str, *, ignore_opacity: bool = False) -> Image:
    """A picture as float32 `(H, W, 3)` in [0, 1], upright; this file's beginning says which.

    ignore_opacity: take the colours of a partly transparent picture as they are stored. Raises `FileError`.
    """
    values = _scaled(decode(path).channels)
    if values.shape[2] in (2, 4) and not ignore_opacity and values[..., -1].min() < 1:
        raise FileError(f"{path} is partly transparent; an opaque picture is needed, or read it as a cut-out")
    return _colours(values)


def read_alpha(path: Path | str) -> Alpha:
    """A greyscale picture, or a colour one with equal channels, as float32 `(H, W)` in [0, 1]; see this file's top.

    Channels that JPEG or WebP tinted by up to `LOSSY_TINT` are averaged. Raises `FileError`.
    """
    channels, is_lossy = decode(path)
    if channels.shape[2] in (2, 4):
        if channels[..., -1].min() < np.iinfo(channels.dtype).max:
            raise FileError(f"{path} is partly transparent; an alpha must be an opaque greyscale picture")
        channels = channels[..., :-1]
    if all(np.array_equal(channels[..., 0], channels[..., other]) for other in range(1, channels.shape[2])):
        return np.ascontiguousarray(_scaled(channels[..., 0]))
    values = _scaled(channels)
    if not is_lossy or np.ptp(values, axis=2).max() > LOSSY_TINT + 1e-6:
        raise FileError(f"{path} is coloured; an alpha must be a greyscale picture")
    return np.asarray(values.mean(axis=2), dtype=np.float32)


def read_trimap(path: Path | str) -> Trimap:
    """A greyscale picture as 0 where it is black, 1 where it is white, 0.5 elsewhere. Raises `FileError`."""
    grey = read_alpha(path)
    return np.where((grey == 0) | (grey == 1), grey, np.float32(0.5))


def read_cutout(path: Path | str, *, premultiplied: bool = False) -> tuple[Image, Alpha]:
    """Colours, float32 `(H, W, 3)`, and alpha, float32 `(H, W)`, of a picture with an alpha channel.

    premultiplied: the colours were multiplied by alpha, so divide them by it; where alpha is 0 they are black. A PNG
    cannot say so, a TIFF that does is believed. Raises `FileError`, also where a colour exceeds its alpha, which no
    premultiplied one does.
    """
    values = _scaled(decode(path).channels)
    if values.shape[2] not in (2, 4):
        raise FileError(f"{path} has no alpha channel; a cut-out must have one, as RGBA pictures do")
    colours, alpha = _colours(values), np.ascontiguousarray(values[..., -1])
    if premultiplied:
        if not can_be_premultiplied(colours, alpha):
            raise FileError(f"{path} has colours above their alpha; it is not premultiplied")
        colours = np.divide(colours, alpha[..., None], out=np.zeros_like(colours), where=alpha[..., None] > 0)
        colours = np.minimum(colours, 1)
    return colours, alpha


def read_objects(path: Path | str) -> NDArray[np.integer]:
    """A map of objects, (H, W): places in a palette, or the stored values of a greyscale picture. `FileError`."""
    return decode_indices(path)


def can_be_premultiplied(colours: Image, alpha: Alpha) -> bool:
    """Whether no colour exceeds its alpha, but for rounding to 8 bits. It may be so by chance, too."""
    return bool((colours <= alpha[..., None] + np.float32(1.01 / 255)).all())


def write_image(path: Path | str, image: Image) -> None:
    """Write `(H, W, 3)` in [0, 1] as 8 bits; the format follows the suffix. Raises `FileError`."""
    write_picture(path, to_bytes(check_image(image)))


def write_alpha(path: Path | str, alpha: Alpha, bits: int = 8) -> None:
    """Write `(H, W)` in [0, 1] as greyscale of 8 or, as PNG or TIFF, 16 bits; the format follows the suffix.

    Raises `FileError`, `InvalidArgumentError`.
    """
    alpha = check_alpha(alpha)
    if bits not in (8, 16):
        raise InvalidArgumentError(f"bits must be 8 or 16, got {bits!r}")
    if bits == 8:
        write_picture(path, to_bytes(alpha))
    elif Path(path).suffix.lower() not in (".png", ".tif", ".tiff"):
        raise FileError(f"{path} must end in .png, .tif or .tiff to hold 16 bits")
    else:
        write_picture(path, np.floor(alpha.astype(np.float64) * 65535 + 0.5).astype(np.uint16))


def write_picture(path: Path | str, pixels: NDArray[np.uint8 | np.uint16]) -> None:
    """Write uint8 `(H, W)`, `(H, W, 3)` or RGBA `(H, W, 4)`, or uint16 `(H, W)`; the format follows the suffix.

    Raises `FileError`.
    """
    check_suffix(path, SUFFIXES)
    with written_whole(path) as temporary:
        Pillow.fromarray(pixels).save(temporary)


def check_suffix(path: Path | str, kinds: Collection[str]) -> None:
    """Raise `FileError` unless the path ends in one of `kinds`, such as `SUFFIXES`."""
    if Path(path).suffix.lower() not in kinds:
        raise FileError(f"{path} must end in one of {', '.join(kinds)}")


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in [0, 1] as uint8, rounded to the nearest of 256 levels.

    >>> to_bytes(np.float32([0, 0.5, 1])).tolist()
    [0, 128, 255]
    """
    levels = values * np.float32(255)
    levels += np.float32(0.5)
    return np.asarray(levels, dtype=np.uint8)  # which cuts off


def _scaled(stored: Channels) -> NDArray[np.float32]:
    """What is stored in 8 or 16 bits, in [0, 1]."""
    return stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max)


def _colours(values: NDArray[np.float32]) -> Image:
    if values.shape[2] < 3:
        return np.repeat(values[..., :1], 3, axis=2)
    return np.ascontiguousarray(values[..., :3])
