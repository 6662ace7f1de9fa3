"""Things made by name, ours and those of other packages."""

from pathlib import Path
from typing import Any

import pytest

from active_matting.annotators import ANNOTATORS
from active_matting.data import SOURCES, make_data
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.registry import Registry
from active_matting.solvers import SOLVERS, make_solver

COLOURS = Registry(
    kind="colour",
    group="active_matting.test_colours",
    table={"complex": "builtins:complex", "path": "pathlib:PurePosixPath", "joined": "posixpath:join"},
)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package, installed, that adds a colour, a solver, and a solver by a name that is taken."""
    (tmp_path / "other_package.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Added:\n"
        "    level: float = 0.5\n"
        "    def prepare(self, image):\n"
        "        raise NotImplementedError\n"
    )
    metadata = tmp_path / "other_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[active_matting.test_colours]\n"
        "zinnober = other_package:Added\n"
        "amber = other_package:Added\n"
        "[active_matting.solvers]\n"
        "added = other_package:Added\n"
        "closed-form = other_package:Added\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_name_is_resolved_and_made() -> None:
    assert COLOURS.resolve("complex") is complex
    assert COLOURS.make("complex", 1, imag=2) == 1 + 2j


@pytest.mark.parametrize("registry", [SOLVERS, SOURCES, ANNOTATORS], ids=lambda registry: str(registry.kind))
def test_every_name_of_our_tables_resolves_to_something_callable(registry: Registry) -> None:
    for name in registry.names():
        assert callable(registry.resolve(name)), name


def test_an_unknown_name_is_refused_with_the_choices() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown colour 'red'; choose from \['complex', 'path', 'joined'\]"):
        COLOURS.make("red")
    with pytest.raises(UnknownNameError, match=r"unknown solver 'knnn'; choose from \['shared', 'closed-form', "):
        make_solver("knnn")
    with pytest.raises(UnknownNameError, match=r"unknown data source 'rendred'; choose from \['rendered', 'folder'"):
        make_data("rendred")


def test_an_unknown_keyword_is_refused_with_what_is_taken() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        make_solver("closed-form", epsilom=1e-6)
    assert str(caught.value) == (
        "solver 'closed-form': got an unexpected keyword argument 'epsilom'; it takes ['radius', 'epsilon']"
    )


def test_a_missing_argument_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"data source 'folder': missing a required argument: 'path'"):
        make_data("folder")


def test_an_error_raised_while_making_is_not_taken_for_a_wrong_keyword() -> None:
    with pytest.raises(TypeError, match="expected str"):
        COLOURS.make("joined", 1)


def test_another_package_adds_a_name(installed: Any) -> None:
    solver = make_solver("added", level=0.25)
    assert repr(solver) == "Added(level=0.25)"
    with pytest.raises(InvalidArgumentError, match=r"solver 'added': .*'levle'; it takes \['level'\]"):
        make_solver("added", levle=0.25)


def test_names_of_other_packages_come_last_and_sorted(installed: Any) -> None:
    assert COLOURS.names() == ["complex", "path", "joined", "amber", "zinnober"]
    with pytest.raises(UnknownNameError, match="'amber', 'zinnober'"):
        COLOURS.resolve("red")


def test_another_package_cannot_take_a_name_of_ours(installed: Any) -> None:
    assert SOLVERS.names().count("closed-form") == 1
    assert type(make_solver("closed-form")).__name__ == "ClosedForm"


def test_without_the_other_package_its_names_are_unknown() -> None:
    with pytest.raises(UnknownNameError, match="unknown solver 'added'"):
        make_solver("added")
