"""What every request passes, the socket included: token, Host, Origin, size; and the headers that every answer gets."""

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BODY_LIMIT = 16 * 2**20
URL_LIMIT = 8192
SAFE = ("GET", "HEAD")
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; frame-src 'self'; "
    "frame-ancestors 'self'; object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""Nothing comes from elsewhere or goes elsewhere; NiceGUI compiles its templates in the browser, hence unsafe-eval."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=()",
}
CLOSED = "Open the address that `verglas web` printed; its token works once. A new address is printed in the terminal after each use."


class TooLarge(Exception):
    """More bytes came than a request may have."""


class Guard:
    """ASGI middleware. `token()` gives a token that one browser can exchange for a cookie; cookies end with the server.

    What proxies say of themselves is dropped: pages would take addresses from it.
    """

    def __init__(self, app: Application, name: str, hosts: frozenset[str] = LOOPBACK, used: Callable[[], None] = lambda: None) -> None:
        """`name` of the cookie (servers on other ports keep their own); `hosts` by which it may be called; `used`: after a token was used."""
        self.app, self.name, self.hosts, self.used = app, name, hosts, used
        self._tokens: set[str] = set()
        self._sessions: set[str] = set()

    def token(self) -> str:
        """A new token."""
        new = secrets.token_urlsafe(32)
        self._tokens = {new}
        return new

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        scope["headers"] = [one for one in scope["headers"] if not one[0].lower().startswith((b"x-forwarded", b"forwarded"))]
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        status, text = self._refusal(scope, headers)
        if status and scope["type"] == "websocket":
            return await _close(receive, send)
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        if not status and not self._knows(headers):
            cookie = self._exchange(scope)
            if cookie:
                return await _answer(send, 303, "", {"location": scope["path"], "set-cookie": self._cookie(cookie)})
            status, text = 401, CLOSED
        if status:
            return await _answer(send, status, text)
        await self._pass(scope, receive, send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str]:
        """(status, why), (0, "") when nothing is wrong so far. Host and Origin come first: a wrong one is told nothing about tokens."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if _hostname(host) not in self.hosts:
            return 403, "This server does not answer to that name. Open it as 127.0.0.1 or localhost, or name it with --host."
        if origin is not None and urlsplit(origin)[1] != host:
            return 403, "The request comes from another page."
        if scope["type"] == "websocket":
            return (0, "") if origin is not None and self._knows(headers) else (403, "")
        if scope["method"] not in SAFE and origin is None:
            return 403, "A change needs the Origin of the page that asks for it."
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > URL_LIMIT:
            return 414, "The address is too long."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return 413, f"A request may have {BODY_LIMIT // 2**20} MiB."
        return 0, ""

    def _knows(self, headers: dict[str, str]) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.name)
        except CookieError:
            return False
        return cookie is not None and cookie.value in self._sessions

    def _exchange(self, scope: Scope) -> str:
        """A session for the token in the address, which ends with this use; "" for a wrong one."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] != "GET" or not any(secrets.compare_digest(given.encode(), one.encode()) for one in self._tokens):
            return ""
        self._tokens.discard(given)
        session = secrets.token_urlsafe(32)
        self._sessions.add(session)
        self.used()
        return session

    def _cookie(self, session: str) -> str:
        return f"{self.name}={session}; HttpOnly; SameSite=Strict; Path=/"

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        read, begun, gone = 0, False, False

        async def counted() -> Message:
            nonlocal read, gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            read += len(message.get("body", b""))
            if read > BODY_LIMIT:
                raise TooLarge
            return message

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there),
                ]
            await send(message)

        try:
            await self.app(scope, counted, dressed)
        except TooLarge:
            if not begun:
                await _answer(send, 413, f"A request may have {BODY_LIMIT // 2**20} MiB.")
        except RuntimeError:  # nobody waits for the answer any more
            if not gone:
                raise


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


async def _answer(send: Send, status: int, text: str, more: dict[str, str] | None = None) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"} | HEADERS | (more or {})
    await send(
        {"type": "http.response.start", "status": status, "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]}
    )
    await send({"type": "http.response.body", "body": text.encode()})


async def _close(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})
