"""Pictures of 16 and 32 bits, stored turned or premultiplied, and huge ones."""

import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from test_images import assert_refused, pixels, saved

from active_matting.data.images import read_alpha, read_cutout, read_image


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_of_16_bits_keeps_its_depth(tmp_path: Path, channels: int, suffix: str) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (4, 5, channels), dtype=np.uint16)
    path = tmp_path / f"deep{suffix}"
    assert cv2.imwrite(str(path), deep[..., ::-1])
    expected = np.broadcast_to(deep.astype(np.float32) / np.float32(65535), (4, 5, 3))
    np.testing.assert_array_equal(read_image(path), expected)


def test_a_cutout_of_16_bits_keeps_its_depth(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (4, 5, 4), dtype=np.uint16)
    assert cv2.imwrite(str(tmp_path / "deep.png"), deep[..., [2, 1, 0, 3]])
    colours, alpha = read_cutout(tmp_path / "deep.png")
    np.testing.assert_array_equal(np.dstack([colours, alpha]), deep.astype(np.float32) / np.float32(65535))
    assert_refused(read_image, tmp_path / "deep.png", "is partly transparent")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_of_16_bits_is_turned_like_one_of_8(tmp_path: Path, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    shallow = pixels(4, 6, 3)
    upright = read_image(saved(tmp_path / "8.png", shallow, exif=exif))
    assert cv2.imwrite(str(tmp_path / "16.png"), shallow[..., ::-1].astype(np.uint16) * 257)
    # Pillow cannot write 16-bit colours, so the chunk with the EXIF data is carried over by hand, behind the header.
    whole, with_exif = (tmp_path / "16.png").read_bytes(), (tmp_path / "8.png").read_bytes()
    start = with_exif.index(b"eXIf") - 4
    chunk = with_exif[start : start + 12 + int.from_bytes(with_exif[start : start + 4], "big")]
    (tmp_path / "turned.png").write_bytes(whole[:33] + chunk + whole[33:])
    np.testing.assert_allclose(read_image(tmp_path / "turned.png"), upright, atol=1e-6)


def tiff(path: Path, array: NDArray[Any], **tags: int) -> Path:
    """A TIFF of `(H, W, C)` with tags that no library here writes: ExtraSamples (338), Orientation (274)."""
    h, w, c = array.shape
    entries = {256: w, 257: h, 258: 0, 259: 1, 262: 2, 273: 0, 277: c, 278: h, 279: array.nbytes, 284: 1}
    entries.update({int(name[1:]): value for name, value in tags.items()})
    bits = 8 + 2 + 12 * len(entries) + 4
    entries[258], entries[273] = bits, bits + 2 * c
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, value in sorted(entries.items()):
        head += struct.pack("<HHII", tag, 3, c, value) if tag == 258 else struct.pack("<HHII", tag, 4, 1, value)
    depth = struct.pack(f"<{c}H", *[8 * array.itemsize] * c)
    path.write_bytes(head + struct.pack("<I", 0) + depth + array.tobytes())
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_that_says_its_colours_are_premultiplied_is_believed(tmp_path: Path, dtype: Any) -> None:
    top = np.iinfo(dtype).max
    stored = np.zeros((2, 3, 4), dtype=dtype)
    stored[..., 0], stored[..., 3] = top // 5, 2 * (top // 5)
    colours, alpha = read_cutout(tiff(tmp_path / "a.tif", stored, t338=1))
    np.testing.assert_allclose(colours[..., 0], 0.5, atol=1 / 255)
    np.testing.assert_allclose(alpha, 0.4, atol=1e-6)
    colours, _ = read_cutout(tiff(tmp_path / "b.tif", stored, t338=2))
    np.testing.assert_allclose(colours[..., 0], 0.2, atol=1e-6)


def test_a_turned_tiff_of_16_bits_is_refused(tmp_path: Path) -> None:
    path = tiff(tmp_path / "a.tif", np.zeros((2, 3, 3), dtype=np.uint16), t274=6)
    assert_refused(read_image, path, "is a TIFF of 16 bits stored turned or mirrored; save it upright")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
@pytest.mark.parametrize("read", [read_image, read_alpha])
def test_a_picture_of_32_bits_is_refused(tmp_path: Path, read: Callable[[Path], Any], dtype: Any) -> None:
    assert_refused(read, saved(tmp_path / "a.tif", np.ones((4, 5), dtype=dtype)), "a greyscale, palette, RGB or RGBA")


def test_a_picture_of_100_megapixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    words = "Only pictures of fewer than 100 megapixels are read"
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # Pillow's own, which refuses nothing yet
        assert_refused(read_image, path, f"has 10000×10000 pixels. {words}")
    assert_refused(read_image, path, words)  # where warnings are errors, as in these tests
    header = header.replace(struct.pack(">I", 10_000), struct.pack(">I", 40_000))
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", 0))
    assert_refused(read_alpha, path, words)
