"""Published checkpoints: that they load, what is refused, and that the networks do what the released code does."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import published_networks as theirs
import pytest
import safetensors.torch
import torch
from torch import Tensor

from active_matting.errors import CheckpointError, FileError, UnknownNameError
from active_matting.models import make_network
from active_matting.models.base import Network
from active_matting.models.checkpoints import (
    PUBLISHED_SIGMAS,
    load_encoder,
    load_published,
    network_of,
    published_names,
)
from active_matting.models.fba import FBA
from active_matting.models.fusion import fuse
from active_matting.models.hints import HintMaps
from active_matting.models.layers import StandardisedConv2d, as_trained_by_deviation
from active_matting.models.published_names import our_name, their_name
from active_matting.models.resnet import DilatedResNet

H, W = 64, 72
NAMES = ["fba", "two-stream"]
SMALL: dict[str, Any] = {"width": 8, "depths": (1, 2, 1, 1)}
FORMULAS = {True: theirs.by_deviation, False: theirs.as_batches}

Weights = dict[str, Tensor]
Asked = tuple[Tensor, Tensor, Tensor, Tensor]


@cache
def asked(name: str) -> Asked:
    """Image, marks, hints and previous alpha, float64, as the released code makes them."""
    rng = np.random.default_rng(3)
    planes = cv2.resize(rng.random((9, 8, 4)), (W, H), interpolation=cv2.INTER_CUBIC) + 0.05 * rng.random((H, W, 4))
    planes = planes.clip(0, 1).transpose(2, 0, 1)[None]
    marks = np.zeros((2, H, W), dtype=np.float32)
    marks[0, :10, :12], marks[1, 30:40, 40:50] = 1, 1
    hints = theirs.transformed(marks, {"fba": 320, "two-stream": 352}[name])
    return (
        torch.as_tensor(planes[:, :3]),
        torch.as_tensor(marks[None]).double(),
        torch.as_tensor(hints[None]).double(),
        torch.as_tensor(planes[:, 3:]),
    )


@cache
def full_size(name: str, is_trained_like: bool) -> Weights:
    """Float64 weights, of values that float32 holds."""
    weights = theirs.random_weights(theirs.shapes(name), is_trained_like)
    return {key: tensor.float().double() for key, tensor in weights.items()}


def small(name: str, seed: int = 0) -> Weights:
    """A small network's weights in the published naming, float32."""
    torch.manual_seed(seed)
    return published_names(make_network(name, **SMALL).state_dict(), name)


def saved(weights: object, folder: Path, **options: bool) -> Path:
    torch.save(weights, folder / "weights.pth", **options)
    return folder / "weights.pth"


@torch.no_grad()
def ours(network: Network, name: str, dtype: torch.dtype) -> Tensor:
    """Alpha, and foreground and background where there are any, fused."""
    inputs = [part.to(dtype) for part in asked(name)]
    prediction = fuse(network.to(dtype)(*inputs), inputs[0])
    return torch.cat([part for part in prediction if part is not None], dim=1)


@cache
@torch.no_grad()
def published(name: str, is_trained_like: bool, by_deviation: bool) -> Tensor:
    """What the released code makes of it, in float64."""
    weights, standardise = full_size(name, is_trained_like), FORMULAS[by_deviation]
    image, marks, hints, previous = asked(name)
    if name == "fba":
        return torch.cat(theirs.fba(weights, image, marks, hints, standardise), dim=1)
    return theirs.two_stream(weights, image, marks, hints, previous, standardise)


@pytest.mark.parametrize("is_trained_like", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_does_what_the_newest_released_code_does(name: str, is_trained_like: bool) -> None:
    network = network_of(full_size(name, is_trained_like), name, trained_by_deviation=False)
    expected = published(name, is_trained_like, by_deviation=False)
    is_inside = (expected[:, :1] > 0) & (expected[:, :1] < 1)
    assert is_inside.double().mean() > 0.3, "clipped alphas would compare nothing"
    assert (ours(network, name, torch.float64) - expected).abs().max() < 1e-9


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_does_what_it_was_trained_to_do(name: str, dtype: torch.dtype) -> None:
    network = network_of({key: tensor.to(dtype) for key, tensor in full_size(name, True).items()}, name)
    expected = published(name, is_trained_like=True, by_deviation=True)
    difference = (ours(network, name, dtype) - expected).abs().max()
    assert difference < (1e-9 if dtype == torch.float64 else 1e-4)


@pytest.mark.parametrize(("is_trained_like", "least"), [(False, 1e-4), (True, 1e-2)])
@pytest.mark.parametrize("name", NAMES)
def test_the_released_codes_two_formulas_differ(name: str, is_trained_like: bool, least: float) -> None:
    first, newest = (published(name, is_trained_like, by_deviation) for by_deviation in (True, False))
    assert (first - newest)[:, :1].abs().mean() > least


@pytest.mark.parametrize("fan", [(1, 8, 1, 1), (16, 3, 7, 7), (5, 256, 3, 3)])
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1.0, 1e3])
def test_rewritten_kernels_are_used_as_the_first_formula_says(fan: tuple[int, int, int, int], scale: float) -> None:
    draw = torch.Generator().manual_seed(0)
    weight = (torch.randn(fan, generator=draw, dtype=torch.float64) + 0.5) * scale
    layer = StandardisedConv2d(fan[1], fan[0], fan[2:]).double()
    layer.weight = torch.nn.Parameter(as_trained_by_deviation(weight))
    assert torch.allclose(layer.standardised_weight(), theirs.by_deviation(weight), rtol=1e-9, atol=1e-12)


def test_a_kernel_of_one_value_is_rewritten_to_zeros() -> None:
    assert not as_trained_by_deviation(torch.full((2, 3, 3, 3), 0.25)).any()


@pytest.mark.parametrize("name", NAMES)
def test_hints_are_the_released_trimap_transform(name: str) -> None:
    with torch.device("meta"):
        network = make_network(name, sigmas=PUBLISHED_SIGMAS[name])
    marks, hints = asked(name)[1][0].float().numpy(), asked(name)[2][0].float().numpy()
    assert np.abs(network.hint_maps(marks) - hints).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "bytes_published"),
    [("fba", 139e6), ("two-stream", 144 * 2**20)],  # as the READMEs say, in MB and in MiB
)
def test_files_of_the_published_size_are_as_large_as_those_published(name: str, bytes_published: float) -> None:
    with torch.device("meta"):
        network = make_network(name)
    assert 4 * sum(part.numel() for part in network.parameters()) == pytest.approx(bytes_published, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_the_published_ones(name: str) -> None:
    with torch.device("meta"):
        found = published_names(make_network(name).state_dict(), name)
    assert {key: tuple(tensor.shape) for key, tensor in found.items()} == theirs.shapes(name)
    assert all(their_name(our_name(key)) == key for key in found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["zip", "legacy", "wrapped", "parallel", "tmp", "safetensors", "half"])
def test_any_way_of_storing_weights_gives_the_same_network(kind: str, name: str, tmp_path: Path) -> None:
    weights = small(name)
    if kind == "safetensors":
        path = tmp_path / "weights.safetensors"
        safetensors.torch.save_file(weights, path)
    else:
        stored: dict[str, object] = {
            "zip": weights,
            "legacy": weights,
            "wrapped": {"epoch": 3, "state_dict": weights},
            "parallel": {f"module.{key}": tensor for key, tensor in weights.items()},
            "tmp": {key.replace("conv1.weight", "conv1._tmp_weight"): part for key, part in weights.items()},
            "half": {key: tensor.half() for key, tensor in weights.items()},
        }
        path = saved(stored[kind], tmp_path, _use_new_zipfile_serialization=kind != "legacy")
    network = load_published(path, name, trained_by_deviation=False)
    assert network.hint_maps == HintMaps(PUBLISHED_SIGMAS[name])
    found = published_names(network.state_dict(), name)
    assert list(found) == list(weights)
    for key, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, weights[key].half().float() if kind == "half" else weights[key])
    assert all(part.requires_grad for part in network.parameters())


def test_published_sigmas_are_shares_of_320_and_352_pixels() -> None:
    assert PUBLISHED_SIGMAS["fba"] == pytest.approx((6.4, 25.6, 51.2))
    assert PUBLISHED_SIGMAS["two-stream"] == pytest.approx((7.04, 28.16, 56.32))


def test_a_network_without_filter_comes_without(tmp_path: Path) -> None:
    weights = {key: part for key, part in small("two-stream").items() if "guided_map" not in key}
    assert load_published(saved(weights, tmp_path), "two-stream").guide is None


def test_what_does_not_fit_is_listed_in_both_namings(tmp_path: Path) -> None:
    weights = small("two-stream")
    del weights["encoder.bn1.weight"]
    weights["decoder.usr_encoder.conv1.bias"] = torch.zeros(7)
    weights["decoder.attention.weight"] = torch.zeros(1)
    with pytest.raises(CheckpointError) as raised:
        load_published(saved(weights, tmp_path), "two-stream")
    text = str(raised.value)
    assert "1 missing: encoder.bn1.weight (encoder.norm1.weight here)" in text
    assert "1 not expected: decoder.attention.weight" in text
    shapes = "1 of another shape: decoder.usr_encoder.conv1.bias (interaction.conv1.bias here) (7,) instead of (4,)"
    assert shapes in text


def test_long_lists_are_cut_and_counted(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as raised:
        load_published(saved(small("fba"), tmp_path), "two-stream")
    text = str(raised.value)
    assert "12 missing: decoder.usr_encoder.conv1.weight" in text
    assert ", …; " in text
    assert text.count("usr_encoder") == 10
    assert "\n" not in text


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"not a checkpoint at all",
        b"PK\x03\x04 a torn archive",
        b"\x80\x04\x95",
        b"cposix\nsystem\n(S'true'\ntR.",
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_files_are_named_in_one_line(stored: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{suffix}"
    path.write_bytes(stored)
    with pytest.raises(CheckpointError, match="other") as raised:
        load_published(path, "fba")
    assert "\n" not in str(raised.value)


class Trap:
    """Would be run by unpickling."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.mkdir, (Path("sprung"),)  # type: ignore[return-value]


@pytest.mark.parametrize("is_zip", [True, False])
def test_nothing_is_unpickled(is_zip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved({"encoder.conv1.weight": Trap()}, tmp_path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(CheckpointError, match="unpickling"):
        load_published(path, "fba")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("stored", [[], {}, torch.zeros(3), {"a": 3}, {"a": torch.zeros(3, dtype=torch.int64)}, {3: 4}])
def test_what_holds_no_weights_is_refused(stored: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"weights\.pth"):
        load_published(saved(stored, tmp_path), "fba")


def test_weights_stored_twice_are_refused(tmp_path: Path) -> None:
    weights = small("fba")
    weights["module.encoder.conv1.weight"] = weights["encoder.conv1.weight"]
    with pytest.raises(CheckpointError, match="twice"):
        load_published(saved(weights, tmp_path), "fba")


@pytest.mark.parametrize("shape", [(), (0, 11, 7, 7), (12, 11, 7, 7), (10**6, 11, 0, 7)])
def test_a_stem_of_a_strange_shape_is_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    weights = small("fba") | {"encoder.conv1.weight": torch.zeros(shape)}
    with pytest.raises(CheckpointError, match="not of the network 'fba'"):
        load_published(saved(weights, tmp_path), "fba")


def test_a_block_of_a_huge_number_is_refused_at_once(tmp_path: Path) -> None:
    weights = small("fba") | {"encoder.layer1.999999999.conv1.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match="1 not expected"):
        load_published(saved(weights, tmp_path), "fba")


def test_a_missing_file_and_an_unknown_network_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nowhere"):
        load_published(tmp_path / "nowhere.pth", "fba")
    with pytest.raises(UnknownNameError, match="two-stream"):
        load_published(tmp_path / "nowhere.pth", "resnet50")
    with pytest.raises(UnknownNameError, match="two-stream"):
        published_names({}, "imatting")


def test_names_of_another_network_are_refused() -> None:
    with pytest.raises(CheckpointError, match="this state dict is not of the network 'fba'"):
        published_names(make_network("two-stream", **SMALL).state_dict(), "fba")


@pytest.mark.parametrize("trained_by_deviation", [True, False])
@pytest.mark.parametrize("inputs", [3, 11])
def test_an_imagenet_encoder_does_what_its_code_does(inputs: int, trained_by_deviation: bool, tmp_path: Path) -> None:
    depths = (2, 1, 1, 1)
    weights = theirs.random_weights(theirs.shapes("resnet50", 64, depths), is_trained_like=True)
    weights = {key: tensor.float().double() for key, tensor in weights.items()}
    encoder = DilatedResNet(inputs, 64, depths)
    path = saved({f"module.{key}": tensor.float() for key, tensor in weights.items()}, tmp_path)
    load_encoder(path, encoder, trained_by_deviation)
    path.unlink()
    x = torch.cat([asked("fba")[0], asked("fba")[2], asked("fba")[1]], dim=1)[:, :inputs]
    more = torch.zeros(64, inputs - 3, 7, 7, dtype=torch.float64)
    weights = weights | {"conv1.weight": torch.cat([weights["conv1.weight"], more], dim=1)}
    with torch.no_grad():
        found = encoder.double()(x)
        stem, early, _, _, deep = theirs.resnet(weights, x, FORMULAS[trained_by_deviation], prefix="")
    for one, other in zip(found, (stem, early, deep), strict=True):
        assert (one - other).abs().max() < (1e-4 if trained_by_deviation else 1e-9)


def test_an_encoder_goes_into_each_network_and_nothing_else_changes(tmp_path: Path) -> None:
    path = saved(theirs.random_weights(theirs.shapes("resnet50", 8, (1, 2, 1, 1)), False), tmp_path)
    network = FBA(**SMALL)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    load_encoder(path, network.encoder, trained_by_deviation=False)
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[key]) != key.startswith("encoder."), key
    assert not network.encoder.conv1.weight[:, 3:].any()


def test_an_encoder_that_does_not_fit_stays_as_it_was(tmp_path: Path) -> None:
    path = saved(theirs.random_weights(theirs.shapes("resnet50", 8, (1, 2, 1, 1)), False), tmp_path)
    encoder = DilatedResNet(9, 16, (1, 1, 1, 1))
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    with pytest.raises(CheckpointError, match="of another shape: encoder"):
        load_encoder(path, encoder)
    assert all(torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items())
