"""Solvers by a text that is written and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_matting.errors import InvalidArgumentError
from active_matting.solvers.named import NamedSolver
from active_matting.solvers.random_walk import RandomWalk

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), VALUES, max_size=3))
def test_a_solvers_label_is_read_as_it_was_written(arguments: dict[str, object]) -> None:
    solver = NamedSolver("segment-then-matte", arguments)
    assert NamedSolver.read(solver.label) == solver


def test_its_own_arguments_come_before_those_it_shares() -> None:
    solver = NamedSolver.read('random-walk {"sigma": 0.5}', {"sigma": 0.1, "radius": 2})
    assert solver.make() == RandomWalk(radius=2, sigma=0.5)


@pytest.mark.parametrize("text", ["knn {", "knn {1}", "knn {} {}"])
def test_what_follows_a_name_must_be_a_json_object(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="what follows knn must be JSON"):
        NamedSolver.read(text)
