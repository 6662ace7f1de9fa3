"""What `check` finds in folders with known faults."""

from pathlib import Path

import numpy as np
import pytest
from made_up import MASK, SETS, H, W, image, mask, put, save
from PIL import Image as Pillow

from active_matting.data import make_data
from active_matting.data.check import check, find_licences, report
from active_matting.data.layouts import LAYOUTS, guess_reader
from active_matting.errors import FileError


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Two good samples, and one each: without an alpha, of another size, broken, wholly background."""
    put(tmp_path, "images", "alphas")
    image(tmp_path / "images" / "lonely.png")
    image(tmp_path / "images" / "long.png")
    save(tmp_path / "alphas" / "long.png", np.zeros((H, 2 * W), dtype=np.uint8))
    image(tmp_path / "images" / "torn.png")
    mask(tmp_path / "alphas" / "torn.png")
    whole = (tmp_path / "images" / "torn.png").read_bytes()
    (tmp_path / "images" / "torn.png").write_bytes(whole[: len(whole) - 30])
    image(tmp_path / "images" / "void.png")
    save(tmp_path / "alphas" / "void.png", np.zeros((H, W), dtype=np.uint8))
    mask(tmp_path / "alphas" / "stray.png")
    return tmp_path


def test_faults_are_counted_and_named(faulty: Path) -> None:
    found = check(make_data("folder", path=str(faulty), missing="skip"), faulty)
    assert (found.samples, len(found.sizes)) == (5, 3)
    assert found.lacking == ["alphas/lonely.*"]
    (mismatch,) = found.mismatched
    assert mismatch == f"{faulty}/alphas/long.png must have the size of long.png, 6×4, got 12×4"
    (unreadable,) = found.unreadable
    assert unreadable.startswith(f"{faulty}/images/torn.png cannot be read: ")
    assert found.one_sided == ["void"]
    assert found.unused == [str(faulty / "alphas" / "stray.png")]
    assert found.faults == 3
    text = report(found)
    for line in (
        "missing files: 1\n  alphas/lonely.*",
        f"sizes that differ: 1\n  {mismatch}",
        "licence: no file found",
    ):
        assert line in text


def test_sizes_and_alphas_are_summed_up(tmp_path: Path) -> None:
    put(tmp_path, "images", "alphas", "trimaps")
    save(tmp_path / "images" / "c.png", np.zeros((10, 20, 3), dtype=np.uint8))
    save(tmp_path / "alphas" / "c.png", np.full((10, 20), 51, dtype=np.uint8))
    found = check(make_data("folder", path=str(tmp_path)), tmp_path)
    assert found.sizes == [(H, W), (H, W), (10, 20)]
    white = 2 * int((MASK > 0).sum())
    assert (found.zeros, found.ones, found.bins.sum()) == (48 - white, white, 248)
    assert found.bins[[0, 2, 9]].tolist() == [48 - white, 200, white]
    assert found.trimaps == 0
    assert found.faults == 0
    text = report(found)
    assert "samples: 3, of which 3 can be read" in text
    assert "sizes: from 6×4 to 20×10, median 6×4 (width×height)" in text
    assert "alpha: 0 in 12.9%, between in 80.6%, 1 in 6.5% of all pixels" in text
    assert f"  0.2–0.3   80.6%  {'█' * 32}\n" in text


def test_faults_are_all_named_and_remarks_cut_short(tmp_path: Path) -> None:
    put(tmp_path, "images", "alphas")
    for index in range(14):
        image(tmp_path / "images" / f"x{index:02d}.png")
        mask(tmp_path / "alphas" / f"y{index:02d}.png")
    text = report(check(make_data("folder", path=str(tmp_path), missing="skip"), tmp_path))
    listed = "".join(f"  alphas/x{index:02d}.*\n" for index in range(14))
    assert f"missing files: 14\n{listed}sizes that differ: none\n" in text
    names = ", ".join(str(tmp_path / "alphas" / f"y{index:02d}.png") for index in range(3))
    assert f"pictures that no sample uses: 14 ({names} and 11 more)" in text


def test_trimaps_are_counted(tmp_path: Path) -> None:
    put(tmp_path, "original", "mask", "trimap")
    assert check(make_data("aim-500", path=str(tmp_path)), tmp_path).trimaps == 2


def test_cutouts_that_may_be_premultiplied_are_named(tmp_path: Path) -> None:
    straight = np.full((H, W, 4), 200, dtype=np.uint8)
    straight[0, :, 3] = 90
    dark = straight.copy()
    dark[0, :, :3] = 80
    opaque = np.full((H, W, 4), 255, dtype=np.uint8)
    for name, cutout in (("straight", straight), ("dark", dark), ("opaque", opaque)):
        Pillow.fromarray(cutout).save(tmp_path / f"{name}.png")
    assert check(make_data("cutouts", path=str(tmp_path)), tmp_path).maybe_premultiplied == ["dark"]


def test_where_nothing_can_be_read_the_first_reason_is_told(tmp_path: Path) -> None:
    put(tmp_path, "images", "alphas")
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(FileError, match=r"none of the 2 samples in .* can be read: .*a\.png is not a picture"):
        check(make_data("folder", path=str(tmp_path)), tmp_path)


def test_sources_that_are_not_files_are_checked_too(tmp_path: Path) -> None:
    found = check(make_data("rendered", count=2, size=24), tmp_path)
    assert found.sizes == [(24, 24)] * 2


@pytest.mark.parametrize(
    "name", ["LICENSE", "licence.txt", "COPYING", "Terms_of_use.pdf", "sub/AIM_Release_Agreement.pdf"]
)
def test_files_that_tell_a_licence_are_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / name).touch()
    (tmp_path / "README.md").write_text("in terms of copies")
    (tmp_path / "patterns.txt").touch()
    image(tmp_path / "license_plate.png")
    (tmp_path / "licences").mkdir()
    assert find_licences(tmp_path) == [name]


def test_a_readme_may_mention_the_licence(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("Licensed for research.")
    assert find_licences(tmp_path) == ["readme.txt, which mentions it"]
    (tmp_path / "list.csv").touch()
    assert find_licences(tmp_path / "list.csv") == ["readme.txt, which mentions it"]


def test_a_layout_that_is_not_known_is_refused_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "things").mkdir()
    with pytest.raises(FileError, match=r"has the layout of no known data set \(aim-500, alphamatting, .*sbd\)"):
        guess_reader(tmp_path)
    with pytest.raises(FileError, match="nowhere does not exist"):
        guess_reader(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileError, match=r"notes\.txt is not a folder or a \.csv file"):
        guess_reader(tmp_path / "notes.txt")


def test_other_layouts_are_told_apart(tmp_path: Path) -> None:
    put(tmp_path / "1", "images", "alphas", "trimaps/Trimap1")
    put(tmp_path / "2", "images", "alphas", "trimaps")
    image(tmp_path / "3" / "images" / "a.png")
    image(tmp_path / "4" / "a.png")
    put(tmp_path / "5", "train/blurred_image", "train/mask")
    put(tmp_path / "6", "train/original", "train/mask")
    (tmp_path / "7").mkdir()
    SETS["coco"](tmp_path / "7")
    (tmp_path / "7" / "annotations" / "instances_val2017.json").rename(tmp_path / "7/annotations/instances_mine.json")
    expected = [
        ("folder", {"trimaps": "trimaps/Trimap1"}),
        ("folder", {"trimaps": "trimaps"}),
        ("folder", {}),
        ("cutouts", {}),
        ("p3m-10k", {"split": "train"}),
        ("am-2k", {"split": "train"}),
        ("coco", {"split": "mine"}),
    ]
    for index, (name, options) in enumerate(expected):
        path = str(tmp_path / str(index + 1))
        assert guess_reader(path) == (name, {"path": path, **options})
    assert {name for name, _, _ in LAYOUTS} >= set(SETS) - {"csv"}


@pytest.mark.parametrize(
    ("name", "read_as"), [("grabcut", "folder"), ("alphamatting", "folder"), ("hairballs", "cutouts")]
)
def test_real_sets_are_without_fault(name: str, read_as: str) -> None:
    folder = Path(__file__).parents[2].parent / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not among the data beside this checkout")
    guessed, keywords = guess_reader(folder)
    assert guessed == read_as
    found = check(make_data(guessed, **keywords), folder)
    assert len(found.sizes) == found.samples > 10
    assert found.faults == 0
    assert found.one_sided == found.unused == found.maybe_premultiplied == []
    assert found.trimaps == (15 if name == "alphamatting" else 0)
