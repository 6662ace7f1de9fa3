"""The tutorial of a solver in another package does what it says: its blocks are run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[1] / "docs" / "your_own_solver.md"
FILES = ("nearest_colour.py", "pyproject.toml", "test_nearest_colour.py", "use.py")


def run(folder: Path, *command: str) -> str:
    """What a fresh interpreter prints, with the package that was installed in `installed`."""
    paths = [str(folder.parent / "installed"), str(TUTORIAL.parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    result = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's files, and what they make installed beside."""
    folder = tmp_path_factory.mktemp("tutorial") / "package"
    folder.mkdir()
    text = TUTORIAL.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"^`(\w+\.\w+)`", text, flags=re.MULTILINE)
    assert tuple(named) == FILES
    for name, block in zip(named, blocks, strict=True):
        (folder / name).write_text(block, encoding="utf-8")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    run(folder, *install, "--target", str(folder.parent / "installed"), ".")
    (folder / "nearest_colour.py").unlink()  # what is used from here on is what was installed
    return folder


def test_the_tutorial_is_at_most_a_page() -> None:
    lines = TUTORIAL.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 120


def test_the_solver_keeps_the_contract(package: Path) -> None:
    assert "1 passed" in run(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_nearest_colour.py")


def test_the_environment_and_other_solvers_know_it_by_name(package: Path) -> None:
    assert "solver='nearest-colour'" in run(package, "use.py")


def test_it_is_listed_with_the_others(package: Path) -> None:
    told = run(package, "-m", "active_matting.agents.cli", "solvers")
    assert "nearest-colour\n  Alpha is how much nearer" in told
    assert "softness=0.01" in told
