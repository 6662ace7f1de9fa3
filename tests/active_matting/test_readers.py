"""Every reader keeps the same promises, on small made-up folders and on the real sets where they are."""

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
from made_up import SETS, H, MadeUp, W, image, mask, put, save
from PIL import Image as Pillow

from active_matting.data import SOURCES, make_data
from active_matting.data.layouts import guess_reader
from active_matting.data.listed import Listed
from active_matting.errors import FileError, InvalidArgumentError, SizeMismatchError

REAL = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture(params=SETS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, MadeUp]:
    """A data set's name, its folder, and what is in there."""
    return request.param, tmp_path, SETS[request.param](tmp_path)


def open_set(made: tuple[str, Path, MadeUp], **options: object) -> Listed:
    name, root, content = made
    keywords = {"path": str(root), **content.options, **options}
    source = make_data(name, **json.loads(json.dumps(keywords)))
    assert isinstance(source, Listed)
    return source


def test_all_listed_readers_are_in_these_tests() -> None:
    made = {name: SOURCES.resolve(name) for name in SOURCES.names()}
    listed = {name for name, each in made.items() if isinstance(each, type) and issubclass(each, Listed)}
    assert listed == set(SETS)


def test_samples_come_in_order_with_image_alpha_and_trimap(made: tuple[str, Path, MadeUp]) -> None:
    source, content = open_set(made), made[2]
    assert len(source) == len(content.names)
    samples = list(source)
    assert [sample.name for sample in samples] == content.names
    for sample in samples:
        assert sample.shape == (H, W)
        assert sample.alpha.max() == 1
        assert 0.3 < sample.image.mean() < 0.9
    assert (samples[0].trimap is not None) == content.trimaps
    assert source.lacking == ()
    with pytest.raises(IndexError):
        source[len(source)]


def test_sources_of_equal_arguments_are_equal_and_travel(made: tuple[str, Path, MadeUp]) -> None:
    source = open_set(made)
    again = pickle.loads(pickle.dumps(source))
    assert again == source == open_set(made)
    assert hash(again) == hash(source)
    assert again[0].name == source[0].name


def test_a_missing_file_is_counted_and_named_once(
    made: tuple[str, Path, MadeUp], caplog: pytest.LogCaptureFixture
) -> None:
    _, root, content = made
    (root / content.needed).unlink()
    some = content.needed.rpartition(".")[0]
    with pytest.raises(FileError, match=rf"{content.lost} of \d+ samples in .* lack files: ") as caught:
        open_set(made)
    assert some in str(caught.value)
    if len(content.names) == content.lost:
        return
    with caplog.at_level(logging.WARNING):
        source = open_set(made, missing="skip")
    (record,) = caplog.records
    assert record.getMessage() == f"{caught.value}; they are left out"
    assert len(source) == len(source.entries) < len(content.names)
    assert len(source.left_out) == content.lost
    assert len(source.lacking) == 1
    assert {sample.name for sample in source} < set(content.names)


def test_where_all_samples_lack_files_nothing_is_skipped(tmp_path: Path) -> None:
    put(tmp_path, "original", "mask")
    for path in (tmp_path / "mask").iterdir():
        path.unlink()
    with pytest.raises(FileError, match=r"2 of 2 samples in .* lack files: mask/a\.\*, mask/b\.\*$"):
        make_data("aim-500", path=str(tmp_path), trimaps=False, missing="skip")


def test_a_matte_without_its_image_is_missed_too(tmp_path: Path) -> None:
    put(tmp_path, "original", "mask")
    mask(tmp_path / "mask" / "c.png")
    with pytest.raises(FileError, match=r"1 of 3 samples in .* lack files: original/c\.\*$"):
        make_data("aim-500", path=str(tmp_path), trimaps=False)


def test_what_to_do_about_missing_files_must_be_known(made: tuple[str, Path, MadeUp]) -> None:
    with pytest.raises(InvalidArgumentError, match=r"missing must be one of \['raise', 'skip'\], got 'ignore'"):
        open_set(made, missing="ignore")


def test_a_path_must_be_one(made: tuple[str, Path, MadeUp]) -> None:
    with pytest.raises(InvalidArgumentError, match="path must be a path, got 3"):
        open_set(made, path=3)


def test_a_folder_that_is_not_there_is_named(made: tuple[str, Path, MadeUp]) -> None:
    nowhere = str(made[1] / "nowhere")
    with pytest.raises(FileError, match="nowhere"):
        open_set(made, path=nowhere)


def test_an_empty_folder_is_refused(made: tuple[str, Path, MadeUp], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="empty"):
        open_set(made, path=str(tmp_path / "empty"))


def test_the_layout_tells_the_reader(made: tuple[str, Path, MadeUp]) -> None:
    name, root, content = made
    guessed, keywords = guess_reader(content.options.get("path", root))
    assert guessed == name
    assert keywords == {"path": content.options.get("path", str(root))}


def test_an_image_of_another_size_is_named_with_both(tmp_path: Path) -> None:
    put(tmp_path, "original", "mask")
    save(tmp_path / "mask" / "b.png", np.zeros((W, H), dtype=np.uint8))
    source = make_data("aim-500", path=str(tmp_path), trimaps=False)
    assert source[0].name == "a"
    with pytest.raises(SizeMismatchError, match=r"mask/b\.png must have the size of b\.png, 6×4, got 4×6"):
        source[1]


def test_an_image_turned_by_exif_needs_an_upright_mask(tmp_path: Path) -> None:
    put(tmp_path, "original", "mask")
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(np.full((W, H, 3), 100, dtype=np.uint8)).save(tmp_path / "original" / "a.png", exif=exif)
    Pillow.fromarray(np.full((H, W, 3), 100, dtype=np.uint8)).save(tmp_path / "original" / "b.png", exif=exif)
    source = make_data("aim-500", path=str(tmp_path), trimaps=False)
    assert source[0].shape == (H, W)
    with pytest.raises(SizeMismatchError, match=r"4×6, got 6×4; perhaps one of them is turned by its EXIF data$"):
        source[1]


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "original", "mask")
    image(tmp_path / "original" / "a.jpg")
    with pytest.raises(FileError, match=r"original holds both a\.jpg and a\.png"):
        make_data("aim-500", path=str(tmp_path), trimaps=False)


REAL_SETS = {"alphamatting": ("alphamatting", 15), "grabcut": ("grabcut", 50), "davis": ("davis", 150)}


@pytest.mark.parametrize("name", REAL_SETS)
def test_real_sets_are_read(name: str) -> None:
    reader, count = REAL_SETS[name]
    if not (REAL / name).is_dir():
        pytest.skip(f"{name} is not among the data beside this checkout")
    source = make_data(reader, path=str(REAL / name))
    assert len(source) == count
    sample = source[count // 2]
    assert min(sample.shape) >= 100
    assert sample.alpha.min() == 0
    assert sample.alpha.max() == 1
    assert 0.02 < sample.alpha.mean() < 0.98
    assert (sample.trimap is not None) == (name == "alphamatting")
    plain = make_data("folder", path=str(REAL / name))[count // 2]
    np.testing.assert_array_equal(plain.alpha, sample.alpha)
