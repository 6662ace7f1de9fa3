"""Reading and writing for commands about photographs."""

from pathlib import Path

from active_matting.colours import cut_out
from active_matting.data.images import (
    SUFFIXES,
    TRANSPARENT,
    check_suffix,
    read_alpha,
    to_bytes,
    write_alpha,
    write_picture,
)
from active_matting.errors import FileError
from active_matting.full_size import shrink
from active_matting.session import QuerySession
from active_matting.session.document import SessionDocument
from active_matting.solvers import Matte, Solver
from active_matting.types import Alpha, Image


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


def load_session(path: Path, photograph: Image, solver: Solver) -> QuerySession:
    """What was said in `path`, on the photograph shrunk to the size it was worked on. Raises `FileError`."""
    shape = SessionDocument.read(path).image.shape
    return QuerySession.load(path, shrink(photograph, max(shape)), solver)


def check_outputs(cutout: Path | None, alpha: Path | None) -> None:
    """Refuse, before any work, names under which `write_outputs` could not write. Raises `FileError`."""
    for path, kinds in ((cutout, TRANSPARENT), (alpha, SUFFIXES)):
        if path is not None:
            check_suffix(path, kinds)


def write_outputs(image: Image, matte: Matte, cutout: Path | None, alpha: Path | None) -> None:
    """Write the object as RGBA and the alpha where they are asked for, and say so. Raises `FileError`."""
    rgba = None if cutout is None else to_bytes(cut_out(image, matte))
    if alpha is not None:
        write_alpha(alpha, matte.alpha)
        print(f"alpha: {alpha}")
    if cutout is not None and rgba is not None:
        write_picture(cutout, rgba)
        print(f"cutout: {cutout}")
