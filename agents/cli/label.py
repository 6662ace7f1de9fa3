"""Label a photograph in the browser, on a page of this machine's own.

The page shows the photograph with the region that the agent asks about, takes answers, clicks and strokes, and shows
the matte as it improves; "Done", or Ctrl-C here, writes the outputs and stops. Nobody but this machine can reach it,
and nobody who does not know its address. The photograph is worked on with its longer side at --image-size and matted at
its own size in the end. With --session every answer is kept there at once; the same command goes on with it.

example: active-matting label photo.jpg --session photo.json --output cutout.png --alpha alpha.png
"""

import argparse
import asyncio
import signal
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from active_matting.agents.cli.asking import add_asking, session_on
from active_matting.data.images import read_image
from active_matting.session import QuerySession
from active_matting.types import Image
from active_matting.widget.controller import Controller
from active_matting.widget.outputs import Outputs
from active_matting.widget.server import PageServer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Image, agent, solver, outputs, page."""
    add_asking(parser)
    parser.add_argument("--labels", type=Path, metavar="FILE", help="where a picture of what was told goes")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of the page; 0 for any that is free")
    parser.add_argument("--no-browser", action="store_true", help="only tell the page's address")


def run(given: argparse.Namespace) -> None:
    """Serve the page until the person is done."""
    outputs = Outputs(given.output, given.alpha, given.labels, given.session)
    photograph = read_image(given.image)
    session = session_on(given, photograph)
    words = asyncio.run(_serve(given, session, outputs, photograph))
    print(words)
    for path in outputs if session.interactions else ():
        print(f"written: {path}")


async def _serve(given: argparse.Namespace, session: QuerySession, outputs: Outputs, photograph: Image) -> str:
    server = PageServer(lambda emit: Controller(session, emit, outputs=outputs, photograph=photograph), port=given.port)
    with _interrupting(server):
        print(f"page: {server.address}\nCtrl-C, or Done on the page, writes the outputs and stops.", flush=True)
        if not given.no_browser:
            # Beside the loop, as some browsers' commands last as long as the browser.
            threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
        return await server.until_finished()


@contextmanager
def _interrupting(server: PageServer) -> Iterator[None]:
    """Whatever asks this process to stop has the outputs written first."""
    loop = asyncio.get_running_loop()
    signals = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    try:
        for each in signals:  # the loop's own way, as it must wake up whichever thread the signal reaches
            loop.add_signal_handler(each, server.interrupt)
    except NotImplementedError:  # on Windows, where the loop wakes up by itself
        for each in signals:
            signal.signal(each, lambda *_: server.interrupt())
    yield
