"""Objects over other backgrounds, composed on the fly."""

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from active_matting.data import make_data
from active_matting.data.composed import Composed
from active_matting.data.order import draw_sample, make_order
from active_matting.errors import FileError, InvalidArgumentError


def put(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path)


def cutout(top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
    """A red box, opaque, in a picture of 60 × 50 that is green where nobody sees it."""
    pixels = np.zeros((60, 50, 4), dtype=np.uint8)
    pixels[..., 1] = 255
    pixels[top:bottom, left:right] = 255, 0, 0, 255
    return pixels


@pytest.fixture
def cutouts(tmp_path: Path) -> str:
    put(tmp_path / "cutouts" / "box.png", cutout(10, 40, 15, 35))
    return str(tmp_path / "cutouts")


@pytest.fixture
def black(tmp_path: Path) -> str:
    put(tmp_path / "black" / "below" / "night.png", np.zeros((90, 70, 3)))
    return str(tmp_path / "black")


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    """A red disc with a soft edge over blue, as a photograph of it is."""
    y, x = np.mgrid[:64, :64]
    alpha = np.clip((24 - np.hypot(y - 32, x - 32)) / 12 + 0.5, 0, 1)
    put(tmp_path / "pairs" / "images" / "disc.png", np.dstack([255 * alpha, 0 * alpha, 255 * (1 - alpha)]))
    put(tmp_path / "pairs" / "alphas" / "disc.png", 255 * alpha)
    return str(tmp_path / "pairs")


def digest(source: Any) -> str:
    content = b"".join(sample.image.tobytes() + sample.alpha.tobytes() + sample.name.encode() for sample in source)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("kind", ["cutouts", "pairs"])
@pytest.mark.parametrize("has_pictures", [False, True])
def test_the_image_is_composed_of_its_parts(kind: str, has_pictures: bool, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    backgrounds = request.getfixturevalue("black") if has_pictures else None
    source = make_data("composed", foregrounds=folder, backgrounds=backgrounds, count=4, size=48)
    assert isinstance(source, Composed)
    assert len(source) == 4
    for index, sample in enumerate(source):
        parts = source.parts(index)
        opacity = parts.alpha[..., None]
        assert sample.shape == (48, 48)
        np.testing.assert_array_equal(sample.image, parts.image)
        np.testing.assert_array_equal(sample.alpha, parts.alpha)
        composed = opacity * parts.foreground + (1 - opacity) * parts.background
        np.testing.assert_allclose(sample.image, composed, atol=1e-6)
        assert sample.alpha.min() == 0
        assert sample.alpha.max() == pytest.approx(1)


def test_a_sample_depends_on_seed_and_index_alone(cutouts: str, pairs: str) -> None:
    source = Composed(cutouts, count=5, size=40, seed=3)
    third = source[3]
    assert third.name == "0003-box-over-procedural"
    longer = Composed(cutouts, count=9, size=40, seed=3)
    np.testing.assert_array_equal(longer[3].image, third.image)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[3].image, third.image)
    assert digest(source) == digest(Composed(cutouts, count=5, size=40, seed=3))
    assert digest(source) != digest(Composed(cutouts, count=5, size=40, seed=4))
    assert len({sample.image.tobytes() for sample in source}) == 5


def test_another_process_composes_the_same(pairs: str) -> None:
    script = (
        "import sys, hashlib\n"
        "from active_matting.data import make_data\n"
        "source = make_data('composed', foregrounds=sys.argv[1], count=3, size=40, seed=1)\n"
        "content = b''.join(s.image.tobytes() + s.alpha.tobytes() + s.name.encode() for s in source)\n"
        "print(hashlib.sha256(content).hexdigest())\n"
    )
    result = subprocess.run([sys.executable, "-c", script, pairs], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == digest(Composed(pairs, count=3, size=40, seed=1))


@pytest.mark.parametrize("size", [20, 33, 64, 150])  # far smaller than the cut-out, and larger
def test_no_colour_under_alpha_0_gets_into_the_image(cutouts: str, black: str, size: int) -> None:
    source = Composed(cutouts, black, count=6, size=size)
    for index in range(6):
        parts = source.parts(index)
        assert parts.foreground[..., 1].max() == 0
        assert parts.image[..., 1].max() == 0
        np.testing.assert_allclose(parts.foreground, np.broadcast_to([1, 0, 0], parts.image.shape), atol=1e-5)
        np.testing.assert_allclose(parts.image[..., 0], parts.alpha, atol=1e-5)  # red over black


def test_an_objects_own_colours_lose_what_shone_through(pairs: str, black: str) -> None:
    source = Composed(pairs, black, count=4, size=60)
    for sample in source:
        soft = (sample.alpha > 0.2) & (sample.alpha < 0.8)
        assert soft.sum() > 50
        assert sample.image[soft][:, 2].mean() < 0.05  # half of it was blue
        np.testing.assert_allclose(sample.image[soft][:, 0].mean(), sample.alpha[soft].mean(), atol=0.05)


def extents(alpha: NDArray[np.float32]) -> tuple[int, int]:
    height, width = ((alpha > 0.5).any(axis=axis).sum() for axis in (1, 0))
    return int(height), int(width)


def test_an_object_is_mostly_inside_and_neither_tiny_nor_distorted(cutouts: str) -> None:
    seen = [extents(sample.alpha) for sample in Composed(cutouts, count=40, size=100)]
    for height, width in seen:
        assert 44 <= height <= 100
        assert 0.88 <= (height / 30) / (width / 20) <= 1.14
    assert max(height for height, _ in seen) - min(height for height, _ in seen) > 30


def test_objects_and_backgrounds_are_mirrored_and_moved(tmp_path: Path) -> None:
    pixels = cutout(10, 40, 15, 35)
    pixels[10:40, 15:25, 2] = 255  # its left half is magenta
    put(tmp_path / "objects" / "box.png", pixels)
    ramp = np.repeat(np.linspace(0, 255, 80)[None, :, None], 60, axis=0).repeat(3, axis=2)
    put(tmp_path / "scenes" / "ramp.png", ramp)
    turned, rising = set(), set()
    source = Composed(str(tmp_path / "objects"), str(tmp_path / "scenes"), count=20, size=50)
    places = []
    for index in range(20):
        parts = source.parts(index)
        rows, columns = np.nonzero(parts.alpha > 0.9)
        blue = parts.foreground[rows, columns, 2] > 0.5
        turned.add(bool(columns[blue].mean() < columns[~blue].mean()))
        rising.add(bool(parts.background[0, 0, 0] < parts.background[0, -1, 0]))
        places.append((rows.mean(), columns.mean()))
    assert turned == rising == {False, True}
    assert (np.ptp(places, axis=0) > 10).all()


@pytest.mark.parametrize(("box", "edge"), [((20, 60, 15, 35), -1), ((0, 45, 15, 35), 0)])
def test_what_the_pictures_edge_cuts_lies_at_the_frames_edge(
    tmp_path: Path, box: tuple[int, int, int, int], edge: int
) -> None:
    put(tmp_path / "cut.png", cutout(*box))
    samples = list(Composed(str(tmp_path), count=10, size=60))
    for sample in samples:
        assert sample.alpha[edge].max() == pytest.approx(1)
        height, width = extents(sample.alpha)
        assert height / width >= 0.95 * (box[1] - box[0]) / (box[3] - box[2])  # nothing of its height is lost
    assert sum(sample.alpha[-1 - edge].max() == 0 for sample in samples) >= 8  # the others are as high as the frame


def test_what_is_cut_at_the_side_stays_at_a_side_when_mirrored(tmp_path: Path) -> None:
    put(tmp_path / "cut.png", cutout(10, 50, 30, 50))
    sides = {
        (bool(sample.alpha[:, 0].max() > 0.9), bool(sample.alpha[:, -1].max() > 0.9))
        for sample in Composed(str(tmp_path), count=10, size=60)
    }
    assert sides == {(True, False), (False, True)}


def test_what_fills_its_picture_fills_the_frame(tmp_path: Path) -> None:
    put(tmp_path / "full.png", cutout(0, 60, 0, 50))
    for sample in Composed(str(tmp_path), count=5, size=40):
        np.testing.assert_allclose(sample.alpha, 1, atol=1e-6)


def test_all_files_come_up(tmp_path: Path) -> None:
    for name in "ab":
        put(tmp_path / "objects" / f"{name}.png", cutout(10, 40, 15, 35))
        put(tmp_path / "scenes" / name / f"{name}.png", np.full((30, 30, 3), 9))
    source = Composed(str(tmp_path / "objects"), str(tmp_path / "scenes"), count=30, size=20)
    pairs = {sample.name.partition("-")[2] for sample in source}
    assert pairs == {"a-over-a", "a-over-b", "b-over-a", "b-over-b"}


def test_folders_that_are_not_there_or_empty_are_named(tmp_path: Path, cutouts: str) -> None:
    nowhere, empty = tmp_path / "nowhere", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileError, match=f"{nowhere} does not exist"):
        Composed(str(nowhere))
    with pytest.raises(FileError, match=f"{nowhere} does not exist"):
        Composed(cutouts, str(nowhere))
    with pytest.raises(FileError, match=f"{empty} holds no pictures"):
        Composed(str(empty))
    with pytest.raises(FileError, match=f"{empty} and the folders below hold no pictures"):
        Composed(cutouts, str(empty))


def test_files_that_cannot_be_used_are_named_when_they_come_up(tmp_path: Path, cutouts: str) -> None:
    put(tmp_path / "opaque" / "photo.png", np.zeros((30, 30, 3)))
    with pytest.raises(FileError, match=r"photo\.png has no alpha channel; a cut-out must"):
        Composed(str(tmp_path / "opaque"))[0]
    put(tmp_path / "clear" / "nothing.png", np.zeros((30, 30, 4)))
    with pytest.raises(FileError, match=rf"nothing in {tmp_path / 'clear'} has no object: its alpha is 0 everywhere"):
        Composed(str(tmp_path / "clear"))[0]
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "broken.jpg").write_text("not a picture")
    with pytest.raises(FileError, match=r"broken\.jpg is not a picture"):
        Composed(cutouts, str(tmp_path / "scenes"))[0]


def test_broken_files_can_be_skipped(tmp_path: Path) -> None:
    put(tmp_path / "good.png", cutout(10, 40, 15, 35))
    (tmp_path / "broken.png").write_text("not a picture")
    source = Composed(str(tmp_path), count=12, size=20)
    order, rng = make_order("in-turn", len(source)), np.random.default_rng(0)
    names = [draw_sample(source, order, rng, "skip")[1].name for _ in range(20)]
    assert all("-good-" in name for name in names)
    assert 0 < len(set(names)) < 12


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"foregrounds": None}, "foregrounds must be the path of a folder, got None"),
        ({"backgrounds": 3}, "backgrounds must be the path of a folder or None, got 3"),
        ({"count": 0}, "count must be an integer of at least 1, got 0"),
        ({"size": 19}, "size must be an integer of at least 20, got 19"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"seed": 1.5}, "seed must be an integer of at least 0, got 1.5"),
    ],
)
def test_bad_settings_are_refused(cutouts: str, setting: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        Composed(**{"foregrounds": cutouts, **setting})


def test_an_index_beyond_the_last_sample_is_an_index_error(cutouts: str) -> None:
    source = Composed(cutouts, count=2, size=20)
    for index in (2, -1):
        with pytest.raises(IndexError, match=r"index must lie in \[0, 2\)"):
            source[index]
