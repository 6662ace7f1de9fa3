"""Picture files as arrays of their own depth, turned upright; what cannot be read exactly is refused by name."""

from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from active_matting.errors import FileError

PIXEL_LIMIT = 100_000_000
"""A picture of so many pixels or more is refused before it is decoded."""

Channels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W, C): grey; grey and opacity; RGB; RGB and opacity."""

ORIENTATION = 0x0112  # the EXIF tag


class Decoded(NamedTuple):
    """A picture, its colours not multiplied by its opacity unless the file keeps silent about that."""

    channels: Channels
    is_lossy: bool  # JPEG or WebP, by which a grey may come back slightly coloured


def decode(path: Path | str) -> Decoded:
    """All of a picture, with 8 or 16 bits per channel. Raises `FileError`; see `images` for what is refused."""
    with _opened(path) as stored:
        is_lossy = stored.format in ("JPEG", "MPO", "WEBP")
        raw_mode = str(stored.tile[0][3]) if stored.tile else ""
        turn = _load(stored, path)
        if ";16" in raw_mode and stored.mode in ("LA", "RGB", "RGBA"):  # Pillow drops the lower byte of colours
            channels = _deep_channels(path, stored.format, turn)
            return Decoded(_unmultiplied(channels) if "RGBa" in raw_mode else channels, is_lossy)
        return Decoded(_channels(ImageOps.exif_transpose(stored), stored.format, path), is_lossy)


def decode_indices(path: Path | str) -> NDArray[np.integer[Any]]:
    """(H, W): the places in its palette of a picture that has one, the stored values of a greyscale one.

    Raises `FileError` for any other.
    """
    with _opened(path) as stored:
        _load(stored, path)
        if stored.mode not in ("P", "L", "I;16"):
            raise FileError(f"{path} has colour mode {stored.mode}; a map of objects has a palette or greys")
        return np.asarray(ImageOps.exif_transpose(stored))


def _opened(path: Path | str) -> ImageFile:
    try:
        stored = Pillow.open(path)
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise FileError(f"{path} is a folder, not a picture") from error
    except UnidentifiedImageError as error:
        raise FileError(f"{path} is not a picture in a known format") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:  # far above our own limit
        raise FileError(f"{path} is too large: {error} {_LIMIT_WORDS}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    width, height = stored.size
    if width * height >= PIXEL_LIMIT:
        stored.close()
        raise FileError(f"{path} has {width}×{height} pixels. {_LIMIT_WORDS}")
    return stored


_LIMIT_WORDS = f"Only pictures of fewer than {PIXEL_LIMIT // 1_000_000} megapixels are read"


def _load(stored: ImageFile, path: Path | str) -> int:
    """Decode all of it: a truncated file fails here. How it lies, 1 for upright, as EXIF counts."""
    try:
        turn = stored.getexif().get(ORIENTATION, 1)  # comes first, since loading a TIFF turns it and forgets
        stored.load()
    except (OSError, SyntaxError, ValueError, IndexError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    return int(turn)


def _channels(picture: Pillow.Image, kind: str | None, path: Path | str) -> Channels:
    mode, has_clear_colour = picture.mode, "transparency" in picture.info
    if mode.startswith("I;16") or (mode == "I" and kind == "PNG"):  # older Pillows widen 16-bit PNGs
        if has_clear_colour:
            raise FileError(f"{path} has 16 bits and a transparent grey; save it with an alpha channel or without")
        return np.asarray(picture).astype(np.uint16)[..., None]
    if mode in ("1", "L", "LA"):
        plane = np.asarray(picture.convert("LA" if mode == "LA" or has_clear_colour else "L"))
        return plane if plane.ndim == 3 else plane[..., None]
    if mode in ("P", "PA", "RGB", "RGBA"):
        return np.asarray(picture.convert("RGBA" if picture.has_transparency_data else "RGB"))
    if mode == "CMYK":
        raise FileError(f"{path} has colour mode CMYK, inks whose colours depend on the press; convert it to RGB first")
    raise FileError(f"{path} has colour mode {mode}; a greyscale, palette, RGB or RGBA picture is needed")


def _deep_channels(path: Path | str, kind: str | None, turn: int) -> NDArray[np.uint16]:
    if kind == "TIFF" and turn != 1:  # OpenCV turns some of these, and fails at others
        raise FileError(f"{path} is a TIFF of 16 bits stored turned or mirrored; save it upright")
    stored = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 3:
        raise FileError(f"{path} cannot be read: OpenCV does not know this kind of 16-bit colours")
    order = [2, 1, 0] if stored.shape[2] == 3 else [2, 1, 0, 3]  # OpenCV has blue first
    return np.ascontiguousarray(_upright(stored[..., order], turn), dtype=np.uint16)


def _upright(stored: NDArray[Any], turn: int) -> NDArray[Any]:
    """What `ImageOps.exif_transpose` does, for an array."""
    if turn in (5, 6, 7, 8):
        stored = stored.transpose(1, 0, 2)
    if turn in (3, 4, 7, 8):
        stored = stored[::-1]
    if turn in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    return stored


def _unmultiplied(channels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Colours divided by opacity, as Pillow does it where a TIFF of 8 bits says that they were multiplied."""
    opacity = np.maximum(channels[..., 3:].astype(np.float64), 1)
    colours = np.minimum(np.rint(channels[..., :3] * (65535 / opacity)), 65535)
    return np.dstack([colours.astype(np.uint16), channels[..., 3]])
