"""The paper's networks: their sizes, and that stepping and unrolling are the same thing."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from active_matting.agents.networks import (
    AveragePooling,
    FeatureExtraction,
    Glance,
    PolicyConfig,
    RecurrentNetwork,
    cut_patches,
    initialise,
    resize,
)
from active_matting.errors import InvalidArgumentError

TINY = PolicyConfig(
    image_size=32,
    patch_size=7,
    channels=(4, 4),
    convolutions=(1, 2),
    pooled_size=5,
    hidden_sizes=(),
    feature_size=8,
    memory_size=6,
    patch_channels=(16, 32),
)


def make_network(config: PolicyConfig = TINY, seed: int = 0) -> RecurrentNetwork:
    return RecurrentNetwork(config, torch.Generator().manual_seed(seed))


def make_glances(steps: int, count: int, generator: torch.Generator) -> Glance:
    return Glance(
        torch.rand(steps, count, 2, generator=generator) * 2 - 1,
        torch.rand(steps, count, 7, 7, generator=generator),
        torch.rand(steps, count, 1, generator=generator),
    )


def test_the_remaining_budget_is_read_only_where_told() -> None:
    generator = torch.Generator().manual_seed(4)
    glance = Glance(*(part[0] for part in make_glances(1, 2, generator)))
    later = glance._replace(remaining=glance.remaining / 2)
    paper, aware = make_network(), make_network(replace(TINY, budget_features=5))
    torch.testing.assert_close(paper.joint_encoding(glance), paper.joint_encoding(later))
    assert not torch.allclose(aware.joint_encoding(glance), aware.joint_encoding(later))


def test_the_default_feature_extraction_net_has_as_many_parameters_as_vgg16() -> None:
    with torch.device("meta"):
        network = FeatureExtraction(PolicyConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == 138_357_544


def test_the_default_sizes_are_the_papers() -> None:
    with torch.device("meta"):
        policy = RecurrentNetwork(PolicyConfig())
        features = policy.feature_extraction(torch.zeros(1, 3, 400, 400))
        assert features.shape == (1, 1000)
        glance = Glance(torch.zeros(1, 2), torch.zeros(1, 75, 75), torch.zeros(1, 1))
        assert policy.joint_encoding(glance).shape == (1, 1000)
        assert policy.recurrent.hidden_size == 128


@pytest.mark.parametrize(("size", "length"), [(7, 12), (5, 8), (3, 3), (5, 3), (1, 4)])
def test_average_pooling_is_torchs_adaptive_one(size: int, length: int) -> None:
    planes = torch.randn(2, 3, length, length + 1, generator=torch.Generator().manual_seed(size))
    expected = torch.nn.AdaptiveAvgPool2d(size)(planes)
    torch.testing.assert_close(AveragePooling(size)(planes), expected)


def test_a_narrower_backbone_has_the_same_layers() -> None:
    network = make_network(replace(TINY, channels=(8, 10), hidden_sizes=(40,), width=0.25)).feature_extraction
    sizes = [len(layer.weight) for layer in network.layers if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)]
    assert sizes == [2, 2, 2, 10, 8]  # width times 8, 10, 10 and 40; then the features


def test_unrolling_a_sequence_agrees_with_stepping_through_it() -> None:
    policy, steps, count = make_network(replace(TINY, budget_features=5)), 5, 3
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(count, 8, generator=generator)
    glances = make_glances(steps - 1, count, generator)
    centres, baselines = policy.unroll(features, glances)
    memory = None
    for step in range(steps):
        glance = Glance(*(part[max(step - 1, 0)] for part in glances))  # at the first step it is not looked at
        centre, baseline, memory = policy.step(features, memory, glance, torch.full((count,), step == 0))
        torch.testing.assert_close(centre, centres[step])
        torch.testing.assert_close(baseline, baselines[step])


def test_an_episode_start_forgets_the_memory_of_that_episode_alone() -> None:
    policy = make_network()
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(2, 8, generator=generator)
    glance = Glance(*(part[0] for part in make_glances(1, 2, generator)))
    fresh, _, memory = policy.step(features, None, glance, torch.tensor([True, True]))
    mixed, _, _ = policy.step(features, memory, glance, torch.tensor([True, False]))
    torch.testing.assert_close(mixed[0], fresh[0])
    assert not torch.allclose(mixed[1], fresh[1])


def test_the_baseline_learns_without_bending_the_memory() -> None:
    policy = make_network()
    generator = torch.Generator().manual_seed(3)
    _, baselines = policy.unroll(torch.randn(2, 8, generator=generator), make_glances(3, 2, generator))
    baselines.sum().backward()  # type: ignore[no-untyped-call]
    touched = {name.partition(".")[0] for name, p in policy.named_parameters() if p.grad is not None and p.grad.any()}
    assert touched == {"baseline"}


def test_weights_are_drawn_from_a_normal_cut_at_two_deviations() -> None:
    layer = torch.nn.Linear(200, 500)
    initialise(layer, torch.Generator().manual_seed(0))
    deviation = sqrt(2 / 200)
    assert layer.weight.abs().max() <= 2 * deviation
    # A standard normal cut at ±2 has variance 1 - 4 φ(2) / (2 Φ(2) - 1) = 0.7737.
    assert layer.weight.std().item() == pytest.approx(deviation * sqrt(0.7737), rel=0.01)
    assert not layer.bias.any()


def test_the_forget_gate_starts_open() -> None:
    biases = dict(make_network().recurrent.named_parameters())
    total = (biases["bias_ih_l0"] + biases["bias_hh_l0"]).reshape(4, -1)
    assert total[1].tolist() == [1] * 6
    assert not total[[0, 2, 3]].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(5, 12), st.integers(5, 12), st.integers(0, 2**32 - 1))
def test_patches_are_what_slicing_a_padded_matte_gives(size: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mattes = rng.random((2, height, width), dtype=np.float32)
    centres = np.stack([rng.integers(height, size=2), rng.integers(width, size=2)], axis=1)
    locations = (2 * centres / np.array([height - 1, width - 1]) - 1).astype(np.float32)
    patches = cut_patches(torch.as_tensor(mattes), torch.as_tensor(locations), size)
    for patch, matte, (y, x) in zip(patches, mattes, centres, strict=True):
        padded = np.pad(matte, 20, constant_values=0.5)
        top, left = y + 20 - size // 2, x + 20 - size // 2
        np.testing.assert_array_equal(patch.numpy(), padded[top : top + size, left : left + size])


def test_resizing_averages_areas() -> None:
    planes = torch.tensor([[[[0.0, 1.0], [1.0, 1.0]]]])
    assert resize(planes, 1).item() == 0.75
    assert resize(planes, 2) is planes


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="as many stages"):
        replace(TINY, convolutions=(1,))
    with pytest.raises(InvalidArgumentError, match="patch_size must be from 1 to 32, got 33"):
        replace(TINY, patch_size=33)
    with pytest.raises(InvalidArgumentError, match="width must be positive, got 0"):
        replace(TINY, width=0)
