"""The spatial agent's network: shapes, masks, chances, memory; any grid."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from active_matting.agents.spatial.cues import (
    CLOSED,
    as_decided,
    covered,
    disagreement,
    in_view_of_mixed,
    is_known,
    likeness,
    of_squares,
    spread_out,
    usefulness,
)
from active_matting.agents.spatial.grid import CELL, DETAIL, HALF
from active_matting.agents.spatial.network import Decision, Sight, SpatialConfig, SpatialPolicy
from active_matting.errors import InvalidArgumentError
from active_matting.solvers import make_solver

TINY = SpatialConfig(channels=(8, 8, 8, 8), memory=3, recognition=4)


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
    spread = told.repeat_interleave(CELL, 3).repeat_interleave(CELL, 4)
    known = torch.stack([is_known(each)[:, None] for each in spread]).float()
    asked = (known + (planes(steps, count, 1, 2 * rows - 1, 2 * columns - 1) > 0.9)).clamp(max=1)
    mattes, before, opinions = planes(3, steps, count, 1, height, width)
    return planes(count, 3, DETAIL * height, DETAIL * width), Sight(mattes, before, opinions, spread, asked)


def decide(policy: SpatialPolicy, image: torch.Tensor, sights: Sight) -> Decision:
    with torch.no_grad():
        return policy.unroll(policy.encode_image(image), sights)


@pytest.mark.parametrize(("rows", "columns"), [(20, 20), (15, 20), (7, 5), (4, 13), (1, 1)])
def test_grids_of_any_size_have_chances_that_sum_to_one_where_nothing_was_asked(rows: int, columns: int) -> None:
    image, sights = make_sights(2, 3, rows, columns)
    decision = decide(make_policy(), image, sights)
    squares = (2 * rows - 1, 2 * columns - 1)
    assert decision.log_probability.shape == decision.gain.shape == decision.error.shape == (2, 3, *squares)
    assert decision.kinds.shape == (2, 3, 3, *squares)
    assert decision.value.shape == decision.log_rmse.shape == (2, 3)
    chances = decision.log_probability.exp()
    torch.testing.assert_close(chances.sum((2, 3)), torch.ones(2, 3))
    is_asked = sights.asked[:, :, 0] > 0
    if not is_asked.flatten(2).all(2).any():
        assert chances[is_asked].max() == 0


def test_where_all_squares_were_asked_about_none_is_closed() -> None:
    image, sights = make_sights(1, 1, 3, 3)
    decision = decide(make_policy(), image, sights._replace(asked=torch.ones(1, 1, 1, 5, 5)))
    assert decision.log_probability.min() > -100
    torch.testing.assert_close(decision.log_probability.exp().sum(), torch.tensor(1.0))


@given(open_square=st.integers(0, 34))
def test_the_last_square_that_is_open_is_certain(open_square: int) -> None:
    image, sights = make_sights(1, 1, 3, 4)
    asked = torch.ones(35)
    asked[open_square] = 0
    decision = decide(make_policy(), image, sights._replace(asked=asked.view(1, 1, 1, 5, 7)))
    assert decision.log_probability.flatten()[open_square].exp() == 1


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
    more = decision._replace(gain=torch.tensor([[[1.7, 1.7], [1.0, -0.2]]]))  # all of it is the most
    torch.testing.assert_close(more.expected_drops(), torch.tensor([[[0.2, 0.0], [0.2, -0.04]]]))


def test_a_network_that_expects_too_much_of_all_answers_can_learn_better() -> None:
    policy = make_policy()
    with torch.no_grad():
        assert policy.maps.bias is not None
        policy.maps.bias[1] = 100
    image, sights = make_sights(1, 1, 4, 4)
    gain = policy.unroll(policy.encode_image(image), sights).gain
    assert gain.min() > 1
    (gain**2).mean().backward()  # type: ignore[no-untyped-call]
    assert policy.maps.bias.grad is not None
    assert policy.maps.bias.grad[1] > 100


def test_it_can_do_without_what_is_recognised() -> None:
    image, sights = make_sights(2, 1, 4, 5)
    decision = decide(SpatialPolicy(replace(TINY, recognition=0)), image, sights)
    assert decision.log_probability.shape == (2, 1, 7, 9)
    torch.testing.assert_close(decision.log_probability.exp().sum((2, 3)), torch.ones(2, 1))


def test_what_is_recognised_is_looked_for_in_the_large_picture_or_as_before_in_a_small_one() -> None:
    image, _ = make_sights(1, 1, 4, 5)
    other = image.clone()
    other[..., ::2], other[..., 1::2] = image[..., 1::2], image[..., ::2]  # the same in means of two
    for detail, differs in ((DETAIL, True), (1, False)):
        torch.manual_seed(0)
        policy = SpatialPolicy(replace(TINY, detail=detail))
        with torch.no_grad():
            one, two = policy.encode_image(image), policy.encode_image(other)
        assert one.shape == (1, 8 + 4 + 3, 8, 10)
        change = (one - two).abs().amax((0, 2, 3))
        assert (change[8:12].max() > 1e-3) == differs
        assert max(change[:8].max(), change[12:].max()) < 1e-5


def test_the_network_that_is_shipped_has_less_than_a_million_weights() -> None:
    assert sum(parameter.numel() for parameter in SpatialPolicy().parameters()) < 1_000_000


@pytest.mark.parametrize(
    "sizes", [{"channels": (8, 8, 8)}, {"channels": (8, 8, 8, 12)}, {"memory": 0}, {"recognition": -1}, {"detail": 3}]
)
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


def test_likeness_is_that_to_the_likest_half_cell_that_was_told() -> None:
    rng = np.random.default_rng(0)
    colours = rng.random((1, 3, 4, 6), dtype=np.float32)
    told = np.zeros((1, 2, 4, 6), dtype=np.float32)
    told[0, 0, 0, 1] = told[0, 0, 1, 2] = told[0, 1, 3, 0] = 1
    alike = likeness(torch.from_numpy(colours), torch.from_numpy(told)).numpy()
    examples = colours[0].reshape(3, 24).T
    points = colours[0].reshape(3, 2, 2, 3, 2).mean((2, 4)).reshape(3, 6).T
    middles = (np.argwhere(np.ones((2, 3))) + 0.5) / 3, (np.argwhere(np.ones((4, 6))) + 0.5) / 6
    plane = 0
    for which in (0, 1):
        chosen = np.flatnonzero(told[0, which])
        compared = (points, examples, 0.05), (points, examples, 0.15), (*middles, 0.12)
        for values, others, sigma in compared:
            squares = ((values[:, None] - others[None, chosen]) ** 2).sum(2)
            expected = np.exp(-squares / (2 * sigma**2)).max(1)
            np.testing.assert_allclose(alike[0, plane].ravel(), expected, atol=2e-3)
            plane += 1
    assert plane == alike.shape[1]
    assert not likeness(torch.from_numpy(colours), torch.zeros(1, 2, 4, 6)).any()


def test_squares_are_cells_and_what_lies_between_and_half_cells_are_what_squares_cover() -> None:
    cells = torch.tensor([[[[0.0, 2.0, 6.0], [4.0, 6.0, 10.0]]]])
    expected = [[0, 1, 2, 4, 6], [2, 3, 4, 6, 8], [4, 5, 6, 8, 10]]
    torch.testing.assert_close(of_squares(cells), torch.tensor([[expected]], dtype=torch.float32))
    squares = torch.zeros(1, 1, 3, 5)
    squares[0, 0, 1, 3] = squares[0, 0, 0, 0] = 1
    halves = torch.zeros(4, 6)
    halves[1:3, 3:5] = halves[:2, :2] = 1
    torch.testing.assert_close(covered(squares)[0, 0], halves)


def test_a_square_is_known_where_it_is_told_and_not_where_its_neighbour_is() -> None:
    told = torch.zeros(1, 2, 3 * CELL, 3 * CELL)
    told[0, 1, HALF : HALF + CELL, HALF : HALF + CELL] = 1
    known = torch.zeros(1, 5, 5, dtype=torch.bool)
    known[0, 1, 1] = True
    torch.testing.assert_close(is_known(told), known)
    told[0, 0, HALF : HALF + CELL, HALF + CELL : 2 * HALF + CELL] = 1
    known[0, 1, 2] = True
    torch.testing.assert_close(is_known(told), known)


@pytest.mark.parametrize(
    ("foreground", "background", "expected"),
    [(0, 0, 0.2 + 0.5), (1, 0, 0.2), (0, 1, 0.5), (1, 1, 0.2 + 0.5)],
)
def test_an_answer_is_useful_if_it_is_not_mixed_and_not_what_alone_was_told(
    foreground: int, background: int, expected: float
) -> None:
    kinds = torch.tensor([0.2, 0.5, 0.3]).log()[None, :, None, None].expand(1, 3, 3, 3)  # background, foreground, mixed
    told = torch.zeros(1, 2, 2 * CELL, 2 * CELL)
    told[0, 0, :CELL, :CELL], told[0, 1, CELL:, CELL:] = foreground, background
    useful = usefulness(kinds, told, is_known(told)[:, None].float(), torch.zeros(1, 6, 3, 3))
    torch.testing.assert_close(useful, torch.full((1, 3, 3), expected))


def test_the_longer_one_class_alone_is_told_the_less_its_view_counts_and_the_more_what_is_unlike() -> None:
    kinds = torch.tensor([0.001, 0.998, 0.001]).log()[None, :, None, None].expand(1, 3, 11, 11)  # sure of foreground
    colours = torch.zeros(1, 3, 12, 12)
    colours[:, :, 10:] = 1  # below it is bright
    told = torch.zeros(1, 2, 6, 6)

    def useful() -> torch.Tensor:
        halves = told.repeat_interleave(2, 2).repeat_interleave(2, 3)
        spread = halves.repeat_interleave(HALF, 2).repeat_interleave(HALF, 3)
        asked = torch.zeros(1, 1, 11, 11)
        asked[:, :, ::2, ::2] = told.amax(1, keepdim=True)
        return usefulness(kinds, spread, asked, of_squares(likeness(colours, halves)))[0]

    found = []
    for count in (1, 3, 6):
        told[0, 0, 0, :count] = 1
        found.append(useful())
    assert [each.std() < 1e-6 for each in found] == [True, False, False]  # at first all are as useless
    assert found[0][10, 10] < found[1][10, 10] < found[2][10, 10]
    assert found[2][10, 10] > 3 * found[2][6, 10] > 3 * found[2][2, 10]
    told[0, 1, 5, 5] = 1  # the other class at last: its view counts again
    torch.testing.assert_close(useful(), torch.full((11, 11), 0.999))


def test_where_most_squares_were_mixed_the_sure_ones_count_more_and_those_beside_mixed_ones_less() -> None:
    told, asked = torch.zeros(1, 2, 5, 5), torch.zeros(1, 1, 9, 9)
    logits, useful = torch.zeros(1, 9, 9), torch.full((1, 9, 9), 0.5)
    logits[0, 8, 8], useful[0, 8, 0] = 1.0, 0.9

    def change() -> torch.Tensor:
        spread = told.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
        return in_view_of_mixed(logits, useful, spread, asked)[0]

    torch.testing.assert_close(change(), (logits + useful.log())[0])  # nothing was mixed yet
    asked[0, 0, 0, [0, 2]] = 1
    told[0, 0, 0, 0] = 1  # one of two
    beside = change() - (logits + useful.log())[0]
    assert not beside[3:].any()
    assert not beside[:, 5:].any()
    assert beside[0, 2] == 0  # it is closed anyhow
    assert beside[0, 1] == beside[0, 3] == beside[1, 2] == beside.min() < beside[0, 4] < beside[2, 4] < 0
    torch.testing.assert_close(beside[:, :2], beside[:, 3:5].flip(1))  # as far to either side
    told[:] = 0  # both were mixed
    assert change()[8, 8] < change()[8, 0]
    expected = (1 + np.log(0.5)) / 1.6 + 1.2 * np.log(0.5)
    assert change()[8, 8].item() == pytest.approx(expected, abs=1e-5)


def test_disagreement_tells_how_much_and_what_the_other_holds_a_cell_to_be() -> None:
    matte, opinion = torch.zeros(2, 1, 1, CELL, 2 * CELL)
    opinion[..., :4, :CELL], opinion[..., CELL:] = 1, 0.5
    found = disagreement(matte, opinion)
    torch.testing.assert_close(found[0, 0], torch.tensor([[0.5, 0.25]]).add(1e-4).log() / 4 + 1)
    torch.testing.assert_close(found[0, 1:, 0], torch.tensor([[0.5, 0.5], [0.0, 0.5], [1.0, 0.5]]))


def test_of_one_class_alone_the_matte_is_seen_as_a_classical_solver_would_have_it() -> None:
    told = torch.zeros(4, 2, 16, 16)
    told[1, 0, :4, :4] = 1
    told[2, 1, 8:, :4] = 1
    told[3] = told[1] + told[2]
    matte = torch.rand((4, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    found = as_decided(matte, told)
    for row, has_one in enumerate([False, True, True, False]):
        if not has_one:
            assert torch.equal(found[row], matte[row])
            continue
        label_map = (told[row, 0] - told[row, 1]).numpy().astype(np.int8)
        alpha = make_solver("random-walk").prepare(np.zeros((16, 16, 3), np.float32)).solve(label_map).alpha
        np.testing.assert_array_equal(found[row, 0].numpy(), alpha)


def test_what_lies_near_to_what_was_asked_is_left_for_later_and_less_so_the_more_was_asked() -> None:
    generator = torch.Generator().manual_seed(0)
    chances = torch.randn((2, 39, 39), generator=generator).flatten(1).log_softmax(1).view(2, 39, 39)
    asked = torch.zeros(2, 39, 39, dtype=torch.bool)
    assert torch.allclose(spread_out(chances, asked), chances, atol=1e-5)
    asked[0, 5, 5] = True
    asked[1, 5, 5] = asked[1, 35, :20] = True
    closed = chances.masked_fill(asked, CLOSED)
    assert torch.allclose(spread_out(closed, asked, strength=0)[~asked], closed[~asked], atol=0.1)  # the sum is anew 1
    found = spread_out(closed, asked)
    torch.testing.assert_close(found.exp().sum((1, 2)), torch.ones(2))
    assert (found[asked] < CLOSED / 2).all()
    loss = closed - found
    for row, count in enumerate((1, 21)):
        away = loss[row, 5, 30]  # far from all: nothing but that the sum is 1 again
        strength = 0.7 + 2.3 * np.exp(-count / 5)
        for distance in (1, 3, 6):
            expected = strength * np.exp(-(distance**2) / 18)
            assert float(loss[row, 5, 5 + distance] - away) == pytest.approx(expected, abs=1e-4)
            assert float(loss[row, 5 + distance, 5] - away) == pytest.approx(expected, abs=1e-4)
