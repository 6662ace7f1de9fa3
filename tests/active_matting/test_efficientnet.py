"""The pretrained features: against the published layers written out, and what a network is told of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from active_matting.errors import FileError, InvalidArgumentError, InvalidArrayError
from active_matting.models import efficientnet, make_network
from active_matting.models.efficientnet import EfficientNetLite0, Recognition, folded, looked_at, pretrained
from active_matting.models.fba import FBA
from active_matting.models.weights import write_network
from active_matting.recent import Recent
from active_matting.solvers import make_solver
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Image

STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
KERNELS = [3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3]
OUTPUTS = [16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192, 320]


def published(seed: int) -> dict[str, Tensor]:
    """Random tensors under the published names."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}

    def convolution(name: str, norm: str, outputs: int, inputs: int, kernel: int) -> None:
        spread = (inputs * kernel * kernel) ** -0.5
        tensors[f"{name}.weight"] = spread * torch.randn(outputs, inputs, kernel, kernel, generator=generator)
        tensors[f"{norm}.weight"] = 0.5 + torch.rand(outputs, generator=generator)
        tensors[f"{norm}.bias"] = torch.randn(outputs, generator=generator)
        tensors[f"{norm}.running_mean"] = 0.1 * torch.randn(outputs, generator=generator)
        tensors[f"{norm}.running_var"] = 0.2 + torch.rand(outputs, generator=generator)

    convolution("_conv_stem", "_bn0", 32, 3, 3)
    inputs = 32
    for number, (kernel, outputs) in enumerate(zip(KERNELS, OUTPUTS, strict=True)):
        at, inner = f"_blocks.{number}.", inputs if number == 0 else 6 * inputs
        if number:
            convolution(at + "_expand_conv", at + "_bn0", inner, inputs, 1)
        convolution(at + "_depthwise_conv", at + "_bn1", inner, 1, kernel)
        convolution(at + "_project_conv", at + "_bn2", outputs, inner, 1)
        inputs = outputs
    return tensors


def by_hand(tensors: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """The published network's features, its normalisation a layer of its own and its padding spelt out."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias, eps=1e-3)

    def convolve(x: Tensor, name: str, stride: int = 1, groups: int = 1) -> Tensor:
        weight = tensors[f"{name}.weight"]
        before, after = {(1, 1): (0, 0), (3, 1): (1, 1), (5, 1): (2, 2), (3, 2): (0, 1), (5, 2): (1, 2)}[
            weight.shape[2], stride
        ]
        padded = functional.pad(x, (before, after, before, after))
        return functional.conv2d(padded, weight, stride=stride, groups=groups)

    x = functional.relu6(norm(convolve((255 * image - 127) / 128, "_conv_stem", 2), "_bn0"))
    found = []
    for number, stride in enumerate(STRIDES):
        at, inner = f"_blocks.{number}.", x
        if number:
            inner = functional.relu6(norm(convolve(x, at + "_expand_conv"), at + "_bn0"))
        inner = functional.relu6(norm(convolve(inner, at + "_depthwise_conv", stride, inner.shape[1]), at + "_bn1"))
        out = norm(convolve(inner, at + "_project_conv"), at + "_bn2")
        x = out + x if out.shape == x.shape else out
        if number in (4, 10, 15):
            found.append(x)
    return found


def test_the_folded_network_is_the_published_one() -> None:
    tensors = published(0)
    network = EfficientNetLite0()
    network.load_state_dict(folded(tensors))
    image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for ours, theirs in zip(network(image), by_hand(tensors, image), strict=True):
            assert ours.shape == theirs.shape
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def test_a_missing_tensor_is_named() -> None:
    tensors = published(0)
    del tensors["_blocks.3._bn2.running_var"]
    with pytest.raises(KeyError, match=r"_blocks\.3\._bn2\.running_var"):
        folded(tensors)


def test_the_shipped_features_move_with_the_picture() -> None:
    """By whole steps of the coarsest: what is seen in the middle is the same, one place further."""
    picture = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(2))
    picture = functional.interpolate(picture, size=(640, 640), mode="bicubic").clamp(0, 1)
    left, right = picture[..., :512], picture[..., 32:544]
    with torch.no_grad():
        features, moved = pretrained()(left), pretrained()(right)
    for seen, then, by in zip(features, moved, (4, 2, 1), strict=True):
        middle = slice(6 * by, 10 * by)
        kept = seen[..., middle, middle.start + by : middle.stop + by]
        assert float(kept.std()) > 0.1
        error = (then[..., middle, middle] - kept).abs().mean() / kept.abs().mean()
        assert float(error) < 0.05


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "features.safetensors"
    broken.write_bytes(b"nothing")
    monkeypatch.setattr(efficientnet, "WEIGHTS", broken)
    pretrained.cache_clear()
    try:
        with pytest.raises(FileError, match="cannot be read"):
            pretrained()
    finally:
        pretrained.cache_clear()


@pytest.mark.parametrize(
    ("height", "width", "sides"), [(128, 96, (256, 192)), (400, 300, (320, 256)), (9, 5, (32, 32))]
)
def test_pictures_are_looked_at_at_whole_steps(height: int, width: int, sides: tuple[int, int]) -> None:
    pyramid = looked_at(torch.rand(1, 3, height, width))
    assert pyramid.eighth.shape == (1, 40, sides[0] // 8, sides[1] // 8)
    assert pyramid.thirtysecond.shape == (1, 320, sides[0] // 32, sides[1] // 32)


def test_recognition_learns_and_what_it_looks_through_does_not() -> None:
    recognition = Recognition(8)
    image = torch.rand(2, 3, 64, 48, requires_grad=True)
    recognition(image, (8, 6)).square().sum().backward()
    for parameter in recognition.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
    assert image.grad is None
    assert sum(parameter.numel() for parameter in recognition.parameters()) == 8 * (40 + 112 + 320) + 3 * 8
    assert not any(parameter.requires_grad for parameter in pretrained().parameters())


@pytest.mark.parametrize("trains", [False, True])
def test_what_was_looked_at_just_now_is_known_and_is_the_same(trains: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(int(trains)))
    memories = {True: Recent(2**20), False: Recent(2**20)}
    monkeypatch.setattr(efficientnet, "_TRAINING", memories[True])
    monkeypatch.setattr(efficientnet, "_SOLVING", memories[False])
    with torch.set_grad_enabled(trains):
        together = looked_at(images)
        monkeypatch.setattr(efficientnet, "pretrained", lambda: pytest.fail("looked again"))
        backwards = looked_at(images.flip(0))
    assert (len(memories[trains]), len(memories[not trains])) == (3, 0)
    for first, again in zip(together, backwards, strict=True):
        assert torch.equal(first, again.flip(0))
        assert not torch.equal(first[0], first[1])


def test_memory_is_limited() -> None:
    memory = Recent(limit=2 * (40 * 4 * 4 + 112 * 2 * 2 + 320))  # bytes of one, half precision
    pictures = torch.rand(2, 1, 3, 32, 32)
    found = [efficientnet._seen(picture, memory) for picture in (*pictures, *pictures)]
    assert len(memory) == 1
    assert found[0] is not found[2]
    assert efficientnet._seen(pictures[1], memory) is found[3]


DETAILED = {"width": 8, "depths": [1, 1, 1, 1], "head": [8, 8], "recognises": True, "detail": 2}


def telling(arguments: Mapping[str, Any]) -> FBA:
    """An untrained network of `imatting` that listens to what is recognised."""
    torch.manual_seed(0)
    network = make_network("imatting", **arguments)
    assert isinstance(network, FBA)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("recognition."):
                parameter.normal_()
    return network


def test_it_looks_in_the_larger_picture_where_it_is_to() -> None:
    network, plain = telling(DETAILED), telling(DETAILED | {"detail": 1})
    image, marks, hints, previous = (torch.rand(1, count, 32, 32) for count in (3, 2, 6, 1))
    sharp = functional.interpolate(image, scale_factor=2, mode="nearest")
    other = sharp.clone()
    other[:, :, ::2] = 0
    with torch.no_grad():
        alphas = [network(image, marks, hints, previous, each).alpha for each in (sharp, other)]
        assert (alphas[0] - alphas[1]).abs().max() > 1e-4
        assert not torch.equal(plain(image, marks, hints, previous).alpha, alphas[0])


@pytest.mark.parametrize("shape", [None, (1, 3, 32, 32), (1, 3, 64, 96)])
def test_a_network_of_detail_refuses_other_pictures(shape: tuple[int, ...] | None) -> None:
    planes = [torch.rand(1, count, 32, 32) for count in (3, 2, 6, 1)]
    with pytest.raises(InvalidArrayError, match=r"detailed must have shape \(1, 3, 64, 64\) for a network of detail 2"):
        telling(DETAILED)(*planes, *([] if shape is None else [torch.rand(shape)]))


@pytest.mark.parametrize("changes", [{"detail": 0}, {"recognises": False}])
def test_detail_is_for_those_that_recognise(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="detail must be 1, or more for a network that recognises"):
        make_network("imatting", **(DETAILED | changes))


@pytest.mark.parametrize("augmentations", [1, 2])
def test_solvers_show_it_the_picture_at_that_size(tmp_path: Path, augmentations: int) -> None:
    image = made_up_image((96, 96))[0]
    seen = pictures_looked_at(tmp_path / "net", image, 48, augmentations=augmentations)
    assert len(seen) == augmentations
    for picture, turned in zip(seen, (image, image[:, ::-1]), strict=False):
        np.testing.assert_allclose(picture, turned, rtol=1.3e-6, atol=1e-5)


def test_solvers_that_work_in_tiles_show_it_the_same_part_of_the_larger_picture(tmp_path: Path) -> None:
    image = made_up_image((192, 128))[0]
    seen = pictures_looked_at(tmp_path / "net", image, 96, tile=64)
    assert len(seen) == 2  # the network works at 96×64
    for picture, part in zip(seen, (image[:128], image[64:]), strict=True):
        np.testing.assert_allclose(picture, part, rtol=1.3e-6, atol=1e-5)


def pictures_looked_at(folder: Path, image: Image, side: int, **options: Any) -> list[Image]:
    """What recognises is shown, in order, while a solver at work at `side` makes one matte of the image."""
    arguments = DETAILED | {"side": side}
    write_network(folder, telling(arguments), "imatting", arguments)
    prepared = make_solver("imatting", weights=str(folder), fusion=False, **options).prepare(image)
    seen: list[Image] = []
    looked = Recognition.forward

    def look(self: Recognition, picture: Tensor, shape: tuple[int, int]) -> Tensor:
        seen.append(picture[0].permute(1, 2, 0).numpy().copy())
        return looked(self, picture, shape)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recognition, "forward", look)
        prepared.solve(made_up_labels(prepared.shape))
    return seen


def test_a_network_that_was_not_told_begins_as_it_was() -> None:
    arguments = {"width": 8, "depths": [1, 1, 1, 1], "head": [8, 8], "guess": "shared", "side": 64}
    torch.manual_seed(0)
    plain = make_network("imatting", **arguments)
    told = make_network("imatting", **arguments, recognises=True)
    tensors = told.state_dict() | plain.state_dict()
    told.load_state_dict(tensors)
    assert not any(np.asarray(tensors[name]).any() for name in tensors if name.startswith("recognition."))
    planes = [torch.rand(1, count, 64, 64) for count in (3, 2, 6, 1)]
    with torch.no_grad():
        for ours, theirs in zip(told(*planes), plain(*planes), strict=True):
            assert torch.equal(ours, theirs)
        told.get_parameter("recognition.levels.1.weight").normal_()
        assert not torch.equal(told(*planes).foreground, plain(*planes).foreground)
