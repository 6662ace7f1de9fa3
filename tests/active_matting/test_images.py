"""Pictures come back as they were written, and what is not what it should be is refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from active_matting.data.images import (
    read_alpha,
    read_cutout,
    read_image,
    read_objects,
    read_trimap,
    to_bytes,
    write_alpha,
    write_image,
    write_picture,
)
from active_matting.errors import FileError, InvalidArgumentError, InvalidArrayError


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(path: Path, array: NDArray[Any], mode: str | None = None, **options: Any) -> Path:
    picture = Pillow.fromarray(array)
    (picture if mode is None else picture.convert(mode)).save(path, **options)
    return path


def assert_refused(read: Callable[[Path], Any], path: Path, reason: str) -> None:
    with pytest.raises(FileError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


def test_a_png_image_comes_back_exactly(tmp_path: Path) -> None:
    image = pixels(5, 7, 3).astype(np.float32) / np.float32(255)
    write_image(tmp_path / "a.png", image)
    read = read_image(tmp_path / "a.png")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, image)


def test_a_png_alpha_comes_back_exactly(tmp_path: Path) -> None:
    alpha = pixels(5, 7).astype(np.float32) / np.float32(255)
    write_alpha(tmp_path / "a.png", alpha)
    read = read_alpha(str(tmp_path / "a.png"))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, alpha)


def test_other_formats_can_be_written_and_read(tmp_path: Path) -> None:
    image = np.full((16, 16, 3), 0.4, dtype=np.float32)
    for suffix in (".jpg", ".JPEG", ".bmp", ".webp", ".tif"):
        write_image(tmp_path / f"a{suffix}", image)
        np.testing.assert_allclose(read_image(tmp_path / f"a{suffix}"), image, atol=0.02)


def test_values_are_rounded_to_the_nearest_level() -> None:
    values = np.array([0, 0.49 / 255, 0.51 / 255, 127.49 / 255, 127.51 / 255, 1], dtype=np.float32)
    assert to_bytes(values).tolist() == [0, 0, 1, 127, 128, 255]
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_bytes(levels.astype(np.float32) / np.float32(255)), levels)


@pytest.mark.parametrize("read", [read_image, read_alpha, read_trimap, read_cutout])
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    assert_refused(read, tmp_path / "missing.png", "does not exist")
    assert_refused(read, tmp_path, "is a folder, not a picture")
    (tmp_path / "text.png").write_text("not a picture")
    assert_refused(read, tmp_path / "text.png", "is not a picture in a known format")
    (tmp_path / "empty.png").touch()
    assert_refused(read, tmp_path / "empty.png", "is not a picture in a known format")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("read", [read_image, read_alpha])
def test_a_truncated_picture_is_refused(tmp_path: Path, read: Callable[[Path], Any], suffix: str) -> None:
    whole = saved(tmp_path / f"whole{suffix}", pixels(64, 64, 3)).read_bytes()
    path = tmp_path / f"half{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    assert_refused(read, path, "cannot be read: ")


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_a_greyscale_picture_is_an_image_of_equal_channels(tmp_path: Path, mode: str) -> None:
    grey = pixels(4, 5)
    if mode == "1":
        grey = np.where(grey > 99, 255, 0).astype(np.uint8)
    read = read_image(saved(tmp_path / "grey.png", grey, mode))
    np.testing.assert_array_equal(to_bytes(read), np.stack([grey] * 3, axis=2))
    assert read.flags.c_contiguous


def test_a_partly_transparent_picture_is_no_image(tmp_path: Path) -> None:
    channels = pixels(4, 5, 4)
    channels[..., 3] = 255
    channels[2, 2, 3] = 254
    path = saved(tmp_path / "a.png", channels)
    assert_refused(read_image, path, "is partly transparent; an opaque picture is needed, or read it as a cut-out")


def test_a_transparent_colour_of_a_palette_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.zeros((4, 5), dtype=np.uint8), "P", transparency=0)
    assert_refused(read_image, path, "is partly transparent")


def test_a_picture_for_print_is_no_image(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", pixels(8, 8, 3), "CMYK")
    for read in (read_image, read_alpha, read_cutout):
        assert_refused(read, path, "has colour mode CMYK, inks whose colours depend on the press")


def test_a_fully_opaque_picture_with_an_alpha_channel_is_an_image(tmp_path: Path) -> None:
    channels = pixels(4, 5, 4)
    channels[..., 3] = 255
    read = read_image(saved(tmp_path / "a.png", channels))
    np.testing.assert_array_equal(to_bytes(read), channels[..., :3])


def test_a_palette_picture_is_an_image(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [0, 128, 0]], [[1, 2, 3], [255, 0, 0]]], dtype=np.uint8)
    path = tmp_path / "a.png"
    Pillow.fromarray(colours).quantize(3).save(path)
    with Pillow.open(path) as stored:
        assert stored.mode == "P"
    np.testing.assert_array_equal(to_bytes(read_image(path)), colours)


@pytest.mark.parametrize(
    ("orientation", "turns", "is_mirrored"),
    [(1, 0, False), (2, 0, True), (3, 2, False), (6, -1, False), (8, 1, False)],
)
def test_a_picture_is_turned_upright_as_its_exif_data_say(
    tmp_path: Path, orientation: int, turns: int, is_mirrored: bool
) -> None:
    stored = pixels(4, 6, 3)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    upright = np.rot90(stored, turns)  # counter-clockwise
    if is_mirrored:
        upright = upright[:, ::-1]
    np.testing.assert_array_equal(to_bytes(read_image(saved(tmp_path / "a.png", stored, exif=exif))), upright)


def test_an_alpha_of_16_bits_keeps_its_depth(tmp_path: Path) -> None:
    deep = np.array([[0, 1, 30_000], [65_534, 65_535, 257]], dtype=np.uint16)
    assert cv2.imwrite(str(tmp_path / "deep.png"), deep)
    np.testing.assert_allclose(read_alpha(tmp_path / "deep.png"), deep / 65_535, rtol=1e-6)


def test_an_alpha_written_with_16_bits_comes_back_to_their_depth(tmp_path: Path) -> None:
    alpha = np.linspace(0, 1, 3000, dtype=np.float32).reshape(30, 100)
    write_alpha(tmp_path / "a.png", alpha, bits=16)
    np.testing.assert_allclose(read_alpha(tmp_path / "a.png"), alpha, atol=0.5 / 65535 + 1e-7)
    with pytest.raises(FileError, match=r"a\.jpg must end in \.png, \.tif or \.tiff to hold 16 bits"):
        write_alpha(tmp_path / "a.jpg", alpha, bits=16)
    with pytest.raises(InvalidArgumentError, match="bits must be 8 or 16, got 12"):
        write_alpha(tmp_path / "a.png", alpha, bits=12)


def test_an_alpha_may_have_equal_colour_channels(tmp_path: Path) -> None:
    grey = pixels(4, 5)
    path = saved(tmp_path / "a.png", np.stack([grey] * 3, axis=2))
    np.testing.assert_array_equal(to_bytes(read_alpha(path)), grey)


def test_an_alpha_may_be_black_and_white(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.array([[0, 255], [255, 0]], dtype=np.uint8), "1")
    assert read_alpha(path).tolist() == [[0, 1], [1, 0]]


def test_a_coloured_alpha_is_refused(tmp_path: Path) -> None:
    channels = np.zeros((4, 5, 3), dtype=np.uint8)
    channels[3, 4, 2] = 1
    path = saved(tmp_path / "a.png", channels)
    assert_refused(read_alpha, path, "is coloured; an alpha must be a greyscale picture")


def test_a_trimap_has_three_values(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.array([[0, 1, 128, 254, 255]], dtype=np.uint8))
    assert read_trimap(path).tolist() == [[0, 0.5, 0.5, 0.5, 1]]


def test_a_cutout_has_colours_and_alpha(tmp_path: Path) -> None:
    channels = pixels(4, 5, 4)
    colours, alpha = read_cutout(saved(tmp_path / "a.png", channels))
    np.testing.assert_array_equal(to_bytes(colours), channels[..., :3])
    np.testing.assert_array_equal(to_bytes(alpha), channels[..., 3])


def test_a_picture_without_an_alpha_channel_is_no_cutout(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", pixels(4, 5, 3))
    assert_refused(read_cutout, path, "has no alpha channel; a cut-out must have one, as RGBA pictures do")


def test_greyscale_and_palette_pictures_with_transparency_are_cutouts(tmp_path: Path) -> None:
    channels = pixels(4, 5, 2)
    Pillow.fromarray(channels, "LA").save(tmp_path / "la.png")
    colours, alpha = read_cutout(tmp_path / "la.png")
    np.testing.assert_array_equal(to_bytes(colours), np.repeat(channels[..., :1], 3, axis=2))
    np.testing.assert_array_equal(to_bytes(alpha), channels[..., 1])
    path = saved(tmp_path / "p.png", np.array([[0, 9]], dtype=np.uint8), "P", transparency=0)
    assert read_cutout(path)[1].tolist() == [[0, 1]]


def test_premultiplied_colours_are_divided_by_alpha_where_one_says_so(tmp_path: Path) -> None:
    stored = np.array([[[0, 0, 0, 0], [51, 0, 102, 102], [255, 51, 0, 255]]], dtype=np.uint8)
    path = saved(tmp_path / "a.png", stored)
    colours, alpha = read_cutout(path, premultiplied=True)
    np.testing.assert_allclose(colours, np.array([[[0, 0, 0], [0.5, 0, 1], [1, 0.2, 0]]]), atol=1e-6)
    np.testing.assert_allclose(alpha, [[0, 0.4, 1]], atol=1e-6)
    np.testing.assert_array_equal(to_bytes(read_cutout(path)[0]), stored[..., :3])


def test_colours_above_their_alpha_are_not_premultiplied(tmp_path: Path) -> None:
    stored = np.array([[[100, 0, 0, 99], [255, 51, 0, 255]]], dtype=np.uint8)
    path = saved(tmp_path / "a.png", stored)
    colours, _ = read_cutout(path, premultiplied=True)  # a level too many is what rounding may do
    assert colours.max() == 1
    stored[0, 0, 3] = 97
    path = saved(tmp_path / "b.png", stored)
    with pytest.raises(FileError, match=r"b\.png has colours above their alpha; it is not premultiplied"):
        read_cutout(path, premultiplied=True)


def test_a_grey_tinted_by_jpeg_compression_is_an_alpha(tmp_path: Path) -> None:
    grey = cv2.GaussianBlur(pixels(40, 40), (0, 0), 4)
    path = saved(tmp_path / "a.jpg", np.stack([grey, grey, np.minimum(grey, 253) + 2], axis=2), quality=100)
    read = read_alpha(path)
    np.testing.assert_allclose(read, grey / np.float32(255), atol=0.02)
    assert_refused(read_alpha, saved(tmp_path / "b.jpg", pixels(40, 40, 3)), "is coloured")


def test_an_alpha_may_have_an_opaque_alpha_channel_of_its_own(tmp_path: Path) -> None:
    grey = pixels(4, 5)
    path = saved(tmp_path / "a.png", np.dstack([grey, grey, grey, np.full_like(grey, 255)]))
    np.testing.assert_array_equal(to_bytes(read_alpha(path)), grey)
    path = saved(tmp_path / "b.png", np.dstack([grey, grey, grey, grey]))
    assert_refused(read_alpha, path, "is partly transparent; an alpha must be an opaque greyscale picture")


def test_a_map_of_objects_keeps_its_numbers(tmp_path: Path) -> None:
    numbers = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    coloured = Pillow.fromarray(numbers, "P")
    coloured.putpalette(list(range(256)) * 3)
    coloured.save(tmp_path / "a.png")
    assert read_objects(tmp_path / "a.png").tolist() == numbers.tolist()
    assert read_objects(saved(tmp_path / "b.png", numbers)).tolist() == numbers.tolist()
    assert_refused(read_objects, saved(tmp_path / "c.png", pixels(4, 5, 3)), "a map of objects has a palette")


def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    with pytest.raises(FileError, match=r"a\.xyz must end in one of \.png, \.jpg"):
        write_picture(path, pixels(4, 5, 3))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=f"cannot write {tmp_path / 'file' / 'a.png'}"):
        write_picture(tmp_path / "file" / "a.png", pixels(4, 5, 3))


def test_only_images_and_alphas_are_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidArrayError, match="image must lie in"):
        write_image(tmp_path / "a.png", np.full((4, 5, 3), 255, dtype=np.float32))
    with pytest.raises(InvalidArrayError, match=r"alpha must have shape \(H, W\)"):
        write_alpha(tmp_path / "a.png", np.zeros((4, 5, 3), dtype=np.float32))
    assert list(tmp_path.iterdir()) == []
