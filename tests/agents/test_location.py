"""The location Gaussian against torch.distributions, and REINFORCE against finite differences."""

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

from active_matting.agents.location import (
    baseline_loss,
    discounted,
    entropy,
    leave_one_out,
    log_probability,
    reinforce_loss,
    sample_locations,
)


def test_log_probabilities_are_those_of_torch_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    centre = torch.randn(4, 3, 2, generator=generator, dtype=torch.float64)
    locations = torch.randn(4, 3, 5, 2, generator=generator, dtype=torch.float64)
    expected = Independent(Normal(centre.unsqueeze(2), 0.3), 1).log_prob(locations)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(log_probability(locations, centre, 0.3), expected)
    torch.testing.assert_close(log_probability(locations, centre, torch.tensor(0.3, dtype=torch.float64)), expected)


def test_the_entropy_is_that_of_torch_distributions() -> None:
    deviation = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    expected = Independent(Normal(torch.zeros(2), 0.3), 1).entropy()  # type: ignore[no-untyped-call]
    assert entropy(0.3).item() == pytest.approx(expected.item())
    assert entropy(deviation).item() == pytest.approx(expected.item())
    entropy(deviation).backward()  # type: ignore[no-untyped-call]
    assert deviation.grad is not None
    assert deviation.grad.item() == pytest.approx(2 / 0.3)


def test_samples_have_the_gaussians_mean_and_deviation() -> None:
    centre = torch.tensor([[0.2, -0.7]])
    samples = sample_locations(centre, 0.25, 100_000, torch.Generator().manual_seed(0))
    assert samples.shape == (1, 100_000, 2)
    np.testing.assert_allclose(samples.mean(dim=(0, 1)), centre[0], atol=5 * 0.25 / np.sqrt(100_000))
    np.testing.assert_allclose(samples.std(dim=1)[0], 0.25, rtol=0.01)
    assert np.corrcoef(samples[0].T.numpy())[0, 1] == pytest.approx(0, abs=0.02)


def test_reinforce_follows_the_gradient_of_the_expected_reward() -> None:
    """A two-step toy whose rewards depend on where one asks; its expected reward is differentiated numerically."""
    target = torch.tensor([[0.4, -0.2], [-0.5, 0.3]], dtype=torch.float64)
    deviation, episodes, candidates = 0.3, 100_000, 2

    def reward(locations: torch.Tensor) -> torch.Tensor:  # (T, M, S, 2) → (T, M, S)
        return torch.exp(-((locations - target[:, None, None]) ** 2).sum(-1))

    noise = torch.randn(2, episodes, candidates, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mean = torch.tensor([[0.1, 0.1], [0.0, -0.1]], dtype=torch.float64, requires_grad=True)

    locations = (mean[:, None, None] + deviation * noise).detach()
    rewards = reward(locations)
    baselines = rewards.mean(dim=(1, 2), keepdim=True)[..., 0].expand(2, episodes)
    centre = mean[:, None].expand(2, episodes, 2)
    logs = log_probability(locations, centre, deviation)
    reinforce_loss(logs, rewards, baselines, torch.ones_like(rewards, dtype=torch.bool)).backward()  # type: ignore[no-untyped-call]
    assert mean.grad is not None

    step = 1e-4
    for index in np.ndindex(2, 2):
        shift = torch.zeros_like(mean)
        shift[index] = step
        # The sum over steps and candidates of the expected reward, with the same noise at both ends.
        ahead, behind = (
            reward((mean + sign * shift).detach()[:, None, None] + deviation * noise).sum(dim=(0, 2)).mean()
            for sign in (1, -1)
        )
        slope = (ahead - behind).item() / (2 * step)
        assert -mean.grad[index].item() == pytest.approx(slope, abs=0.02)
        assert abs(slope) > 0.04  # or the check above would hold for a gradient of zero


def test_the_loss_gradient_is_equation_6_term_by_term() -> None:
    logs = torch.zeros(2, 3, 2, requires_grad=True)
    rewards = torch.arange(12.0).reshape(2, 3, 2)
    baselines = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    counts = torch.ones(2, 3, 2, dtype=torch.bool)
    counts[1, 2, 0] = False
    reinforce_loss(logs, rewards, baselines, counts).backward()  # type: ignore[no-untyped-call]
    assert logs.grad is not None
    assert baselines.grad is None
    for step, episode, candidate in np.ndindex(2, 3, 2):
        advantage = rewards[step, episode, candidate] - baselines[step, episode].detach()
        expected = 0.0 if (step, episode, candidate) == (1, 2, 0) else -advantage / 3
        assert logs.grad[step, episode, candidate] == pytest.approx(float(expected))


def test_leaving_one_out_averages_the_others_of_the_same_image() -> None:
    rewards = torch.tensor([[[1.0, 3.0], [4.0, 4.0], [10.0, 10.0], [0.0, 2.0]]])
    baselines = torch.tensor([[1.0, 1.0, 5.0, 0.0]])
    # Mean excess over the baseline: 1, 3 | 5, 1.
    assert leave_one_out(rewards, baselines, 2).tolist() == [[3, 1, 1, 5]]
    assert leave_one_out(rewards, baselines, 4)[0].tolist() == pytest.approx([3, 7 / 3, 5 / 3, 3])
    assert leave_one_out(rewards, baselines, 1).tolist() == [[0, 0, 0, 0]]


def test_the_baseline_learns_the_mean_of_what_counts() -> None:
    rewards = torch.tensor([[[1.0, 3.0], [5.0, 100.0]]])
    counts = torch.tensor([[[True, True], [True, False]]])
    baselines = torch.tensor([[2.0, 5.0]])
    assert baseline_loss(rewards, baselines, counts).item() == pytest.approx((1 + 1 + 0) / 3)
    assert baseline_loss(rewards, baselines, torch.zeros_like(counts)).item() == 0


def test_returns_are_discounted_sums() -> None:
    rewards = torch.tensor([[1.0], [2.0], [4.0]])
    assert discounted(rewards, 0).tolist() == [[1], [2], [4]]
    assert discounted(rewards, 0.5).tolist() == [[1 + 1 + 1], [2 + 2], [4]]
    assert discounted(rewards, 1).tolist() == [[7], [6], [4]]
