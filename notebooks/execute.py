"""Run the notebooks, and store them with their pictures, made small, but with nothing that tells when or where.

python notebooks/execute.py             all of them
python notebooks/execute.py quickstart  those that are named
"""

import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
LARGE = 50_000  # bytes of a picture


def execute(path: Path) -> None:
    """Run a notebook from its first cell to its last, in its folder, and write it back."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": path.parent}},
    ).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not is_progress(output)]
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = smaller(output.data["image/png"])
    notebook.metadata["language_info"] = {"name": "python"}  # without its version
    nbformat.write(notebook, path)


def is_progress(output: dict) -> bool:
    """Whether an output is a warning or a progress bar, which say nothing once it is done."""
    return output.get("name") == "stderr" or "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def smaller(png: str) -> str:
    """A picture in base64; in 256 colours where it is large, as those with photographs are."""
    written = BytesIO()
    picture = Image.open(BytesIO(b64decode(png))).convert("RGB")
    picture.save(written, "png", optimize=True)
    if written.tell() > LARGE:
        written = BytesIO()
        picture.quantize(method=Image.Quantize.MAXCOVERAGE, kmeans=1).save(written, "png", optimize=True)
    return b64encode(written.getvalue()).decode()


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.ipynb")):
        execute(FOLDER / f"{name}.ipynb")
