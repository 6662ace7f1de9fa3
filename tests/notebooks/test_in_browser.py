"""The widget where it is used: JupyterLab, and the page of its own, in Chromium, with keys and the mouse.

Pictures of what was seen are left in the folder that the environment variable ACTIVE_MATTING_SCREENSHOTS names, else in
pytest's temporary folder.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from active_matting.data.images import read_alpha, read_cutout, write_image
from active_matting.data.rendered import Rendered
from active_matting.files import read_json
from active_matting.metrics import rmse
from active_matting.types import Alpha

pytest.importorskip("playwright", reason="playwright is not installed: pip install active-matting[test]")

from browser import SECONDS, Face, browser, jupyterlab, needs_chromium
from playwright.sync_api import Page, expect

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "interactive_query_loop.ipynb"

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

Shoot = Callable[[Face, str], None]


@pytest.fixture
def shoot(tmp_path: Path, request: pytest.FixtureRequest) -> Shoot:
    folder = Path(os.environ.get("ACTIVE_MATTING_SCREENSHOTS", tmp_path / "screenshots"))

    def take(face: Face, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        face.root.screenshot(path=folder / f"{request.node.name}-{name}.png")

    return take


def key_for(truth: Alpha, rows: slice, columns: slice) -> str:
    """What a person who sees the truth presses."""
    patch = truth[rows, columns]
    return "f" if patch.min() >= 0.98 else "b" if patch.max() <= 0.02 else "m"


def answer(face: Face, truth: Alpha, count: int) -> str:
    """Answer so many regions by keys; gives what is asked then."""
    told, rows, columns = face.asked()
    for _ in range(count):
        face.page.keyboard.press(key_for(truth, rows, columns))
        told, rows, columns = face.asked(other_than=told)
    return told


def draw(face: Face, truth: Alpha) -> None:
    """A stroke over what is certainly background: where the nearest other pixel is farthest away."""
    is_background = np.pad((truth == 0).astype(np.uint8), 1)
    distance = cv2.distanceTransform(is_background, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    length = 0.5 * float(distance.max())
    face.page.keyboard.press("d")
    face.root.get_by_title("Draw: background").click()
    box = face.root.locator("canvas.am-image").bounding_box()
    assert box is not None
    scale = box["width"] / truth.shape[1]
    x, y = box["x"] + column * scale, box["y"] + row * scale
    face.page.mouse.move(x - length * scale, y)
    face.page.mouse.down()
    face.page.mouse.move(x + length * scale, y, steps=5)
    face.page.mouse.up()
    face.page.keyboard.press("a")


def go_through(face: Face, truth: Alpha, shoot: Shoot) -> None:
    """Five answers, one taken back, one stroke, all ways of looking, an export."""
    face.asked()
    face.root.focus()
    shoot(face, "1-asked")
    told = answer(face, truth, 5)
    face.wait_for("spent", "5")
    face.page.keyboard.press("u")
    told, *_ = face.asked(other_than=told)
    face.wait_for("spent", "4")
    face.page.keyboard.press("h")
    shoot(face, "2-heat")
    face.page.keyboard.press("h")
    draw(face, truth)
    face.wait_for("spent", "5")
    face.asked(other_than=told)
    for name in ("trimap", "cutout"):
        face.page.keyboard.press("t")
        shoot(face, f"3-{name}")
    face.root.get_by_role("button", name="Export", exact=True).click()
    face.wait_for("exported", "1")
    shoot(face, "4-exported")
    assert face.shown_error() == ""
    assert face.complaints == []


def run_first_code(page: Page) -> None:
    """As a person does: again, where JupyterLab has forgotten it because its kernel was not there yet."""
    page.get_by_text("| Idle").wait_for()
    prompt = page.locator(".jp-CodeCell .jp-InputPrompt").first
    for _ in range(SECONDS // 10):
        prompt.click()
        page.keyboard.press("Shift+Enter")
        with suppress(AssertionError):
            return expect(prompt).to_have_text(re.compile(r"\[[*\d]"), timeout=10_000)
    raise AssertionError("JupyterLab ran nothing")


def check_files(folder: Path, names: tuple[str, str, str], truth: Alpha) -> None:
    """The exported files are whole, belong together, and are near to the truth."""
    cutout, alpha, session = (folder / name for name in names)
    matte = read_alpha(alpha)
    assert matte.shape == truth.shape
    assert rmse(matte, truth) < 0.1  # 0.5 before the first answer
    colours, opacity = read_cutout(cutout)
    np.testing.assert_array_equal(opacity, matte)
    assert colours.shape == (*truth.shape, 3)
    kinds = [entry["kind"] for entry in read_json(session)["interactions"]]
    assert kinds == ["region"] * 4 + ["stroke"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_notebook_in_jupyterlab(scheme: str, tmp_path: Path, shoot: Shoot) -> None:
    root = tmp_path / "notebooks"
    root.mkdir()
    shutil.copy(NOTEBOOK, root)
    truth = Rendered(split="test", count=12, size=400)[0].alpha
    with jupyterlab(tmp_path, root, scheme) as address, browser(tmp_path, scheme) as context:
        page = context.pages[0]
        page.goto(address.replace("/lab?", f"/lab/tree/{NOTEBOOK.name}?"))
        cells = page.locator(".jp-Notebook .jp-Cell")
        cells.first.wait_for()
        run_first_code(page)  # what follows is run, without a person, in test_notebooks.py
        face = Face(page, page.locator(".active-matting").first)
        face.root.wait_for()
        count = cells.count()
        go_through(face, truth, shoot)
        assert cells.count() == count  # "b" told background and made no cell
        assert not (page.locator(".jp-mod-error, .jp-RenderedText[data-mime-type*=stderr]").count())
        with page.expect_download() as download:
            face.root.get_by_role("button", name="cutout.png").click()
        assert Path(download.value.path()).read_bytes() == (root / "cutout" / "cutout.png").read_bytes()
    check_files(root / "cutout", ("cutout.png", "alpha.png", "session.json"), truth)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_its_own(scheme: str, tmp_path: Path, shoot: Shoot) -> None:
    sample = Rendered(split="test", count=12, size=400)[0]
    write_image(tmp_path / "photo.png", sample.image)
    command = [sys.executable, "-m", "active_matting.agents.cli", "label", "photo.png", "--no-browser"]
    command += ["--alpha", "alpha.png", "--session", "session.json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        with browser(tmp_path, scheme) as context:
            page = context.pages[0]
            face = Face(page, page.locator(".active-matting"))
            complaints: list[str] = []
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            page.goto(address)
            go_through(face, sample.alpha, shoot)
            broken = tmp_path / "broken.jpg"
            broken.write_bytes(b"no picture")
            face.root.locator("input[type=file]").set_input_files(broken)
            face.root.get_by_role("alert").wait_for()
            assert face.shown_error().startswith("broken.jpg cannot be read as a picture.")
            face.root.locator("input[type=file]").set_input_files(tmp_path / "photo.png")
            shoot(face, "5-photo")
            face.root.get_by_role("button", name="Done").click()
            face.root.get_by_text("Finished.").wait_for()
            assert complaints == []
        assert process.wait(SECONDS) == 0
    check_files(tmp_path, ("cutout.png", "alpha.png", "session.json"), sample.alpha)
