"""Training of the segmenter's weights, on a few pictures made for it."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from active_matting.data.folder import Cutouts, Folder
from active_matting.data.images import to_bytes, write_alpha, write_image, write_picture
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import read_json
from active_matting.segmenters import band, cues
from active_matting.segmenters.perceptron import read_perceptron
from active_matting.training.fitting import Examples, fit
from active_matting.training.pictures import Pictures, background_files
from active_matting.training.segmentation import main
from active_matting.training.users import SimulatedUser
from active_matting.types import Label

SIDE = 400


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mattes, masks, cutouts and backgrounds, of two or three rendered pictures each."""
    root = tmp_path_factory.mktemp("pictures")
    for number, sample in enumerate(Rendered("train", count=3, size=SIDE)):
        write_image(root / "mattes" / "images" / f"{number}.png", sample.image)
        write_alpha(root / "mattes" / "alphas" / f"{number}.png", sample.alpha)
        write_image(root / "masks" / "images" / f"{number}.png", sample.image)
        write_alpha(root / "masks" / "masks" / f"{number}.png", np.round(sample.alpha))
        write_picture(root / "cutouts" / f"{number}.png", to_bytes(np.dstack([sample.image, sample.alpha])))
        write_image(root / "backgrounds" / "inner" / f"{number}.png", sample.image[::-1])
    return root


def arguments_for(folders: Path, output: Path, seed: int = 0) -> list[str]:
    places = [f"--{name}={folders / name}" for name in ("mattes", "masks", "cutouts", "backgrounds")]
    return [*places, "--rounds", "1", "--seed", str(seed), "--output", str(output)]


@pytest.fixture(scope="module")
def trained(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained")
    assert main(arguments_for(folders, output)) == 0
    return output


def test_weights_come_out_and_load(trained: Path) -> None:
    segmenter = read_perceptron(trained / cues.WEIGHTS.name, cues.FEATURES)
    edge = read_perceptron(trained / band.WEIGHTS.name, band.FEATURES)
    shipped = read_perceptron(cues.WEIGHTS, cues.FEATURES), read_perceptron(band.WEIGHTS, band.FEATURES)
    for perceptron, twin in zip((segmenter, edge), shipped, strict=True):
        assert [w.shape for w in perceptron.weights] == [w.shape for w in twin.weights]
        assert all(np.isfinite(w).all() for w in perceptron.weights)
    (report,) = read_json(trained / "report.json")
    assert report["pictures"] == 1
    assert all(0 < error < 1 for error in (report["rmse"] | report["held_out_rmse_after"]).values())


def test_the_seed_decides(folders: Path, trained: Path, tmp_path: Path) -> None:
    assert main(arguments_for(folders, tmp_path)) == 0
    for name in (cues.WEIGHTS.name, band.WEIGHTS.name, "report.json"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.parametrize("option", ["mattes", "masks", "cutouts", "backgrounds"])
def test_a_missing_folder_is_told_in_one_line(
    folders: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = arguments_for(folders, tmp_path)
    arguments = [
        f"--{option}={tmp_path / 'missing'}" if entry.startswith(f"--{option}=") else entry for entry in arguments
    ]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert "missing" in told
    assert told.count("\n") == 1


def test_the_command_ends_with_status_1(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "active_matting.training.segmentation", *arguments_for(tmp_path, tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1


def striped(root: Path, count: int = 7) -> Pictures:
    """Mattes with as many opaque rows, of 40, as tell their number; backgrounds of a grey that tells theirs."""
    for number in range(count):
        alpha = np.zeros((40, 40), dtype=np.float32)
        alpha[: number + 1] = 1
        write_image(root / "mattes" / "images" / f"{number}.png", np.full((40, 40, 3), 1, dtype=np.float32))
        write_alpha(root / "mattes" / "alphas" / f"{number}.png", alpha)
        write_image(root / "backgrounds" / f"{number}.png", np.full((40, 40, 3), number / 10, dtype=np.float32))
    return Pictures([Folder(str(root / "mattes"))], [], [], background_files([str(root / "backgrounds")]), side=40)


def numbers_drawn(pictures: Pictures, seed: int) -> Iterator[tuple[int, int | None]]:
    """Which matte, and which background where it lies over another, of 300 draws; rendered pictures are left out."""
    rng = np.random.default_rng(seed)
    for _ in range(300):
        picture = pictures.draw(rng)
        if np.ptp(picture.alpha, axis=1).max() > 0 or set(np.unique(picture.alpha)) != {0, 1}:
            continue
        opaque = int(picture.alpha[:, 0].sum())
        is_swapped = opaque > 20
        behind = picture.image[picture.alpha == (1 if is_swapped else 0)].mean()
        yield (40 - opaque if is_swapped else opaque) - 1, None if behind > 0.9 else round(float(behind) * 10)


def test_held_out_pictures_are_never_trained_on(tmp_path: Path) -> None:
    pictures = striped(tmp_path)
    mattes, backgrounds = (set(drawn) for drawn in zip(*numbers_drawn(pictures, 0), strict=True))
    assert mattes == {1, 2, 3, 4, 6}
    assert backgrounds == {None, 1, 2, 3, 4, 6}
    held_out = Pictures(pictures.mattes, [], [], pictures.backgrounds, side=40, held_out=True)
    mattes, backgrounds = (set(drawn) for drawn in zip(*numbers_drawn(held_out, 0), strict=True))
    assert mattes == {0, 5}
    assert backgrounds == {None, 0, 5}


def test_draws_follow_their_generator(tmp_path: Path) -> None:
    pictures = striped(tmp_path)
    one, other = ([pictures.draw(rng).image for _ in range(5)] for rng in map(np.random.default_rng, (3, 3)))
    np.testing.assert_array_equal(one, other)


def test_cutouts_and_masks_are_drawn_too(folders: Path) -> None:
    backgrounds = background_files([str(folders / "backgrounds")])
    mattes, masks = Folder(str(folders / "mattes")), Folder(str(folders / "masks"))
    pictures = Pictures([mattes], [masks], [Cutouts(str(folders / "cutouts"))], backgrounds, side=60)
    rng = np.random.default_rng(0)
    drawn = [pictures.draw(rng) for _ in range(40)]
    assert {picture.is_soft for picture in drawn} == {True, False}
    for picture in drawn:
        assert picture.image.shape == (60, 60, 3)
        assert picture.alpha.shape == (60, 60)
        assert picture.image.dtype == picture.alpha.dtype == np.float32
        assert picture.image.min() >= 0
        assert picture.image.max() <= 1


def test_no_pictures_are_no_backgrounds(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no pictures to be backgrounds"):
        background_files([str(tmp_path)])


def test_without_examples_there_is_nothing_to_fit() -> None:
    with pytest.raises(InvalidArgumentError, match="nothing to fit to"):
        fit(Examples(), (4,), 1, 0)


def test_a_perceptron_is_fitted_to_its_examples() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (2, 60, 100)).astype(np.float32)
    examples = Examples()
    examples.add(x, x, (x[:1] > x[1:]).astype(np.float32), np.arange(6000))
    right = (fit(examples, (16,), 400, 0)(x) > 0.5) == (x[:1] > x[1:])
    assert right.mean() > 0.97


def test_the_steadier_the_less_an_answer_may_spoil() -> None:
    # One input tells much before the answer and is noise after it, another tells something throughout.
    rng = np.random.default_rng(0)
    truth = rng.random(8000) < 0.5
    much, little = (truth + rng.normal(0, deviation, 8000) for deviation in (0.3, 0.8))
    before = np.stack([much, little]).astype(np.float32)[:, None]
    after = np.stack([rng.normal(0.5, 0.6, 8000), little]).astype(np.float32)[:, None]
    examples = Examples()
    examples.add(before, after, truth[None, None].astype(np.float32), np.arange(8000))

    def harm(steadiness: float) -> float:
        perceptron = fit(examples, (16,), 100, 0, steadiness)
        earlier, later = (np.abs(perceptron(x)[0, 0] - truth) for x in (before, after))
        return float(np.maximum(later - earlier, 0).mean())

    assert harm(10) < 0.7 * harm(0)


def answers_of(seed: int) -> list[bool]:
    """Which class a user told, of twenty answers, while everything is believed to be wrong."""
    truth = Rendered("train", count=3, size=200)[0].alpha
    user, told = SimulatedUser(truth, 10, np.random.default_rng(seed)), []
    for _ in range(20):
        before = user.label_map
        user.answer(1 - truth)
        new = user.label_map[user.label_map != before]
        assert set(np.sign(new)) <= {-1, 1}
        assert (truth[user.label_map == Label.FOREGROUND] >= 0.5).all()
        assert (truth[user.label_map == Label.BACKGROUND] < 0.5).all()
        told.append(bool((new == Label.FOREGROUND).any()))
    return told


def test_a_simulated_user_follows_the_generator_and_may_tell_one_class_many_times() -> None:
    told = [answers_of(seed) for seed in range(12)]
    assert told[0] == answers_of(0)
    assert max(len(list(run)) for answers in told for _, run in groupby(answers[2:])) >= 5
    assert min(len(list(run)) for answers in told for _, run in groupby(answers[2:])) == 1
