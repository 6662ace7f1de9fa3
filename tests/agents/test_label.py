"""The page: who may see it, and that it stops cleanly."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

from active_matting.agents.baselines.coverage import coverage_agent
from active_matting.agents.cli import main
from active_matting.data.images import read_alpha, read_cutout, write_image
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError
from active_matting.files import read_json
from active_matting.session import QuerySession
from active_matting.solvers import make_solver
from active_matting.widget.controller import Controller
from active_matting.widget.outputs import Outputs
from active_matting.widget.server import FILES, PageServer

SECONDS = 200


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[PageServer]:
    """A page of a small picture; it ends with the block, if it has not ended before."""
    image = Rendered(split="test", count=1, size=40)[0].image
    session = QuerySession(image, make_solver("random-walk"), coverage_agent(), region_size=8)
    server = PageServer(lambda emit: Controller(session, emit, outputs=Outputs.into(folder)))
    ending = asyncio.ensure_future(server.until_finished())
    try:
        yield server
    finally:
        if not ending.done():
            server.interrupt()
        await asyncio.wait_for(ending, SECONDS)


def run(test: Callable[[PageServer], Awaitable[None]], folder: Path) -> None:
    async def go() -> None:
        async with served(folder) as server:
            await test(server)

    asyncio.run(asyncio.wait_for(go(), SECONDS))


async def fetch(address: str, **headers: str) -> HTTPResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        return await AsyncHTTPClient().fetch(HTTPRequest(address, headers=named, follow_redirects=False))
    except HTTPClientError as error:
        if error.response is None:
            raise
        return error.response


class Line:
    """A web socket of the page, from its other end."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.socket: WebSocketClientConnection | None = None

    def hear(self, message: str | bytes | None) -> None:
        self.heard.put_nowait(message)
        if message is None:
            self.ended.set()

    async def say(self, **message: Any) -> None:
        await self.send(json.dumps(message))

    async def send(self, message: str | bytes) -> None:
        assert self.socket is not None
        await self.socket.write_message(message, binary=isinstance(message, bytes))

    async def next_event(self, kind: str) -> tuple[dict[str, Any], list[bytes]]:
        while True:
            text = await self.heard.get()
            assert isinstance(text, str), "the connection ended"
            event = json.loads(text)
            buffers = [await self.heard.get() for _ in range(event["buffers"])]
            if event["event"] == kind:
                return event, [buffer for buffer in buffers if isinstance(buffer, bytes)]


@asynccontextmanager
async def connected(address: str, headers: dict[str, str] | None = None) -> AsyncIterator[Line]:
    """A web socket, by default as the page's own browser opens it; closed, on both sides, at the end."""
    origin = address[: address.index("/", len("http://"))]
    headers = {"Origin": origin} if headers is None else headers
    line = Line()
    request = HTTPRequest(address.replace("http", "ws", 1) + "socket", headers=headers)
    line.socket = await websocket_connect(request, on_message_callback=line.hear)
    try:
        yield line
    finally:
        line.socket.close()
        await asyncio.wait_for(line.ended.wait(), SECONDS)


def test_the_page_and_its_files_are_there_for_who_knows_the_secret(tmp_path: Path) -> None:
    async def test(server: PageServer) -> None:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", server.address)
        for name, (_, kind) in FILES.items():
            response = await fetch(server.address + name)
            assert response.code == 200
            assert response.headers["Content-Type"] == kind
            policy = response.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "Access-Control-Allow-Origin" not in response.headers

    run(test, tmp_path)


def test_nobody_else_gets_anything(tmp_path: Path) -> None:
    async def test(server: PageServer) -> None:
        root = f"http://127.0.0.1:{server.port}"
        for path in ("/", "/favicon.ico", "/wrong/", "/wrong/widget.js", "/wrong/socket"):
            assert (await fetch(root + path)).code == 404
        assert (await fetch(server.address + "../../pyproject.toml")).code == 404
        assert (await fetch(server.address + "server.py")).code == 404
        here = server.address
        assert (await fetch(here, Host=f"evil.example:{server.port}")).code == 403  # a name lent to 127.0.0.1
        assert (await fetch(here, Host="127.0.0.1")).code == 403
        assert (await fetch(here, Origin="http://evil.example")).code == 403
        assert (await fetch(here, Origin="null")).code == 403
        assert (await fetch(here, Sec_Fetch_Site="cross-site")).code == 403
        assert (await fetch(here, Sec_Fetch_Site="same-site")).code == 403  # another port of this machine
        assert (
            await fetch(here, Host=f"localhost:{server.port}", Origin=f"http://localhost:{server.port}")
        ).code == 200

    run(test, tmp_path)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:{port}", "Host": "evil.example:{port}"},
    ],
)
def test_a_web_socket_is_for_the_page_alone(headers: dict[str, str], tmp_path: Path) -> None:
    async def test(server: PageServer) -> None:
        told = {name: value.format(port=server.port) for name, value in headers.items()}
        with pytest.raises(HTTPClientError, match="403"):
            async with connected(server.address, told):
                pass

    run(test, tmp_path)


def test_it_listens_on_the_loopback_interface_alone(tmp_path: Path) -> None:
    async def test(server: PageServer) -> None:
        (listening,) = server._http._sockets.values()
        assert listening.getsockname() == ("127.0.0.1", server.port)
        with pytest.raises(FileError, match=f"cannot listen on port {server.port}"):
            PageServer(lambda emit: pytest.fail("never made"), port=server.port)

    run(test, tmp_path)


def test_a_person_answers_and_is_done(tmp_path: Path) -> None:
    async def test(server: PageServer) -> None:
        async with connected(server.address) as line:
            await line.say(do="hello")
            _, (png,) = await line.next_event("image")
            assert png.startswith(b"\x89PNG")
            event: dict[str, Any] = {"asked": None}
            while event["asked"] is None:
                event, _ = await line.next_event("state")
            await line.say(do="answer", label="foreground", number=1)
            await line.next_event("matte")
            await line.say(do="done")
            assert (await line.next_event("finished"))[0]["text"] == "Finished."

    run(test, tmp_path)
    assert read_alpha(tmp_path / "alpha.png").shape == (40, 40)
    assert len(read_json(tmp_path / "session.json")["interactions"]) == 1


@pytest.mark.parametrize("nonsense", ["no JSON", "[1, 2]", "3", b"\x00\x01"])
def test_nonsense_ends_the_connection_not_the_page(nonsense: str | bytes, tmp_path: Path) -> None:
    async def test(server: PageServer) -> None:
        async with connected(server.address) as line:
            await line.send(nonsense)
            await line.ended.wait()
        assert (await fetch(server.address)).code == 200

    run(test, tmp_path)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_image(tmp_path / "photo.png", Rendered(split="test", count=1, size=60)[0].image)
    return tmp_path / "photo.png"


async def answer_one(address: str) -> None:
    async with connected(address) as line:
        await line.say(do="click", y=10, x=10, radius=3, label="foreground")
        await line.next_event("matte")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopped_at_the_terminal_it_writes_what_there_is(name: str, photo: Path) -> None:
    outputs = [photo.with_name(each) for each in ("c.png", "a.png", "l.png", "s.json")]
    arguments = [
        "label",
        str(photo),
        "--no-browser",
        "--agent",
        "coverage",
        "--solver",
        "random-walk",
        "--image-size",
        "40",
    ]
    for option, path in zip(("--output", "--alpha", "--labels", "--session"), outputs, strict=True):
        arguments += [option, str(path)]
    command = [sys.executable, "-m", "active_matting.agents.cli", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        asyncio.run(answer_one(address))
        assert len(read_json(outputs[3])["interactions"]) == 1  # kept at once
        os.kill(process.pid, getattr(signal, name))
        told, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert errors == ""
    assert f"written: {outputs[0]}" in told
    assert read_cutout(outputs[0])[0].shape == (60, 60, 3)
    assert read_alpha(outputs[1]).shape == (60, 60)
    assert not list(photo.parent.glob(".*"))


def test_what_cannot_be_shown_is_told_in_one_line(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = photo.with_name("broken.png")
    broken.write_bytes(photo.read_bytes()[:200])
    for arguments, words in (
        ([str(broken)], "broken.png"),
        ([str(photo.with_name("none.jpg"))], "none.jpg"),
        ([str(photo), "--output", "cutout.jpg"], "cutout.jpg must end in one of"),
        ([str(photo), "--agent", "nobody"], "unknown agent 'nobody'"),
    ):
        assert main(["label", *arguments, "--no-browser"]) == 1
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
