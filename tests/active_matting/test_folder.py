"""Samples from folders of pictures: small made-up ones, and the real layouts where they are there."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from active_matting.data import make_data
from active_matting.data.folder import Cutouts, Folder
from active_matting.data.images import to_bytes
from active_matting.errors import FileError, InvalidArgumentError

REAL = Path(__file__).parents[2].parent / "shared" / "data"

PHOTOGRAPHS = {
    "alphamatting": 15,
    "photo-mattes": 37,
    "grabcut": 50,
    "davis": 150,
    "coco-objects": 449,
    "horses": 327,
    "scribbled-objects": 168,
}


def put(path: Path, value: int, shape: tuple[int, ...] = (4, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.full(shape, value, dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images with alphas and trimaps; the suffixes differ."""
    for index, name in enumerate(("b", "a")):
        put(tmp_path / "images" / f"{name}.jpg", 100 + 50 * index, (4, 6, 3))
        put(tmp_path / "alphas" / f"{name}.png", 51 * (index + 1))
        put(tmp_path / "trimaps" / "Trimap1" / f"{name}.png", 128)
    return tmp_path


def test_samples_come_in_the_order_of_their_names(folder: Path) -> None:
    source = Folder(str(folder))
    assert len(source) == 2
    assert [sample.name for sample in source] == ["a", "b"]
    assert [round(float(sample.alpha[0, 0]), 6) for sample in source] == [0.4, 0.2]
    assert [round(float(sample.image[0, 0, 0]) * 255) for sample in source] == [150, 100]
    assert source[0].shape == (4, 6)
    assert source[0].trimap is None


def test_trimaps_are_read_where_they_are_asked_for(folder: Path) -> None:
    trimap = Folder(str(folder), trimaps="trimaps/Trimap1")[0].trimap
    assert trimap is not None
    assert (trimap == 0.5).all()


def test_masks_are_as_good_as_alphas(folder: Path) -> None:
    (folder / "alphas").rename(folder / "masks")
    put(folder / "masks" / "a.png", 128)
    assert Folder(str(folder))[0].alpha[0, 0] == np.float32(128 / 255)


def test_files_that_are_no_pictures_are_passed_over(folder: Path) -> None:
    (folder / "images" / "notes.txt").touch()
    (folder / "images" / ".hidden.png").touch()
    put(folder / "alphas" / "of-no-image.png", 0)
    assert len(Folder(str(folder))) == 2


def test_an_index_beyond_the_last_sample_is_an_index_error(folder: Path) -> None:
    with pytest.raises(IndexError):
        Folder(str(folder))[2]


def test_equal_folders_are_equal_whatever_they_hold(folder: Path) -> None:
    assert Folder(str(folder)) == make_data("folder", path=str(folder))
    assert repr(Folder(str(folder))) == f"Folder(path={str(folder)!r}, trimaps=None, missing='raise')"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=f"{tmp_path / 'nowhere'} does not exist"):
        Folder(str(tmp_path / "nowhere"))
    with pytest.raises(FileError, match=f"{tmp_path / 'images'} does not exist"):
        Folder(str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=f"{tmp_path / 'file'} is not a folder"):
        Cutouts(str(tmp_path / "file"))


def test_a_folder_without_alphas_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.png", 1, (4, 6, 3))
    with pytest.raises(FileError, match=f"{tmp_path} must have a folder alphas or masks"):
        Folder(str(tmp_path))


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "alphas").mkdir()
    with pytest.raises(FileError, match=rf"{tmp_path / 'images'} holds no pictures \(\.png, "):
        Folder(str(tmp_path))


def test_images_without_an_alpha_are_named(folder: Path) -> None:
    (folder / "alphas" / "b.png").unlink()
    with pytest.raises(FileError, match=rf"^1 of 2 samples in {folder} lack files: alphas/b\.\*$"):
        Folder(str(folder))
    for name in "cdefg":
        put(folder / "images" / f"{name}.png", 1, (4, 6, 3))
    words = r"^6 of 7 samples in .* lack files: alphas/b\.\*, alphas/c\.\*, alphas/d\.\* and 3 more$"
    with pytest.raises(FileError, match=words):
        Folder(str(folder))
    assert [sample.name for sample in Folder(str(folder), missing="skip")] == ["a"]


def test_images_without_a_trimap_are_named(folder: Path) -> None:
    (folder / "trimaps" / "Trimap1" / "a.png").unlink()
    with pytest.raises(FileError, match=r"1 of 2 samples in .* lack files: trimaps/Trimap1/a\.\*$"):
        Folder(str(folder), trimaps="trimaps/Trimap1")
    with pytest.raises(FileError, match="Trimap2 does not exist"):
        Folder(str(folder), trimaps="trimaps/Trimap2")


def test_an_alpha_of_another_size_is_named_with_both_sizes(folder: Path) -> None:
    put(folder / "alphas" / "a.png", 1, (6, 4))
    put(folder / "trimaps" / "Trimap1" / "b.png", 1, (3, 6))
    source = Folder(str(folder), trimaps="trimaps/Trimap1")
    with pytest.raises(FileError, match=rf"{folder / 'alphas' / 'a.png'} must have the size of a\.jpg, 6×4, got 4×6"):
        source[0]
    with pytest.raises(FileError, match=r"b\.png must have the size of b\.jpg, 6×4, got 6×3"):
        source[1]


def test_a_broken_picture_is_named_when_it_is_asked_for(folder: Path) -> None:
    (folder / "images" / "a.jpg").write_text("not a picture")
    source = Folder(str(folder))
    with pytest.raises(FileError, match=r"a\.jpg is not a picture"):
        source[0]
    assert source[1].name == "b"


def test_a_cutout_is_put_over_a_plain_grey(tmp_path: Path) -> None:
    cutout = np.zeros((1, 3, 4), dtype=np.uint8)
    cutout[0, :, :3] = 255, 0, 51
    cutout[0, :, 3] = 0, 51, 255
    Pillow.fromarray(cutout).save(tmp_path / "a.png")
    (sample,) = Cutouts(str(tmp_path), background=0.25)
    assert sample.name == "a"
    np.testing.assert_allclose(sample.alpha, [[0, 0.2, 1]], atol=1e-6)
    # 0.2 of (1, 0, 0.2) and 0.8 of 0.25
    np.testing.assert_allclose(sample.image, [[[0.25] * 3, [0.4, 0.2, 0.24], [1, 0, 0.2]]], atol=1e-6)


def test_premultiplied_cutouts_are_divided_by_their_alpha(tmp_path: Path) -> None:
    Pillow.fromarray(np.array([[[102, 0, 20, 102], [255, 0, 51, 255]]], dtype=np.uint8)).save(tmp_path / "a.png")
    (sample,) = make_data("cutouts", path=str(tmp_path), background=0.0, premultiplied=True)
    np.testing.assert_allclose(sample.image, np.array([[[0.4, 0, 20 / 255], [1, 0, 0.2]]]), atol=1e-6)
    assert Cutouts(str(tmp_path), premultiplied=True).parts(0)[1][0, 0].tolist() == [1, 0, pytest.approx(20 / 102)]


def test_an_empty_folder_holds_no_cutouts(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=rf"{tmp_path} holds no pictures \(\.png, "):
        Cutouts(str(tmp_path))


def test_a_picture_that_is_no_cutout_is_named_when_it_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1, (4, 6, 3))
    source = make_data("cutouts", path=str(tmp_path))
    assert len(source) == 1
    with pytest.raises(FileError, match=r"a\.png has no alpha channel; a cut-out must have one"):
        source[0]


def test_a_sample_is_resized_to_a_square(folder: Path) -> None:
    sample = Folder(str(folder), trimaps="trimaps/Trimap1")[0]
    small = sample.resized(2)
    assert small.shape == (2, 2)
    assert small.trimap is not None
    assert small.trimap.tolist() == [[0.5, 0.5]] * 2
    np.testing.assert_allclose(small.alpha, 0.4, atol=1e-6)
    assert small.resized(2) is small
    with pytest.raises(InvalidArgumentError, match="image_size must be at least 1, got 0"):
        sample.resized(0)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_real_photographs_are_read(name: str) -> None:
    if not (REAL / name).is_dir():
        pytest.skip(f"{name} is not among the data beside this checkout")
    trimaps = "trimaps/Trimap1" if name == "alphamatting" else None
    source = Folder(str(REAL / name), trimaps=trimaps)
    assert len(source) == PHOTOGRAPHS[name]
    sample = source[0]
    assert min(sample.shape) >= 100
    assert float(np.ptp(sample.image)) > 0.5
    assert sample.alpha.max() == 1
    assert sample.alpha.min() == 0
    if trimaps is not None:
        assert sample.trimap is not None
        assert set(np.unique(sample.trimap)) == {0, 0.5, 1}
        assert (sample.alpha[sample.trimap == 1] > 0.9).mean() > 0.99


def test_real_cutouts_are_read() -> None:
    if not (REAL / "hairballs").is_dir():
        pytest.skip("hairballs are not among the data beside this checkout")
    source = Cutouts(str(REAL / "hairballs"))
    assert len(source) == 40
    sample = source[0]
    assert sample.shape == (540, 960)
    assert sample.alpha.max() > 0.98
    clear = sample.alpha == 0
    assert clear.any()
    assert (to_bytes(sample.image)[clear] == 128).all()
