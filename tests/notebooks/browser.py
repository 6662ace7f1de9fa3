"""A browser and a notebook server for tests, with nothing of the user's touched."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Error, Locator, Page, sync_playwright

SECONDS = 240
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: on Debian, apt install chromium"
)


@contextmanager
def browser(folder: Path, scheme: str = "light") -> Iterator[BrowserContext]:
    """Chromium with a profile of its own in `folder`, in a "light" or a "dark" scheme."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=CHROMIUM,
            args=FLAGS,
            color_scheme="dark" if scheme == "dark" else "light",
            viewport={"width": 1280, "height": 1000},
        )
        context.set_default_timeout(SECONDS * 1000)
        try:
            yield context
        finally:
            context.close()


@contextmanager
def jupyterlab(folder: Path, root: Path, scheme: str = "light") -> Iterator[str]:
    """The address of a JupyterLab, light or dark, that shows `root`, and keeps all it keeps in `folder`."""
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    theme = "JupyterLab Dark" if scheme == "dark" else "JupyterLab Light"
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    kept = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")}
    kept |= {"IPYTHONDIR": str(folder / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    kept |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={root}"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (folder / "jupyter.log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, **kept}, cwd=root)
        try:
            yield _address(process, folder / "jupyter.log")
        finally:
            process.terminate()
            process.wait(SECONDS)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", log.read_text())
        if found:
            return found.group()
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()}")


class Face:
    """The widget on a page, as a person sees it."""

    def __init__(self, page: Page, root: Locator) -> None:
        self.page = page
        self.root = root
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def asked(self, other_than: str = "") -> tuple[str, slice, slice]:
        """What is asked, once it is something else: a number, rows and columns of the session's image."""
        handle = self.root.element_handle()
        self.page.wait_for_function(
            "([root, old]) => root.dataset.asked && root.dataset.asked !== old", arg=[handle, other_than]
        )
        told = self.root.get_attribute("data-asked") or ""
        _, top, left, side = map(int, told.split(","))
        return told, slice(top, top + side), slice(left, left + side)

    def wait_for(self, name: str, value: str) -> None:
        """Until the root says so in data-`name`."""
        handle = self.root.element_handle()
        self.page.wait_for_function("([root, name, value]) => root.dataset[name] === value", arg=[handle, name, value])

    def shown_error(self) -> str:
        """The words of the red strip; empty where it is not there."""
        strip = self.root.get_by_role("alert")
        return strip.inner_text() if strip.is_visible() else ""


__all__ = ["CHROMIUM", "SECONDS", "Error", "Face", "browser", "jupyterlab", "needs_chromium"]
