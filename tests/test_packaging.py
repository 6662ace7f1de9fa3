"""What is shipped is what is there."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINKS = {"envs": "../envs", "agents": "../agents"}


def packages_on_disk() -> set[str]:
    """Names of all folders with Python files; `envs` and `agents` are read where they lie."""
    packages = set()
    for top in ("active_matting", *LINKS):
        for path in (ROOT / top).rglob("*.py"):
            parts = path.parent.relative_to(ROOT).parts
            if parts[0] == "active_matting":
                if len(parts) > 1 and parts[1] in LINKS:
                    continue  # through a link
                packages.add(".".join(parts))
            else:
                packages.add(".".join(("active_matting", *parts)))
    return packages


def test_every_folder_with_python_files_is_a_listed_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    assert set(listed) == packages_on_disk()
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", LINKS)
def test_environments_and_agents_are_linked_into_the_package_relatively(name: str) -> None:
    link = ROOT / "active_matting" / name
    assert link.is_symlink()
    assert os.readlink(link) == LINKS[name]
    assert (link / "__init__.py").samefile(ROOT / name / "__init__.py")


def test_a_wheel_holds_every_module_once(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("active_matting", *LINKS):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    script = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    built = subprocess.run([sys.executable, "-c", script], cwd=source, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = Counter(name for name in archive.namelist() if name.startswith("active_matting/"))
    features = "models/weights/efficientnet-lite0"
    for name in (
        "envs/regions.py",
        "agents/policy.py",
        "agents/weights/small/weights.safetensors",
        f"{features}/features.safetensors",
        "segmenters/weights/band-network/weights.safetensors",
        f"{features}/LICENSE",
        "py.typed",
    ):
        assert shipped[f"active_matting/{name}"] == 1
    modules = {
        path.relative_to(ROOT).as_posix().removeprefix("active_matting/")
        for top in ("active_matting", *LINKS)
        for path in (ROOT / top).rglob("*.py")
    }
    assert {name.removeprefix("active_matting/") for name in shipped if name.endswith(".py")} == modules
    assert set(shipped.values()) == {1}
