"""The widget as a page of this machine's own, for those without a notebook.

It listens on the loopback interface alone, and its address holds a secret that only the person is told. A page from
elsewhere, open in the same browser, gets nothing from it: requests that name another host (so that no name server can
lend its name to 127.0.0.1) or that come from another page are refused, and what is shown here loads nothing from there.
"""

import asyncio
import hmac
import json
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from active_matting.checks import check_integer
from active_matting.errors import FileError
from active_matting.widget.controller import Controller
from active_matting.widget.events import Emit

STATIC = Path(__file__).parent / "static"
HOST = "127.0.0.1"
FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "widget.js": ("widget.js", "text/javascript; charset=utf-8"),
    "widget.css": ("widget.css", "text/css; charset=utf-8"),
}


class PageServer:
    """Serves one controller's page until the person is done, or `interrupt` is called.

    make_controller: given where events go. port: 0 for any that is free. Made, started and stopped within one
    asyncio loop. Raises `InvalidArgumentError`, and `FileError` where the port is taken.
    """

    def __init__(self, make_controller: Callable[[Emit], Controller], port: int = 0) -> None:
        check_integer("port", port, at_least=0, at_most=65535)
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[str] = self._loop.create_future()
        self._was_interrupted = False
        self._faces: set[_Socket] = set()
        token = secrets.token_urlsafe(24)
        try:
            listening = socket.create_server((HOST, port))
        except OSError as error:
            raise FileError(f"cannot listen on port {port} of {HOST}: {error.strerror or error}") from error
        listening.setblocking(False)
        self.port = listening.getsockname()[1]
        self.address = f"http://{HOST}:{self.port}/{token}/"
        rights = {"token": token, "hosts": [f"{name}:{self.port}" for name in (HOST, "localhost")]}
        routes: list[Any] = [
            (r"/([^/]*)/socket", _Socket, {"server": self, **rights}),
            (r"/([^/]*)/([^/]*)", _File, rights),
        ]
        application = Application(routes, default_handler_class=_Nothing, default_handler_args=rights)
        self._http = HTTPServer(application)
        self.controller = make_controller(self._emit)
        self._http.add_socket(listening)

    async def until_finished(self) -> str:
        """Wait until the person is done; then stop serving. What was done, in words. Raises `FileError`."""
        try:
            return await self._end
        finally:
            self._http.stop()
            for face in list(self._faces):
                face.close(1000, "finished")
            await self._http.close_all_connections()
            await self._loop.run_in_executor(None, self.controller.close)

    def interrupt(self) -> None:
        """As if the person were done; from any thread. Where that fails, or the second time, it ends nonetheless."""

        def end() -> None:
            if self._was_interrupted and not self._end.done():
                self._end.set_exception(KeyboardInterrupt())
            self._was_interrupted = True
            self.controller.receive({"do": "done"})

        self._loop.call_soon_threadsafe(end)

    def _emit(self, event: dict[str, Any], buffers: list[bytes]) -> None:
        self._loop.call_soon_threadsafe(self._send, event, buffers)

    def _send(self, event: dict[str, Any], buffers: list[bytes]) -> None:
        for face in list(self._faces):
            face.show(event, buffers)
        if self._end.done():
            return
        if event["event"] == "finished":
            self._end.set_result(event["text"])
        elif event["event"] == "error" and self._was_interrupted:
            self._end.set_exception(FileError(event["text"]))


class _Guarded(RequestHandler):
    """Answers those alone who know the secret, ask this very host, and do not come from another page."""

    def initialize(self, token: str, hosts: list[str]) -> None:
        self._token = token
        self._hosts = hosts

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        sources = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data: blob:"
        sources += f"; connect-src 'self' ws://{self.request.host}; base-uri 'none'; form-action 'none'"
        self.set_header("Content-Security-Policy", f"{sources}; frame-ancestors 'none'")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Referrer-Policy", "no-referrer")  # the address holds the secret
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        headers = self.request.headers
        if self.request.host not in self._hosts:
            raise HTTPError(403, "asked for another host")
        if "Origin" in headers and headers["Origin"] not in [f"http://{host}" for host in self._hosts]:
            raise HTTPError(403, "asked by another page")
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise HTTPError(403, "asked by another page")
        given = self.path_args[0] if self.path_args else ""
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise HTTPError(404)

    def log_exception(self, *args: Any) -> None:
        """Refusals are not worth a line on the person's terminal."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish(f"{status_code}: {self._reason}")


class _Nothing(_Guarded):
    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404)


class _File(_Guarded):
    def get(self, token: str, name: str) -> None:
        if name not in FILES:
            raise HTTPError(404)
        file, kind = FILES[name]
        self.set_header("Content-Type", kind)
        self.finish((STATIC / file).read_bytes())


class _Socket(WebSocketHandler, _Guarded):
    """A message of the person is a JSON object; an event is one too, followed by as many binary ones as it says."""

    def initialize(self, server: PageServer, token: str, hosts: list[str]) -> None:  # type: ignore[override]
        _Guarded.initialize(self, token, hosts)
        self._server = server

    def prepare(self) -> None:
        super().prepare()
        if "Origin" not in self.request.headers:
            raise HTTPError(403, "a web socket is for pages")

    def check_origin(self, origin: str) -> bool:
        return origin in [f"http://{host}" for host in self._hosts]

    def open(self, *args: str, **kwargs: str) -> None:
        self._server._faces.add(self)

    def on_message(self, message: str | bytes) -> None:
        try:
            content = json.loads(message)
        except ValueError:
            content = None
        if isinstance(content, dict):
            self._server.controller.receive(content)
        else:
            self.close(1003, "not a JSON object")

    def on_close(self) -> None:
        self._server._faces.discard(self)

    def show(self, event: dict[str, Any], buffers: list[bytes]) -> None:
        try:
            self.write_message(json.dumps(event | {"buffers": len(buffers)}))
            for buffer in buffers:
                self.write_message(buffer, binary=True)
        except WebSocketClosedError:
            self._server._faces.discard(self)
