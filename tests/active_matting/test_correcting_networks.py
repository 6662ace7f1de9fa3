"""Networks that see another solver's matte and correct it."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from active_matting.data.rendered import Rendered
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError
from active_matting.models import make_network
from active_matting.models.checkpoints import load_published, published_names
from active_matting.models.fba import FBA
from active_matting.models.weights import write_network
from active_matting.solvers import make_solver
from active_matting.training.lessons import Lesson
from active_matting.training.recipe import Recipe
from active_matting.training.start import with_inputs_of
from active_matting.training.tasks.batches import Batch
from active_matting.training.train_network import make_network as make_network_of
from active_matting.types import Image, LabelMap

SMALL = {"width": 8, "depths": [1, 1, 1, 1], "head": [8, 8]}
GUESS = "random-walk"


def picture() -> tuple[Image, LabelMap]:
    sample = Rendered("train", count=1, size=64)[0]
    label_map = np.zeros((64, 64), np.int8)
    label_map[sample.alpha >= 1] = 1
    label_map[sample.alpha <= 0] = -1
    label_map[np.arange(64) % 5 > 1] = 0
    return sample.image, label_map


def share_of(label_map: LabelMap) -> float:
    """How much of a change is made where so many pixels are not told."""
    share = float(4 * np.mean(label_map == 0)) - 2
    assert 0.2 < share < 0.8
    return share


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    arguments = SMALL | {"guess": GUESS}
    write_network(tmp_path / "net", make_network("imatting", **arguments), "imatting", arguments)
    return tmp_path / "net"


def test_an_untrained_one_answers_what_it_would_correct(untrained: Path) -> None:
    image, label_map = picture()
    found = make_solver("imatting", weights=str(untrained), fusion=False).prepare(image).solve(label_map).alpha
    assert np.abs(found - make_solver(GUESS).prepare(image).solve(label_map).alpha).max() < 1e-6
    assert 0.05 < found.mean() < 0.95


@pytest.mark.parametrize(("name", "change"), [("imatting", 0.0), ("fba", 0.25)])
def test_where_half_is_told_nothing_is_changed_but_by_networks_for_trimaps(
    name: str, change: float, tmp_path: Path
) -> None:
    image, label_map = picture()
    label_map[:34] = np.where(image[:34, :, 0] > 0.5, 1, -1)
    assert 0.2 < np.mean(label_map == 0) < 0.5
    arguments = SMALL | {"guess": GUESS}
    network = make_network(name, **arguments)
    assert isinstance(network, FBA)
    with torch.no_grad():
        network.decoder.conv_up4.get_parameter("4.bias")[0] = 0.25
    write_network(tmp_path / "moved", network, name, arguments)
    found = make_solver(name, weights=str(tmp_path / "moved")).prepare(image).solve(label_map).alpha
    guess = make_solver(GUESS).prepare(image).solve(label_map).alpha
    expected = np.where(label_map == 0, np.minimum(guess + change, 1), guess)
    np.testing.assert_allclose(found, expected, atol=1e-6 if change else 0, rtol=0)


@pytest.mark.parametrize(("guess", "arguments"), [(GUESS, {}), ('closed-form {"epsilon": 0.01}', {"epsilon": 0.01})])
def test_training_and_solving_show_the_network_the_same_guess(
    guess: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    image, label_map = picture()
    torch.manual_seed(0)
    network = make_network("imatting", **SMALL, guess=guess)
    write_network(tmp_path / "net", network, "imatting", SMALL | {"guess": guess})
    solver = make_solver("imatting", weights=str(tmp_path / "net"), fusion=False)
    guesser = make_solver(guess.split()[0], **arguments)
    batch = Batch(network, [Lesson(image, np.zeros((64, 64), np.float32), image, image)] * 2)
    maps = [label_map, -label_map]
    alphas = batch.predict(maps, torch.zeros(2, 1, 64, 64)).alpha.detach().numpy()[:, 0]
    for alpha, labels in zip(alphas, maps, strict=True):
        assert np.abs(alpha - guesser.prepare(image).solve(labels).alpha).max() < 1e-6
        assert np.abs(alpha - solver.prepare(image).solve(labels).alpha).max() < 1e-6


@pytest.mark.parametrize("trust", [1.0, 0.3])
def test_a_trained_one_moves_away_from_its_guess_as_far_as_it_is_trusted(
    untrained: Path, tmp_path: Path, trust: float
) -> None:
    image, label_map = picture()
    arguments = SMALL | {"guess": GUESS, "trust": trust}
    network = make_network("imatting", **arguments)
    assert isinstance(network, FBA)
    with torch.no_grad():
        network.decoder.conv_up4.get_parameter("4.bias")[0] = 0.25
    write_network(tmp_path / "moved", network, "imatting", arguments)
    before, after = (
        make_solver("imatting", weights=str(path), fusion=False).prepare(image).solve(label_map).alpha
        for path in (untrained, tmp_path / "moved")
    )
    is_free = label_map == 0
    change = trust * share_of(label_map) * (np.minimum(before + 0.25, 1) - before)
    np.testing.assert_allclose(after[is_free], (before + change)[is_free], atol=1e-5)
    assert (after[label_map == -1] == 0).all()


@pytest.mark.parametrize("trust", [0.0, 1.5])
def test_trust_is_a_share(trust: float) -> None:
    with pytest.raises(InvalidArgumentError, match=str(trust)):
        make_network("imatting", **SMALL, guess=GUESS, trust=trust)


@pytest.mark.parametrize("more", [{}, {"recognises": True}])
def test_weights_of_a_network_without_guesses_are_a_beginning(more: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = make_network("imatting", **SMALL)
    write_network(tmp_path / "plain", plain, "imatting", SMALL)
    recipe = Recipe.from_table(
        {
            "network": {"name": "imatting", **SMALL, "guess": GUESS, **more},
            "tasks": {"one": {"kind": "trimaps"}},
            "schedule": {"turns": [["one", 1]], "epochs": 1},
        }
    )
    network = make_network_of(recipe, 0, tmp_path / "plain" / "weights.safetensors")
    image, marks, hints, guess = (torch.rand(1, channels, 32, 32) for channels in (3, 2, 6, 1))
    with torch.no_grad():
        old, new = plain(image, marks, hints, guess), network(image, marks, hints, guess)
    assert torch.allclose(new.alpha, guess)
    assert old.foreground is not None
    # kernels are standardised over one more channel, so that features differ a little in scale, which groups undo
    assert (new.foreground - old.foreground).abs().mean() < 0.05


def test_new_inputs_begin_at_zero_and_others_are_kept() -> None:
    old, like = torch.rand(4, 3, 3, 3), torch.rand(4, 5, 3, 3)
    fitted = with_inputs_of({"weight": old, "bias": torch.ones(4)}, {"weight": like, "bias": torch.ones(4)})
    assert torch.equal(fitted["weight"][:, :3], old)
    assert (fitted["weight"][:, 3:] == 0).all()
    assert torch.equal(fitted["bias"], torch.ones(4))


@pytest.mark.parametrize("guess", [None, GUESS])
def test_imatting_begins_with_a_published_checkpoint_of_fba(tmp_path: Path, guess: str | None) -> None:
    torch.manual_seed(0)
    matting = make_network("fba", **SMALL).state_dict()
    torch.save(published_names(matting, "fba"), tmp_path / "FBA.pth")
    table = {
        "network": {"name": "imatting", **SMALL} | ({} if guess is None else {"guess": guess}),
        "tasks": {"one": {"kind": "trimaps"}},
        "schedule": {"turns": [["one", 1]], "epochs": 1},
    }
    begun = make_network_of(Recipe.from_table(table), 0, tmp_path / "FBA.pth").state_dict()
    loaded = load_published(tmp_path / "FBA.pth", "fba").state_dict()  # standardised as the authors' first code did
    first = begun.pop("encoder.conv1.weight")
    assert torch.equal(first[:, :9], loaded["encoder.conv1.weight"][:, :9])  # image and hints, without the masks
    assert first.shape[1] == (9 if guess is None else 10)
    assert (first[:, 9:] == 0).all()
    last = "decoder.conv_up4.4."
    for name, tensor in begun.items():
        if guess is None or not name.startswith(last):
            assert torch.equal(tensor[:, : loaded[name].shape[1]] if tensor.ndim == 4 else tensor, loaded[name]), name


def test_weights_of_another_network_are_no_beginning(tmp_path: Path) -> None:
    torch.save(published_names(make_network("fba", **SMALL).state_dict(), "fba"), tmp_path / "FBA.pth")
    table = {
        "network": {"name": "imatting", **SMALL | {"width": 16}},
        "tasks": {"one": {"kind": "trimaps"}},
        "schedule": {"turns": [["one", 1]], "epochs": 1},
    }
    with pytest.raises(FileError, match=r"FBA\.pth does not fit the network 'imatting'"):
        make_network_of(Recipe.from_table(table), 0, tmp_path / "FBA.pth")


def test_what_is_changed_at_a_smaller_size_is_enlarged_and_the_guess_stays_sharp(tmp_path: Path) -> None:
    image, label_map = picture()
    arguments = SMALL | {"guess": GUESS, "side": 32}
    network = make_network("imatting", **arguments)
    assert isinstance(network, FBA)
    with torch.no_grad():
        network.decoder.conv_up4.get_parameter("4.bias")[0] = 0.125
        network.decoder.conv_up4.get_parameter("4.weight")[0] = 0
    write_network(tmp_path / "net", network, "imatting", arguments)
    guess = make_solver(GUESS).prepare(image).solve(label_map).alpha
    small = cv2.resize(guess, (32, 32), interpolation=cv2.INTER_AREA)
    change = cv2.resize(np.minimum(small + 0.125, 1) - small, (64, 64), interpolation=cv2.INTER_LINEAR)
    expected = np.where(
        label_map == 1, 1, np.where(label_map == -1, 0, np.clip(guess + share_of(label_map) * change, 0, 1))
    )
    for fusion in (False, True):  # which moves the colours alone, as the alpha is another solver's
        found = make_solver("imatting", weights=str(tmp_path / "net"), fusion=fusion).prepare(image).solve(label_map)
        np.testing.assert_allclose(found.alpha, expected, atol=1e-5)
    at_own_size = make_solver("imatting", weights=str(tmp_path / "net"), side=64).prepare(image).solve(label_map).alpha
    moved = guess + share_of(label_map) * (np.minimum(guess + 0.125, 1) - guess)
    np.testing.assert_allclose(at_own_size[label_map == 0], moved[label_map == 0], atol=1e-5)
    with pytest.raises(InvalidArgumentError, match="side must be at least 1"):
        make_network("imatting", **SMALL, side=0)


def test_a_recipe_is_told_all_networks_it_may_name() -> None:
    recipe = Recipe.from_table(
        {
            "network": {"name": "nothing"},
            "tasks": {"one": {"kind": "trimaps"}},
            "schedule": {"turns": [["one", 1]], "epochs": 1},
        }
    )
    with pytest.raises(UnknownNameError, match=r"unknown network 'nothing'; choose from \[.*'imatting'.*'band'"):
        make_network_of(recipe, 0)
