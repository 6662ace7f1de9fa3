"""Photographs that are worked on at another size than their own."""

from pathlib import Path

import cv2
import numpy as np

from active_matting.colours import cut_out
from active_matting.data.images import SUFFIXES, TRANSPARENT, read_alpha, to_bytes, write_alpha, write_picture
from active_matting.errors import FileError
from active_matting.files import read_json
from active_matting.session import Agent, QuerySession
from active_matting.solvers import Matte, Solver
from active_matting.types import Alpha, Image


def shrink(picture: Image, longest: int) -> Image:
    """The picture, `(H, W)` or `(H, W, 3)`, with its longer side at most `longest` pixels, by area."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.clip(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), 0, 1).astype(np.float32)


def enlarge(alpha: Alpha, shape: tuple[int, ...]) -> Alpha:
    """The alpha at `shape` (H, W, ...), linearly interpolated."""
    height, width = shape[:2]
    return np.clip(cv2.resize(alpha, (width, height)), 0, 1).astype(np.float32)


def read_alpha_of(path: Path, image: Image) -> Alpha:
    """The alpha in `path`. Raises `FileError` unless it has the image's size."""
    alpha = read_alpha(path)
    check_size(alpha, path, image)
    return alpha


def check_size(plane: Alpha, path: Path, image: Image) -> None:
    """Raise `FileError` unless `plane`, read from `path`, has the image's size."""
    height, width = image.shape[:2]
    if plane.shape != (height, width):
        raise FileError(f"{path} must have the image's size {width}×{height}, got {plane.shape[1]}×{plane.shape[0]}")


def load_session(path: Path, photograph: Image, solver: Solver, agent: Agent | None = None) -> QuerySession:
    """The session in `path`, on the photograph shrunk to the size it was worked on. Raises `FileError`."""
    content = read_json(path)
    shape = content.get("shape") if isinstance(content, dict) else None
    if not isinstance(shape, list) or not all(isinstance(side, int) and side > 0 for side in shape) or not shape:
        raise FileError(f"{path} is not a session")
    return QuerySession.load(path, shrink(photograph, max(shape)), solver, agent)


def check_outputs(cutout: Path | None, alpha: Path | None) -> None:
    """Refuse, before any work, names under which `write_outputs` could not write. Raises `FileError`."""
    for path, kinds in ((cutout, TRANSPARENT), (alpha, SUFFIXES)):
        if path is not None and path.suffix.lower() not in kinds:
            raise FileError(f"{path} must end in one of {', '.join(kinds)}")


def write_outputs(image: Image, matte: Matte, cutout: Path | None, alpha: Path | None) -> None:
    """Write the object as RGBA and the alpha where they are asked for, and say so. Raises `FileError`."""
    rgba = None if cutout is None else to_bytes(cut_out(image, matte))
    if alpha is not None:
        write_alpha(alpha, matte.alpha)
        print(f"alpha: {alpha}")
    if cutout is not None and rgba is not None:
        write_picture(cutout, rgba)
        print(f"cutout: {cutout}")
