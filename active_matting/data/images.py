"""Reading and writing pictures, strictly: what is not what it should be is refused, never guessed at."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import written_whole
from active_matting.types import Alpha, Image, Trimap, check_alpha, check_image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def read_image(path: Path | str) -> Image:
    """An 8-bit colour picture as float32 `(H, W, 3)` in [0, 1], turned upright as its EXIF data say.

    Raises `FileError` for a file that is missing, broken, greyscale, of 16 bits, or partly transparent.
    """
    picture = _open(path)
    if _is_16_bit(picture):
        raise FileError(f"{path} has 16 bits per channel; an 8-bit RGB image is needed")
    if picture.mode in ("L", "LA", "1"):
        raise FileError(f"{path} is greyscale; an 8-bit RGB image is needed")
    if picture.has_transparency_data:
        opacity = np.asarray(picture.convert("RGBA"))[..., 3]
        if opacity.min() < 255:
            raise FileError(f"{path} is partly transparent; an opaque 8-bit RGB image is needed")
    elif picture.mode not in ("RGB", "P"):
        raise FileError(f"{path} has colour mode {picture.mode}; an 8-bit RGB image is needed")
    return np.asarray(picture.convert("RGB"), dtype=np.float32) / np.float32(255)


def read_alpha(path: Path | str) -> Alpha:
    """A greyscale picture of 8 or 16 bits, or a colour one with equal channels, as float32 `(H, W)` in [0, 1].

    Raises `FileError` for a file that is missing, broken, or coloured.
    """
    picture = _open(path)
    if picture.mode in ("I;16", "I;16B", "I"):
        deep = np.asarray(picture).astype(np.float32) / np.float32(65535)
        return np.asarray(np.minimum(deep, 1), dtype=np.float32)
    if picture.mode in ("L", "1"):
        return np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)
    if picture.mode not in ("RGB", "P") or picture.has_transparency_data:
        raise FileError(f"{path} has colour mode {picture.mode}; an alpha must be an opaque greyscale picture")
    channels = np.asarray(picture.convert("RGB"))
    if np.ptp(channels.astype(np.int16), axis=2).max() > 0:
        raise FileError(f"{path} is coloured; an alpha must be a greyscale picture")
    return channels[..., 0].astype(np.float32) / np.float32(255)


def read_trimap(path: Path | str) -> Trimap:
    """A greyscale picture as 0 where it is black, 1 where it is white, 0.5 elsewhere. Raises `FileError`."""
    grey = read_alpha(path)
    return np.where((grey == 0) | (grey == 1), grey, np.float32(0.5))


def read_cutout(path: Path | str) -> tuple[Image, Alpha]:
    """Colours, float32 `(H, W, 3)`, and alpha, float32 `(H, W)`, of an RGBA picture. Raises `FileError`."""
    picture = _open(path)
    if picture.mode != "RGBA" or _is_16_bit(picture):
        raise FileError(f"{path} has colour mode {picture.mode}; a cut-out must be an 8-bit RGBA picture")
    channels = np.asarray(picture, dtype=np.float32) / np.float32(255)
    return np.ascontiguousarray(channels[..., :3]), np.ascontiguousarray(channels[..., 3])


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
    if Path(path).suffix.lower() not in SUFFIXES:
        raise FileError(f"{path} must end in one of {', '.join(SUFFIXES)}")
    with written_whole(path) as temporary:
        Pillow.fromarray(pixels).save(temporary)


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values in [0, 1] as uint8, rounded to the nearest of 256 levels.

    >>> to_bytes(np.float32([0, 0.5, 1])).tolist()
    [0, 128, 255]
    """
    return np.asarray(np.floor(values * np.float32(255) + np.float32(0.5)), dtype=np.uint8)


def _open(path: Path | str) -> Any:
    try:
        with Pillow.open(path) as stored:
            stored.load()  # decodes all of it: a truncated file fails here
            is_deep = _is_16_bit(stored)
            picture = ImageOps.exif_transpose(stored)
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise FileError(f"{path} is a folder, not a picture") from error
    except UnidentifiedImageError as error:
        raise FileError(f"{path} is not a picture in a known format") from error
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    picture.info["is_deep"] = is_deep
    return picture


def _is_16_bit(picture: Any) -> bool:
    """Pillow silently halves the depth of 16-bit colour PNGs; their raw mode still tells."""
    if "is_deep" in picture.info:
        return bool(picture.info["is_deep"])
    if picture.mode.startswith(("I", "F")):
        return True
    if picture.format != "PNG":
        return False
    with open(picture.filename, "rb") as file:
        header = file.read(25)
    return header[24] == 16  # the bit depth in the PNG header
