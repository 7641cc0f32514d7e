"""A server of its own process, and a Chromium that has its cookie."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from verglas.project import program

CHROMIUM = Path("/usr/bin/chromium")


class Server(NamedTuple):
    """`origin`: http://127.0.0.1:PORT; `token` opens it once; `base`: /p/KEY of the project it was started with."""

    origin: str
    token: str
    base: str
    log: Path
    seconds: float
    process: "subprocess.Popen[bytes]"


def environment(home: Path) -> dict[str, str]:
    """Without what tells NiceGUI that it is tested, and with a list of recent projects of its own."""
    kept = {name: value for name, value in program.environment().items() if not name.startswith(("PYTEST", "NICEGUI"))}
    return kept | {"XDG_CONFIG_HOME": str(home), "OMP_NUM_THREADS": "1"}


def start_server(home: Path, *words: str) -> Server:
    log = home / f"server-{time.time_ns()}.log"
    begun = time.monotonic()
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", "verglas", "web", "--port", "0", *words], stdout=file, stderr=file, cwd=home,
                                   env=environment(home))
    while time.monotonic() - begun < 60:
        found = re.search(r"(http://[^/\s]+)(/\S*)\?token=(\S+)", log.read_text())
        if found:
            return Server(found[1], found[3], found[2], log, time.monotonic() - begun, process)
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(f"no address within 60 s: {log.read_text()}")


@pytest.fixture
def server_of(tmp_path: Path) -> Iterator[object]:
    """start(*words) -> Server."""
    running: list[Server] = []

    def start(*words: str) -> Server:
        running.append(start_server(tmp_path, *words))
        return running[-1]

    yield start
    for one in running:
        one.process.terminate()
        one.process.wait(20)


@pytest.fixture
def page() -> Iterator[object]:
    """A page of Chromium at 1440 x 900."""
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1440, "height": 900})
        browser.close()
