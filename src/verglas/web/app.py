"""The server: pages, data routes and static files behind one guard, with the scheduler beside it."""

import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from verglas.errors import InputError
from verglas.jobs.registry import ENTRIES, find
from verglas.web.data import ROUTERS
from verglas.web.guard import LOOPBACK, Guard
from verglas.web.places import opened
from verglas.web.refused import install
from verglas.web.routes import ROUTER
from verglas.web.watch import end_all, watch
from verglas.web.wizards.pool import POOL
from verglas.web.wizards.routes import router as wizards

STATIC = Path(__file__).parent / "static"
SOCKET_LIMIT = 4 * 2**20
SOON, WARM = 0.3, 1.5
"""Seconds after the start: when the first page is on its way, and when nothing else is to be done."""
SWITCH = 0.0005
"""Seconds after which the scheduler's thread lets the pages go on."""


def build() -> FastAPI:
    """The application without its guard."""
    import verglas.web.pages  # noqa: F401  registers the pages

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.include_router(ROUTER)
    for router in (*ROUTERS, wizards):
        app.include_router(router, prefix="/p/{key}/data")
    install(app)
    ui.run_with(app, title="verglas", tailwind=False, show_welcome_message=False, binding_refresh_interval=None, favicon=STATIC / "favicon.svg")
    return app


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

    guard = Guard(build(), f"verglas_{port}", hosts, lambda: invite("In another browser: "))  # type: ignore[arg-type]
    for seconds, action in ((SOON, begin), (WARM, load_jobs)):
        later = threading.Timer(seconds, action)
        later.daemon = True
        later.start()
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
        end_all()
        POOL.end()


def begin() -> None:
    """Look at the projects, and schedule what waits in them."""
    for project in opened().values():
        watch(project)


def load_jobs() -> None:
    """Import the modules of all jobs, so that the first form of each is as quick as the next."""
    for name in ENTRIES:
        find(name)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family)
        if sys.platform != "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        raise InputError(
            f"port {port} of {host} cannot be had: {os.strerror(error.errno or 0)}",
            where="--port",
            remedy="give another --port, or 0 for any that is free",
        ) from error
    return listening
