"""The server listens and prints its address at once; the pages are loaded meanwhile, and the first requests wait for them."""

import asyncio
import socket
import sys
import threading
from asyncio import Queue
from collections.abc import Callable

import uvicorn

from verglas.errors import InputError
from verglas.web.guard import LOOPBACK, Application, Guard, Message, Receive, Scope, Send
from verglas.web.places import opened

SOCKET_LIMIT = 4 * 2**20
SOON, WARM = 0.3, 1.5
"""Seconds after the pages are there: when the first one is on its way, and when nothing else is to be done."""
SWITCH = 0.0005
"""Seconds after which the scheduler's thread lets the pages go on."""


class Later:
    """The pages, which a thread loads from the start of the server on."""

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._app: Application | None = None
        self._problem: Exception | None = None
        self._living: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(scope, receive, send)
        await self._ready.wait()
        if self._app is None:
            raise RuntimeError("the pages could not be loaded") from self._problem
        await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The life of the server, and within it that of the pages."""
        await receive()
        told, said = Queue[Message](), Queue[Message]()
        loading = asyncio.create_task(self._load(scope, told, said))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await loading
        if self._app is not None:
            await told.put({"type": "lifespan.shutdown"})
            await said.get()
        await send({"type": "lifespan.shutdown.complete"})

    async def _load(self, scope: Scope, told: "Queue[Message]", said: "Queue[Message]") -> None:
        try:
            app = await asyncio.to_thread(_pages)
            self._living = asyncio.ensure_future(app(scope, told.get, said.put))
            await told.put({"type": "lifespan.startup"})
            message = await said.get()
            if message["type"] != "lifespan.startup.complete":
                raise RuntimeError(str(message.get("message", message["type"])))
            self._app = app
            _later(SOON, begin)
            _later(WARM, load_jobs)
        except Exception as error:
            self._problem = error
        finally:
            self._ready.set()


def _pages() -> Application:
    from verglas.web.app import build

    return build()  # type: ignore[return-value]


def serve(host: str, port: int, path: str = "/") -> None:
    """Until Ctrl-C. `path`: the page of the printed address."""
    sys.setswitchinterval(SWITCH)
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    hosts = LOOPBACK if host in LOOPBACK else LOOPBACK | {host.lower(), socket.gethostname().lower()}
    guard: Guard

    def invite(again: str = "") -> None:
        shown = "127.0.0.1" if host in ("0.0.0.0", *LOOPBACK) else host
        print(f"{again}http://{shown}:{port}{path}?token={guard.token()}", flush=True)

    guard = Guard(Later(), f"verglas_{port}", hosts, lambda: invite("In another browser: "))
    invite("Open in your browser (Ctrl-C ends the server, never a job):\n")
    config = uvicorn.Config(
        guard,  # type: ignore[arg-type]
        log_level="warning",
        ws_max_size=SOCKET_LIMIT,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        from verglas.web.watch import end_all
        from verglas.web.wizards.pool import POOL

        end_all()
        POOL.end()


def begin() -> None:
    """Look at the projects, and schedule what waits in them."""
    from verglas.web.watch import watch

    for project in opened().values():
        watch(project)


def load_jobs() -> None:
    """Import the modules of all jobs, so that the first form of each is as quick as the next."""
    from verglas.jobs.registry import ENTRIES, find

    for name in ENTRIES:
        find(name)


def _later(seconds: float, action: Callable[[], None]) -> None:
    later = threading.Timer(seconds, action)
    later.daemon = True
    later.start()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family)
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        nameless = isinstance(error, socket.gaierror)
        raise InputError(
            f"port {port} of {host} cannot be had: {error.strerror if isinstance(error, OSError) else 'ports are 0 to 65535'}",
            where="--host" if nameless else "--port",
            remedy="give an address of this machine" if nameless else "give another --port, or 0 for any that is free",
        ) from error
    return listening
