"""Writing a rendered set: it reads back, splits are apart, and a set is whole or not there."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from active_matting.data import make_data
from active_matting.data.images import read_alpha, read_image, write_image
from active_matting.data.rendered_set import CONTACT_SHEET, DESCRIPTION, RenderedSet, split_counts, write_rendered_set
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import folder_written_whole

SMALL = RenderedSet(count=15, size=40, seed=4, with_parts=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sets") / "new" / "small"
    write_rendered_set(path, SMALL)
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_folder_reads_each_split_back_to_the_depth_of_its_files(written: Path) -> None:
    splits = json.loads((written / DESCRIPTION).read_text(encoding="utf-8"))["splits"]
    assert {split: kwargs["count"] for split, kwargs in splits.items()} == {"train": 12, "validation": 2, "test": 1}
    for split, kwargs in splits.items():
        read, drawn = make_data("folder", path=str(written / split)), make_data("rendered", **kwargs)
        assert [sample.name for sample in read] == [sample.name for sample in drawn]
        for one, other in zip(read, drawn, strict=True):
            np.testing.assert_allclose(one.image, other.image, atol=0.5 / 255 + 1e-6)
            np.testing.assert_allclose(one.alpha, other.alpha, atol=0.5 / 65535 + 1e-6)


def test_the_written_parts_compose_to_the_written_image(written: Path) -> None:
    for image in sorted((written / "train" / "images").iterdir()):
        alpha = read_alpha(written / "train" / "alphas" / image.name)[..., None]
        foreground, background = (
            read_image(written / "train" / kind / image.name) for kind in ("foregrounds", "backgrounds")
        )
        composed = alpha * foreground + (1 - alpha) * background
        np.testing.assert_allclose(read_image(image), composed, atol=1 / 255 + 1e-4)


def test_all_families_take_their_turn_across_the_splits_and_no_scene_is_twice(written: Path) -> None:
    files = [file for split in ("train", "validation", "test") for file in (written / split / "alphas").iterdir()]
    assert len({file.stem.split("-")[2] for file in files}) == 13
    assert len({read_alpha(file).tobytes() for file in files}) == 15


def test_two_processes_write_the_same_files_as_one(written: Path, tmp_path: Path) -> None:
    write_rendered_set(tmp_path / "again", SMALL, workers=2)
    assert contents(tmp_path / "again") == contents(written)


def test_the_contact_sheet_shows_the_first_images_beside_their_alphas(written: Path) -> None:
    sheet = read_image(written / CONTACT_SHEET)
    first = read_image(written / "train" / "images" / "train-0000-discs.png")
    assert sheet.shape == (3 * 146 + 4, 5 * 264 + 4, 3)
    shown, alpha = sheet[18:146, 4:132], sheet[18:146, 132:260]
    np.testing.assert_allclose(shown.mean(axis=(0, 1)), first.mean(axis=(0, 1)), atol=0.01)
    assert alpha.mean() == pytest.approx(
        read_alpha(written / "train" / "alphas" / "train-0000-discs.png").mean(), abs=0.01
    )


def test_alphas_of_eight_bits_and_splits_without_a_share(tmp_path: Path) -> None:
    asked = RenderedSet(count=2, size=40, families=["fur"], shares=(0, 0, 1), alpha_bits=8)
    write_rendered_set(tmp_path / "set", asked)
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [CONTACT_SHEET, DESCRIPTION, "test"]
    assert sorted(path.name for path in (tmp_path / "set" / "test").iterdir()) == ["alphas", "images"]
    alpha = read_alpha(tmp_path / "set" / "test" / "alphas" / "test-0001-fur.png")
    np.testing.assert_allclose(alpha * 255, np.rint(alpha * 255), atol=1e-4)


def test_photographs_of_a_folder_are_recorded_and_used(tmp_path: Path) -> None:
    for index in range(3):
        write_image(tmp_path / "photographs" / f"{index}.png", np.full((50, 60, 3), 0.2 + 0.3 * index, np.float32))
    asked = RenderedSet(3, 40, backgrounds=str(tmp_path / "photographs"), shares=(0.34, 0.33, 0.33), with_parts=True)
    write_rendered_set(tmp_path / "set", asked)
    assert json.loads((tmp_path / "set" / DESCRIPTION).read_text(encoding="utf-8"))["asked"]["count"] == 3
    greys = []
    for split in ("train", "validation", "test"):
        (background,) = (tmp_path / "set" / split / "backgrounds").iterdir()
        greys.append(np.quantile(read_image(background), 0.9))
    np.testing.assert_allclose(greys, [0.2, 0.5, 0.8], atol=0.05)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("is_there", [False, True])
def test_of_an_interrupted_set_nothing_is_left(workers: int, is_there: bool, tmp_path: Path) -> None:
    def interrupted(names: Iterator[str], total: int) -> Iterator[str]:
        assert total == 15
        yield next(names)
        assert len([path for path in tmp_path.iterdir() if path.name.startswith(".set-")]) == 1
        raise KeyboardInterrupt

    if is_there:
        (tmp_path / "set").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_rendered_set(tmp_path / "set", SMALL, workers, interrupted)
    assert [path.name for path in tmp_path.rglob("*")] == (["set"] if is_there else [])


def test_a_folder_with_something_in_it_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileError, match="is not empty"):
        write_rendered_set(tmp_path, SMALL)
    with pytest.raises(FileError, match=r"mine\.txt is not a folder"):
        write_rendered_set(tmp_path / "mine.txt", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_appears_where_an_empty_one_was_with_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new"):
        with folder_written_whole(tmp_path / name) as folder:
            (folder / "file").write_text("x", encoding="utf-8")
        assert [path.name for path in (tmp_path / name).iterdir()] == ["file"]
        assert (tmp_path / name).stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("count", [3, 10, 99, 100])
def test_shares_are_kept_to_an_image_and_nothing_is_lost(count: int) -> None:
    counts = split_counts(count, (0.8, 0.1, 0.1))
    assert sum(counts.values()) == count
    assert min(counts.values()) >= 1
    if count >= 10:
        assert np.abs(np.array(list(counts.values())) - count * np.array([0.8, 0.1, 0.1])).max() < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be an integer of at least 1, got 0"),
        ({"count": 2}, "count must be at least one for each split that has a share, got 2"),
        (
            {"shares": (0.8, 0.1, 0.2)},
            r"shares must be three numbers of at least 0 that sum to 1, got \(0.8, 0.1, 0.2\)",
        ),
        ({"shares": (1.5, -0.5, 0)}, "shares must be three numbers"),
        ({"shares": (0.5, 0.5)}, "shares must be three numbers"),
        ({"shares": ("a", 0, 1)}, "shares must be three numbers"),
        ({"shares": (float("nan"), 0, 1)}, "shares must be three numbers"),
        ({"size": 3}, "size must be an integer of at least 20, got 3"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"families": ["fog"]}, "unknown family 'fog'"),
        ({"alpha_bits": 12}, "alpha_bits must be 8 or 16, got 12"),
    ],
)
def test_bad_arguments_are_named_with_what_is_allowed(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        RenderedSet(**arguments)  # type: ignore[arg-type]


def test_there_is_a_worker_at_least(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="workers must be an integer of at least 1, got 0"):
        write_rendered_set(tmp_path / "set", SMALL, workers=0)
