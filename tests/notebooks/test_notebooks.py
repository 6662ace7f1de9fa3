"""Every notebook runs from its first cell to its last, and shows pictures; as it is stored, it shows them too."""

import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EXPECTED = {
    "quickstart",
    "interactive_query_loop",
    "train_an_agent",
    "swap_solvers",
    "compare_agents",
    "your_own_images",
}
LARGEST = 400_000  # bytes


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def outputs(notebook: Any) -> Iterator[Any]:
    return (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)


def pictures(notebook: Any) -> list[str]:
    """The PNGs that it shows, in base64."""
    shown = [output.get("data", {}) for output in outputs(notebook)]
    return [data["image/png"] for data in shown if "image/png" in data]


def test_the_notebooks_are_there_and_listed() -> None:
    assert {path.stem for path in NOTEBOOKS} >= EXPECTED
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in NOTEBOOKS if f"({path.name})" not in listed] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_stored_notebook_shows_pictures_and_is_small(path: Path) -> None:
    stored = pictures(read(path))
    assert len(stored) >= 3
    assert all(b64decode(png).startswith(b"\x89PNG") for png in stored)
    assert path.stat().st_size < LARGEST


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_stored_notebook_tells_neither_when_nor_where_it_ran(path: Path) -> None:
    notebook = read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in notebook.cells)
    texts = [str(output) for output in outputs(notebook) if "image/png" not in output.get("data", {})]
    assert not [text for text in texts if re.search(r"/tmp|/home|/Users|/work|site-packages|stderr|Traceback", text)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_stored_notebook_was_run_in_order(path: Path) -> None:
    counts = [cell.execution_count for cell in read(path).cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_shows_pictures(path: Path) -> None:
    notebook = read(path)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    assert len(pictures(notebook)) >= 3
