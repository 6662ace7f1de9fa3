"""Networks' weights as solvers find them; what is refused; threads and processes."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_networks import NETWORK_SOLVERS, TINY, prepare, tiny_arguments, tiny_weights

from active_matting import make_solver
from active_matting.compiled import threads_at_most
from active_matting.errors import ConvergenceError, FileError, InvalidArgumentError
from active_matting.models import make_network
from active_matting.models.weights import find_weights, read_network, shipped_weights, write_network
from active_matting.solvers.network import loading
from active_matting.solvers.network.views import Canvas
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Label


def test_many_prepared_images_share_one_network_until_its_files_change(tmp_path: Path) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        write_network(tmp_path, make_network("fba", **TINY), "fba", TINY)
        os.utime(tmp_path / "weights.safetensors", (seed, seed))
        solver = make_solver("fba", weights=str(tmp_path))
        loading._loaded.cache_clear() if seed == 0 else None
        prepared = [solver.prepare(made_up_image((8, 8 + i))[0]) for i in range(20)]
        assert len({id(each.loaded) for each in prepared}) == 1  # type: ignore[attr-defined]
        assert loading._loaded.cache_info().misses == seed + 1


def test_making_a_solver_loads_nothing() -> None:
    solver = make_solver("imatting", weights="/nowhere/at/all")
    with pytest.raises(FileError, match=r"there are no weights at /nowhere/at/all; give a folder, a checkpoint file"):
        solver.prepare(made_up_image()[0])


def test_the_package_loads_torch_only_where_it_is_needed() -> None:
    script = "import active_matting, active_matting.session, sys; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == "False\n"


@pytest.mark.parametrize("name", NETWORK_SOLVERS)
def test_where_none_are_shipped_the_error_says_what_to_give(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("active_matting.models.weights.shipped_weights", lambda: ["other"])
    with pytest.raises(
        FileError, match=rf"no weights for the network '{NETWORK_SOLVERS[name]}' .*other.* give weights=PATH"
    ):
        make_solver(name).prepare(made_up_image()[0])


def test_shipped_weights_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("active_matting.models.weights.SHIPPED", tmp_path)
    assert shipped_weights() == []
    write_network(tmp_path / "imatting", read_network(tiny_weights("imatting")), "imatting", TINY)
    assert shipped_weights() == ["imatting"]
    assert find_weights(None, "imatting") == find_weights("imatting", "imatting") == tmp_path / "imatting"
    assert np.isfinite(make_solver("imatting").prepare(made_up_image()[0]).solve(made_up_labels()).alpha).all()


@pytest.mark.parametrize("name", shipped_weights())
def test_shipped_weights_load(name: str) -> None:
    assert read_network(find_weights(name, name)).stride == 8


def _spoil(folder: Path, what: str) -> None:
    config = folder / "config.json"
    content = json.loads(config.read_text())
    if what == "torn":
        weights = folder / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    elif what == "missing":
        (folder / "weights.safetensors").unlink()
    elif what == "wider":
        config.write_text(json.dumps({"network": content["network"] | {"width": 16}}))
    elif what == "unknown":
        config.write_text(json.dumps({"network": {"name": "unet"}}))
    elif what == "nonsense":
        config.write_text(json.dumps({"network": content["network"] | {"width": "wide"}}))
    else:
        config.write_text("[]")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("torn", "cannot read .*weights.safetensors"),
        ("missing", "cannot read .*weights.safetensors"),
        ("wider", "does not fit fba of config.json"),
        ("unknown", "holds the network 'unet', not 'fba'"),
        ("nonsense", "describes no network"),
        ("empty", 'must hold {"network"'),
    ],
)
def test_folders_that_are_not_whole_are_refused(what: str, message: str, tmp_path: Path) -> None:
    write_network(tmp_path, read_network(tiny_weights("fba")), "fba", TINY)
    _spoil(tmp_path, what)
    with pytest.raises(FileError, match=message):
        make_solver("fba", weights=str(tmp_path)).prepare(made_up_image()[0])


def test_another_networks_weights_are_refused() -> None:
    with pytest.raises(FileError, match="holds the network 'two-stream', not 'fba'"):
        make_solver("fba", weights=tiny_weights("two-stream")).prepare(made_up_image()[0])


def test_a_published_checkpoint_file_is_a_solver_too(tmp_path: Path) -> None:
    from active_matting.models.checkpoints import published_names

    network = read_network(tiny_weights("fba"))
    torch.save(published_names(network.state_dict(), "fba"), tmp_path / "FBA.pth")
    alpha = (
        make_solver("fba", weights=str(tmp_path / "FBA.pth")).prepare(made_up_image()[0]).solve(made_up_labels()).alpha
    )
    assert np.isfinite(alpha).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentations": 3}, r"augmentations must be one of \[1, 2, 8, 24\], got 3"),
        ({"side": 0}, "side must be at least 1 px or None, got 0"),
        ({"tile": 8}, "tile must be at least 64 px, got 8"),
        ({"memory": 0}, "memory must be above 0 GiB, got 0"),
        ({"device": "gpu"}, "device must be one of .*got 'gpu'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        make_solver("fba", **options)


def test_an_automatic_device_is_one_that_is_there() -> None:
    prepared = prepare("fba", (8, 8), device="auto")
    assert prepared.loaded.device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_numbers_that_are_none_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare("fba", (8, 8))
    monkeypatch.setattr(loading.LoadedNetwork, "predict", lambda self, planes: planes[:, :7] * float("nan"))
    labels = np.zeros((8, 8), dtype=np.int8)
    labels[0, 0] = Label.FOREGROUND
    with pytest.raises(ConvergenceError, match="'fba' gave alphas that are no numbers"):
        prepared.solve(labels)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_are_limited_and_given_back(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, seen = prepare("fba", (16, 16)), []
    predict = loading.LoadedNetwork.predict

    def spy(self: Any, planes: torch.Tensor) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return predict(self, planes)

    monkeypatch.setattr(loading.LoadedNetwork, "predict", spy)
    with threads_at_most(1):
        prepared.solve(made_up_labels((16, 16)))
    assert seen == [1]
    assert torch.get_num_threads() == 2


def test_several_threads_may_ask_one_prepared_image() -> None:
    prepared, label_map = prepare("imatting", (24, 24)), made_up_labels()
    label_maps = [label_map, np.where(label_map == 1, 1, 0).astype(np.int8)] * 4
    expected = [prepared.solve(each).alpha for each in label_maps]
    with ThreadPoolExecutor(4) as pool:
        for found, alpha in zip(pool.map(prepared.solve, label_maps), expected, strict=True):
            np.testing.assert_array_equal(found.alpha, alpha)


def test_a_prepared_image_is_sent_without_its_network() -> None:
    prepared = prepare("fba", (24, 24))
    sent = pickle.dumps(prepared)
    assert len(sent) < 2 * prepared.image.nbytes
    copy = pickle.loads(sent)
    np.testing.assert_array_equal(copy.solve(made_up_labels()).alpha, prepared.solve(made_up_labels()).alpha)


def test_the_network_finds_the_object_for_another_solver() -> None:
    shape = (40, 48)
    solver = make_solver(
        "segment-then-matte",
        segmenter="network",
        segmenter_kwargs={"solver": "imatting", "solver_kwargs": tiny_arguments("imatting"), "side": 32},
    )
    labels = made_up_labels(shape)
    alpha = solver.prepare(made_up_image(shape)[0]).solve(labels).alpha
    assert alpha.shape == shape
    assert (alpha[labels == Label.FOREGROUND] == 1).all()


def test_a_canvas_of_the_images_own_size_is_the_image() -> None:
    prepared = prepare("fba", (16, 24))
    canvas = Canvas.of(prepared.image, (16, 24), prepared.loaded)
    np.testing.assert_array_equal(canvas.image[0].permute(1, 2, 0).numpy(), prepared.image)
