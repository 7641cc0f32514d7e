"""A page without a browser: its elements as the server sent them, and its socket, through which anything can be said."""

import json
import re
from collections import deque
from contextlib import ExitStack
from html import unescape
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

SOCKET = "/_nicegui_ws/socket.io/"
PING, PONG, CONNECT, EVENT = "2", "3", "40", "42"
"""Beginnings of frames of socket.io."""


class PageClient:
    """`elements`: id -> its tag, props and listeners. `received`: bytes that came over the socket."""

    def __init__(self, origin: str, cookie: str, path: str) -> None:
        self.origin, self.cookie = origin, cookie
        connection = HTTPConnection(origin.removeprefix("http://"), timeout=60)
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == 200, (path, answer.status, text[:300])
        found = re.search(r"String\.raw`(.*?)`", text, re.DOTALL)
        query = re.search(r"query: (\{.*?\}),\n", text)
        assert found and query
        self.elements: dict[str, dict[str, Any]] = json.loads(unescape(found[1]))
        self.query = json.loads(query[1].replace("'", '"').replace("True", "true").replace("False", "false"))
        self.id = str(self.query["client_id"])
        self.received, self.said = 0, deque[str](maxlen=200)
        self.socket: ClientConnection | None = None
        self._open = ExitStack()

    def open(self, **more: Any) -> "PageClient":
        """The socket, with the handshake of a browser."""
        given = {"document_id": "d", "tab_id": "t"} | self.query | more
        query = urlencode({"EIO": 4, "transport": "websocket"} | {name: str(value).lower() if isinstance(value, bool) else value
                                                                   for name, value in given.items()})
        address = f"{self.origin.replace('http', 'ws')}{SOCKET}?{query}"
        self.socket = self._open.enter_context(connect(address, origin=Origin(self.origin), additional_headers={"Cookie": self.cookie},
                                                       max_size=None, open_timeout=30, ping_interval=None))
        self.socket.recv(30)
        self.raw(CONNECT)
        return self

    def raw(self, text: "str | bytes") -> None:
        assert self.socket
        self.socket.send(text)

    def emit(self, name: Any, *payload: Any) -> None:
        self.raw(EVENT + json.dumps([name, *payload]))

    def event(self, element: Any, listener: Any, *args: Any) -> None:
        """As the browser tells of a click or a change."""
        self.emit("event", {"id": element, "client_id": self.id, "listener_id": listener, "args": [json.dumps(one) for one in args]})

    def listen(self, seconds: float) -> bool:
        """Take what comes for so long, or until it is quiet; whether the socket is still open."""
        assert self.socket
        try:
            while True:
                text = self.socket.recv(seconds)
                self.received += len(text)
                self.said.append(text if isinstance(text, str) else "")
                if text == PING:
                    self.raw(PONG)
        except TimeoutError:
            return True
        except ConnectionClosed:
            return False

    def listeners(self) -> "list[tuple[int, str, str]]":
        """(element, listener, type of its event) of all."""
        return [(int(number), one["listener_id"], one["type"]) for number, element in self.elements.items() for one in element.get("events", ())]

    def close(self) -> None:
        self._open.close()


def enter(origin: str, token: str) -> str:
    """The cookie for a token."""
    connection = HTTPConnection(origin.removeprefix("http://"), timeout=60)
    connection.request("GET", f"/?token={token}")
    answer = connection.getresponse()
    assert answer.status == 303, answer.status
    return (answer.getheader("set-cookie") or "").partition(";")[0]
