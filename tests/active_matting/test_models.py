"""The networks against slow twins of their parts, and what all of them promise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Conv2d

from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.models import NETWORKS, make_network
from active_matting.models.base import Network, Prediction
from active_matting.models.decoder import PyramidPooling
from active_matting.models.fba import FBA
from active_matting.models.fusion import fuse
from active_matting.models.guided_filter import guided_filter
from active_matting.models.hints import HintMaps, marks_of
from active_matting.models.imatting import make_imatting
from active_matting.models.layers import StandardisedConv2d, clip, group_norm, normalise, resize
from active_matting.models.resnet import DilatedResNet
from active_matting.models.two_stream import SIGMAS, InteractionStream, TwoStream
from active_matting.types import Label

Array = NDArray[Any]
H, W = 24, 40
SMALL: dict[str, Any] = {"width": 8, "depths": (1, 1, 1, 1)}
VARIANTS: list[Callable[..., Network]] = [
    *(lambda name=name, **kwargs: make_network(name, **kwargs) for name in NETWORKS.names()),
    lambda **kwargs: TwoStream(**kwargs, has_filter=False),
]
IDS = [*NETWORKS.names(), "two-stream without filter"]


def made_up(network: Network, count: int = 1, h: int = H, w: int = W) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image, marks, hints, previous."""
    rng = np.random.default_rng(0)
    marks = np.zeros((count, 2, h, w), dtype=np.float32)
    marks[:, 0, :4, :5], marks[:, 1, -6:, -6:] = 1, 1
    hints = np.stack([network.hint_maps(mark) for mark in marks])
    image, previous = (rng.random((count, channels, h, w), dtype=np.float32) for channels in (3, 1))
    return torch.as_tensor(image), torch.as_tensor(marks), torch.as_tensor(hints), torch.as_tensor(previous)


@pytest.mark.parametrize("name", NETWORKS.names())
@pytest.mark.parametrize(
    ("width", "depths", "head"), [(8, (1, 1, 1, 1), (32, 16)), (24, (2, 1, 3, 1), (8, 4)), (40, (1, 2, 1, 2), (5, 3))]
)
def test_alpha_is_of_the_images_size_and_in_its_range(
    name: str, width: int, depths: tuple[int, ...], head: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    network = make_network(name, width=width, depths=depths, head=head)
    with torch.no_grad():
        prediction = network(*made_up(network, count=2))
    assert prediction.alpha.shape == (2, 1, H, W)
    has_colours = name != "two-stream"
    for colour in (prediction.foreground, prediction.background):
        assert (colour is not None) == has_colours
        assert colour is None or colour.shape == (2, 3, H, W)
    for plane in prediction:
        assert plane is None or (plane.isfinite().all() and plane.min() >= 0 and plane.max() <= 1)


@pytest.mark.parametrize("make", VARIANTS, ids=IDS)
def test_items_of_a_batch_do_not_see_each_other(make: Callable[..., Network]) -> None:
    torch.manual_seed(0)
    network = make(**SMALL)
    inputs = made_up(network, count=2)
    with torch.no_grad():
        together = network(*inputs).alpha
        alone = [network(*(part[i : i + 1] for part in inputs)).alpha for i in (0, 1)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


@pytest.mark.parametrize("make", VARIANTS, ids=IDS)
def test_every_parameter_of_an_untrained_network_gets_a_gradient(make: Callable[..., Network]) -> None:
    torch.manual_seed(0)
    network = make(**SMALL)
    prediction = network(*made_up(network, h=64, w=64))
    draw = torch.Generator().manual_seed(1)
    loss = sum((torch.rand(part.shape, generator=draw) * part).sum() for part in prediction if part is not None)
    assert isinstance(loss, Tensor)
    loss.backward()  # type: ignore[no-untyped-call]
    untouched = [name for name, part in network.named_parameters() if part.grad is None or not part.grad.any()]
    assert not untouched


def test_what_is_clipped_learns_the_way_back_and_never_further_out() -> None:
    alpha = torch.tensor([-2.0, -2.0, 0.0, 0.25, 0.25, 1.0, 3.0, 3.0], requires_grad=True)
    clipped = clip(alpha)
    assert clipped.tolist() == [0, 0, 0, 0.25, 0.25, 1, 1, 1]
    uphill = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0])  # the way that descent leads is the other
    clipped.backward(uphill)  # type: ignore[no-untyped-call]
    assert alpha.grad is not None
    assert alpha.grad.tolist() == [0, -1, 1, 1, -1, -1, 1, 0]


@pytest.mark.parametrize("start", [-1.0, 2.0])
@pytest.mark.parametrize("name", ["two-stream", "fba"])
def test_a_network_all_of_whose_alpha_is_clipped_learns_its_way_out(name: str, start: float) -> None:
    torch.manual_seed(0)
    network: Any = make_network(name, **SMALL)
    last = network.decoder.conv_up4[-1]
    with torch.no_grad():
        last.bias[0] = start
    inputs = made_up(network)
    is_untold = inputs[1].sum(1, keepdim=True) == 0
    optimiser = torch.optim.Adam(network.parameters(), lr=0.03)
    for _ in range(60):
        optimiser.zero_grad()
        (network(*inputs).alpha - 0.5).square().mean().backward()
        optimiser.step()
    assert abs(network(*inputs).alpha[is_untold].mean().item() - 0.5) < 0.2


@pytest.mark.parametrize("make", VARIANTS, ids=IDS)
def test_an_untrained_network_starts_near_alpha_a_half(make: Callable[..., Network]) -> None:
    torch.manual_seed(0)
    network = make(**SMALL)
    inputs = made_up(network)
    with torch.no_grad():
        alpha = network(*inputs).alpha
    told = torch.nn.functional.max_pool2d(inputs[1].amax(1, keepdim=True), 9, 1, 4)
    assert 0.25 < alpha[told == 0].mean() < 0.75


def test_previous_is_looked_at_by_the_two_stream_network_alone() -> None:
    for name in NETWORKS.names():
        torch.manual_seed(0)
        network = make_network(name, **SMALL)
        image, marks, hints, previous = made_up(network)
        with torch.no_grad():
            one, other = (network(image, marks, hints, plane).alpha for plane in (previous, 1 - previous))
        assert torch.equal(one, other) == (name != "two-stream")


def test_marks_go_into_the_encoder_of_fba_but_not_of_imatting() -> None:
    assert FBA(**SMALL).encoder.conv1.in_channels == 11
    assert make_imatting(**SMALL).encoder.conv1.in_channels == 9
    assert make_imatting(**SMALL).hint_maps.sigmas == (6.4, 25.2, 51.2)


def test_what_is_told_is_written_into_the_mask_before_it_is_filtered() -> None:
    torch.manual_seed(0)
    network = TwoStream(**SMALL, has_filter=False)
    image, marks, hints, previous = made_up(network)
    with torch.no_grad():
        alpha = network(image, marks, hints, previous).alpha
    assert not alpha[marks[:, :1] == 1].any()
    assert (alpha[marks[:, 1:] == 1] == 1).all()


def test_sigmas_of_the_two_stream_network_are_the_thesiss() -> None:
    assert pytest.approx((7.04, 14.08, 28.16)) == SIGMAS


@pytest.mark.parametrize("name", NETWORKS.names())
def test_networks_are_made_by_name_and_refuse_what_they_do_not_take(name: str) -> None:
    network = make_network(name, **SMALL)
    assert isinstance(network, Network)
    assert network.stride == 8
    for wrong in (
        {"width": 12},
        {"width": 0},
        {"depths": (1, 1, 1)},
        {"depths": (1, 0, 1, 1)},
        {"sigmas": (1.0, 2.0)},
        {"sigmas": (1.0, 2.0, 0.0)},
        {"colour": 3},
    ):
        with pytest.raises(InvalidArgumentError):
            make_network(name, **(SMALL | wrong))


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown network 'fbb'; choose from"):
        make_network("fbb")


@pytest.mark.parametrize("depths", [(1, 1, 1, 1), (2, 3, 1, 2)])
def test_features_are_at_a_half_a_quarter_and_an_eighth(depths: tuple[int, ...]) -> None:
    encoder = DilatedResNet(5, 8, depths)
    with torch.no_grad():
        stem, early, deep = encoder(torch.rand(1, 5, H, W))
    assert stem.shape == (1, 8, H // 2, W // 2)
    assert early.shape == (1, 32, H // 4, W // 4)
    assert deep.shape == (1, encoder.outputs, H // 8, W // 8) == (1, 256, H // 8, W // 8)


def test_layers_three_and_four_are_dilated_their_first_blocks_by_half() -> None:
    encoder = DilatedResNet(3, 8, (2, 2, 2, 2))
    layers = (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)
    convolutions = [[layer.get_submodule(f"{i}.conv2") for i in (0, 1)] for layer in layers]
    found = [
        [(part.dilation[0], part.stride[0]) for part in parts if isinstance(part, Conv2d)] for parts in convolutions
    ]
    assert found == [[(1, 1), (1, 1)], [(1, 2), (1, 1)], [(1, 1), (2, 1)], [(2, 1), (4, 1)]]


def test_the_interaction_stream_meets_the_image_stream() -> None:
    with torch.no_grad():
        half, quarter, eighth = InteractionStream(7, 16)(torch.rand(1, 7, H, W))
    assert half.shape == (1, 16, H // 2, W // 2)
    assert quarter.shape == (1, 64, H // 4, W // 4)
    assert eighth.shape == (1, 64, H // 8, W // 8)


def test_pyramid_pooling_keeps_its_input_and_adds_means_over_parts() -> None:
    pyramid = PyramidPooling(16, 8)
    x = torch.rand(1, 16, 6, 6)
    with torch.no_grad():
        found = pyramid(x)
    assert found.shape == (1, pyramid.outputs, 6, 6) == (1, 48, 6, 6)
    assert torch.equal(found[:, :16], x)
    whole = found[:, 16:24]
    assert torch.allclose(whole, whole[:, :, :1, :1].expand_as(whole))


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 24, 40, 72, 80, 88, 104, 160, 7 * 31])
def test_groups_divide_the_channels_and_hold_two_at_least(channels: int) -> None:
    norm = group_norm(channels)
    assert channels % norm.num_groups == 0
    assert norm.num_groups <= 32
    assert channels < 2 or channels / norm.num_groups >= 2


@pytest.mark.parametrize("channels", [64, 128, 256, 512, 1024, 2048])
def test_groups_of_the_published_widths_are_32(channels: int) -> None:
    assert group_norm(channels).num_groups == 32


@pytest.mark.parametrize("width", range(8, 136, 8))
def test_every_width_that_is_allowed_can_be_made(width: int) -> None:
    with torch.device("meta"):
        for name in NETWORKS.names():
            make_network(name, width=width, depths=(1, 1, 1, 1))


def test_standardised_kernels_have_mean_0_and_variance_1() -> None:
    torch.manual_seed(0)
    layer = StandardisedConv2d(6, 4, 3, bias=False).double()
    used = layer.standardised_weight().detach().numpy()
    expected = layer.weight.detach().numpy()
    for o in range(4):
        by_hand = (expected[o] - expected[o].mean()) / np.sqrt(expected[o].var() + 1e-5)
        assert np.allclose(used[o], by_hand, atol=1e-12)


@given(st.floats(1.0, 1e3), st.floats(-10, 10))
@settings(max_examples=20)
def test_standardised_convolutions_do_not_see_scale_and_shift_of_their_weights(scale: float, shift: float) -> None:
    torch.manual_seed(0)
    layer = StandardisedConv2d(3, 4, 3).double()
    x = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.mul_(100)
        before = layer(x)
        layer.weight.mul_(scale).add_(shift)
        assert torch.allclose(layer(x), before, atol=1e-5)


def test_images_are_normalised_by_imagenets_colours() -> None:
    image = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    assert not normalise(image).any()
    assert torch.allclose(normalise(image + 0.1).flatten(), 0.1 / torch.tensor([0.229, 0.224, 0.225]))


def test_doubling_is_bilinear_between_pixels_middles() -> None:
    doubled = resize(torch.tensor([[[[0.0, 1.0]]]]), (1, 4))
    assert torch.allclose(doubled, torch.tensor([[[[0.0, 0.25, 0.75, 1.0]]]]))


def slow_filter(guide: Array, mask: Array, radius: int, epsilon: float) -> Array:
    """Ordinary least squares in each window, pixel by pixel, and the mean of all lines that hold at a pixel."""
    h, w = mask.shape
    lines = np.empty((h, w, 2))
    windows = [
        [(slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)) for x in range(w)]
        for y in range(h)
    ]
    for y in range(h):
        for x in range(w):
            i, p = guide[windows[y][x]].ravel(), mask[windows[y][x]].ravel()
            slope = ((i - i.mean()) * (p - p.mean())).mean() / (i.var() + epsilon)
            lines[y, x] = slope, p.mean() - slope * i.mean()
    found = np.empty((h, w))
    for y in range(h):
        for x in range(w):
            slope, offset = lines[windows[y][x]].reshape(-1, 2).mean(axis=0)
            found[y, x] = slope * guide[y, x] + offset
    return found


@pytest.mark.parametrize(("radius", "epsilon"), [(2, 1e-8), (1, 1e-2), (3, 1.0)])
@pytest.mark.parametrize("shape", [(9, 12), (4, 5), (1, 7)])
def test_the_guided_filter_is_least_squares_in_windows(shape: tuple[int, int], radius: int, epsilon: float) -> None:
    rng = np.random.default_rng(0)
    guide, mask = rng.random(shape), rng.random(shape)
    found = guided_filter(torch.as_tensor(guide)[None, None], torch.as_tensor(mask)[None, None], radius, epsilon)
    assert np.allclose(found[0, 0].numpy(), slow_filter(guide, mask, radius, epsilon), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_guided_filter_does_not_compute_in_half_precision(dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    guide, mask = (torch.rand((1, 1, 20, 30), generator=draw).to(dtype) for _ in range(2))
    expected = guided_filter(guide.double(), mask.double(), radius=2, epsilon=1e-8)
    assert torch.allclose(guided_filter(guide, mask, radius=2, epsilon=1e-8).double(), expected, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS.names())
def test_mixed_precision_changes_an_untrained_network_little(name: str) -> None:
    torch.manual_seed(0)
    network = make_network(name, **SMALL).eval()
    inputs = made_up(network)
    with torch.no_grad():
        prediction = network(*inputs)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = network(*inputs)
    for part, mixed_part in zip(prediction, mixed, strict=True):
        assert (part is None) == (mixed_part is None)
        if part is not None:
            assert mixed_part.dtype == torch.float32
            assert (mixed_part - part).abs().max() < 0.1


def test_the_guided_filter_keeps_lines_of_the_guide_and_is_differentiable() -> None:
    rng = np.random.default_rng(0)
    guide = torch.as_tensor(rng.random((2, 1, 8, 9))).requires_grad_()
    line = 0.3 * guide + 0.2
    assert torch.allclose(guided_filter(guide, line, 2, 1e-8), line, atol=1e-5)
    guide, mask = (torch.as_tensor(rng.random((2, 1, 4, 3))).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(lambda g, m: guided_filter(g, m, 2, 1e-2), (guide, mask))


def test_the_guided_filter_is_the_means_of_means_where_the_guide_is_flat() -> None:
    mask = torch.rand(1, 1, 7, 7, generator=torch.Generator().manual_seed(0))
    found = guided_filter(torch.full_like(mask, 0.5), mask, 1, 1e-8)
    assert found[0, 0, 3, 3] == pytest.approx(
        np.mean([mask[0, 0, y - 1 : y + 2, x - 1 : x + 2].mean().item() for y in (2, 3, 4) for x in (2, 3, 4)]),
        abs=1e-4,
    )


def random_prediction(seed: int, h: int = 3, w: int = 4) -> tuple[Prediction, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    alpha, foreground, background, image = (
        torch.rand(1, channels, h, w, generator=draw, dtype=torch.float64) for channels in (1, 3, 3, 3)
    )
    return Prediction(alpha, foreground, background), image


@pytest.mark.parametrize("seed", range(4))
def test_fusion_is_one_step_of_the_thesiss_equations(seed: int) -> None:
    prediction, image = random_prediction(seed)
    fused = fuse(prediction, image)
    for y in range(3):
        for x in range(4):
            a = float(prediction.alpha[0, 0, y, x])
            f, b, c = (
                plane[0, :, y, x].numpy() for plane in (prediction[1], prediction[2], image) if plane is not None
            )
            f = f + a * (c - a * f - (1 - a) * b)  # 4.3
            b = b + (1 - a) * (c - a * f - (1 - a) * b)  # 4.4, with the new foreground as released
            f, b = f.clip(0, 1), b.clip(0, 1)
            a = (a + 10 * (c - b) @ (f - b)) / (1 + 10 * (f - b) @ (f - b))  # 4.5
            expected = np.concatenate([[np.clip(a, 0, 1)], f, b])
            found = np.concatenate([plane[0, :, y, x].numpy() for plane in fused if plane is not None])
            assert np.allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_fused_foreground_and_alpha_are_the_likeliest_given_the_others(seed: int) -> None:
    """Section 4.3.4's likelihood has its maximum in alpha where the fused one is: found by a fine search."""
    prediction, image = random_prediction(seed)
    alpha, foreground, background = fuse(prediction, image)
    assert foreground is not None
    assert background is not None
    tried = torch.linspace(0, 1, 2001, dtype=torch.float64).view(-1, 1, 1, 1)
    missed = (image - tried * foreground - (1 - tried) * background).square().sum(1, keepdim=True)
    cost = missed + (tried - prediction.alpha).square() / 10
    best = tried.flatten()[cost.argmin(0, keepdim=True)]
    assert (best - alpha).abs().max() < 1e-3


def test_fusion_keeps_what_makes_up_the_image_exactly() -> None:
    prediction, _ = random_prediction(0)
    alpha, foreground, background = prediction
    assert foreground is not None
    assert background is not None
    fused = fuse(prediction, alpha * foreground + (1 - alpha) * background)
    for one, other in zip(fused, prediction, strict=True):
        assert one is not None
        assert other is not None
        assert torch.allclose(one, other, atol=1e-12)


def test_fusion_lessens_what_is_missing_from_the_image() -> None:
    prediction, image = random_prediction(1, 32, 32)
    fused = fuse(prediction, image)

    def missing(alpha: Tensor, foreground: Tensor | None, background: Tensor | None) -> float:
        assert foreground is not None
        assert background is not None
        return float((image - alpha * foreground - (1 - alpha) * background).square().mean())

    assert missing(*fused) < 0.2 * missing(*prediction)


def test_a_prediction_without_colours_is_not_fused() -> None:
    prediction = Prediction(torch.rand(1, 1, 2, 2))
    assert fuse(prediction, torch.rand(1, 3, 2, 2)) is prediction


@given(arrays(bool, (2, 6, 9), elements=st.booleans()))
def test_hints_are_gaussians_of_the_distance_to_what_is_told(told: NDArray[np.bool_]) -> None:
    sigmas = (0.8, 2.0, 5.0)
    found = HintMaps(sigmas)(told.astype(np.float32))
    assert found.dtype == np.float32
    ys, xs = np.mgrid[:6, :9]
    for k in (0, 1):
        nearest = np.full((6, 9), np.inf)
        for y, x in zip(*np.nonzero(told[k]), strict=True):
            nearest = np.minimum(nearest, (ys - y) ** 2 + (xs - x) ** 2)
        for i, sigma in enumerate(sigmas):
            assert np.allclose(found[3 * k + i], np.exp(-nearest / (2 * sigma**2)), atol=1e-5)


def test_marks_are_background_then_foreground_and_no_transitions() -> None:
    labels = [Label.BACKGROUND, Label.FOREGROUND, Label.TRANSITION, 0]
    marks = marks_of(np.array([labels], dtype=np.int8))
    assert marks.dtype == np.float32
    assert marks.tolist() == [[[1, 0, 0, 0]], [[0, 1, 0, 0]]]
