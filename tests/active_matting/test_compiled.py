"""Where compiled code is kept, and when it is compiled anew: in processes of their own, on a copy of the package."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from active_matting.compiled import cache_folders, source_stamp
from active_matting.segmenters.likeness import _compare
from active_matting.solvers.sampling.blocks import bits_where

PACKAGE = Path(__file__).parents[2] / "active_matting"

CALLEE = """
from active_matting.compiled import njit
from active_matting.solvers.callees_constant import CONSTANT

@njit(cache=True, nogil=True)
def callee(x):
    return CONSTANT * x
"""

CALLER = """
from active_matting.compiled import njit
from active_matting.solvers.callee import callee

@njit(cache=True, nogil=True)
def caller(x):
    return callee(x) + 1
"""

THEIRS = """
from numba import njit

@njit("float64(float64)", cache=True)
def eager(x):
    return x
"""

RUN = """
from active_matting.solvers.caller import caller
from pymatting.util.kernels import eager
print(caller(10), eager(3.0), sum(caller.stats.cache_hits.values()))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of the package, two kernels of which one calls the other, and a "pymatting"."""
    root = tmp_path / "site"
    (root / "pymatting" / "util").mkdir(parents=True)
    for package in (root / "pymatting", root / "pymatting" / "util"):
        (package / "__init__.py").touch()
    (root / "pymatting" / "util" / "kernels.py").write_text(THEIRS)
    (root / "active_matting" / "segmenters").mkdir(parents=True)
    shutil.copytree(PACKAGE / "solvers", root / "active_matting" / "solvers", ignore=shutil.ignore_patterns("__pyc*"))
    for path in PACKAGE.glob("*.py"):
        shutil.copy(path, root / "active_matting")
    for name, text in {"callee": CALLEE, "caller": CALLER, "callees_constant": "CONSTANT = 2\n"}.items():
        (root / "active_matting" / "solvers" / f"{name}.py").write_text(text)
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()
    return root


def make_read_only(copy: Path) -> None:
    """Files where folders would be made: modes alone do not keep a superuser out."""
    for folder in ("active_matting/solvers", "active_matting/segmenters", "pymatting/util"):
        (copy / folder / "__pycache__").touch()
    (copy.parent / "home").rmdir()
    (copy.parent / "home").touch()


def run(copy: Path, script: str = RUN, **environment: str) -> tuple[str, str]:
    """What a fresh interpreter prints, and its log."""
    unset = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    own = {
        "HOME": str(copy.parent / "home"),
        "TMPDIR": str(copy.parent / "temporary"),
        "PYTHONPATH": str(copy),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**inherited, **own, **environment},
        cwd=copy.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip(), result.stderr


def kept(folder: Path) -> set[str]:
    return {path.name.split("-")[0] for path in folder.rglob("*.nbi")}


def test_compiled_code_is_kept_beside_the_sources_and_found_again(copy: Path) -> None:
    assert run(copy) == ("21 3.0 0", "")
    assert run(copy) == ("21 3.0 1", "")
    assert kept(copy / "active_matting" / "solvers" / "__pycache__") == {"caller.caller", "callee.callee"}
    assert not list((copy.parent / "temporary").iterdir())


@pytest.mark.parametrize("changed", ["callee", "callees_constant"])
def test_a_change_in_what_a_kernel_builds_on_is_noticed(copy: Path, changed: str) -> None:
    assert run(copy)[0] == "21 3.0 0"
    path = copy / "active_matting" / "solvers" / f"{changed}.py"
    text = path.read_text().replace("CONSTANT * x", "CONSTANT * x * 5").replace("CONSTANT = 2", "CONSTANT = 10")
    path.write_text(text)
    assert run(copy)[0] == "101 3.0 0"
    assert run(copy)[0] == "101 3.0 1"


def test_a_change_elsewhere_leaves_what_is_compiled(copy: Path) -> None:
    assert run(copy)[0] == "21 3.0 0"
    (copy / "active_matting" / "session.py").write_text("")
    assert run(copy)[0] == "21 3.0 1"


def test_where_nothing_can_be_written_a_private_temporary_folder_serves(copy: Path) -> None:
    make_read_only(copy)
    told, log = run(copy)
    folder = copy.parent / "temporary" / f"active-matting-{os.getuid()}"
    assert told == "21 3.0 0"
    assert f"compiled code is kept in {folder}" in log
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert kept(folder) == {"caller.caller", "callee.callee", "kernels.eager"}
    assert run(copy)[0] == "21 3.0 1"


def test_child_processes_are_told_the_place(copy: Path) -> None:
    make_read_only(copy)
    child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {RUN!r}], check=True)"
    told, log = run(copy, RUN + "import sys\nsys.stdout.flush()\n" + child)
    assert told == "21 3.0 0\n21 3.0 1"
    assert log.count("compiled code is kept in") == 1


@pytest.mark.parametrize("trap", ["open to all", "a link", "a file"])
def test_a_temporary_folder_that_others_may_write_to_is_not_trusted(copy: Path, trap: str) -> None:
    make_read_only(copy)
    folder = copy.parent / "temporary" / f"active-matting-{os.getuid()}"
    match trap:
        case "open to all":
            folder.mkdir()
            folder.chmod(0o777)
        case "a link":
            (copy.parent / "elsewhere").mkdir(mode=0o700)
            folder.symlink_to(copy.parent / "elsewhere")
        case "a file":
            folder.touch()
    told, log = run(copy)
    assert told == "21 3.0 0"
    assert f"compiled code is kept in {folder}:" not in log
    assert f"compiled code is kept in {copy.parent / 'temporary'}/active-matting-" in log
    assert not kept(copy.parent)
    assert [path.name for path in (copy.parent / "temporary").iterdir()] == [folder.name]  # the other is gone again


def test_a_place_that_the_user_names_is_kept_to(copy: Path) -> None:
    make_read_only(copy)
    named = copy.parent / "named"
    assert run(copy, NUMBA_CACHE_DIR=str(named)) == ("21 3.0 0", "")
    assert kept(named) == {"caller.caller", "callee.callee", "kernels.eager"}
    told, log = run(copy, NUMBA_CACHE_DIR=str(copy / "active_matting" / "types.py"))
    assert told == "21 3.0 0"
    assert "compiled code is kept in" in log


def test_without_any_place_kernels_are_compiled_all_the_same(copy: Path) -> None:
    make_read_only(copy)
    nowhere = f"import tempfile\ntempfile.tempdir = {str(copy / 'active_matting' / 'types.py')!r}\n"
    assert run(copy, nowhere + "from active_matting.solvers.caller import caller\nprint(caller(10))") == ("21", "")


def test_kernels_run_without_being_compiled(copy: Path) -> None:
    assert run(copy, "from active_matting.solvers.caller import caller\nprint(caller(10))", NUMBA_DISABLE_JIT="1") == (
        "21",
        "",
    )


def test_stamps_tell_kernel_files_apart() -> None:
    stamps = [source_stamp(path) for path in sorted((PACKAGE / "solvers" / "grid").glob("*.py"))]
    assert len(set(stamps)) == len(stamps) > 3


def test_the_folders_of_what_was_imported_are_told() -> None:
    kernels: list[Any] = [_compare, bits_where]
    for kernel in kernels:
        assert kernel.stats.cache_path in {str(folder) for folder in cache_folders()}
