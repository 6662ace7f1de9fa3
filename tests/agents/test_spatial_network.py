"""The spatial agent's network: shapes, masks, chances, memory; any grid."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from active_matting.agents.spatial.cues import disagreement, in_view_of_mixed, likeness, usefulness
from active_matting.agents.spatial.grid import CELL
from active_matting.agents.spatial.network import Decision, Sight, SpatialConfig, SpatialPolicy
from active_matting.errors import InvalidArgumentError

TINY = SpatialConfig(channels=(8, 8, 8, 8), memory=3)


def make_policy(seed: int = 0) -> SpatialPolicy:
    torch.manual_seed(seed)
    policy = SpatialPolicy(TINY).eval()
    for parameter in policy.parameters():  # none of it silent
        torch.nn.init.normal_(parameter, std=0.2)
    return policy


def make_sights(steps: int, count: int, rows: int, columns: int, seed: int = 0) -> tuple[torch.Tensor, Sight]:
    generator = torch.Generator().manual_seed(seed)

    def planes(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    height, width = CELL * rows, CELL * columns
    told = (planes(steps, count, 2, rows, columns) > 0.8).float()
    asked = (told.amax(2, keepdim=True) + (planes(steps, count, 1, rows, columns) > 0.9)).clamp(max=1)
    spread = told.repeat_interleave(CELL, 3).repeat_interleave(CELL, 4)
    mattes, before, opinions = planes(3, steps, count, 1, height, width)
    return planes(count, 3, height, width), Sight(mattes, before, opinions, spread, asked)


def decide(policy: SpatialPolicy, image: torch.Tensor, sights: Sight) -> Decision:
    with torch.no_grad():
        return policy.unroll(policy.encode_image(image), sights)


@pytest.mark.parametrize(("rows", "columns"), [(20, 20), (15, 20), (7, 5), (4, 13), (1, 1)])
def test_grids_of_any_size_have_chances_that_sum_to_one_where_nothing_was_asked(rows: int, columns: int) -> None:
    image, sights = make_sights(2, 3, rows, columns)
    decision = decide(make_policy(), image, sights)
    assert decision.log_probability.shape == decision.gain.shape == decision.error.shape == (2, 3, rows, columns)
    assert decision.kinds.shape == (2, 3, 3, rows, columns)
    assert decision.value.shape == decision.log_rmse.shape == (2, 3)
    chances = decision.log_probability.exp()
    torch.testing.assert_close(chances.sum((2, 3)), torch.ones(2, 3))
    is_asked = sights.asked[:, :, 0] > 0
    if not is_asked.flatten(2).all(2).any():
        assert chances[is_asked].max() == 0


def test_where_all_cells_were_asked_about_none_is_closed() -> None:
    image, sights = make_sights(1, 1, 3, 3)
    decision = decide(make_policy(), image, sights._replace(asked=torch.ones(1, 1, 1, 3, 3)))
    assert decision.log_probability.min() > -100
    torch.testing.assert_close(decision.log_probability.exp().sum(), torch.tensor(1.0))


@given(open_cell=st.integers(0, 11))
def test_the_last_cell_that_is_open_is_certain(open_cell: int) -> None:
    image, sights = make_sights(1, 1, 3, 4)
    asked = torch.ones(12)
    asked[open_cell] = 0
    decision = decide(make_policy(), image, sights._replace(asked=asked.view(1, 1, 1, 3, 4)))
    assert decision.log_probability.flatten()[open_cell].exp() == 1


def test_steps_and_the_whole_sequence_at_once_agree() -> None:
    policy = make_policy()
    image, sights = make_sights(4, 2, 5, 6)
    together = decide(policy, image, sights)
    memory = None
    with torch.no_grad():
        features = policy.encode_image(image)
        for number in range(4):
            decision, memory = policy.step(features, Sight(*(part[number] for part in sights)), memory)
            for one, all_of in zip(decision, together, strict=True):
                torch.testing.assert_close(one, all_of[number], rtol=1e-4, atol=1e-5)


def test_what_was_seen_before_is_remembered_where_it_was_seen() -> None:
    policy = make_policy()
    image, sights = make_sights(2, 1, 12, 12)
    other = sights.matte.clone()
    other[0, ..., :CELL, :CELL] = 1 - other[0, ..., :CELL, :CELL]
    with torch.no_grad():
        features = policy.encode_image(image)
        memories = []
        for matte in (sights.matte, other):
            _, memory = policy.step(features, Sight(matte[0], *(part[0] for part in sights[1:])), None)
            memories.append(memory)
        decisions = [policy.step(features, Sight(*(part[1] for part in sights)), memory)[0] for memory in memories]
    differs = (decisions[0].log_probability - decisions[1].log_probability).abs()
    assert differs.max() > 1e-6
    change = (memories[0] - memories[1]).abs().amax(1)[0]
    assert change[:3, :3].mean() > 2 * change[6:, 6:].mean()


def test_expected_drops_are_gains_of_the_rmse_and_none_where_asked() -> None:
    logits = torch.tensor([[[-0.7, -1e9], [-0.7, -0.7]]])
    gain = torch.tensor([[[0.5, 0.9], [0.1, -0.2]]])
    other = torch.zeros(1, 3, 2, 2)
    decision = Decision(logits, gain, other, other[:, 0], torch.zeros(1), torch.tensor([0.2]).log())
    torch.testing.assert_close(decision.expected_drops(), torch.tensor([[[0.1, 0.0], [0.02, -0.04]]]))


def test_the_network_that_is_shipped_has_less_than_a_million_weights() -> None:
    assert sum(parameter.numel() for parameter in SpatialPolicy().parameters()) < 1_000_000


@pytest.mark.parametrize("sizes", [{"channels": (8, 8, 8)}, {"channels": (8, 8, 8, 12)}, {"memory": 0}])
def test_sizes_that_cannot_be_are_refused(sizes: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(sizes))):
        SpatialConfig(**sizes)  # type: ignore[arg-type]


def test_gradients_reach_every_weight() -> None:
    policy = make_policy().train()
    image, sights = make_sights(2, 2, 6, 6)
    decision = policy.unroll(policy.encode_image(image), sights)
    loss = -decision.log_probability[decision.log_probability > -100].mean()
    for part in decision[1:]:
        loss = loss + part.square().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    silent = [name for name, weight in policy.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not silent
    assert all(weight.grad.isfinite().all() for weight in policy.parameters() if weight.grad is not None)


def test_likeness_is_that_to_the_likest_cell_that_was_told() -> None:
    rng = np.random.default_rng(0)
    colours = rng.random((1, 3, 2, 3), dtype=np.float32)
    told = np.zeros((1, 2, 2, 3), dtype=np.float32)
    told[0, 0, 0, 1] = told[0, 0, 1, 2] = told[0, 1, 1, 0] = 1
    alike = likeness(torch.from_numpy(colours), torch.from_numpy(told)).numpy()
    points = colours[0].reshape(3, 6).T
    places = np.array([(row / 3, column / 3) for row in range(2) for column in range(3)])
    plane = 0
    for which in (0, 1):
        chosen = np.flatnonzero(told[0, which])
        for values, sigma in ((points, 0.05), (points, 0.15), (places, 0.12)):
            squares = ((values[:, None] - values[None, chosen]) ** 2).sum(2)
            expected = np.exp(-squares / (2 * sigma**2)).max(1)
            np.testing.assert_allclose(alike[0, plane].ravel(), expected, atol=2e-3)
            plane += 1
    assert plane == alike.shape[1]
    assert not likeness(torch.from_numpy(colours), torch.zeros(1, 2, 2, 3)).any()


@pytest.mark.parametrize(
    ("foreground", "background", "expected"),
    [(0, 0, 0.2 + 0.5), (1, 0, 0.2), (0, 1, 0.5), (1, 1, 0.2 + 0.5)],
)
def test_an_answer_is_useful_if_it_is_not_mixed_and_not_what_alone_was_told(
    foreground: int, background: int, expected: float
) -> None:
    kinds = torch.tensor([0.2, 0.5, 0.3]).log()[None, :, None, None].expand(1, 3, 2, 2)  # background, foreground, mixed
    told = torch.zeros(1, 2, 2 * CELL, 2 * CELL)
    told[0, 0, :CELL, :CELL], told[0, 1, CELL:, CELL:] = foreground, background
    asked = told.amax(1, keepdim=True)[..., ::CELL, ::CELL]
    useful = usefulness(kinds, told, asked, torch.zeros(1, 6, 2, 2))
    torch.testing.assert_close(useful, torch.full((1, 2, 2), expected))


def test_the_longer_one_class_alone_is_told_the_less_its_view_counts_and_the_more_what_is_unlike() -> None:
    kinds = torch.tensor([0.001, 0.998, 0.001]).log()[None, :, None, None].expand(1, 3, 6, 6)  # sure of foreground
    colours = torch.zeros(1, 3, 6, 6)
    colours[:, :, 5] = 1  # below it is bright
    found = []
    for count in (1, 3, 6):
        told = torch.zeros(1, 2, 6, 6)
        told[0, 0, 0, :count] = 1
        spread = told.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
        found.append(usefulness(kinds, spread, told[:, :1], likeness(colours, told))[0])
    assert [each.std() < 1e-6 for each in found] == [True, False, False]  # at first all are as useless
    assert found[0][5, 5] < found[1][5, 5] < found[2][5, 5]
    assert found[2][5, 5] > 3 * found[2][3, 5] > 3 * found[2][1, 5]
    told[0, 1, 5, 5] = 1  # the other class at last: its view counts again
    spread = told.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
    useful = usefulness(kinds, spread, told.amax(1, keepdim=True), likeness(colours, told))
    torch.testing.assert_close(useful, torch.full((1, 6, 6), 0.999))


def test_where_most_cells_were_mixed_the_sure_ones_count_more_and_those_beside_mixed_ones_less() -> None:
    told, asked = torch.zeros(1, 2, 5, 5), torch.zeros(1, 1, 5, 5)
    logits, useful = torch.zeros(1, 5, 5), torch.full((1, 5, 5), 0.5)
    logits[0, 4, 4], useful[0, 4, 0] = 1.0, 0.9

    def change() -> torch.Tensor:
        spread = told.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
        return in_view_of_mixed(logits, useful, spread, asked)[0]

    torch.testing.assert_close(change(), (logits + useful.log())[0])  # nothing was mixed yet
    asked[0, 0, 0, :2] = 1
    told[0, 0, 0, 0] = 1  # one of two
    beside = torch.zeros(5, 5)
    beside[0, [0, 2]], beside[1, :3] = -0.7, torch.tensor([-0.35, -0.7, -0.35])
    torch.testing.assert_close(change(), (logits + useful.log())[0] + beside)
    told[:] = 0  # both were mixed
    assert change()[4, 4] < change()[4, 0]
    expected = (1 + np.log(0.5)) / 1.6 + 1.2 * np.log(0.5)
    assert change()[4, 4].item() == pytest.approx(expected, abs=1e-5)


def test_disagreement_tells_how_much_and_what_the_other_holds_a_cell_to_be() -> None:
    matte, opinion = torch.zeros(2, 1, 1, CELL, 2 * CELL)
    opinion[..., :4, :CELL], opinion[..., CELL:] = 1, 0.5
    found = disagreement(matte, opinion)
    torch.testing.assert_close(found[0, 0], torch.tensor([[0.5, 0.25]]).add(1e-4).log() / 4 + 1)
    torch.testing.assert_close(found[0, 1:, 0], torch.tensor([[0.5, 0.5], [0.0, 0.5], [1.0, 0.5]]))
