"""Which sample comes next, and what happens where it cannot be read."""

import copy
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from active_matting.data import Sample, make_data
from active_matting.data.order import ORDERS, check_unreadable, draw_sample, make_order, read_sample
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError


class Numbered:
    """Ten samples, of which some raise."""

    def __init__(self, *broken: int) -> None:
        self.broken, self.asked = broken, list[int]()

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Sample:
        self.asked.append(index)
        if index in self.broken:
            raise OSError(f"disk {index} is on fire")
        plane = np.full((2, 2), index / 10, dtype=np.float32)
        return Sample(str(index), np.dstack([plane] * 3), plane)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def drawn(name: str, count: int, seed: int = 0, known: tuple[int, ...] = (), broken: tuple[int, ...] = ()) -> list[int]:
    """`count` indices; `known` samples are passed over from the start, `broken` ones are met on the way."""
    order, source, rng = make_order(name, 10), Numbered(*broken), np.random.default_rng(seed)
    for index in known:
        order.pass_over(index)
    return [draw_sample(source, order, rng, "skip")[0] for _ in range(count)]


def test_random_draws_are_the_generators_own() -> None:
    rng = np.random.default_rng(7)
    assert drawn("random", 50, seed=7) == [int(rng.integers(10)) for _ in range(50)]


def test_an_epoch_holds_each_sample_once_and_each_is_shuffled_anew() -> None:
    indices = drawn("epoch", 40)
    epochs = [indices[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_in_turn_is_from_first_to_last_and_again() -> None:
    assert drawn("in-turn", 25) == [index % 10 for index in range(25)]


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_follows_the_seed(name: str) -> None:
    assert drawn(name, 40, seed=3) == drawn(name, 40, seed=3)
    if name != "in-turn":
        assert drawn(name, 40, seed=3) != drawn(name, 40, seed=4)


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("unreadable", [(0,), (9, 2), tuple(range(9)), tuple(range(1, 10))])
def test_the_unreadable_are_left_out_alike_whether_known_or_met(name: str, unreadable: tuple[int, ...]) -> None:
    met = drawn(name, 60, broken=unreadable)
    assert met == drawn(name, 60, known=unreadable)
    assert set(met) == set(range(10)) - set(unreadable)
    if name != "random":
        passes = [met[start : start + 10 - len(unreadable)] for start in range(0, 60, 10 - len(unreadable))]
        assert all(len(set(indices)) == len(indices) for indices in passes)


@pytest.mark.parametrize("name", ORDERS)
def test_seeding_again_brings_the_same_sequence_though_some_are_known_now(name: str) -> None:
    order, source = make_order(name, 10), Numbered(1, 4, 8)

    def seeded(count: int) -> list[int]:
        rng = np.random.default_rng(5)
        order.restart()
        return [draw_sample(source, order, rng, "skip")[0] for _ in range(count)]

    first = seeded(13)  # ends within a pass
    assert seeded(13) == first
    assert sorted(index for index in source.asked if index in (1, 4, 8)) == [1, 4, 8]  # each tried once


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_copied_with_its_place(name: str) -> None:
    order, rng = make_order(name, 10), np.random.default_rng(0)
    order.pass_over(3)
    order.next(rng)
    copies = [(copy.deepcopy(rng), copy.deepcopy(order)), (copy.deepcopy(rng), pickle.loads(pickle.dumps(order)))]
    expected = [order.next(rng) for _ in range(20)]
    assert all([other.next(its) for _ in range(20)] == expected for its, other in copies)


@pytest.mark.parametrize("name", ORDERS)
def test_where_none_is_left_it_is_an_error(name: str) -> None:
    order, rng = make_order(name, 2), np.random.default_rng(0)
    order.pass_over(1)
    with pytest.raises(FileError, match="none of the 2 samples can be read"):
        order.pass_over(0)
    with pytest.raises(FileError, match="none of the 2 samples can be read"):
        order.next(rng)
    with pytest.raises(FileError, match="none of the 10 samples can be read"):
        drawn(name, 1, broken=tuple(range(10)))


def test_bad_arguments_are_refused_with_what_is_allowed() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown order 'shuffled'; choose from \['random', 'epoch', 'in-turn'\]"
    ):
        make_order("shuffled", 3)
    with pytest.raises(InvalidArgumentError, match="count must be a whole number of samples, at least 1, got 0"):
        make_order("epoch", 0)
    with pytest.raises(InvalidArgumentError, match="index must be from 0 to 2, got 3"):
        make_order("epoch", 3).pass_over(3)
    with pytest.raises(InvalidArgumentError, match=r"unreadable must be one of \['raise', 'skip'\], got 'ignore'"):
        check_unreadable("ignore")
    with pytest.raises(InvalidArgumentError, match="unreadable must be one of"):
        draw_sample(Numbered(), make_order("epoch", 10), np.random.default_rng(0), "ignore")
    assert check_unreadable("skip") == "skip"


@pytest.fixture
def broken_folder(tmp_path: Path) -> Path:
    """Three pairs, the second image of which is none."""
    for name in "abc":
        for kind, shape in (("images", (4, 4, 3)), ("alphas", (4, 4))):
            (tmp_path / kind).mkdir(exist_ok=True)
            Pillow.fromarray(np.zeros(shape, dtype=np.uint8)).save(tmp_path / kind / f"{name}.png")
    (tmp_path / "images" / "b.png").write_text("not a picture")
    return tmp_path


def test_an_unreadable_sample_is_named_with_its_source_and_file(broken_folder: Path) -> None:
    source, order, rng = (
        make_data("folder", path=str(broken_folder)),
        make_order("in-turn", 3),
        np.random.default_rng(0),
    )
    assert draw_sample(source, order, rng)[1].name == "a"
    words = rf"^sample 1 of Folder\(path='.*\) cannot be read: {broken_folder}/images/b\.png is not a picture"
    with pytest.raises(FileError, match=words):
        draw_sample(source, order, rng)
    with pytest.raises(FileError, match=words):
        read_sample(source, 1)
    with pytest.raises(FileError, match=r"sample 3 of .*Numbered.* cannot be read: disk 3 is on fire"):
        read_sample(Numbered(3), 3)
    with pytest.raises(IndexError):
        read_sample(source, 3)


def test_a_skipped_sample_is_logged_once(broken_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    source, order, rng = (
        make_data("folder", path=str(broken_folder)),
        make_order("in-turn", 3),
        np.random.default_rng(0),
    )
    with caplog.at_level(logging.WARNING):
        assert [draw_sample(source, order, rng, "skip")[1].name for _ in range(6)] == ["a", "c"] * 3
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("sample 1 of Folder(")
    assert "b.png is not a picture in a known format; it is left out" in record.getMessage()
