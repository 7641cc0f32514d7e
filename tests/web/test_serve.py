"""The server answers before its pages are loaded."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from verglas.web import serve
from verglas.web.guard import Message, Receive, Scope, Send


class Pages:
    """Pages that tell of their life."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                self.told.append(message["type"])
                await send({"type": message["type"] + ".complete"})
        else:
            await send({"type": "page"})


async def live(later: serve.Later, ask: Any) -> list[str]:
    """What the server hears while it lives and `ask` is done."""
    to, heard = asyncio.Queue[Message](), list[str]()

    async def hear(message: Message) -> None:
        heard.append(message["type"])

    life = asyncio.create_task(later({"type": "lifespan"}, to.get, hear))
    await to.put({"type": "lifespan.startup"})
    await ask(hear)
    await to.put({"type": "lifespan.shutdown"})
    await life
    return heard


def test_requests_wait_for_the_pages_which_live_as_long_as_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages()

    def slowly() -> Pages:
        time.sleep(0.2)
        return pages

    monkeypatch.setattr(serve, "_pages", slowly)
    monkeypatch.setattr(serve, "_later", lambda seconds, action: None)
    later = serve.Later()

    async def ask(hear: Send) -> None:
        async def nothing() -> Message:
            return {}

        await later({"type": "http"}, nothing, hear)

    assert asyncio.run(live(later, ask)) == ["lifespan.startup.complete", "page", "lifespan.shutdown.complete"]
    assert pages.told == ["lifespan.startup", "lifespan.shutdown"]


def test_pages_that_cannot_be_loaded_are_no_endless_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Pages:
        raise ImportError("no such module")

    monkeypatch.setattr(serve, "_pages", broken)
    later = serve.Later()

    async def ask(hear: Send) -> None:
        with pytest.raises(RuntimeError, match="could not be loaded"):
            await later({"type": "http"}, lambda: asyncio.sleep(0, {}), hear)

    assert asyncio.run(live(later, ask))[-1] == "lifespan.shutdown.complete"


def test_a_stopped_server_leaves_nothing(server_of: Any, tmp_path: Path) -> None:
    """Also when it is stopped before its pages are there."""
    server = server_of()
    server.process.terminate()
    assert server.process.wait(20) in (0, -15) and "Traceback" not in server.log.read_text()
