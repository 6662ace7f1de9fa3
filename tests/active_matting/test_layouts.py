"""What each reader adds to what all promise: its layouts, splits, masks and composites."""

import math
from pathlib import Path

import numpy as np
import pytest
from made_up import MASK, NUMBERS, SETS, H, W, image, put, save
from PIL import Image as Pillow

from active_matting.data import make_data
from active_matting.data.layouts import guess_reader
from active_matting.errors import FileError, InvalidArgumentError


def test_alphamatting_is_read_as_it_is_published_and_as_images_and_alphas(tmp_path: Path) -> None:
    put(tmp_path / "1", "input_training_highres", "gt_training_highres", "trimap_training_highres/Trimap2")
    put(tmp_path / "2", "images", "alphas", "trimaps/Trimap2")
    for inner, options in (("1", {"resolution": "highres"}), ("2", {})):
        source = make_data("alphamatting", path=str(tmp_path / inner), trimaps="Trimap2", **options)
        assert [sample.trimap is not None for sample in source] == [True, True]
        with pytest.raises(FileError, match="Trimap1"):
            make_data("alphamatting", path=str(tmp_path / inner), **options)


@pytest.mark.parametrize("name", ["p3m-10k", "am-2k", "composition-1k", "distinctions-646", "portraits"])
def test_an_unknown_split_is_refused_with_the_choices(name: str, tmp_path: Path) -> None:
    options = SETS[name](tmp_path).options
    with pytest.raises(InvalidArgumentError, match=r"split must be one of \[.*'train.*\], got 'best'"):
        make_data(name, path=str(tmp_path), split="best", **options)


def test_splits_are_folders(tmp_path: Path) -> None:
    SETS["p3m-10k"](tmp_path)
    for split, has_trimap in (("train", False), ("P3M-500-P", True), ("P3M-500-NP", True)):
        source = make_data("p3m-10k", path=str(tmp_path), split=split)
        assert [sample.trimap is not None for sample in source] == [has_trimap] * 2
    assert make_data("p3m-10k", path=str(tmp_path), trimaps=False)[0].trimap is None


def reference_composite(path: Path, alpha_path: Path, scene_path: Path) -> np.ndarray:
    """What the Composition-1k script computes, pixel by pixel."""
    foreground, alpha, scene = (Pillow.open(each).copy() for each in (path, alpha_path, scene_path))
    (w, h), (bw, bh) = foreground.size, scene.size
    ratio = max(w / bw, h / bh)
    if ratio > 1:
        scene = scene.resize((math.ceil(bw * ratio), math.ceil(bh * ratio)), Pillow.Resampling.BICUBIC)
    out = np.zeros((h, w, 3), dtype=np.uint8)
    for y in range(h):
        for x in range(w):
            a = alpha.getpixel((x, y)) / 255  # type: ignore[operator]
            pixels = foreground.getpixel((x, y)), scene.getpixel((x, y))
            out[y, x] = [int(a * pixels[0][c] + (1 - a) * pixels[1][c]) for c in range(3)]  # type: ignore[index]
    return out


@pytest.mark.parametrize("scene_shape", [(3, 5), (40, 9), (30, 60)])
def test_composites_are_those_of_the_sets_own_script(tmp_path: Path, scene_shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    part = tmp_path / "Test_set" / "Adobe-licensed images"
    save(part / "fg" / "a.png", rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    save(part / "alpha" / "a.png", rng.choice(np.array([0, 1, 80, 254, 255], np.uint8), (20, 30)))
    save(tmp_path / "voc" / "s.png", rng.integers(0, 256, (*scene_shape, 3), dtype=np.uint8))
    (tmp_path / "Test_set" / "test_fg_names.txt").write_text("a.png\n")
    (tmp_path / "Test_set" / "test_bg_names.txt").write_text("s.png\n" * 20)
    source = make_data("composition-1k", path=str(tmp_path), backgrounds=str(tmp_path / "voc"), trimaps=False)
    expected = reference_composite(part / "fg" / "a.png", part / "alpha" / "a.png", tmp_path / "voc" / "s.png")
    np.testing.assert_array_equal(np.rint(source[19].image * 255), expected)
    assert source[19].name == "a_19"


def test_composition_is_read_composed_where_it_is(tmp_path: Path) -> None:
    content = SETS["composition-1k"](tmp_path)
    with pytest.raises(FileError, match="no folder merged with composed pictures; give backgrounds to compose"):
        make_data("composition-1k", path=str(tmp_path))
    for name in content.names:
        image(tmp_path / "Test_set" / "merged" / f"{name}.png", 77)
    source = make_data("composition-1k", path=str(tmp_path))
    assert [sample.name for sample in source] == content.names
    assert round(float(source[0].image[0, 0, 0]) * 255) == 77


def test_a_list_of_backgrounds_must_be_long_enough(tmp_path: Path) -> None:
    content = SETS["composition-1k"](tmp_path)
    (tmp_path / "Test_set" / "test_bg_names.txt").write_text("small.jpg\n" * 39)
    with pytest.raises(FileError, match=r"test_bg_names\.txt names 39 backgrounds \(.*\); 40 are needed"):
        make_data("composition-1k", path=str(tmp_path), **content.options)


def test_distinctions_need_backgrounds_and_take_them_in_turn(tmp_path: Path) -> None:
    SETS["distinctions-646"](tmp_path)
    with pytest.raises(InvalidArgumentError, match="backgrounds must be a folder of pictures to compose over"):
        make_data("distinctions-646", path=str(tmp_path))
    for value in (10, 20, 30):
        image(tmp_path / "scenes" / f"{value}.png", value)
    source = make_data("distinctions-646", path=str(tmp_path), backgrounds=str(tmp_path / "scenes"))
    assert [round(float(source[index].image[0, 0, 0]) * 255) for index in (0, 1, 2, 3, 20)] == [10, 20, 30, 10, 30]


def test_pixels_to_be_ignored_are_transitions(tmp_path: Path) -> None:
    SETS["grabcut"](tmp_path / "1")
    assert make_data("grabcut", path=str(tmp_path / "1"))[0].alpha[0, 0] == np.float32(128 / 255)
    SETS["pascal"](tmp_path / "2")
    alpha = make_data("pascal", path=str(tmp_path / "2"))[1].alpha
    np.testing.assert_array_equal(alpha, np.where(NUMBERS == 2, 1, np.where(NUMBERS == 255, 0.5, 0)))


def test_davis_lies_in_sequences_or_flat_and_its_objects_count_as_one(tmp_path: Path) -> None:
    SETS["davis"](tmp_path)
    (sample,) = make_data("davis", path=str(tmp_path), split="val")
    assert sample.name == "swan-00000"
    np.testing.assert_array_equal(sample.alpha, (NUMBERS % 255 > 0).astype(np.float32))
    with pytest.raises(FileError, match=r"ImageSets has no list best\.txt"):
        make_data("davis", path=str(tmp_path), split="best")
    lists = tmp_path / "ImageSets" / "2017"
    lists.mkdir()
    (lists / "one.txt").write_text("bear\n")
    assert [sample.name for sample in make_data("davis", path=str(tmp_path), split="one")] == ["bear-00000"]
    put(tmp_path / "flat", "img", "gt", suffix=".jpg")
    assert guess_reader(tmp_path / "flat")[0] == "davis"
    np.testing.assert_array_equal(make_data("davis", path=str(tmp_path / "flat"))[0].alpha, MASK / np.float32(255))


def test_small_objects_can_be_left_out(tmp_path: Path) -> None:
    SETS["pascal"](tmp_path)
    assert len(make_data("pascal", path=str(tmp_path), smallest=0.2)) == 2  # 4 and 8 of 24 pixels
    SETS["sbd"](tmp_path)
    assert [sample.name for sample in make_data("sbd", path=str(tmp_path), smallest=0.2)] == ["2008_1#2"]
    for name in ("pascal", "sbd"):
        with pytest.raises(InvalidArgumentError, match="smallest must be a share of the image"):
            make_data(name, path=str(tmp_path), smallest=8)


def test_a_map_of_objects_that_cannot_be_read_is_named_with_its_sample(tmp_path: Path) -> None:
    SETS["sbd"](tmp_path / "1")
    (tmp_path / "1" / "benchmark_RELEASE" / "dataset" / "inst" / "2008_1.mat").write_text("nothing")
    (entry,) = make_data("sbd", path=str(tmp_path / "1")).entries  # type: ignore[attr-defined]
    with pytest.raises(FileError, match=r"2008_1\.mat has no map of objects GTinst\.Segmentation"):
        entry.read()
    SETS["pascal"](tmp_path / "2")
    save(tmp_path / "2" / "SegmentationObject" / "2007_1.png", np.zeros((H, W, 3), dtype=np.uint8))
    with pytest.raises(FileError, match=r"2007_1\.png has colour mode RGB; a map of objects has a palette or greys"):
        make_data("pascal", path=str(tmp_path / "2"))[0]


def test_a_csv_must_have_its_columns_and_cells(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    for text, words in (
        ("", "must have a column image, its first line has \\[\\]"),
        ("image,mask\na,b\n", "must have a column alpha, its first line has \\['image', 'mask'\\]"),
        ("image,alpha\na.png,a.png\nb.png,\n", "has no alpha in line 3"),
        ("image,alpha\na.png\n", "has no alpha in line 2"),
        ("image,alpha\n", "holds no samples"),
        ('image,alpha\n"a', "cannot be read as a CSV file"),
    ):
        path.write_text(text)
        with pytest.raises(FileError, match=words):
            make_data("csv", path=str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FileError, match="cannot be read as a CSV file"):
        make_data("csv", path=str(path))


def test_composition_to_train_on_lies_in_two_parts(tmp_path: Path) -> None:
    for name, part in (("a", "Adobe-licensed images"), ("b", "Other")):
        image(tmp_path / "Training_set" / part / "fg" / f"{name}.jpg")
        save(tmp_path / "Training_set" / part / "alpha" / f"{name}.jpg", MASK)
    (tmp_path / "Training_set" / "training_fg_names.txt").write_text("a.jpg\nb.jpg\n")
    (tmp_path / "Training_set" / "training_bg_names.txt").write_text("scene.jpg\n" * 200)
    image(tmp_path / "train2014" / "scene.jpg", 30)
    options = {"split": "train", "backgrounds": str(tmp_path / "train2014")}
    source = make_data("composition-1k", path=str(tmp_path), **options)
    assert len(source) == 200
    assert source[199].name == "b_99"
    assert source[199].trimap is None
    assert guess_reader(tmp_path) == ("composition-1k", {"path": str(tmp_path), "split": "train"})


def test_portraits_may_lie_in_the_folder_itself(tmp_path: Path) -> None:
    SETS["portraits"](tmp_path)
    (tmp_path / "testing").rename(tmp_path / "training")
    assert guess_reader(tmp_path)[1]["split"] == "training"
    assert len(make_data("portraits", path=str(tmp_path), split="training")) == 2
    guessed, keywords = guess_reader(tmp_path / "training")
    assert (guessed, keywords["split"]) == ("portraits", None)
    assert [sample.name for sample in make_data(guessed, **keywords)] == ["00001", "00002"]


@pytest.mark.parametrize("inner", ["VOC2012", "VOCdevkit/VOC2012"])
def test_pascal_is_found_in_the_folders_of_its_archive(tmp_path: Path, inner: str) -> None:
    content = SETS["pascal"](tmp_path / inner)
    assert guess_reader(tmp_path) == ("pascal", {"path": str(tmp_path)})
    assert [sample.name for sample in make_data("pascal", path=str(tmp_path))] == content.names
    with pytest.raises(FileError, match=r"Segmentation/best\.txt does not exist"):
        make_data("pascal", path=str(tmp_path), split="best")
