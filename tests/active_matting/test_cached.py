"""Samples kept decoded and resized, by the content of the files they come from."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from active_matting.cache import Cache
from active_matting.data import make_data
from active_matting.data.cached import Cached
from active_matting.data.folder import Cutouts, Folder
from active_matting.data.images import write_alpha, write_image, write_picture
from active_matting.data.rendered import Rendered
from active_matting.data.samples import Sample
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two images, 30×40, with alphas and trimaps, none of them written just now."""
    folder, rng = tmp_path / "pictures", np.random.default_rng(0)
    for name in ("a", "b"):
        write_image(folder / "images" / f"{name}.png", rng.random((30, 40, 3), dtype=np.float32))
        write_alpha(folder / "alphas" / f"{name}.png", rng.random((30, 40), dtype=np.float32))
        write_alpha(
            folder / "trimaps" / f"{name}.png", np.float32(0.5) * rng.integers(0, 3, (30, 40)).astype(np.float32)
        )
    for path in folder.rglob("*.png"):
        os.utime(path, (0, 1000))
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> str:
    return str(tmp_path / "kept")


def cached(kept: str, path: Path, size: int | None = 20, trimaps: str | None = "trimaps") -> Cached:
    return Cached("folder", {"path": str(path), "trimaps": trimaps}, size, kept)


def count(kept: str) -> int:
    return Cache(kept).contents().get("sample", (0, 0))[0]


def assert_same(told: Sample, expected: Sample) -> None:
    assert told.name == expected.name
    for name in ("image", "alpha", "trimap"):
        np.testing.assert_array_equal(getattr(told, name), getattr(expected, name))


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> Any:
        raise AssertionError("this was known")

    for module, name in (("entries", "image"), ("entries", "alpha"), ("entries", "trimap"), ("folder", "cutout")):
        monkeypatch.setattr(f"active_matting.data.{module}.read_{name}", refuse)


def test_cached_samples_are_the_resized_ones_exactly(
    pictures: Path, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [sample.resized(20) for sample in Folder(str(pictures), "trimaps")]
    assert len(cached(kept, pictures)) == 2
    for told, expected in zip(cached(kept, pictures), plain, strict=True):
        assert_same(told, expected)
    forbid_reading(monkeypatch)
    for told, expected in zip(cached(kept, pictures), plain, strict=True):
        assert_same(told, expected)
        told.image[:] = 0  # the caller's own
    assert_same(cached(kept, pictures)[0], plain[0])


def test_what_is_not_resized_is_kept_as_it_is(pictures: Path, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Folder(str(pictures))[1]
    assert_same(cached(kept, pictures, size=None, trimaps=None)[1], plain)
    forbid_reading(monkeypatch)
    assert_same(cached(kept, pictures, size=None, trimaps=None)[1], plain)


def test_the_same_files_elsewhere_are_known(
    pictures: Path, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = cached(kept, pictures)[0]
    shutil.copytree(pictures, tmp_path / "copy", copy_function=shutil.copyfile)  # with other dates
    forbid_reading(monkeypatch)
    assert_same(cached(kept, tmp_path / "copy")[0], expected)


def test_every_reader_of_files_can_be_kept(pictures: Path, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (pictures / "list.csv").write_text("image,alpha\nimages/b.png,alphas/b.png\nimages/a.png,alphas/a.png\n")
    keywords = {"of": "csv", "of_kwargs": {"path": str(pictures / "list.csv")}, "size": 20, "folder": kept}
    expected = [sample.resized(20) for sample in make_data("csv", path=str(pictures / "list.csv"))]
    for again in range(2):
        for told, plain in zip(make_data("cached", **keywords), expected, strict=True):
            assert_same(told, plain)
        if not again:
            forbid_reading(monkeypatch)


@pytest.mark.parametrize("changed", ["images", "alphas", "trimaps"])
def test_a_changed_file_is_read_anew(pictures: Path, kept: str, changed: str) -> None:
    source = cached(kept, pictures)
    before = source[0]
    shutil.copy(pictures / changed / "b.png", pictures / changed / "a.png")
    assert_same(source[0], Folder(str(pictures), "trimaps")[0].resized(20))
    name = {"images": "image", "alphas": "alpha", "trimaps": "trimap"}[changed]
    assert not np.array_equal(getattr(source[0], name), getattr(before, name))
    assert count(kept) == 2


def test_other_settings_are_other_entries(pictures: Path, kept: str) -> None:
    for size in (10, 20, None):
        for trimaps in ("trimaps", None):
            assert (cached(kept, pictures, size, trimaps)[0].trimap is None) == (trimaps is None)
    assert count(kept) == 6
    shutil.copy(pictures / "images" / "a.png", pictures / "images" / "c.png")
    shutil.copy(pictures / "alphas" / "a.png", pictures / "alphas" / "c.png")
    assert cached(kept, pictures, 20, None)[2].name == "c"  # though its content is known, as a's
    assert count(kept) == 7


def test_files_that_change_while_they_are_read_are_not_kept(
    pictures: Path, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Folder.__getitem__

    def change_and_read(self: Folder, index: int) -> Sample:
        shutil.copy(pictures / "images" / "b.png", pictures / "images" / "a.png")
        return read(self, index)

    monkeypatch.setattr(Folder, "__getitem__", change_and_read)
    cached(kept, pictures)[0]
    assert count(kept) == 0


def test_rendered_samples_are_kept_by_what_they_depend_on(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Rendered(split="test", count=3, size=40)
    settings = {"split": "test", "count": 3, "size": 40}
    assert_same(Cached("rendered", settings, 20, kept)[1], plain[1].resized(20))
    monkeypatch.setattr("active_matting.data.rendered.render", None)
    assert_same(Cached("rendered", settings | {"count": 2}, 20, kept)[1], Cached("rendered", settings, 20, kept)[1])
    prints = {
        Rendered(split=split, seed=seed, size=size).fingerprint(index)
        for split in ("test", "train")
        for seed in (0, 1)
        for size in (40, 50)
        for index in (0, 1)
    }
    assert len(prints) == 16
    for index in (3, -1):
        with pytest.raises(IndexError):
            Cached("rendered", settings, 20, kept)[index]


def test_cutouts_are_kept_with_their_background(tmp_path: Path, kept: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 30, 4), dtype=np.uint8)
    write_picture(tmp_path / "cutouts" / "a.png", pixels)
    for grey in (0.5, 0.2):
        settings: dict[str, Any] = {"path": str(tmp_path / "cutouts"), "background": grey}
        for _ in range(2):
            assert_same(Cached("cutouts", settings, 10, kept)[0], Cutouts(**settings)[0].resized(10))
    assert count(kept) == 2


def test_environments_take_cached_data(pictures: Path, kept: str) -> None:
    arguments: dict[str, Any] = {"image_size": 20, "region_size": 4, "budget": 2, "solver": "random-walk"}
    of = {"of": "folder", "of_kwargs": {"path": str(pictures)}, "size": 20, "folder": kept}
    plain = RegionsEnv(data="folder", data_kwargs={"path": str(pictures)}, **arguments)
    for _ in range(2):
        env = RegionsEnv(data="cached", data_kwargs=of, **arguments)
        for name, values in plain.reset(options={"index": 1})[0].items():
            np.testing.assert_array_equal(env.reset(options={"index": 1})[0][name], values)


def test_what_cannot_be_cached_is_said(pictures: Path, kept: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"data source 'cached' cannot be cached: it has no method fingerpr"):
        make_data("cached", of="cached", of_kwargs={"of": "rendered", "folder": kept}, folder=kept)
    with pytest.raises(UnknownNameError, match="unknown data source 'nothing'"):
        make_data("cached", of="nothing")
    with pytest.raises(InvalidArgumentError, match="size must be an integer of at least 1, got 0"):
        make_data("cached", of="rendered", size=0)
    with pytest.raises(InvalidArgumentError, match="of_kwargs must be a dictionary of keywords, got 3"):
        make_data("cached", of="rendered", of_kwargs=3)
    with pytest.raises(FileError, match="does not exist"):
        make_data("cached", of="folder", of_kwargs={"path": str(tmp_path / "nowhere")})
    source = cached(kept, pictures)
    (pictures / "alphas" / "a.png").unlink()
    with pytest.raises(FileError, match=r"cannot read .*a\.png: No such file"):
        source[0]
    (pictures / "images" / "b.png").write_bytes(b"no picture")
    with pytest.raises(FileError, match=r"b\.png is not a picture"):
        source[1]
    assert count(kept) == 0
